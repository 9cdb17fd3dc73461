"""Redrive of distributed Maps: the recorded history, and when the Map Run goes on or another one begins."""

from typing import Any

import pytest

from maprun.interpreter import advance, decode_execution, encode_execution, redrive
from schemas.effects import (
    EffectCancelled,
    MapRunFailed,
    MapRunRedriven,
    MapRunRedriveRequested,
    MapRunRequested,
    MapRunStarted,
    MapRunSucceeded,
    StopAsked,
    TaskFailed,
    TimerFired,
)
from schemas.history import EventType, event_to_api
from tests.unit.interpreter.telling import INVOKE, Life, machine_of, scope

RUN = "arn:aws:states:us-east-1:123456789012:mapRun:m/l:r"
PROCESSOR = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    **scope("P", {"Type": "Pass", "End": True}),
}
MAP: dict[str, Any] = {"Type": "Map", "ItemProcessor": PROCESSOR, "End": True}
EXCEEDED = ("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded")
DENIED = (
    "States.Runtime",
    (
        "Error contacting AWS Service. | Message from Service: User: u is not authorized to perform: "
        "states:RedriveExecution on resource: r (Service: Sfn, Status Code: 400, Request ID: i) (SDK Attempt Count: 1)"
    ),
)


def asked(life: Life) -> str:
    """The ref of the Map Run that the last step asks for."""
    (effect,) = (effect for effect in life.step.effects if isinstance(effect, MapRunRequested))
    return effect.ref


def failed(life: Life, error: str, cause: str) -> str:
    """A Map Run that was asked for starts and fails; its ref."""
    ref = asked(life)
    life.tell(MapRunStarted(ref, RUN))
    life.tell(MapRunFailed(ref, error, cause))
    return ref


def fired(life: Life) -> TimerFired:
    """The one timer of the last step fires."""
    (timer,) = life.timers()
    return TimerFired(timer.ref)


