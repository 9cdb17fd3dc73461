"""Jobs that the Tasks of children start in services: started once, asked after, stopped with the child."""

from typing import Any

import msgspec
import pytest

from schemas.effects import SubmissionFailed, TaskFailed, TaskSubmitted, TaskSucceeded
from schemas.history import EventType
from schemas.home import ABORTED, FAILED, SUCCEEDED
from schemas.lanes import Cause, RunClosing
from services.child_runner.task_calls import JobLook, JobRuns, TaskOver, TaskStart
from tests.unit.child_runner.driver import RUN, Driver, opened

BATCH, ECS = "arn:aws:states:::batch:submitJob.sync", "arn:aws:states:::ecs:runTask.sync"
JOB = b'{"JobId":"j"}'


class Story(Driver):
    """A lane whose one child starts a job."""

    def __init__(self, resource: str = BATCH, states: dict[str, Any] | None = None, **fields: Any) -> None:
        super().__init__()
        task = {"Type": "Task", "Resource": resource, "Parameters": {"JobName": "n"}, "End": True, **fields}
        self.signal(opened(states or {"A": task}))
        self.items(0, [b"1"])

    def submitted(self, start: TaskStart | None = None) -> None:
        """The job was started."""
        start = start or self.starts[0]
        self.outcome(start, TaskSubmitted(start.request.ref, JOB))

    def looked(self, outcome: TaskSucceeded | TaskFailed | None) -> None:
        """The service says how the job is; None: it runs."""
        look = self.looks.pop(0)
        if outcome is None:
            self.lane.job_runs(JobRuns(look), self.now)
        else:
            self.lane.task_over(TaskOver(look.run, look.position, outcome), self.now, self.now / 1000)
        self.turn()

    def look_in(self, seconds: float) -> JobLook:
        """The look that is made after so long, and no sooner."""
        self.turn(seconds - 0.1)
        assert self.looks == []
        self.turn(0.1)
        return self.looks[0]


def test_a_child_waits_for_the_job_it_started() -> None:
    """The service is asked after one second, then each time after twice as long; its word ends the attempt."""
    story = Story()
    assert story.starts[0].request.token == ""
    story.submitted()
    for seconds in (1, 2, 4):
        story.look_in(seconds)
        story.looked(None)
    look = story.look_in(8)
    assert (look.job.answer, look.job.looks) == (JOB, 3)
    story.looked(TaskSucceeded(look.ref, b'{"Status":"SUCCEEDED"}'))
    answer = story.answers[0, 0]
    assert answer.status == SUCCEEDED
    assert [event.type for event in answer.history[1:6]] == [
        EventType.TASK_STATE_ENTERED,
        EventType.TASK_SCHEDULED,
        EventType.TASK_STARTED,
        EventType.TASK_SUBMITTED,
        EventType.TASK_SUCCEEDED,
    ]
    assert story.stopped_jobs == []


def test_half_a_minute_is_the_longest_pause() -> None:
    """However long the job takes."""
    story = Story()
    story.submitted()
    for _ in range(20):
        story.turn(30)
        story.looked(None)
    story.look_in(30)


def test_a_job_that_fails_fails_the_attempt() -> None:
    """With the error and cause of the look."""
    story = Story()
    story.submitted()
    look = story.look_in(1)
    story.looked(TaskFailed(look.ref, "States.TaskFailed", '{"Status":"FAILED"}'))
    assert story.answers[0, 0].status == FAILED
    assert story.answers[0, 0].history[-1].details == ("States.TaskFailed", '{"Status":"FAILED"}')


def test_a_refused_start_fails_the_attempt() -> None:
    """There is nothing to ask after or to stop then."""
    story = Story()
    (start,) = story.starts
    story.outcome(start, SubmissionFailed(start.request.ref, "Batch.ClientException", "no queue"))
    assert story.answers[0, 0].status == FAILED
    assert (story.looks, story.stopped_jobs) == ([], [])


@pytest.mark.parametrize("resource", [BATCH, ECS])
def test_a_new_owner_asks_after_the_job_and_starts_none(resource: str) -> None:
    """What was started stands in the journal with its answer."""
    story = Story(resource)
    story.submitted()
    story.turn(1)
    story.take_over()
    assert story.starts == []
    look = story.look_in(1)
    assert look.job.answer == JOB
    story.looked(TaskSucceeded(look.ref, b"{}"))
    assert story.answers[0, 0].status == SUCCEEDED


def test_a_start_that_carries_a_token_is_made_again_while_its_answer_is_unknown() -> None:
    """By a new owner, with the key of the attempt, from which the service's token comes."""
    story = Story(ECS)
    (start,) = story.starts
    story.take_over()
    (again,) = story.starts
    assert (again.key, again.request) == (start.key, start.request)
    story.submitted(again)
    story.look_in(1)


def test_a_start_without_a_token_is_never_made_again() -> None:
    """Nobody knows whether there is a job: the attempt fails, and a retrier may start another one."""
    story = Story(BATCH)
    story.take_over()
    assert story.starts == []
    assert story.answers[0, 0].status == FAILED
    error, cause = story.answers[0, 0].history[-1].details
    assert error == "Batch.SdkClientException"
    assert "fell before it heard the answer" in cause


@pytest.mark.parametrize("taken_over", [False, True])
def test_a_child_that_is_stopped_has_its_job_stopped(taken_over: bool) -> None:
    """By whoever owns the lane then."""
    story = Story()
    story.submitted()
    if taken_over:
        story.take_over()
    story.signal(RunClosing(Cause(0, 2, 0), RUN, 0))
    assert story.answers[0, 0].status == ABORTED
    assert [job.answer for job in story.stopped_jobs] == [JOB]
    story.turn(60)
    assert story.looks == []


def test_a_call_that_starts_a_job_goes_on_after_its_child_was_stopped() -> None:
    """Its answer says which job is to be stopped; all other calls are given up."""
    story = Story()
    (start,) = story.starts
    story.signal(RunClosing(Cause(0, 2, 0), RUN, 0))
    assert [stop.job for stop in story.stops] == [msgspec.structs.replace(start.request, execution="")]


def test_a_time_out_has_the_job_stopped() -> None:
    """A new owner has it stopped once more: the first may have fallen before it was."""
    task = {
        "Type": "Task",
        "Resource": BATCH,
        "TimeoutSeconds": 5,
        "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "B"}],
        "Next": "B",
    }
    story = Story(states={"A": task, "B": {"Type": "Wait", "Seconds": 9, "End": True}})
    story.submitted()
    story.turn(6)
    assert [job.answer for job in story.stopped_jobs] == [JOB]
    story.take_over()
    assert [job.answer for job in story.stopped_jobs] == [JOB, JOB]
