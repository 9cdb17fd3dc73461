"""Tasks that wait for a callback: their token, their events, heartbeats, and how Retry and Catch take their ends."""

import json
from typing import Any

import pytest

from maprun.interpreter import Step, advance, begin, decode_execution, encode_execution
from maprun.language import Machine
from schemas.effects import (
    Happening,
    HeartbeatReceived,
    SubmissionFailed,
    TaskFailed,
    TaskRequested,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
    TimerRequested,
)
from schemas.tokens import TaskToken, TokenSecret, attempt_of
from tests.unit.interpreter.telling import ARN, failure_of, head_of, machine_of, short

SECRET = TokenSecret(b"secret")
SEND = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
STATE: dict[str, Any] = {
    "Type": "Task",
    "Resource": SEND,
    "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token", "n.$": "$.n"}},
    "End": True,
}


def started(**fields: Any) -> tuple[Machine, Step]:
    """A machine of one such Task."""
    states = {"T": {**STATE, **fields}}
    if "Catch" in fields:
        states["C"] = {"Type": "Pass", "End": True}
    machine = machine_of(states)
    return machine, begin(machine, head_of({"n": 1}), 0, secret=SECRET)


def tell(machine: Machine, step: Step, happening: Happening, now_ms: int = 1_000) -> Step:
    """What comes of it, behind a stop in between: what is stored goes on alike."""
    assert step.execution is not None
    execution = decode_execution(encode_execution(step.execution), SECRET)
    return advance(machine, execution, happening, now_ms)


def asked(step: Step) -> TaskRequested:
    """The Task a step asks for."""
    (task,) = (effect for effect in step.effects if isinstance(effect, TaskRequested))
    return task


def timers(step: Step) -> dict[str, int]:
    """The timers a step asks for."""
    return {effect.ref: effect.due_ms for effect in step.effects if isinstance(effect, TimerRequested)}


def test_the_token_of_an_attempt_stands_in_its_parameters() -> None:
    """It says the execution and the attempt; the request says that it is a submission."""
    _, step = started()
    task = asked(step)
    token = SECRET.read(json.loads(task.parameters)["MessageBody"]["token"])
    assert token == TaskToken(ARN, attempt_of(ARN, task.ref))
    assert task.callback


def test_jsonata_sees_the_token() -> None:
    """As $states.context.Task.Token."""
    arguments = {"QueueUrl": "q", "MessageBody": "{% $states.context.Task.Token %}"}
    machine = machine_of(
        {"T": {"Type": "Task", "Resource": SEND, "Arguments": arguments, "End": True}}, QueryLanguage="JSONata"
    )
    task = asked(begin(machine, head_of({}), 0, secret=SECRET))
    assert SECRET.read(json.loads(task.parameters)["MessageBody"]) == TaskToken(ARN, attempt_of(ARN, task.ref))


def test_only_a_task_that_waits_for_a_callback_has_a_token() -> None:
    """Elsewhere the path leads nowhere."""
    error, cause = failure_of({"P": {"Type": "Pass", "Parameters": {"t.$": "$$.Task.Token"}, "End": True}})
    assert error == "States.Runtime"
    assert cause is not None
    assert "$$.Task.Token" in cause


def test_the_events_of_a_callback_that_succeeds() -> None:
    """Scheduled, Started, Submitted with the service's answer, Succeeded with the callback's output."""
    machine, step = started()
    ref = asked(step).ref
    events = list(step.events)
    for happening in (TaskSubmitted(ref, b'{"MessageId":"m"}'), TaskSucceeded(ref, b'"done"')):
        step = tell(machine, step, happening)
        events += step.events
    assert short(events)[1:] == [
        "2 TaskStateEntered <- 0",
        "3 TaskScheduled <- 2",
        "4 TaskStarted <- 3",
        "5 TaskSubmitted <- 4",
        "6 TaskSucceeded <- 5",
        "7 TaskStateExited <- 6",
        "8 ExecutionSucceeded <- 7",
    ]
    assert events[4].details == ("sqs", "sendMessage.waitForTaskToken", b'{"MessageId":"m"}')
    assert step.ended is not None
    assert step.ended.output == b'"done"'


