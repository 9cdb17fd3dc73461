"""Tasks that a worker of an activity does: their events, and from when on they may time out."""

import json
from typing import Any

import pytest

from maprun.interpreter import Step, begin
from maprun.language import Machine
from schemas.effects import (
    ActivityTaskStarted,
    EffectCancelled,
    HeartbeatReceived,
    SubmissionFailed,
    TaskFailed,
    TaskRequested,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
)
from schemas.history import event_to_api
from tests.unit.interpreter.telling import head_of, machine_of, short
from tests.unit.interpreter.test_callbacks import SECRET, asked, tell, timers

ACTIVITY = "arn:aws:states:eu-west-1:123456789012:activity:a"
LIMITED = {"TimeoutSeconds": 60, "HeartbeatSeconds": 10}


def started(**fields: Any) -> tuple[Machine, Step]:
    """A machine of one such Task."""
    states: dict[str, Any] = {"T": {"Type": "Task", "Resource": ACTIVITY, "End": True, **fields}}
    if "Catch" in fields:
        states["C"] = {"Type": "Pass", "End": True}
    machine = machine_of(states)
    return machine, begin(machine, head_of({"n": 1}), 0, secret=SECRET)


def at_work(**fields: Any) -> tuple[Machine, Step, str]:
    """The same, once a worker has the attempt; and its ref."""
    machine, step = started(**fields)
    ref = asked(step).ref
    step = tell(machine, step, TaskSubmitted(ref, b""))
    return machine, tell(machine, step, ActivityTaskStarted(ref, "me", "r", 0), 5_000), ref


def test_scheduled_by_its_home_and_started_by_a_worker() -> None:
    """Each is an event when it happens; said twice, it is one."""
    machine, step = started(**LIMITED)
    task = asked(step)
    assert (task.activity, task.callback, task.resource, task.parameters) == (True, True, ACTIVITY, b'{"n":1}')
    assert (short(step.events)[1:], timers(step)) == (["2 TaskStateEntered <- 0"], {})
    step = tell(machine, step, TaskSubmitted(task.ref, b""))
    assert (short(step.events, 3), timers(step)) == (["3 ActivityScheduled <- 2"], {})
    assert event_to_api(step.events[0], 3)["activityScheduledEventDetails"] == {
        "resource": ACTIVITY,
        "input": '{"n":1}',
        "inputDetails": {"truncated": False},
        "timeoutInSeconds": 60,
        "heartbeatInSeconds": 10,
    }
    step = tell(machine, step, TaskSubmitted(task.ref, b""))
    assert step.events == []
    step = tell(machine, step, ActivityTaskStarted(task.ref, "me", "r", 0), 5_000)
    assert short(step.events, 4) == ["4 ActivityStarted <- 3"]
    assert event_to_api(step.events[0], 4)["activityStartedEventDetails"] == {"workerName": "me"}
    assert sorted(timers(step).values()) == [15_000, 65_000]
    step = tell(machine, step, TaskSucceeded(task.ref, b'{"did":1}'), 6_000)
    assert short(step.events, 5)[0] == "5 ActivitySucceeded <- 4"
    assert step.ended is not None
    assert json.loads(step.ended.output) == {"did": 1}


def test_a_worker_without_a_name_has_none_in_the_history() -> None:
    """As on AWS: its details are empty."""
    machine, step = started()
    ref = asked(step).ref
    step = tell(machine, tell(machine, step, TaskSubmitted(ref, b"")), ActivityTaskStarted(ref, "", "r", 0))
    assert event_to_api(step.events[0], 4)["activityStartedEventDetails"] == {}


@pytest.mark.parametrize(("names", "timer"), [(["States.Timeout"], 1), (["States.HeartbeatTimeout"], 0)])
def test_what_times_out_is_the_work_not_the_wait_for_a_worker(names: list[str], timer: int) -> None:
    """However long it is scheduled; from its start on TimeoutSeconds and HeartbeatSeconds count."""
    machine, step, ref = at_work(**LIMITED, Catch=[{"ErrorEquals": names, "Next": "C"}])
    due = sorted(timers(step).items(), key=lambda each: each[1])
    step = tell(machine, step, TimerFired(due[timer][0]), due[timer][1])
    assert short(step.events, 5)[0] == "5 ActivityTimedOut <- 4"
    assert event_to_api(step.events[0], 5)["activityTimedOutEventDetails"] == {"error": "States.Timeout"}
    assert EffectCancelled(ref) in step.effects
    assert step.ended is not None
    assert step.ended.status == "SUCCEEDED"


def test_a_heartbeat_sets_the_next_one() -> None:
    """Before a worker has the attempt there is none to be set."""
    machine, step = started(**LIMITED)
    ref = asked(step).ref
    step = tell(machine, tell(machine, step, TaskSubmitted(ref, b"")), HeartbeatReceived(ref))
    assert timers(step) == {}
    machine, step, ref = at_work(**LIMITED)
    step = tell(machine, step, HeartbeatReceived(ref), 9_000)
    assert list(timers(step).values()) == [19_000]


def test_a_worker_may_fail_its_task() -> None:
    """A retrier makes a new attempt of it, which is scheduled anew."""
    retry = [{"ErrorEquals": ["Mine"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    machine, step, ref = at_work(Retry=retry)
    step = tell(machine, step, TaskFailed(ref, "Mine", "because"), 6_000)
    assert short(step.events, 5) == ["5 ActivityFailed <- 4"]
    [(timer, due_ms)] = timers(step).items()
    step = tell(machine, step, TimerFired(timer), due_ms)
    again = asked(step)
    assert (again.ref != ref, again.attempt, step.events) == (True, 1, [])
    step = tell(machine, step, TaskSubmitted(again.ref, b""), due_ms)
    assert short(step.events, 6) == ["6 ActivityScheduled <- 5"]


def test_an_activity_that_is_not_there_fails_the_state() -> None:
    """With States.Runtime, which nothing catches, and before anything is scheduled."""
    machine, step = started(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "C"}])
    (task,) = (effect for effect in step.effects if isinstance(effect, TaskRequested))
    step = tell(machine, step, SubmissionFailed(task.ref, "States.Runtime", f"The activity {ACTIVITY} does not exist."))
    assert short(step.events, 3) == ["3 ExecutionFailed <- 2"]
    assert step.ended is not None
    preamble = "An error occurred while executing the state 'T' (entered at the event id #2)."
    cause = f"{preamble} The activity {ACTIVITY} does not exist."
    assert (step.ended.error, step.ended.cause) == ("States.Runtime", cause)
