"""Redriven children on a lane: they keep their index, go on from what they left, and leave what the next one needs."""

from typing import Any

import msgspec

from schemas.effects import TaskSucceeded
from schemas.history import EventType, HistoryEvent
from schemas.home import ABORTED, FAILED, REJECTED, RETURNED, SUCCEEDED
from schemas.lanes import Cause, ChildStopRequested, QuotaChanged, RedrivenChild, RunClosed, RunClosing
from tests.unit.child_runner.driver import RUN, TASK, Driver, opened

CHAIN: dict[str, Any] = {"A": {**TASK, "Next": "B"}, "B": TASK}
del CHAIN["A"]["End"]


def failed_chain(kind: str = "STANDARD") -> tuple[Driver, list[bytes]]:
    """A run of two children whose second Task failed, closed; and both as a redrive's items."""
    driver = Driver()
    driver.signal(opened(CHAIN, kind=kind))
    driver.items(0, [b"0", b"1"])
    driver.answer_tasks()
    driver.answer_tasks(fail=True)
    driver.signal(RunClosed(Cause(0, 5, 0), RUN, 0))
    return driver, [redriven(driver, 0, position) for position in (0, 1)]


def redriven(driver: Driver, generation: int, position: int) -> bytes:
    """A child as the reader finds it on home."""
    answer = driver.answers[generation, position]
    life = answer.afterlife
    count, remains = (life.redrive_count, life.remains) if life is not None else (0, b"")
    return msgspec.msgpack.encode(RedrivenChild(answer.status, count, msgspec.Raw(answer.raw), remains, answer.pages))


def types_of(events: list[HistoryEvent]) -> list[int]:
    """The event types of a history."""
    return [event.type for event in events]


def test_a_failed_child_leaves_the_state_it_failed_in() -> None:
    """STANDARD children that end unsuccessfully leave remains; those that succeed leave nothing."""
    driver, _ = failed_chain()
    assert [driver.answers[0, p].status for p in (0, 1)] == [FAILED, FAILED]
    life = driver.answers[0, 0].afterlife
    assert life is not None
    assert life.redrive_count == 0
    assert life.remains


def test_a_redriven_child_goes_on_where_it_failed() -> None:
    """Only the failed Task runs again, under a key of its own; the history holds both lives; the index stays."""
    driver, items = failed_chain()
    driver.signal(opened(CHAIN, generation=1, n=6))
    driver.items(0, items[::-1], generation=1, indexes=(1, 1, 0, 1), redriven=True)
    assert [start.request.state for start in driver.starts] == ["B", "B"]
    assert len({start.key for start in driver.starts}) == 2
    driver.answer_tasks()
    first, second = driver.answers[1, 0], driver.answers[1, 1]
    assert (first.index, first.status, second.index, second.status) == (1, SUCCEEDED, 0, SUCCEEDED)
    assert first.afterlife is not None
    assert (first.afterlife.redrive_count, first.afterlife.remains) == (1, b"")
    names = types_of(first.history)
    assert names.count(EventType.EXECUTION_REDRIVEN) == 1
    assert names[: len(driver.answers[0, 1].history)] == types_of(driver.answers[0, 1].history)
    assert first.history[0].details[0] == b"1"


def test_time_never_goes_back_over_a_redrive() -> None:
    """The clock of the lane that redrives a child may be behind that of the one that ended it."""
    driver, items = failed_chain()
    driver.signal(opened(CHAIN, generation=1, n=6))
    driver.now -= 5_000
    driver.items(0, items, generation=1, indexes=(0, 2), redriven=True)
    driver.turn(1.0)
    driver.answer_tasks()
    times = [event.at_ms for event in driver.answers[1, 0].history]
    assert times == sorted(times)


def test_a_child_is_redriven_again_and_again() -> None:
    """Each redrive counts one more, and its keys are new."""
    driver, items = failed_chain()
    keys = set()
    for generation in (1, 2, 3):
        driver.signal(opened(CHAIN, generation=generation, n=10 * generation))
        driver.items(0, items, generation=generation, indexes=(0, 2), redriven=True)
        keys |= {start.key for start in driver.starts}
        driver.answer_tasks(fail=True)
        driver.signal(RunClosed(Cause(0, 10 * generation + 5, 0), RUN, generation))
        items = [redriven(driver, generation, position) for position in (0, 1)]
    life = driver.answers[3, 0].afterlife
    assert life is not None
    assert life.redrive_count == 3
    assert len(keys) == 6


def test_an_express_child_starts_anew() -> None:
    """EXPRESS children leave nothing to go on from: they begin with their input, and a history of their own."""
    driver, items = failed_chain("EXPRESS")
    assert driver.answers[0, 0].afterlife is None
    driver.signal(opened(CHAIN, generation=1, n=6, kind="EXPRESS"))
    driver.items(0, items, generation=1, indexes=(0, 2), redriven=True)
    assert [start.request.state for start in driver.starts] == ["A", "A"]
    driver.answer_tasks()
    driver.answer_tasks()
    answer = driver.answers[1, 1]
    assert answer.history[0].details[0] == b"1"
    assert answer.status == SUCCEEDED
    assert answer.afterlife is not None
    assert answer.afterlife.redrive_count == 1


def test_a_redriven_child_survives_its_owner() -> None:
    """A new owner tells it its past on top of its redrive: the Task that came back doesn't run again."""
    driver, items = failed_chain()
    driver.signal(opened(CHAIN, generation=1, n=6))
    driver.items(0, items, generation=1, indexes=(0, 2), redriven=True)
    driver.outcome(driver.starts[0], TaskSucceeded(driver.starts[0].request.ref, b'{"Payload":1}'))
    driver.turn(5.0)  # the other one is adopted
    assert any(getattr(record, "adopted", ()) for record in driver.log)
    driver.take_over()
    assert [start.position for start in driver.starts] == [1]
    driver.answer_tasks()
    assert [driver.answers[1, p].status for p in (0, 1)] == [SUCCEEDED, SUCCEEDED]
    assert types_of(driver.answers[1, 1].history).count(EventType.EXECUTION_REDRIVEN) == 1