@pytest.mark.parametrize("restored", [False, True])
def test_the_recorded_history_of_two_redrives(restored: bool) -> None:
    """AWS's own events, ids and previous ids of a Map Run that failed twice and succeeded at last (facts, 2.8)."""
    life = Life(
        {
            "Before": {"Type": "Pass", "Next": "M"},
            "M": {"Type": "Map", "ItemProcessor": PROCESSOR, "Next": "After"},
            "After": {"Type": "Pass", "End": True},
        },
        [1, 2, 3, 4, 5, 6],
    )

    def again(error: str, cause: str, count: int) -> None:
        life.tell(MapRunFailed(ref, error, cause))
        assert life.step.remains is not None
        if restored:
            life.step.remains = decode_execution(encode_execution(life.step.remains))
        life.redrive()
        assert life.step.effects == [MapRunRedriveRequested(ref)]
        if restored:
            assert life.step.execution is not None
            life.step.execution = decode_execution(encode_execution(life.step.execution))
        life.tell(MapRunRedriven(ref, RUN, count))

    ref = asked(life)
    life.tell(MapRunStarted(ref, RUN))
    again(*EXCEEDED, 1)
    again(*DENIED, 2)
    life.tell(MapRunSucceeded(ref, b"[]"))
    assert life.last(22) == [
        "1 ExecutionStarted <- 0",
        "2 PassStateEntered <- 0",
        "3 PassStateExited <- 2",
        "4 MapStateEntered <- 3",
        "5 MapStateStarted <- 4",
        "6 MapRunStarted <- 5",
        "7 MapRunFailed <- 6",
        "8 MapStateFailed <- 7",
        "9 ExecutionFailed <- 8",
        "10 ExecutionRedriven <- 9",
        "11 MapRunRedriven <- 5",
        "12 MapRunFailed <- 11",
        "13 MapStateFailed <- 12",
        "14 ExecutionFailed <- 13",
        "15 ExecutionRedriven <- 14",
        "16 MapRunRedriven <- 5",
        "17 MapRunSucceeded <- 16",
        "18 MapStateSucceeded <- 17",
        "19 MapStateExited <- 16",
        "20 PassStateEntered <- 19",
        "21 PassStateExited <- 20",
        "22 ExecutionSucceeded <- 21",
    ]
    shown = [event_to_api(event, at) for at, event in enumerate(life.events, 1)]
    assert shown[9]["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert shown[10]["mapRunRedrivenEventDetails"] == {"mapRunArn": RUN, "redriveCount": 1}
    assert shown[14]["executionRedrivenEventDetails"] == {"redriveCount": 2}
    assert shown[15]["mapRunRedrivenEventDetails"] == {"mapRunArn": RUN, "redriveCount": 2}


@pytest.mark.parametrize(
    ("error", "cause", "goes_on"),
    [
        (*EXCEEDED, True),
        ("States.ItemReaderFailed", "c", True),
        ("States.ResultWriterFailed", "c", True),
        ("Boom", "c", True),
        (*DENIED, True),
        ("States.Runtime", "The JSONPath '$.no' specified for the field 'a.$' could not be found", False),
        ("States.DataLimitExceeded", "c", False),
    ],
)
def test_which_failures_the_map_run_itself_is_redriven_after(error: str, cause: str, goes_on: bool) -> None:
    """After too much data, or an input that can't be built, another Map Run begins, under another ref."""
    life = Life({"M": MAP}, [1])
    ref = failed(life, error, cause)
    life.redrive()
    if goes_on:
        assert life.step.effects == [MapRunRedriveRequested(ref)]
    else:
        assert asked(life) != ref
        end = len(life.events)
        assert life.new() == [f"{end - 1} ExecutionRedriven <- {end - 2}", f"{end} MapStateStarted <- 2"]


def test_a_map_run_that_never_started_is_asked_for_anew() -> None:
    """Stopped before it heard that the Map Run exists: the redrive asks for another."""
    life = Life({"M": MAP}, [1])
    ref = asked(life)
    life.tell(StopAsked())
    life.redrive()
    assert asked(life) != ref


def test_a_map_run_that_succeeded_is_not_redriven() -> None:
    """The state failed over what the Map Run gave it: there is nothing to redrive in that run, another one begins."""
    life = Life({"M": {**MAP, "ResultPath": "$.a.b"}}, [1])
    ref = asked(life)
    life.tell(MapRunStarted(ref, RUN))
    life.tell(MapRunSucceeded(ref, b"[]"))
    assert life.step.ended is not None
    assert life.step.ended.error == "States.ResultPathMatchFailure"
    life.redrive()
    assert asked(life) != ref


@pytest.mark.parametrize("told", [False, True])
def test_an_aborted_map_run_goes_on(told: bool) -> None:
    """The execution is stopped while its Map Run runs, and again while it is redriven, told of it or not."""
    life = Life({"M": MAP}, [1])
    ref = asked(life)
    life.tell(MapRunStarted(ref, RUN))
    for count in (1, 2):
        life.tell(StopAsked())
        assert life.step.effects == [EffectCancelled(ref)]
        life.redrive()
        assert life.step.effects == [MapRunRedriveRequested(ref)]
        if told:
            life.tell(MapRunRedriven(ref, RUN, count))
            assert life.step.events[0].previous_id == 3
    life.tell(MapRunRedriven(ref, RUN, 2))
    life.tell(MapRunSucceeded(ref, b'["x"]'))
    assert life.output() == ["x"]


def test_a_map_run_that_a_sibling_aborted_goes_on() -> None:
    """Of two branches one fails and cuts off the other's Map Run: the redrive goes on with both."""
    task = {"Type": "Task", "Resource": INVOKE, "End": True}
    life = Life({"Both": {"Type": "Parallel", "Branches": [scope("M", MAP), scope("T", task)], "End": True}}, [1])
    ref, work = asked(life), life.tasks()["T"]
    life.tell(MapRunStarted(ref, RUN))
    life.tell(TaskFailed(work.ref, "Boom", "c"))
    assert EventType.MAP_RUN_ABORTED in [event.type for event in life.step.events]
    life.redrive()
    assert MapRunRedriveRequested(ref) in life.step.effects
    assert list(life.tasks()) == ["T"]
    life.tell(MapRunRedriven(ref, RUN, 1))
    assert life.new()[0].endswith("MapRunRedriven <- 5")


def test_a_second_word_of_the_redrive_changes_nothing() -> None:
    """MapRunRedriven and MapRunStarted told again bring no event."""
    life = Life({"M": MAP}, [1])
    ref = failed(life, *EXCEEDED)
    life.redrive()
    life.tell(MapRunRedriven(ref, RUN, 1))
    for again in (MapRunRedriven(ref, RUN, 1), MapRunStarted(ref, RUN)):
        life.tell(again)
        assert life.step.events == []


def test_a_map_run_that_can_not_go_on() -> None:
    """Its failure comes without word of a redrive: it points at MapStateStarted, and the next redrive asks anew."""
    life = Life({"M": MAP}, [1])
    ref = failed(life, *EXCEEDED)
    life.redrive()
    life.tell(MapRunFailed(ref, "States.Runtime", "gone"))
    assert life.new() == ["9 MapRunFailed <- 3", "10 MapStateFailed <- 9", "11 ExecutionFailed <- 10"]
    life.redrive()
    assert asked(life) != ref


def test_a_retry_after_a_redrive_is_a_new_run() -> None:
    """Retries start again with the redrive: the redriven run fails, and the retry asks for another, under a new ref."""
    retry = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "MaxAttempts": 1}]
    life = Life({"M": {**MAP, "Retry": retry}}, [1])
    refs = [failed(life, *EXCEEDED)]
    life.tell(fired(life))
    refs.append(failed(life, *EXCEEDED))
    assert life.step.ended is not None
    life.redrive()
    assert life.step.effects == [MapRunRedriveRequested(refs[-1])]
    life.tell(MapRunRedriven(refs[-1], RUN, 1))
    life.tell(MapRunFailed(refs[-1], *EXCEEDED))
    life.tell(fired(life))
    refs.append(failed(life, *EXCEEDED))
    assert life.step.ended is not None
    assert len(set(refs)) == 3


