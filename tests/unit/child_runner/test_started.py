"""Executions that the Tasks of children start: started once, ended by the word of home, stopped with the child."""

from typing import Any

import pytest

from maprun.integrations.executions import name_of, withdrawn_cause
from schemas.effects import Callback, SubmissionFailed, TaskFailed, TaskSubmitted, TaskSucceeded
from schemas.home import ABORTED, FAILED, SUCCEEDED
from schemas.lanes import Cause, ChildCallbackReceived, RunClosing
from schemas.starters import StartWithdrawn
from schemas.tokens import attempt_of
from services.child_runner.task_calls import TaskStart
from tests.unit.child_runner.driver import NAMES, RUN, SECRET, Driver, opened

START: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::states:startExecution.sync:2",
    "Parameters": {"StateMachineArn": NAMES.machine("callee"), "Input.$": "$"},
    "End": True,
}


class Story(Driver):
    """A lane whose children each start an execution."""

    def __init__(self, count: int = 1, states: dict[str, Any] | None = None, **fields: Any) -> None:
        super().__init__()
        self.signal(opened(states or {"A": {**START, **fields}}))
        self.items(0, [b"%d" % n for n in range(count)])

    def arn(self, index: int = 0) -> str:
        """A child's ARN."""
        return self.lane.runs[RUN].machine.arn(index)

    def attempt(self, ref: str = "A#1.0") -> str:
        """The first child's attempt."""
        return attempt_of(self.arn(), ref)

    def word(self, callback: Callback) -> None:
        """Home's word on the execution that the first child started."""
        self.signal(ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, 0, "", callback))

    @property
    def withdrawn(self) -> set[StartWithdrawn]:
        """What home was told of."""
        return {fact for fact in self.home if isinstance(fact, StartWithdrawn)}


def submitted(start: TaskStart) -> TaskSubmitted:
    """The execution has started."""
    return TaskSubmitted(start.request.ref, b'{"ExecutionArn":"x","StartDate":1}')


def test_a_child_waits_for_the_execution_it_started() -> None:
    """The call carries the attempt's token; home's word ends the attempt, and nobody is answered."""
    story = Story()
    (start,) = story.starts
    token = SECRET.read(start.request.token)
    assert token is not None
    assert (token.arn, token.attempt, token.lane) == (story.arn(), story.attempt(), 0)
    story.outcome(start, submitted(start))
    assert story.answers == {}
    story.word(TaskSucceeded(story.attempt(), b'{"Output":1}'))
    assert story.answers[0, 0].status == SUCCEEDED
    assert story.answered == []
    assert story.withdrawn == set()


def test_a_refused_start_fails_the_attempt() -> None:
    """There is nothing to stop then."""
    story = Story()
    (start,) = story.starts
    story.outcome(start, SubmissionFailed(start.request.ref, "StepFunctions.StateMachineDoesNotExistException", "c"))
    assert story.answers[0, 0].status == FAILED
    assert story.withdrawn == set()


def test_a_new_owner_makes_the_call_again_unless_it_was_answered() -> None:
    """The same call: it starts nothing new, and brings the answer that the journal lacks."""
    story = Story()
    (start,) = story.starts
    story.take_over()
    (again,) = story.starts
    assert (again.key, again.request) == (start.key, start.request)
    story.outcome(again, submitted(again))
    story.take_over()
    assert story.starts == []
    story.word(TaskSucceeded(story.attempt(), b'{"Output":1}'))
    assert story.answers[0, 0].status == SUCCEEDED


def test_a_word_that_came_while_nobody_owned_the_lane_is_heard() -> None:
    """The signal stands on the lane until its run is over."""
    story = Story()
    story.signals.append(ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, 0, "", TaskFailed(story.attempt(), "E", "c")))
    story.take_over()
    assert story.answers[0, 0].status == FAILED
    assert story.withdrawn == set()


@pytest.mark.parametrize("taken_over", [False, True])
def test_a_child_that_is_stopped_has_its_execution_stopped(taken_over: bool) -> None:
    """By its home, whether the start was answered or not: if it is still on its way it must not begin."""
    story = Story()
    if taken_over:
        story.take_over()
    arn, attempt = story.arn(), story.attempt()
    story.signal(RunClosing(Cause(0, 2, 0), RUN, 0))
    assert story.answers[0, 0].status == ABORTED
    callee = NAMES.execution("callee", name_of(attempt))
    assert story.withdrawn == {StartWithdrawn(RUN, callee, attempt, withdrawn_cause(arn))}


def test_a_time_out_has_the_execution_stopped() -> None:
    """Home hears it again from a new owner: the first may have said nothing."""
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "B"}]
    start = {name: value for name, value in START.items() if name != "End"}
    story = Story(
        states={
            "A": {
                **start,
                "TimeoutSeconds": 5,
                "Catch": catch,
                "Next": "B",
            },
            "B": {"Type": "Wait", "Seconds": 9, "End": True},
        }
    )
    story.turn(6)
    assert [fact.request_id for fact in story.withdrawn] == [story.attempt()]
    story.home.clear()
    story.take_over()
    assert [fact.request_id for fact in story.withdrawn] == [story.attempt()]


def test_the_given_name_is_the_one_that_is_stopped() -> None:
    """Name may come from the input."""
    parameters = {**START["Parameters"], "Name.$": "States.Format('n-{}', $)"}
    story = Story(Parameters=parameters)
    story.signal(RunClosing(Cause(0, 2, 0), RUN, 0))
    assert [fact.arn for fact in story.withdrawn] == [NAMES.execution("callee", "n-0")]
