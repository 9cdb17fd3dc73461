"""Workers in line for attempts of an activity."""

from typing import Any

from services.maprun_tracker.fold_waits import GivenUp
from services.maprun_tracker.lines import Lines, Worker, YourTurn


class Heard(list[Any]):
    """A mailbox to look into."""

    def put(self, item: Any) -> None:
        """Adds it."""
        self.append(item)


def worker(name: str, *, connected: bool = True) -> tuple[Worker, Heard]:
    """A worker with its mailbox."""
    heard = Heard()
    return Worker(name, heard, lambda: connected), heard


def test_as_many_have_a_turn_as_attempts_wait() -> None:
    """In the order they came; those whose record is not folded yet count."""
    lines = Lines()
    workers = [worker(f"w{n}") for n in range(4)]
    for one, _ in workers:
        lines.join("a", one)
    lines.wake("a", 2)
    lines.wake("a", 2)
    assert [heard for _, heard in workers] == [[YourTurn()], [YourTurn()], [], []]
    lines.turn_over("a", "w0")
    lines.wake("a", 2)
    assert [len(heard) for _, heard in workers] == [1, 1, 1, 0]


def test_who_has_hung_up_has_no_turn() -> None:
    """The next one has."""
    lines = Lines()
    (gone, nothing), (here, heard) = worker("w0", connected=False), worker("w1")
    lines.join("a", gone)
    lines.join("a", here)
    lines.wake("a", 1)
    assert (nothing, heard) == ([], [YourTurn()])
    lines.leave("a", gone)


def test_a_turn_that_brought_nothing_is_the_next_one_again() -> None:
    """Before those that came later."""
    lines = Lines()
    (first, heard), (second, later) = worker("w0"), worker("w1")
    lines.join("a", first)
    lines.join("a", second)
    lines.wake("a", 1)
    lines.turn_over("a", "w0")
    lines.join("a", first, first=True)
    lines.wake("a", 1)
    assert (len(heard), later) == (2, [])


def test_who_leaves_takes_no_turn_along() -> None:
    """Neither one that it had, nor its place in the line."""
    lines = Lines()
    (first, _), (second, heard), (third, last) = worker("w0"), worker("w1"), worker("w2")
    for one in (first, second, third):
        lines.join("a", one)
    lines.wake("a", 1)
    lines.leave("a", first)
    lines.leave("a", second)
    lines.wake("a", 1)
    assert (heard, last) == ([], [YourTurn()])
    lines.leave("a", third)
    lines.wake("a", 1)


def test_the_lines_of_an_owner_that_ended_are_told_so() -> None:
    """Those who stand in them, and who comes later."""
    lines = Lines()
    (first, heard), (second, later) = worker("w0"), worker("w1")
    lines.join("a", first)
    lines.give_up()
    lines.join("a", second)
    assert (heard, later) == ([GivenUp()], [GivenUp()])