def test_a_failed_catch_does_not_lose_the_map_run() -> None:
    """The catcher's output can't be made: the execution fails, and the redrive still goes on with the Map Run."""
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.a.b", "Next": "End"}]
    life = Life({"M": {**MAP, "Catch": catch}, "End": {"Type": "Succeed"}}, [1])
    ref = failed(life, *EXCEEDED)
    assert life.step.ended is not None
    assert life.step.ended.error == "States.ResultPathMatchFailure"
    life.redrive()
    assert life.step.effects == [MapRunRedriveRequested(ref)]


def test_an_execution_stored_before_there_were_redrives() -> None:
    """Bytes of version 1, a Map Run and a Task in two branches: they decode, end, and can be redriven."""
    stored = (
        "95019aa561726e3a65a165a561726e3a6da16da861726e3a726f6c6500c4035b315d0000c209c39d00a4426f7468c4035b315d030200c0"
        "0181a4426f746801c000960192c0c0020002929d00a14dc4035b315d090400c00181a14d01c0009502a372756eb0426f746823312e302f"
        "303a4d23312e30a009039d01a154c4035b315d080600c00181a15401c0009502a47461736bb0426f746823312e302f313a5423312e30a0"
        "000300"
    )
    task = {"Type": "Task", "Resource": INVOKE, "End": True}
    states = {"Both": {"Type": "Parallel", "Branches": [scope("M", MAP), scope("T", task)], "End": True}}
    machine = machine_of(states, TimeoutSeconds=60)
    last = advance(machine, decode_execution(bytes.fromhex(stored)), StopAsked(), 1)
    assert len(last.effects) == 3
    assert last.remains is not None
    step = redrive(machine, decode_execution(encode_execution(last.remains)), 2)
    (ref,) = (effect.ref for effect in step.effects if isinstance(effect, MapRunRedriveRequested))
    assert step.execution is not None
    told = advance(machine, step.execution, MapRunRedriven(ref, RUN, 1), 3)
    assert told.events[0].previous_id == 5
