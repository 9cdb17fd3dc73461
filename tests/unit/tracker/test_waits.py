"""Who waits for a home's fold: what they hear, in which order, and when its owner ends."""

from typing import Any

from services.maprun_tracker.fold_waits import GivenUp, Passed, Waits


class Heard(list[Any]):
    """A mailbox to look into."""

    put = list.append


def test_what_is_said_under_a_key_is_heard_by_all_who_wait_under_it() -> None:
    """Each of them hears each thing, nobody else does, and nobody who has ended."""
    waits = Waits()
    first, second, other = Heard(), Heard(), Heard()
    waits.begin("a", first)
    waits.begin("a", second)
    waits.begin("b", other)
    waits.say("a", 1)
    waits.end("a", first)
    waits.say("a", 2)
    waits.end("a", second)
    waits.say("a", 3)
    assert (first, second, other) == ([1], [1, 2], [])


def test_an_offset_is_heard_once_the_fold_has_passed_it() -> None:
    """In the order of offsets, at that offset or at the first one behind it, and once."""
    waits = Waits()
    near, far = Heard(), Heard()
    waits.until(7, far)
    waits.until(3, near)
    waits.until(3, near)
    waits.passed(2)
    assert (near, far) == ([], [])
    waits.passed(4)
    assert (near, far) == ([Passed(), Passed()], [])
    waits.passed(7)
    waits.passed(8)
    assert (near, far) == ([Passed(), Passed()], [Passed()])


def test_all_hear_that_the_owner_has_ended() -> None:
    """Those who wait, and those who come too late: nobody waits for a fold that is no more."""
    waits = Waits()
    early, behind, late, later = Heard(), Heard(), Heard(), Heard()
    waits.begin("a", early)
    waits.until(9, behind)
    waits.give_up()
    waits.begin("a", late)
    waits.until(9, later)
    assert [early, behind, late, later] == [[GivenUp()]] * 4
