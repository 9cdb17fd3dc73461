"""Redrive: what each kind of state does again, event for event, however the execution ended."""

import json
from typing import Any

import msgspec
import pytest

from maprun.interpreter import ExecutionHead, Limits, begin
from schemas.effects import (
    StopAsked,
    TaskFailed,
    TaskSucceeded,
    TimerFired,
)
from tests.unit.interpreter.telling import INVOKE, LAMBDA, Life, machine_of, scope, start

TASK = {"Type": "Task", "Resource": INVOKE, "End": True}
PASS = {"Type": "Pass", "End": True}
DONE = {"Type": "Succeed"}
FAIL = {"Type": "Fail", "Error": "Boom"}
LARGE = "States.DataLimitExceeded"


def ended(life: Life, how: str) -> None:
    """The execution ends: its one Task fails, it is stopped, or its time is over."""
    if how == "FAILED":
        (task,) = life.tasks().values()
        life.tell(TaskFailed(task.ref, "Boom", "c"))
    elif how == "ABORTED":
        life.tell(StopAsked())
    else:
        life.tell(TimerFired(next(timer.ref for timer in life.timers() if timer.ref.endswith("TimeoutSeconds"))))
    assert life.step.ended is not None
    assert life.step.ended.status == how


# ---------------------------------------------------------------------- one state, every end, twice


@pytest.mark.parametrize("how", ["FAILED", "ABORTED", "TIMED_OUT"])
@pytest.mark.parametrize(
    ("resource", "scheduled", "started"),
    [(INVOKE, "TaskScheduled", "TaskStarted"), (LAMBDA, "LambdaFunctionScheduled", "LambdaFunctionStarted")],
)
def test_a_task_runs_again_however_the_execution_ended(resource: str, scheduled: str, started: str, how: str) -> None:
    """Its state isn't entered again; the new attempt points at the one entry, in each of two redrives."""
    life = Life({"T": {**TASK, "Resource": resource}}, TimeoutSeconds=60)
    for count in (1, 2):
        ended(life, how)
        end = len(life.events)
        life.redrive()
        assert life.new() == [
            f"{end + 1} ExecutionRedriven <- {end}",
            f"{end + 2} {scheduled} <- 2",
            f"{end + 3} {started} <- {end + 2}",
        ]
        assert life.step.events[0].details == (count,)
    life.tell(TaskSucceeded(life.tasks()["T"].ref, b'"ok"'))
    assert life.output() == "ok"


@pytest.mark.parametrize("how", ["ABORTED", "TIMED_OUT"])
def test_a_wait_of_seconds_begins_anew_and_a_moment_stays(how: str) -> None:
    """Seconds count from the redrive; a Timestamp that has passed meanwhile is left at once."""
    life = Life({"W": {"Type": "Wait", "Seconds": 5, "End": True}}, TimeoutSeconds=60)
    ended(life, how)
    life.redrive()
    assert [timer.due_ms for timer in life.timers()] == [70_000, 15_000]
    life = Life({"W": {"Type": "Wait", "Timestamp": "1970-01-01T00:00:09Z", "End": True}}, TimeoutSeconds=60)
    ended(life, how)
    end = len(life.events)
    life.redrive()
    assert life.new()[1:] == [f"{end + 2} WaitStateExited <- 2", f"{end + 3} ExecutionSucceeded <- {end + 2}"]


ROWS: list[tuple[dict[str, Any], str]] = [
    (FAIL, "Boom"),
    ({"Type": "Pass", "Parameters": {"a.$": "$.no"}, "End": True}, "States.Runtime"),
    ({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "Z"}]}, "States.Runtime"),
    ({"Type": "Succeed", "InputPath": "$.no"}, "States.Runtime"),
    ({"Type": "Wait", "SecondsPath": "$.no", "End": True}, "States.Runtime"),
    ({**TASK, "Parameters": {"a.$": "$.no"}}, "States.Runtime"),
    ({"Type": "Parallel", "Branches": [scope("P", PASS)], "ResultSelector": {"a.$": "$.no"}, "End": True}, ""),
    ({"Type": "Map", "ItemsPath": "$.no", "ItemProcessor": scope("P", PASS), "End": True}, "States.Runtime"),
]


@pytest.mark.parametrize(("state", "error"), ROWS)
def test_what_fails_by_its_definition_fails_again(state: dict[str, Any], error: str) -> None:
    """The state is evaluated again, not entered again, and the execution ends as before, each time."""
    states = {"S": state, **({"Z": DONE} if state["Type"] == "Choice" else {})}
    life = Life(states, {"b": 1})
    for count in (1, 2):
        first = life.step.ended
        assert first is not None
        assert error in (first.error or "")
        end = len(life.events)
        life.redrive()
        assert life.step.ended == first
        assert life.step.events[0].details == (count,)
        assert not any("Entered" in line for line in life.new())
        assert life.new()[0] == f"{end + 1} ExecutionRedriven <- {end}"


def test_states_that_are_done_stay_done() -> None:
    """Only the state that failed is done again, with its own input; variables are still there."""
    life = Life(
        {
            "A": {"Type": "Pass", "Result": {"n": 1}, "Assign": {"v": "kept"}, "Next": "T"},
            "T": {**TASK, "Parameters": {"n.$": "$.n", "v.$": "$v"}},
        }
    )
    before = life.tasks()["T"].parameters
    ended(life, "FAILED")
    life.redrive()
    assert life.tasks()["T"].parameters == before == b'{"n":1,"v":"kept"}'


