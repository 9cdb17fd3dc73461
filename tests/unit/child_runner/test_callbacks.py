"""Children that wait for callbacks: submitted once over all owners of the lane, told once, their senders answered."""

import json
from typing import Any

import pytest

from schemas.effects import Callback, HeartbeatReceived, SubmissionFailed, TaskFailed, TaskSubmitted, TaskSucceeded
from schemas.history import SHAPES
from schemas.home import FAILED, SUCCEEDED
from schemas.lanes import Cause, ChildCallbackReceived, LaneAdvanced, QuotaChanged, RunClosing
from schemas.tokens import TIMED_OUT
from services.child_runner.task_calls import TaskOver, TaskStart
from tests.unit.child_runner.driver import RUN, SECRET, Driver, opened

SEND = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
WAITS: dict[str, Any] = {
    "Type": "Task",
    "Resource": SEND,
    "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}},
    "End": True,
}
TAKEN = ("", "")


class Story(Driver):
    """A lane whose children each wait for one callback."""

    def __init__(self, count: int = 1, states: dict[str, Any] | None = None, quota: int = 100, **fields: Any) -> None:
        super().__init__()
        self.signal(opened(states or {"A": {**WAITS, **fields}}, quota=quota))
        if count:
            self.items(0, [b"%d" % n for n in range(count)])
        self.requests = 0

    def call_back(self, attempt: str, kind: str = "success", index: int = 0) -> str:
        """A callback comes in; the id of its request."""
        callbacks: dict[str, Callback] = {
            "success": TaskSucceeded(attempt, b'"done"'),
            "failure": TaskFailed(attempt, "Mine", "because"),
            "heartbeat": HeartbeatReceived(attempt),
        }
        self.requests += 1
        request = f"request-{self.requests}"
        self.signal(ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, index, request, callbacks[kind]))
        return request

    def word(self, request: str) -> tuple[str, str] | None:
        """What its sender was answered, if at all."""
        words = [(answer.error, answer.message) for answer in self.answered if answer.request_id == request]
        assert len(words) < 2
        return words[0] if words else None


def attempt_of(start: TaskStart) -> str:
    """The attempt that the token in a submission says."""
    token = SECRET.read(json.loads(start.request.parameters)["MessageBody"]["token"])
    assert token is not None
    assert token.lane == 0
    return token.attempt


def test_a_child_waits_for_its_callback() -> None:
    """Submitted, answered by the service, and ended by the callback, whose sender hears that it was taken."""
    story = Story()
    (start,) = story.starts
    story.outcome(start, TaskSubmitted(start.request.ref, b'{"MessageId":"m"}'))
    assert story.answers == {}
    assert story.word(story.call_back(attempt_of(start))) == TAKEN
    answer = story.answers[0, 0]
    assert answer.status == SUCCEEDED
    assert [SHAPES[event.type][0] for event in answer.history][2:6] == [
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
    ]


@pytest.mark.parametrize("answered", [False, True])
def test_a_new_owner_submits_nothing_again(answered: bool) -> None:
    """Whether the answer to the submission is in the journal or not: the token still counts."""
    story = Story()
    (start,) = story.starts
    if answered:
        story.outcome(start, TaskSubmitted(start.request.ref, b"{}"))
    story.take_over()
    story.turn(5)
    assert story.starts == []
    assert story.word(story.call_back(attempt_of(start))) == TAKEN
    assert story.answers[0, 0].status == SUCCEEDED


def test_what_no_journal_holds_is_submitted_by_the_new_owner() -> None:
    """The old one fell before it said that it would submit: its child has not begun, for all that anybody knows."""
    story = Story()
    story.log = [record for record in story.log if not getattr(record, "advanced", ())]
    story.take_over()
    assert len(story.starts) == 1


def test_late_double_and_strange_callbacks_are_refused() -> None:
    """An attempt that is over, a child that ended, a child that never was here."""
    story = Story()
    (start,) = story.starts
    attempt = attempt_of(start)
    assert story.word(story.call_back("0" * 32)) == TIMED_OUT
    assert story.word(story.call_back(attempt)) == TAKEN
    for kind in ("success", "failure", "heartbeat"):
        assert story.word(story.call_back(attempt, kind)) == TIMED_OUT
    assert story.word(story.call_back(attempt, index=77)) == TIMED_OUT


