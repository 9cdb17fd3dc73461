"""Root executions that wait for callbacks: who submits, which callback counts, where a child's goes."""

import json
from typing import Any

import msgspec
import pytest

from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import Output, Send, StartTask, SubmitTask
from maprun.mapruns.fold.state import HomeState, RequestAnswered, decode_state, encode_state
from schemas import topics
from schemas.arns import Names, child_arn, run_id
from schemas.effects import Callback, HeartbeatReceived, SubmissionFailed, TaskFailed, TaskSubmitted, TaskSucceeded
from schemas.home import (
    CallbackAnswered,
    CallbackReceived,
    ExecutionRequested,
    HomeRecord,
    Origin,
    ParentSubmissionBegan,
    ParentTaskEnded,
    ParentTaskSubmitted,
    TimerDue,
)
from schemas.lanes import ChildCallbackReceived
from schemas.requests import RequestRejected, record_id
from schemas.tokens import DOES_NOT_EXIST, NO_LANE, TIMED_OUT, TokenSecret, attempt_of

SECRET = TokenSecret(b"secret")
NAMES = Names()
ARN = NAMES.execution("m", "e")
SEND: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"},
    "End": True,
}
REF = "T#1.0"
TAKEN = ("", "")


class Story:
    """One home with one execution."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.interpreter = RootInterpreter(None, SECRET)
        self.home = self._fold(HomeState(home=0))
        self.offset, self.now = -1, 1_000_000
        definition = json.dumps({"StartAt": "T", "States": {"T": state}}).encode()
        machine = NAMES.machine("m")
        request = ExecutionRequested("start", ARN, "e", machine, "m", "STANDARD", "", "role", definition, b"{}")
        self.first = self.put(request)

    def _fold(self, state: HomeState) -> Home:
        return Home(state, self.interpreter, NAMES, 1, 4)

    def put(self, record: HomeRecord, seconds: int = 0) -> list[Output]:
        """A record comes; what follows. Each time the home is stored and taken up again before."""
        self.offset += 1
        self.now += seconds * 1_000
        self.home = self._fold(decode_state(encode_state(self.home.state, self.interpreter), self.interpreter))
        return self.home.apply(self.offset, self.now, record)

    def call_back(self, callback: Callback, request_id: str = "r") -> tuple[str, str]:
        """A callback for the execution; what its sender is answered."""
        outputs = self.put(CallbackReceived(request_id, ARN, NO_LANE, callback))
        return answer_of(outputs)

    @property
    def status(self) -> str:
        """Of the execution."""
        root = self.home.state.roots.get(ARN)
        return self.home.state.ended[ARN].status if root is None else root.status


def answer_of(outputs: list[Output]) -> tuple[str, str]:
    """The one answer among these."""
    (answer,) = (o for o in outputs if isinstance(o, RequestAnswered))
    return answer.error, answer.message


def success(ref: str = REF) -> TaskSucceeded:
    """SendTaskSuccess of an attempt."""
    return TaskSucceeded(attempt_of(ARN, ref), b'"done"')


def test_the_first_who_says_so_submits() -> None:
    """A second owner of home, or a second word of the first one, is granted nothing."""
    story = Story(SEND)
    assert [o.request.callback for o in story.first if isinstance(o, StartTask)] == [True]
    granted = [o.by for o in story.put(ParentSubmissionBegan(ARN, REF, "one")) if isinstance(o, SubmitTask)]
    assert granted == ["one"]
    for by in ("two", "one"):
        assert story.put(ParentSubmissionBegan(ARN, REF, by)) == []
    assert story.put(ParentSubmissionBegan(ARN, "T#9.0", "one")) == []


@pytest.mark.parametrize(
    ("callback", "status"), [(success(), "SUCCEEDED"), (TaskFailed(attempt_of(ARN, REF), "E", "c"), "FAILED")]
)
def test_a_callback_ends_its_attempt(callback: Callback, status: str) -> None:
    """Once; late and double ones are told that the task is over."""
    story = Story(SEND)
    story.put(ParentSubmissionBegan(ARN, REF, "one"))
    story.put(ParentTaskSubmitted(ARN, TaskSubmitted(REF, b"{}")))
    assert story.status == "RUNNING"
    assert story.call_back(callback) == TAKEN
    assert story.status == status
    assert story.call_back(callback, "again") == TIMED_OUT


def test_a_request_that_comes_again_has_its_first_answer() -> None:
    """An SDK that tries again hears that its callback was taken, though the task is over by then."""
    story = Story(SEND)
    assert story.call_back(success(), "r") == TAKEN
    assert story.call_back(success(), "r") == TAKEN
    assert story.call_back(success(), "s") == TIMED_OUT


def test_who_sent_a_record_too_late_reads_so_on_a_topic() -> None:
    """Once, however often the gate reads the record; of one that was taken nothing is said."""
    story = Story(SEND)
    taken, late = record_id(Origin("requests", 1, 2)), record_id(Origin("requests", 1, 3))
    outputs = story.put(CallbackReceived(taken, ARN, NO_LANE, success()))
    assert not [o for o in outputs if isinstance(o, Send) and o.topic == topics.REJECTED_REQUESTS.name]
    outputs = story.put(CallbackReceived(late, ARN, NO_LANE, success()))
    (sent,) = (o.message for o in outputs if isinstance(o, Send) and o.topic == topics.REJECTED_REQUESTS.name)
    assert sent == RequestRejected(Origin("requests", 1, 3), *TIMED_OUT, b"")
    for again in (taken, late):
        outputs = story.put(CallbackReceived(again, ARN, NO_LANE, success()))
        assert not [o for o in outputs if isinstance(o, Send)]


def test_the_word_of_a_lane_on_a_record_stands_on_a_topic() -> None:
    """If it is a refusal."""
    story = Story(SEND)
    for n, error in enumerate(("", "TaskTimedOut")):
        outputs = story.put(CallbackAnswered("run", record_id(Origin("requests", 0, n)), error, error))
        rejections = [o for o in outputs if isinstance(o, Send)]
        assert len(rejections) == n


def test_callbacks_of_others_find_nobody() -> None:
    """An attempt that never was, an execution that nobody remembers, a Task that waits for no callback."""
    story = Story(SEND)
    assert story.call_back(success("T#1.1")) == TIMED_OUT
    other = CallbackReceived("s", NAMES.execution("m", "other"), NO_LANE, success())
    assert answer_of(story.put(other)) == DOES_NOT_EXIST
    plain = Story({**SEND, "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {}})
    assert plain.call_back(success()) == TIMED_OUT
    plain.put(ParentTaskEnded(ARN, TaskSucceeded(REF, b"1")))
    assert plain.status == "SUCCEEDED"


def test_a_failed_submission_fails_the_attempt() -> None:
    """As the call said."""
    story = Story(SEND)
    story.put(ParentTaskSubmitted(ARN, SubmissionFailed(REF, "SQS.QueueDoesNotExistException", "no")))
    assert story.status == "FAILED"


def test_heartbeats_count_from_the_last() -> None:
    """A timer that fired for an earlier one changes nothing."""
    story = Story({**SEND, "HeartbeatSeconds": 10})
    (first,) = story.home.state.roots[ARN].timers
    story.put(CallbackReceived("r", ARN, NO_LANE, HeartbeatReceived(attempt_of(ARN, REF))), seconds=9)
    (second,) = story.home.state.roots[ARN].timers
    story.put(TimerDue(ARN, first), seconds=1)
    assert story.status == "RUNNING"
    story.put(TimerDue(ARN, second), seconds=9)
    assert story.status == "FAILED"


def test_a_child_s_callback_goes_to_its_lane() -> None:
    """Lane and index are the token's; what the lane says is the answer. A lane that the run never had is no lane."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "C",
        "States": {"C": SEND},
    }
    story = Story({"Type": "Map", "Label": "L", "ItemProcessor": processor, "End": True, "MaxConcurrency": 4})
    run = run_id(0, ARN, "T#1.0")
    lane = story.home.state.runs[run].lanes[0]
    arn = child_arn(NAMES.child_prefix("m", "L", express=False), run, 5, express=False)
    record = CallbackReceived("r", arn, lane, success())
    sends = [o for o in story.put(record) if isinstance(o, Send)]
    assert [(o.topic, o.partition) for o in sends] == [(topics.LANE_SIGNALS.name, lane)]
    told = sends[0].message
    assert isinstance(told, ChildCallbackReceived)
    assert (told.run, told.generation, told.index, told.request_id) == (run, 0, 5, "r")
    assert answer_of(story.put(CallbackAnswered(run, "r", *TIMED_OUT))) == TIMED_OUT
    assert answer_of(story.put(msgspec.structs.replace(record, request_id="s", lane=77))) == TIMED_OUT