def test_a_redriven_child_that_never_started_stays_what_it_was() -> None:
    """The run closes before its turn comes: it is answered with its old status, history and remains, unchanged."""
    driver, items = failed_chain()
    driver.signal(opened(CHAIN, generation=1, n=6, quota=0))
    driver.items(0, items, generation=1, indexes=(0, 2), redriven=True)
    driver.items(2, [b"2"], generation=1, indexes=(7, 1), built=True)
    driver.signal(RunClosing(Cause(0, 7, 0), RUN, 1))
    for position in (0, 1):
        was, now = driver.answers[0, position], driver.answers[1, position]
        assert (now.index, now.status, now.raw) == (was.index, was.status, was.raw)
        assert now.afterlife is not None
        assert was.afterlife is not None
        assert (now.afterlife.redrive_count, now.afterlife.remains) == (0, was.afterlife.remains)
    assert (driver.answers[1, 2].status, driver.answers[1, 2].index) == (RETURNED, 7)
    assert msgspec.msgpack.decode(driver.answers[1, 2].raw) == [b"2"]


def test_a_stop_finds_a_redriven_child_by_its_index() -> None:
    """StopExecution names the child by index, which is not its position after a redrive."""
    driver, items = failed_chain()
    driver.signal(opened(CHAIN, generation=1, n=6))
    driver.items(0, items[::-1], generation=1, indexes=(1, 1, 0, 1), redriven=True)
    driver.signal(ChildStopRequested(Cause(0, 7, 0), RUN, 1, 1, "Why", "because"))
    assert driver.answers[1, 0].index == 1
    assert driver.answers[1, 0].status == ABORTED
    assert (1, 1) not in driver.answers


def test_a_stop_that_was_read_before_the_child_ran_here_counts() -> None:
    """A new owner reads the signals first: a stop among them ends the child as soon as its past is told."""
    driver = Driver()
    driver.signal(opened(CHAIN))
    driver.items(0, [b"0"])
    driver.signals.append(ChildStopRequested(Cause(0, 7, 0), RUN, 0, 0, "", ""))  # the owner dies before it hears of it
    driver.take_over()
    assert driver.answers[0, 0].status == ABORTED


def test_late_words_of_a_generation_change_nothing_in_the_next() -> None:
    """A RunOpened, RunClosing or RunClosed of generation 0 that comes again is passed over; a Task's answer too."""
    driver, items = failed_chain()
    old = opened(CHAIN)
    driver.signal(opened(CHAIN, generation=1, n=6))
    driver.items(0, items, generation=1, indexes=(0, 2), redriven=True)
    driver.signal(old)
    driver.signal(RunClosing(Cause(0, 4, 0), RUN, 0))
    driver.signal(RunClosed(Cause(0, 5, 0), RUN, 0))
    assert driver.lane.runs[RUN].key == (RUN, 1)
    assert len(driver.lane.runs[RUN].running) == 2
    driver.signal(RunClosed(Cause(0, 9, 0), RUN, 1))
    driver.signal(opened(CHAIN, generation=1, n=6))
    driver.take_over()
    assert not driver.lane.runs


def test_a_frame_of_the_next_generation_waits_for_its_run() -> None:
    """Items may be read before the signal that opens their generation: they wait for it, as those of a new run do."""
    driver, items = failed_chain()
    driver.items(0, items, generation=1, indexes=(0, 2), redriven=True)
    assert driver.lane.held.asks_signals_end
    driver.lane.held.signals_end(len(driver.signals) + 1)
    driver.signal(opened(CHAIN, generation=1, n=6))
    driver.lane.judge_held(0.0)
    driver.turn()
    assert len(driver.starts) == 2


def test_quotas_change_while_children_run() -> None:
    """At 0 nothing starts; raised, as many start as fit; of two values the one with the higher cause stands."""
    driver = Driver()
    driver.signal(opened(CHAIN, quota=0))
    driver.items(0, [b"%d" % i for i in range(9)])
    assert not driver.starts
    driver.signal(QuotaChanged(Cause(0, 8, 0), RUN, 0, 4))
    assert len(driver.starts) == 4
    driver.signal(QuotaChanged(Cause(0, 7, 0), RUN, 0, 9))
    assert len(driver.starts) == 4
    driver.signal(QuotaChanged(Cause(0, 9, 0), RUN, 0, 2))
    driver.answer_tasks()
    driver.answer_tasks()
    assert len(driver.answers) == 4
    assert len(driver.lane.runs[RUN].running) == 2


def test_an_item_that_can_not_be_had_says_all_a_redrive_needs() -> None:
    """A refused item is answered with itself, its key and its source; so is one whose run closes before its turn."""
    driver = Driver()
    driver.signal(opened(CHAIN, quota=1))
    driver.items(0, [b"", b"1", b""], keys=("a", "b", "c"))
    driver.signal(RunClosing(Cause(0, 4, 0), RUN, 0))
    assert driver.answers[0, 0].status == REJECTED
    assert msgspec.msgpack.decode(driver.answers[0, 0].raw) == [b"", "a", "source"]
    assert msgspec.msgpack.decode(driver.answers[0, 2].raw) == [b"", "c", "source"]
    assert driver.answers[0, 1].status == ABORTED