def test_a_request_that_comes_again_before_the_journal_has_it_changes_nothing() -> None:
    """Its sender got no answer in time: the second record is no late callback."""
    story = Story()
    (start,) = story.starts
    callback = ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, 0, "same", TaskSucceeded(attempt_of(start), b"1"))
    for _ in range(2):
        story.signals.append(callback)
        story.lane.signal(len(story.signals) - 1, callback, story.now, story.now / 1000)
    story.turn()
    assert story.word("same") == TAKEN


def test_a_callback_that_an_earlier_owner_heard_is_not_heard_again() -> None:
    """A new owner reads the signals anew; who sent them was answered."""
    story = Story()
    (start,) = story.starts
    story.call_back(attempt_of(start))
    story.answered.clear()
    story.take_over()
    assert story.answered == []
    assert len(story.answers) == 1


def test_a_sender_whose_owner_fell_before_its_word_has_it_from_the_next_one() -> None:
    """The journal holds the callback, so it was taken; home gives the word once, however often it comes."""
    story = Story(
        states={"A": {**WAITS, "Next": "W", "End": False}, "W": {"Type": "Wait", "Seconds": 500, "End": True}}
    )
    (start,) = story.starts
    request = story.call_back(attempt_of(start))
    story.answered.clear()
    story.take_over()
    assert story.word(request) == TAKEN
    story.answered.clear()
    story.turn(100)
    story.take_over()
    assert story.answered == []


def test_a_callback_that_nobody_heard_is_heard_by_the_new_owner() -> None:
    """It came while the lane had no owner: the child hears it once it is where it was, its sender is answered."""
    story = Story()
    (start,) = story.starts
    callback = TaskSucceeded(attempt_of(start), b"1")
    story.signals.append(ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, 0, "early", callback))
    story.take_over()
    assert story.word("early") == TAKEN
    assert story.answers[0, 0].status == SUCCEEDED


def test_a_refused_submission_fails_its_attempt() -> None:
    """With the error of the call; nobody's callback counts any more."""
    story = Story()
    (start,) = story.starts
    story.outcome(start, SubmissionFailed(start.request.ref, "SQS.QueueDoesNotExistException", "no such queue"))
    assert story.answers[0, 0].status == FAILED
    assert story.word(story.call_back(attempt_of(start))) == TIMED_OUT


def test_a_callback_and_a_submission_may_cross() -> None:
    """The callee calls back before its answer is here: the attempt is over, and the answer is late."""
    story = Story()
    (start,) = story.starts
    assert story.word(story.call_back(attempt_of(start))) == TAKEN
    story.outcome(start, TaskSubmitted(start.request.ref, b"{}"))
    assert story.answers[0, 0].status == SUCCEEDED


def test_no_other_news_of_an_attempt_answers_a_sender() -> None:
    """The submission's answer is journalled with the callback behind it, and the run closes: nothing was taken."""
    story = Story()
    (start,) = story.starts
    lane, now, at = story.lane, story.now, story.now / 1000
    lane.task_over(TaskOver(start.run, start.position, TaskSubmitted(start.request.ref, b"{}")), now, at)
    written = lane.take_journal(at)
    callback = ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, 0, "late", TaskSucceeded(attempt_of(start), b"1"))
    lane.signal(9, callback, now, at)
    for record in written:
        lane.journal(len(story.log), record, at)
    lane.signal(10, RunClosing(Cause(0, 5, 0), RUN, 0), now, at)
    story.turn()
    assert story.word("late") == TIMED_OUT


def test_heartbeats_keep_an_attempt_over_a_takeover() -> None:
    """HeartbeatSeconds count from the last heartbeat in the journal; of those only the last is kept there."""
    story = Story(HeartbeatSeconds=10)
    (start,) = story.starts
    attempt = attempt_of(start)
    for _ in range(5):
        story.turn(8)
        assert story.word(story.call_back(attempt, "heartbeat")) == TAKEN
    (past,) = story.lane.memory.runs[RUN, 0].past.values()
    assert sum(isinstance(fact.happening, HeartbeatReceived) for fact in past) == 1
    story.take_over()
    story.turn(8)
    assert story.answers == {}
    story.turn(3)
    assert story.answers[0, 0].status == FAILED
    assert story.word(story.call_back(attempt, "heartbeat")) == TIMED_OUT


