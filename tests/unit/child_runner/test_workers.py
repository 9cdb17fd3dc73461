"""Children whose Tasks workers do: asked for once over all owners of the lane, each attempt given to one worker."""

from typing import Any

import pytest

from schemas.activities import ActivityTaskAnswered, ActivityTaskRequested, ActivityTaskWithdrawn
from schemas.effects import (
    ActivityTaskStarted,
    AttemptNews,
    HeartbeatReceived,
    SubmissionFailed,
    TaskSubmitted,
    TaskSucceeded,
)
from schemas.history import SHAPES
from schemas.home import FAILED, SUCCEEDED
from schemas.lanes import Cause, ChildCallbackReceived, ChildStopRequested, RunClosing
from tests.unit.child_runner.driver import RUN, Driver, opened

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:a"
HOME = 3
"""That of the activity."""
WAITS: dict[str, Any] = {"Type": "Task", "Resource": ACTIVITY, "End": True}


class Story(Driver):
    """A lane whose child waits for a worker of the activity."""

    def __init__(self, **fields: Any) -> None:
        super().__init__()
        self.signal(opened({"A": {**WAITS, **fields}}))
        self.items(0, [b'{"n":1}'])

    @property
    def requests(self) -> list[ActivityTaskRequested]:
        """What was asked of the home of the activity."""
        return [fact for fact in self.home if isinstance(fact, ActivityTaskRequested)]

    @property
    def attempt(self) -> str:
        """The child's attempt."""
        return self.requests[0].attempt

    @property
    def withdrawn(self) -> list[str]:
        """The attempts that were taken back."""
        return [fact.attempt for fact in self.home if isinstance(fact, ActivityTaskWithdrawn)]

    @property
    def words(self) -> list[tuple[str, bool]]:
        """Whose requests were answered, and whether they have the attempt."""
        facts = [fact for fact in self.home if isinstance(fact, ActivityTaskAnswered)]
        assert {(fact.home, fact.attempt) for fact in facts} <= {(HOME, self.attempt)}
        assert {fact.input for fact in facts} <= {b"", b'{"n":1}'}
        assert all(fact.refused == (not fact.input) for fact in facts)
        return [(fact.request_id, not fact.refused) for fact in facts]

    def tell(self, news: AttemptNews, request_id: str = "") -> None:
        """The home tells the child."""
        self.signal(ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, 0, request_id, news))

    def scheduled(self) -> None:
        """The home of the activity has the attempt in its line."""
        self.tell(TaskSubmitted(self.attempt, b""))

    def ask_for(self, request_id: str) -> None:
        """A worker is to be given the attempt."""
        self.tell(ActivityTaskStarted(self.attempt, "me", request_id, HOME), request_id)

    def kinds(self) -> list[str]:
        """The child's history, once it has ended."""
        return [SHAPES[event.type][0] for event in self.answers[0, 0].history][2:]


def test_a_child_waits_for_a_worker() -> None:
    """It is asked for with its place, given once the journal says so, and ended by the worker's word."""
    story = Story()
    [request] = story.requests
    assert (request.run, request.arn, request.lane) == (RUN, ACTIVITY, 0)
    assert request.execution.startswith("arn:aws:states:us-east-1:123456789012:execution:m/M:")
    assert story.starts == []
    story.scheduled()
    story.ask_for("r1")
    assert story.words == [("r1", True)]
    story.tell(TaskSucceeded(story.attempt, b'"done"'), "s")
    assert [(word.request_id, word.error) for word in story.answered] == [("s", "")]
    assert story.answers[0, 0].status == SUCCEEDED
    assert story.kinds()[:3] == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]


def test_the_first_worker_has_the_attempt() -> None:
    """It hears so again when it asks again; nobody else does, nor anybody once it is over."""
    story = Story()
    story.scheduled()
    for request_id in ("r1", "r2", "r1"):
        story.ask_for(request_id)
    assert story.words == [("r1", True), ("r2", False), ("r1", True)]
    story.tell(TaskSucceeded(story.attempt, b"1"), "s")
    story.ask_for("r1")
    assert story.words[3:] == [("r1", False)]
    assert story.kinds().count("ActivityStarted") == 1


