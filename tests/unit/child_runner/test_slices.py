"""A lane whose children take long: slice by slice, in turns, and told nothing in the midst of a step."""

from typing import Any

import pytest

from schemas.effects import TaskSucceeded
from schemas.history import EventType, encode_events
from schemas.home import ABORTED, FAILED, SUCCEEDED
from schemas.lanes import Cause, ChildStopRequested, RunClosed, RunClosing
from services.child_runner.limits import LaneLimits
from services.child_runner.task_calls import TaskOver
from tests.unit.child_runner.driver import AT_ONCE, RUN, TASK, Driver, opened
from tests.unit.child_runner.pace import StatesPace

LONG = 40
"""States that a child passes through in one step."""


def chain(first: dict[str, Any] | None = None) -> dict[str, Any]:
    """Perhaps a Task, then many states without a wait, then a Task."""
    states: dict[str, Any] = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(LONG)}
    states[f"S{LONG}"] = TASK
    if first is not None:
        states["A"] = {**first, "Next": "S0"}
        del states["A"]["End"]
    else:
        states["A"] = {"Type": "Pass", "Next": "S0"}
    return states


def long_driver(states: dict[str, Any], *, kind: str = "STANDARD", pace: int = 5) -> Driver:
    """A lane that runs these states a few at a time."""
    driver = Driver(pace=StatesPace(pace))
    driver.signal(opened(states, kind=kind))
    return driver


def step(driver: Driver, turns: int) -> None:
    """Some turns, not until it rests."""
    for _ in range(turns):
        driver._step()


def lives(states: dict[str, Any], pace: int, kind: str) -> list[bytes]:
    """The histories of three children whose Tasks are answered, at this pace."""
    driver = long_driver(states, kind=kind, pace=pace)
    driver.items(0, [b"1", b"2", b"3"])
    driver.answer_tasks()
    driver.answer_tasks()
    assert {answer.status for answer in driver.answers.values()} == {SUCCEEDED}
    return [encode_events(driver.answers[0, position].history) for position in range(3)]


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
@pytest.mark.parametrize("first", [None, TASK])
def test_where_a_child_pauses_changes_nothing(kind: str, first: dict[str, Any] | None) -> None:
    """Children taken on five states at a time have the histories of those taken on at once."""
    assert lives(chain(first), 5, kind) == lives(chain(first), 10**9, kind)


def test_long_children_take_turns() -> None:
    """Of two children in a long step neither waits for the other's end: both are at work at once."""
    driver = long_driver(chain())
    driver.items(0, [b"1", b"2"])
    assert len(driver.starts) == 2
    assert driver.pace.slices > 2 * LONG // 5  # type: ignore[attr-defined]


def test_who_is_stopped_in_the_midst_of_a_step_ends_behind_it() -> None:
    """A stop waits for the step it comes into: the child ends as ABORTED, its Task is never started."""
    driver = long_driver(chain(TASK))
    driver.items(0, [b"1"])
    start = driver.starts.pop()
    done = TaskSucceeded(start.request.ref, b"{}")
    driver.lane.task_over(TaskOver(start.run, start.position, done), driver.now, driver.now / 1000)
    step(driver, 3)
    assert driver.lane.executions.unfinished
    driver.signal(ChildStopRequested(Cause(0, 9, 0), RUN, 0, 0, "E", "C"))
    assert driver.answers[0, 0].status == ABORTED
    assert driver.answers[0, 0].history[-1].details == ("E", "C")
    assert not [s for s in driver.starts if s.position in driver.lane.runs[RUN].running]