def test_a_heartbeat_behind_the_timer_that_ended_its_attempt_does_not_undo_that() -> None:
    """Both were on their way to the journal at once; a new owner finds the next attempt submitted, as it was."""
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}]
    story = Story(HeartbeatSeconds=10, Retry=retry)
    (start,) = story.starts
    attempt = attempt_of(start)
    story.turn(8)
    story.call_back(attempt, "heartbeat")
    story.now += 11_000
    story.lane.executions.timers_due(story.lane.runs, story.now, story.now / 1000)
    assert story.word(story.call_back(attempt, "heartbeat")) == TIMED_OUT
    story.turn(1)
    assert [start.request.ref for start in story.starts] == ["A#1.0", "A#1.1"]
    story.take_over()
    story.turn(11)
    story.turn(2)
    assert [start.request.ref for start in story.starts] == ["A#1.2"]


def test_a_timer_that_a_heartbeat_put_off_is_put_off_for_every_owner() -> None:
    """It fires as a heartbeat is on its way through the journal; the next heartbeat leaves the order as it was."""
    story = Story(HeartbeatSeconds=10)
    (start,) = story.starts
    attempt, lane = attempt_of(start), story.lane
    story.now += 10_000
    at = story.now / 1000
    beat = ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, 0, "beat", HeartbeatReceived(attempt))
    story.signals.append(beat)
    lane.signal(len(story.signals) - 1, beat, story.now, at)
    story.turn()  # journals the heartbeat, and behind it the timer that was due
    story.turn(5)
    assert story.word(story.call_back(attempt, "heartbeat")) == TAKEN
    story.take_over()
    assert story.answers == {}
    assert story.word(story.call_back(attempt)) == TAKEN
    assert story.answers[0, 0].status == SUCCEEDED


def test_children_of_a_later_generation_are_known_by_their_index() -> None:
    """A redrive gives a child another position; its token says the child."""
    story = Story()
    story.signal(opened({"A": WAITS}, generation=1, n=1))
    story.items(0, [b"5"], generation=1, indexes=(7, 1))
    start = story.starts[-1]
    request = ChildCallbackReceived(Cause(0, 2, 0), RUN, 1, 7, "again", TaskSucceeded(attempt_of(start), b"1"))
    story.signal(request)
    assert story.word("again") == TAKEN
    assert story.answers[1, 0].index == 7


def test_a_run_that_closes_ends_what_waits() -> None:
    """Its children are aborted; a callback for one of them comes too late."""
    story = Story()
    (start,) = story.starts
    story.signal(RunClosing(Cause(0, 5, 0), RUN, 0))
    assert story.word(story.call_back(attempt_of(start))) == TIMED_OUT


def test_callbacks_for_children_that_ended_are_refused_after_a_takeover() -> None:
    """One child ended, one waits: the first one's token is refused once the second is where it was."""
    story = Story(2)
    first, second = story.starts
    story.call_back(attempt_of(first))
    story.take_over()
    assert story.word(story.call_back(attempt_of(first))) == TIMED_OUT
    assert story.word(story.call_back(attempt_of(second), index=1)) == TAKEN


def test_a_child_that_only_has_to_end_does_so_after_a_takeover_whatever_the_quota() -> None:
    """The journal holds its callback, not yet its end; a child that was started since waits for one of its own."""
    story = Story(0, quota=1)
    for n in range(2):
        story.items(n, [b"%d" % n])
    story.call_back(attempt_of(story.starts[0]))
    finish = story.log.pop()
    assert isinstance(finish, LaneAdvanced)
    assert finish.finished
    story.answers.clear()
    story.take_over()
    assert [index for _, index in story.answers] == [0]


def test_children_that_ran_run_on_after_a_takeover_whatever_the_quota() -> None:
    """MaxConcurrency was lowered meanwhile: they run on, as under their first owner, and no new one starts."""
    story = Story(4, quota=3)
    attempts = [attempt_of(start) for start in story.starts]
    story.signal(QuotaChanged(Cause(0, 1, 0), RUN, 0, 1))
    story.take_over()
    assert [story.word(story.call_back(attempts[index], index=index)) for index in (2, 1)] == [TAKEN, TAKEN]
    assert not story.starts
    assert story.word(story.call_back(attempts[0])) == TAKEN
    assert [start.position for start in story.starts] == [3]