@pytest.mark.parametrize("ids", [("r1", "r2"), ("r1", "r1")])
def test_two_that_come_before_the_journal_holds_either(ids: tuple[str, str]) -> None:
    """The journal's order decides; one that came twice is one."""
    story = Story()
    story.scheduled()
    lane, now = story.lane, story.now
    for request_id in ids:
        started = ActivityTaskStarted(story.attempt, "me", request_id, HOME)
        signal = ChildCallbackReceived(Cause(0, 1, 0), RUN, 0, 0, request_id, started)
        story.signals.append(signal)
        lane.signal(len(story.signals) - 1, signal, now, now / 1000)
    story.turn()
    assert story.words == ([("r1", True), ("r2", False)] if ids[1] == "r2" else [("r1", True)])


@pytest.mark.parametrize("scheduled", [False, True])
def test_a_new_owner_asks_again_for_what_nobody_has_scheduled(scheduled: bool) -> None:
    """The old one may have fallen before it asked; what is in the line already is not asked for again."""
    story = Story()
    if scheduled:
        story.scheduled()
    story.take_over()
    assert [request.attempt for request in story.requests] == [story.attempt] * (1 if scheduled else 2)
    story.scheduled()
    story.ask_for("r1")
    story.tell(TaskSucceeded(story.attempt, b"1"), "s")
    assert story.words == [("r1", True)]
    assert story.kinds()[:3] == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]


def test_a_new_owner_knows_the_worker() -> None:
    """And tells it once more: the old one may have fallen before it did."""
    story = Story()
    story.scheduled()
    story.ask_for("r1")
    story.take_over()
    story.ask_for("r2")
    assert story.words == [("r1", True), ("r1", True), ("r2", False)]


def test_a_start_that_no_journal_holds_is_begun_by_the_new_owner() -> None:
    """The signal is there still: the old one fell before it wrote it down."""
    story = Story()
    story.scheduled()
    kept = len(story.log)
    story.ask_for("r1")
    story.log = story.log[:kept]
    story.home = [fact for fact in story.home if not isinstance(fact, ActivityTaskAnswered)]
    story.take_over()
    assert story.words == [("r1", True)]


@pytest.mark.parametrize("given", [False, True])
def test_a_child_that_is_stopped_takes_its_attempt_back(given: bool) -> None:
    """Unless a worker has it; who asks later is refused."""
    story = Story()
    story.scheduled()
    if given:
        story.ask_for("r1")
    story.signal(ChildStopRequested(Cause(0, 2, 0), RUN, 0, 0, "", ""))
    assert story.withdrawn == ([] if given else [story.attempt])
    story.ask_for("r2")
    assert story.words[-1] == ("r2", False)


def test_a_run_that_closes_takes_all_attempts_back() -> None:
    """Its children are stopped."""
    story = Story()
    story.signal(RunClosing(Cause(0, 2, 0), RUN, 0))
    assert story.withdrawn == [story.attempt]


def test_an_activity_that_is_not_there_fails_the_child() -> None:
    """The home of the activity says so."""
    story = Story()
    story.tell(SubmissionFailed(story.attempt, "States.Runtime", "The activity x does not exist."))
    assert story.answers[0, 0].status == FAILED
    assert story.kinds() == ["ExecutionFailed"]


def test_a_worker_that_falls_silent_loses_the_attempt() -> None:
    """HeartbeatSeconds count from its start, over owners of the lane too; its late word is refused."""
    story = Story(HeartbeatSeconds=10)
    story.scheduled()
    story.turn(100)
    story.ask_for("r1")
    story.turn(8)
    story.tell(HeartbeatReceived(story.attempt), "h")
    story.take_over()
    story.turn(8)
    assert story.answers == {}
    story.turn(3)
    assert story.kinds()[:3] == ["ActivityScheduled", "ActivityStarted", "ActivityTimedOut"]
    story.tell(TaskSucceeded(story.attempt, b"1"), "s")
    assert [word.error for word in story.answered] == ["", "TaskTimedOut"]
