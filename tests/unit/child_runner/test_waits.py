"""What children wait for, alone: timers, calls and requests for home follow what is asked and cancelled."""

from typing import Any

import msgspec

from schemas.effects import (
    EffectCancelled,
    MapRunRequested,
    MapRunStarted,
    MapRunSucceeded,
    TaskRequested,
    TaskSucceeded,
    TimerRequested,
    called_by,
)
from schemas.home import NestedRunDropped, NestedRunRequested
from schemas.plan import MapRunPlan
from schemas.traces import span_of
from services.child_runner.journal import RunMemory
from services.child_runner.lane_run import Child, LaneRun
from services.child_runner.task_calls import TaskCalls
from services.child_runner.waits import Waits, was_waited_for
from tests.unit.child_runner.driver import RUN, TASK, opened

TASK_ASKED, TIMER_ASKED = TaskRequested("t", "resource", b"{}", state="S"), TimerRequested("w", 5_000)
RUN_ASKED = MapRunRequested("n", MapRunPlan("M", "M", "EXPRESS"))


class Machine:
    """Names effects."""

    def effect_key(self, index: int, redrive_count: int, ref: str) -> str:
        """A key."""
        return f"{index}/{redrive_count}/{ref}"

    def arn(self, index: int) -> str:
        """Of a child."""
        return f"child {index}"

    def map_run_arn(self, _index: int, ref: str) -> tuple[str, str]:
        """Id and ARN."""
        return ref, f"arn of {ref}"


class Step:
    """A step that asks for some effects."""

    def __init__(self, *effects: Any) -> None:
        self.effects = effects


def made() -> tuple[Waits, TaskCalls, LaneRun, Child]:
    """Nobody waits for anything yet."""
    calls = TaskCalls(1.0)
    machine: Any = Machine()
    run = LaneRun(opened({"A": TASK}), 0, machine, RunMemory())
    return Waits(3, calls), calls, run, Child(7, 9, b"", 1, None)


def test_each_effect_is_asked_for_where_it_belongs() -> None:
    """A Task is a call, a timer is set, a Map Run is first heard of by the child alone."""
    waits, calls, run, child = made()
    assert waits.ask(run, child, TASK_ASKED) is None
    assert waits.ask(run, child, TIMER_ASKED) is None
    assert waits.ask(run, child, RUN_ASKED) == MapRunStarted("n", "arn of n")
    assert [(call.position, call.key) for call in calls.take_starts(9)] == [(7, "9/0/t")]
    assert waits.timers.next_ms() == 5_000
    assert waits.take_for_home() == []
    assert list(child.waits) == ["t", "w", "n"]


def test_home_is_asked_for_a_map_run_that_began_and_told_when_nobody_waits() -> None:
    """Before the child heard of it there is nothing to drop."""
    waits, _, run, child = made()
    waits.ask(run, child, RUN_ASKED)
    waits.cancel(run, child, "n")
    assert waits.take_for_home() == []
    waits.ask(run, child, RUN_ASKED)
    assert was_waited_for(child, MapRunStarted("n", "arn of n"))
    waits.ask_home(run, child, child.waits["n"])  # type: ignore[arg-type]
    waits.cancel_all(run, child)
    assert waits.take_for_home() == [
        NestedRunRequested(RUN, 0, 7, 9, 3, "n", RUN_ASKED.plan),
        NestedRunDropped(RUN, 0, 7, 9, "n"),
    ]
    assert not child.waits


def test_what_is_cancelled_leaves_nothing() -> None:
    """Its call is given up, its timer is freed."""
    waits, calls, run, child = made()
    waits.ask(run, child, TASK_ASKED)
    waits.ask(run, child, TIMER_ASKED)
    waits.cancel_all(run, child)
    assert [stop.ref for stop in calls.take_stops()] == ["t"]
    assert len(waits.timers) == 0


def test_a_happening_ends_the_wait_for_it_once() -> None:
    """That a Map Run began ends no wait, and is heard once; its end, like a Task's, is heard once."""
    waits, _, run, child = made()
    waits.ask(run, child, TASK_ASKED)
    waits.ask(run, child, RUN_ASKED)
    heard = [TaskSucceeded("t", b"1"), MapRunStarted("n", "a"), MapRunSucceeded("n", b"[]")]
    assert [was_waited_for(child, happening) for happening in heard] == [True] * 3
    assert [was_waited_for(child, happening) for happening in heard] == [False] * 3


def test_a_past_that_happens_again_asks_for_nothing() -> None:
    """What is noted starts no call and sets no timer; a Map Run that began and is dropped is said to home."""
    waits, calls, run, child = made()
    step: Any = Step(TASK_ASKED, TIMER_ASKED, RUN_ASKED)
    waits.note(run, child, step)
    assert list(child.waits) == ["t", "w", "n"]
    assert was_waited_for(child, MapRunStarted("n", "a"))
    cancelled: Any = Step(EffectCancelled("n"), EffectCancelled("t"))
    waits.note(run, child, cancelled)
    assert (calls.take_starts(9), len(waits.timers)) == ([], 0)
    assert [type(fact) for fact in waits.take_for_home()] == [NestedRunRequested, NestedRunDropped]


def test_a_childs_calls_belong_to_the_trace_of_its_root_execution() -> None:
    """With the attempt as the parent; without a trace the request goes out as it is."""
    waits, calls, run, child = made()
    waits.ask(run, child, TASK_ASKED)
    assert [start.request for start in calls.take_starts(9)] == [called_by(TASK_ASKED, "child 9")]
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    run.opened = msgspec.structs.replace(run.opened, trace_header=f"{root};Sampled=1")
    waits.ask(run, child, TASK_ASKED)
    trace = f"{root};Parent={span_of('9/0/t')};Sampled=1"
    assert [start.request.trace for start in calls.take_starts(9)] == [trace]