def test_retries_and_timeouts_start_again() -> None:
    """The retrier counts from nothing, RetryCount and the attempt are 0 again, the Task's time is measured anew."""
    retry = [{"ErrorEquals": ["Boom"], "MaxAttempts": 1, "IntervalSeconds": 2}]
    parameters = {"n.$": "$$.State.RetryCount"}
    life = Life({"T": {**TASK, "Retry": retry, "TimeoutSeconds": 5, "Parameters": parameters}})
    for now_ms in (0, 10_000):
        first = life.tasks()["T"]
        assert (first.attempt, first.parameters) == (0, b'{"n":0}')
        assert [timer.due_ms for timer in life.timers()] == [now_ms + 5_000]
        life.tell(TaskFailed(first.ref, "Boom", "c"))
        (timer,) = life.timers()
        life.tell(TimerFired(timer.ref))
        assert (life.tasks()["T"].attempt, life.tasks()["T"].parameters) == (1, b'{"n":1}')
        ended(life, "FAILED")
        life.redrive()


def test_a_state_that_waits_for_its_retry_is_done_at_once() -> None:
    """Stopped between two attempts: the redrive doesn't wait for the rest of the interval."""
    life = Life({"T": {**TASK, "Retry": [{"ErrorEquals": ["Boom"]}]}})
    life.tell(TaskFailed(life.tasks()["T"].ref, "Boom", "c"))
    life.tell(StopAsked())
    life.redrive()
    assert list(life.tasks()) == ["T"]


def test_the_machines_time_starts_again() -> None:
    """The new timer has a ref of its own: the old one, fired late, ends nothing."""
    life = Life({"T": TASK}, TimeoutSeconds=60)
    (old,) = life.timers()
    ended(life, "FAILED")
    life.redrive()
    (new,) = life.timers()
    assert new.due_ms == 70_000
    life.tell(TimerFired(old.ref))
    assert life.step.events == []
    life.tell(TimerFired(new.ref))
    assert life.step.ended is not None
    assert life.step.ended.status == "TIMED_OUT"


def test_an_execution_that_starts_anew_has_a_timer_of_its_own() -> None:
    """Begun with a redrive count, its time is behind a ref that its earlier life did not use."""
    head = msgspec.structs.replace(ExecutionHead("a", "e", "m", "m", "r", 0, b"{}"), redrive_count=1)
    step = begin(machine_of({"T": TASK}, TimeoutSeconds=60), head, 0)
    assert [effect.ref for effect in step.effects] == ["1/TimeoutSeconds", "1/T#1.0"]


def test_late_results_of_before_the_redrive_change_nothing() -> None:
    """The Task that was under way when the execution was stopped answers at last: nobody waits for it any more."""
    life = Life({"T": TASK})
    old = life.tasks()["T"]
    ended(life, "ABORTED")
    life.redrive()
    execution = life.step.execution
    life.tell(TaskSucceeded(old.ref, b"1"))
    assert (life.step.events, life.step.effects, life.step.execution) == ([], [], execution)


def test_the_context_tells_of_the_redrive() -> None:
    """RedriveCount counts, RedriveTime is there after a redrive only; the start stays what it was."""
    life = Life({"T": {**TASK, "Parameters": {"e.$": "$$.Execution"}}})
    assert "RedriveTime" not in json.loads(life.tasks()["T"].parameters)["e"]
    for _ in range(2):
        ended(life, "FAILED")
        life.redrive()
    shown = json.loads(life.tasks()["T"].parameters)["e"]
    assert (shown["RedriveCount"], shown["RedriveTime"]) == (2, "1970-01-01T00:00:20.000Z")
    assert shown["StartTime"] == "1970-01-01T00:00:00.000Z"


# ---------------------------------------------------------------------- what can't be redriven


def test_what_succeeded_or_is_express_leaves_nothing() -> None:
    """Only a STANDARD execution that did not succeed can be redriven."""
    _, step = start({"P": PASS})
    assert (step.ended is not None, step.remains) == (True, None)
    machine = machine_of({"F": FAIL})
    express = begin(machine, ExecutionHead("a", "e", "m", "m", "r", 0, b"{}", express=True), 0)
    assert (express.ended is not None, express.remains) == (True, None)


@pytest.mark.parametrize(("events_max", "redrivable"), [(9, True), (8, False), (5, False)])
def test_a_full_history_can_not_be_redriven(events_max: int, redrivable: bool) -> None:
    """Of at most n events, the last two are for ExecutionRedriven and an end: fewer than n - 1 may be there before."""
    life = Life({"A": {"Type": "Pass", "Next": "T"}, "T": TASK}, limits=Limits(events_max=events_max))
    if life.step.ended is None:
        life.tell(StopAsked())
    assert len(life.events) == min(7, events_max)
    assert (life.step.remains is not None) is redrivable
    if redrivable:
        life.redrive()
        assert life.step.ended is not None
        assert life.last(1) == [f"{events_max} ExecutionFailed <- 4"]
        assert life.step.remains is None
