"""Tasks: events of each kind, retries, catches, timeouts."""

import json
from typing import Any

import pytest

from maprun.interpreter import Step, advance, begin
from maprun.language import Machine, compile_machine
from schemas.effects import (
    EffectCancelled,
    Happening,
    TaskFailed,
    TaskRequested,
    TaskSucceeded,
    TimerFired,
    TimerRequested,
)
from schemas.history import event_to_api
from tests.unit.interpreter.telling import ARN, INVOKE, LAMBDA, head_of, short, start


def tell(machine: Machine, step: Step, happening: Happening, now_ms: int) -> Step:
    """The next step."""
    assert step.execution is not None
    return advance(machine, step.execution, happening, now_ms)


def task(step: Step) -> TaskRequested:
    """The Task a step asks for."""
    (asked,) = [effect for effect in step.effects if isinstance(effect, TaskRequested)]
    return asked


def test_a_function_arn_tells_of_lambda_function_events() -> None:
    """A function ARN: LambdaFunctionScheduled with the input, Started, Succeeded with the output."""
    machine, step = start({"T": {"Type": "Task", "Resource": LAMBDA, "TimeoutSeconds": 9, "End": True}}, {"a": 1})
    last = tell(machine, step, TaskSucceeded(task(step).ref, b"[ 1 ]"), 5)
    assert short([*step.events, *last.events]) == [
        "1 ExecutionStarted <- 0",
        "2 TaskStateEntered <- 0",
        "3 LambdaFunctionScheduled <- 2",
        "4 LambdaFunctionStarted <- 3",
        "5 LambdaFunctionSucceeded <- 4",
        "6 TaskStateExited <- 5",
        "7 ExecutionSucceeded <- 6",
    ]
    assert event_to_api(step.events[2], 3)["lambdaFunctionScheduledEventDetails"] == {
        "resource": LAMBDA,
        "input": '{"a":1}',
        "inputDetails": {"truncated": False},
        "timeoutInSeconds": 9,
    }
    assert [type(effect) for effect in last.effects] == [EffectCancelled]


def test_an_integration_tells_of_task_events() -> None:
    """An optimised or SDK integration: resource type, resource, Region and parameters; timeouts only when given."""
    state: dict[str, Any] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket.$": "$.b", "Key": "k"},
        "Credentials": {"RoleArn": "arn:other"},
        "End": True,
    }
    _, step = start({"T": state}, {"b": "x"})
    assert event_to_api(step.events[2], 3, include_data=True)["taskScheduledEventDetails"] == {
        "resourceType": "aws-sdk:s3",
        "resource": "getObject",
        "region": "eu-west-1",
        "parameters": '{"Bucket":"x","Key":"k"}',
        "taskCredentials": {"roleArn": "arn:other"},
    }
    assert task(step).role_arn == "arn:other"


@pytest.mark.parametrize(
    "fields",
    [
        {"Credentials": {"RoleArn": "arn:x"}},
        {"Credentials": {"RoleArn.$": "$.b"}},
        {"Credentials": {"RoleArn.$": "States.Format('arn:{}', 'x')"}},
        {"QueryLanguage": "JSONata", "Credentials": {"RoleArn": "{% $states.input.b %}"}},
    ],
)
def test_a_role_may_be_computed(fields: dict[str, Any]) -> None:
    """As text, by a path or an intrinsic function, by JSONata."""
    _, step = start({"T": {"Type": "Task", "Resource": INVOKE, "End": True, **fields}}, {"b": "arn:x"})
    assert task(step).role_arn == "arn:x"