def test_a_new_owner_finds_a_child_in_a_long_step_where_its_journal_stands() -> None:
    """An owner that goes away in the midst of a step leaves nothing half: the next one takes the same step again."""
    driver = long_driver(chain(TASK))
    driver.items(0, [b"1"])
    start = driver.starts.pop()
    done = TaskSucceeded(start.request.ref, b"{}")
    driver.lane.task_over(TaskOver(start.run, start.position, done), driver.now, driver.now / 1000)
    step(driver, 3)
    assert driver.lane.executions.unfinished
    driver.take_over()
    driver.answer_tasks()
    assert driver.answers[0, 0].status == SUCCEEDED
    ends = [event.type for event in driver.answers[0, 0].history]
    assert ends.count(EventType.PASS_STATE_EXITED) == LONG
    assert ends.count(EventType.LAMBDA_FUNCTION_SUCCEEDED) + ends.count(EventType.TASK_SUCCEEDED) == 2


def test_what_happens_in_the_midst_of_a_step_is_heard_behind_it() -> None:
    """An EXPRESS child whose time is up while it is in a long step ends as timed out once that is through."""
    driver = long_driver(chain(TASK), kind="EXPRESS")
    driver.items(0, [b"1"])
    start = driver.starts.pop()
    done = TaskSucceeded(start.request.ref, b"{}")
    driver.lane.task_over(TaskOver(start.run, start.position, done), driver.now, driver.now / 1000)
    step(driver, 2)
    assert driver.lane.executions.unfinished
    driver.turn(301)
    types = [event.type for event in driver.answers[0, 0].history]
    assert types[-1] == EventType.EXECUTION_TIMED_OUT
    assert types.count(EventType.PASS_STATE_EXITED) == LONG


def test_a_run_that_closes_answers_every_child_at_work() -> None:
    """Children in the midst of a step, and those that never started, are answered when their run closes."""
    driver = Driver(pace=StatesPace(3))
    driver.signal(opened(chain()))
    driver.items(0, [b"1", b"2", b"3", b"4"])
    driver.signal(RunClosing(Cause(0, 9, 0), RUN, 0))
    assert sorted(position for _, position in driver.answers) == [0, 1, 2, 3]
    driver.signal(RunClosed(Cause(0, 10, 0), RUN, 0))
    assert not driver.lane.runs
    assert not driver.lane.executions.unfinished


def test_past_the_lease_nothing_is_said_on_home() -> None:
    """A lane whose lease doesn't hold keeps its outcomes, requests and progress to itself; later they go out."""
    limits = LaneLimits(journal_linger_seconds=0.0, linger_seconds=0.0, progress_seconds=0.0)
    driver = Driver(limits)
    driver.signal(opened({"A": TASK}, n=1))
    reports = driver.lane.reports
    reports.lease_lost = True
    driver.items(0, [b"1"])
    driver.answer_tasks(fail=True)
    assert not driver.answers
    assert driver.lane.take_facts(driver.now / 1000 + 9, idle=True) == []
    reports.lease_lost = False
    driver.turn()
    assert driver.answers[0, 0].status == FAILED


def test_timeouts_of_tasks_that_ended_leave_nothing_behind() -> None:
    """Three thousand Tasks with an hour's timeout, answered, leave next to no timer."""
    driver = Driver(AT_ONCE)
    driver.signal(opened({"A": {**TASK, "TimeoutSeconds": 3_600}}))
    for first in range(0, 3_000, 100):
        driver.items(first, [b"1"] * 100)
        while driver.starts:
            driver.answer_tasks()
    assert len(driver.answers) == 3_000
    assert len(driver.lane.waits.timers) == 0
    assert driver.lane.waits.timers.entries < 1_500


def test_who_is_brought_back_into_a_closing_run_starts_nothing() -> None:
    """However little time a turn has: a child that an earlier owner ran is stopped before its Task is started again."""
    driver = Driver(pace=StatesPace(10**9))
    driver.signal(opened({"A": TASK}))
    driver.items(0, [b"1"])
    driver.pace.states = 2  # type: ignore[attr-defined]
    driver.signals.append(RunClosing(Cause(0, 9, 0), RUN, 0))
    driver.take_over()
    assert driver.answers[0, 0].status == ABORTED
    assert not driver.starts