def test_a_callback_may_come_before_the_submission_is_answered() -> None:
    """A function that calls back before it returns: the attempt is over, and its answer changes nothing."""
    machine, step = started()
    ref = asked(step).ref
    step = tell(machine, step, TaskSucceeded(ref, b"{}"))
    assert step.ended is not None
    assert "TaskSucceeded" in short(step.events)[0]


@pytest.mark.parametrize(
    ("happening", "kind"),
    [
        (TaskFailed("", "Mine", "because"), "TaskFailed"),
        (SubmissionFailed("", "Mine", "because"), "TaskSubmitFailed"),
    ],
)
def test_what_fails(happening: TaskFailed | SubmissionFailed, kind: str) -> None:
    """SendTaskFailure, or the call that submits: each has its event, and the same error for Retry and Catch."""
    catch = [{"ErrorEquals": ["Mine"], "ResultPath": "$", "Next": "C"}]
    machine, step = started(Catch=catch, TimeoutSeconds=100, HeartbeatSeconds=10)
    ref = asked(step).ref
    step = tell(machine, step, type(happening)(ref, happening.error, happening.cause))
    assert kind in short(step.events)[0]
    assert step.ended is not None
    assert json.loads(step.ended.output) == {"Error": "Mine", "Cause": "because"}


def test_heartbeats_begin_anew() -> None:
    """Each gives HeartbeatSeconds from then on; a timer that had fired before it was heard is a stranger's."""
    machine, step = started(TimeoutSeconds=100, HeartbeatSeconds=10)
    ref = asked(step).ref
    assert sorted(timers(step).values()) == [10_000, 100_000]
    (old,) = (name for name, due in timers(step).items() if due == 10_000)
    step = tell(machine, step, HeartbeatReceived(ref), 9_999)
    assert timers(step) == {f"{ref}:heartbeat:9999": 19_999}
    assert step.events == []
    assert tell(machine, step, TimerFired(old), 10_000).events == []
    step = tell(machine, step, TimerFired(f"{ref}:heartbeat:9999"), 19_999)
    assert short(step.events)[0].split()[1] == "TaskTimedOut"
    assert step.ended is not None
    assert (step.ended.status, step.ended.error) == ("FAILED", "States.Timeout")


@pytest.mark.parametrize(
    ("caught", "heartbeat", "timeout"),
    [
        (["States.HeartbeatTimeout"], True, False),
        (["States.Timeout"], True, True),
        (["States.ALL"], True, True),
        (["States.TaskFailed"], False, False),
    ],
)
def test_catch_tells_a_missed_heartbeat_from_a_timeout(caught: list[str], heartbeat: bool, timeout: bool) -> None:
    """States.HeartbeatTimeout is a States.Timeout, not the other way round."""
    for name, expected in ((":heartbeat:0", heartbeat), (":timeout", timeout)):
        catch = [{"ErrorEquals": caught, "Next": "C"}]
        machine, step = started(Catch=catch, TimeoutSeconds=100, HeartbeatSeconds=10)
        step = tell(machine, step, TimerFired(asked(step).ref + name))
        assert step.ended is not None
        assert (step.ended.status == "SUCCEEDED") is expected


def test_a_next_attempt_has_another_token() -> None:
    """A callback by the old one finds nobody."""
    machine, step = started(Retry=[{"ErrorEquals": ["States.ALL"]}])
    first = asked(step)
    step = tell(machine, step, TaskFailed(first.ref, "E", "c"))
    (timer,) = timers(step)
    step = tell(machine, step, TimerFired(timer))
    second = asked(step)
    assert second.parameters != first.parameters
    assert tell(machine, step, TaskSucceeded(first.ref, b"1")).events == []


def test_a_submission_s_answer_has_aws_s_bound() -> None:
    """One that is too large fails the attempt, as a result does."""
    machine, step = started()
    step = tell(machine, step, TaskSubmitted(asked(step).ref, b'"' + b"x" * 262_143 + b'"'))
    assert step.ended is not None
    assert step.ended.error == "States.DataLimitExceeded"