def test_retries_back_off_and_keep_their_own_counts() -> None:
    """Interval 2, rate 3: retries after 2 s and 6 s; then the error goes on to the next catcher that names it."""
    state = {
        "Type": "Task",
        "Resource": INVOKE,
        "Retry": [{"ErrorEquals": ["Boom"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 2}],
        "Catch": [
            {"ErrorEquals": ["Other"], "Next": "Wrong"},
            {"ErrorEquals": ["States.ALL"], "Next": "Right", "ResultPath": "$.why"},
        ],
        "Next": "Wrong",
    }
    states = {"T": state, "Right": {"Type": "Succeed"}, "Wrong": {"Type": "Fail"}}
    machine, step = start(states, {"a": 1})
    events = list(step.events)
    refs = [task(step).ref]
    for wait_ms in (2_000, 6_000):
        step = tell(machine, step, TaskFailed(refs[-1], "Boom", "c"), 1_000)
        events += step.events
        (timer,) = step.effects
        assert isinstance(timer, TimerRequested)
        assert timer.due_ms == 1_000 + wait_ms
        step = tell(machine, step, TimerFired(timer.ref), timer.due_ms)
        events += step.events
        refs.append(task(step).ref)
        assert task(step).attempt == len(refs) - 1
    step = tell(machine, step, TaskFailed(refs[-1], "Boom", "c"), 9_000)
    events += step.events
    assert len(set(refs)) == 3
    assert short(events)[2:] == [
        "3 TaskScheduled <- 2",
        "4 TaskStarted <- 3",
        "5 TaskFailed <- 4",
        "6 TaskScheduled <- 5",
        "7 TaskStarted <- 6",
        "8 TaskFailed <- 7",
        "9 TaskScheduled <- 8",
        "10 TaskStarted <- 9",
        "11 TaskFailed <- 10",
        "12 TaskStateExited <- 11",
        "13 SucceedStateEntered <- 12",
        "14 SucceedStateExited <- 13",
        "15 ExecutionSucceeded <- 14",
    ]
    assert step.ended is not None
    assert step.ended.output == b'{"a":1,"why":{"Error":"Boom","Cause":"c"}}'


def test_a_timeout_is_a_timer_and_gives_up_the_call() -> None:
    """TimeoutSeconds: the timer fires, the call is given up, the error is States.Timeout without a cause."""
    machine, step = start({"T": {"Type": "Task", "Resource": INVOKE, "TimeoutSeconds": 3, "End": True}})
    (timer,) = [effect for effect in step.effects if isinstance(effect, TimerRequested)]
    assert timer.due_ms == 3_000
    last = tell(machine, step, TimerFired(timer.ref), 3_000)
    assert last.effects == [EffectCancelled(task(step).ref)]
    assert short(last.events, 5) == ["5 TaskTimedOut <- 4", "6 ExecutionFailed <- 5"]
    assert last.ended is not None
    assert (last.ended.error, last.ended.cause) == ("States.Timeout", None)


def test_a_late_answer_changes_nothing() -> None:
    """An answer to an attempt that was given up is nobody's."""
    state = {"Type": "Task", "Resource": INVOKE, "TimeoutSeconds": 3, "Retry": [{"ErrorEquals": ["States.Timeout"]}]}
    machine, step = start({"T": {**state, "End": True}})
    late = TaskSucceeded(task(step).ref, b"1")
    (timer,) = [effect for effect in step.effects if isinstance(effect, TimerRequested)]
    step = tell(machine, step, TimerFired(timer.ref), 3_000)
    again = tell(machine, step, late, 3_001)
    assert (again.events, again.effects, again.ended) == ([], [], None)


def test_a_result_too_large_is_data_limit_exceeded_and_only_caught_by_name() -> None:
    """262,145 bytes of result fail the Task; States.ALL does not catch that, its own name does."""
    for names, status in ((["States.ALL"], "FAILED"), (["States.DataLimitExceeded"], "SUCCEEDED")):
        state = {"Type": "Task", "Resource": INVOKE, "Catch": [{"ErrorEquals": names, "Next": "C"}], "Next": "C"}
        machine, step = start({"T": state, "C": {"Type": "Succeed"}})
        step = tell(machine, step, TaskSucceeded(task(step).ref, b'"' + b"x" * 262_143 + b'"'), 1)
        assert step.ended is not None
        assert step.ended.status == status


def test_events_name_the_execution_that_they_come_from() -> None:
    """Behind the Resources of each entry, where the call is made; the history shows what the definition says."""
    entries = [{"Detail": {"n": 1}}, {"Detail": "{}", "Resources": ["arn:mine"]}, {"Resources": None}]
    for resource, added in (("events:putEvents", ["arn:m", ARN]), ("aws-sdk:eventbridge:putEvents", [])):
        state = {
            "Type": "Task",
            "Resource": f"arn:aws:states:::{resource}",
            "Parameters": {"Entries": entries},
            "End": True,
        }
        _, step = start({"T": state})
        sent = json.loads(task(step).parameters)["Entries"]
        assert [each.get("Resources") or [] for each in sent] == [added, ["arn:mine", *added], added]
        assert [each.get("Detail") for each in sent] == [{"n": 1}, "{}", None]
        shown = event_to_api(step.events[2], 3)["taskScheduledEventDetails"]["parameters"]
        assert json.loads(shown) == {"Entries": entries}


def test_parameters_of_events_that_can_not_be_are_sent_as_they_are() -> None:
    """The call says what is wrong with them."""
    state = {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "End": True}
    for entries in ("text", ["text"], [{"Resources": "text"}]):
        _, step = start({"T": {**state, "Parameters": {"Entries": entries}}})
        assert json.loads(task(step).parameters) == {"Entries": entries}


def test_a_resource_that_is_none_any_more_says_so() -> None:
    """A definition that an earlier version took is refused with States.Runtime when the state is reached."""
    for resource in ("arn:aws:states:::nosuch:invoke", "arn:aws:states:::glue:startJobRun.sync:2", "none"):
        state = {"Type": "Task", "Resource": resource, "End": True}
        definition = json.dumps({"StartAt": "T", "States": {"T": state}}).encode()
        ended = begin(compile_machine(definition, accepted=True), head_of({}), 0).ended
        assert ended is not None
        assert ended.error == "States.Runtime"
        assert str(ended.cause).endswith(f"The resource '{resource}' is not recognized.")


def test_a_machines_timeout_ends_everything() -> None:
    """TimeoutSeconds of the machine: TIMED_OUT with neither error nor cause; the event carries States.Timeout."""
    machine, step = start({"T": {"Type": "Task", "Resource": INVOKE, "End": True}}, TimeoutSeconds=7)
    (timer,) = [effect for effect in step.effects if isinstance(effect, TimerRequested)]
    assert timer.due_ms == 7_000
    last = tell(machine, step, TimerFired(timer.ref), 7_000)
    assert last.ended is not None
    assert (last.ended.status, last.ended.error, last.ended.cause) == ("TIMED_OUT", None, None)
    shown = event_to_api(last.events[0], 5)
    assert (shown["type"], shown["executionTimedOutEventDetails"]) == ("ExecutionTimedOut", {"error": "States.Timeout"})
    assert last.effects == [EffectCancelled(task(step).ref)]
