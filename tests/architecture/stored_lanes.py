"""A lane in the midst of its children, as each release stored it: its journal, what it read, what it said on home.

`python -m tests.architecture.stored_lanes` writes what today's code stores as a further version, if it differs from the
newest one kept; a file that is there is never changed. The first part of the story is told before the lane is stored,
the second one after. The journal begins with a snapshot, as one whose beginning was deleted.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from maprun.mapruns.fold.home import decode_record
from schemas.effects import Callback, HeartbeatReceived, TaskFailed, TaskOutcome, TaskSubmitted, TaskSucceeded
from schemas.history import event_to_api
from schemas.home import ChildrenEnded
from schemas.lanes import Cause, ChildCallbackReceived, Claimed, ItemFrame, LaneAdvanced, LaneSignal, RunClosed
from schemas.wire import Decoder, encode
from services.child_runner.journal import decode_journal
from tests.unit.child_runner.driver import AT_ONCE, RUN, SECRET, TASK, Answer, Driver, opened
from tests.unit.child_runner.test_generations import redriven

FOLDER = Path(__file__).parent / "snapshots"
LIMITS = msgspec.structs.replace(AT_ONCE, history_page_bytes_max=1_000, adopt_after_seconds=1.0)
QUOTA = 5
TALKS = 12
CALL: dict[str, Any] = {**TASK, "OutputPath": "$.Payload"}
WAIT = {"Type": "Wait", "Seconds": 600}
ASK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}},
    "HeartbeatSeconds": 3600,
    "End": True,
}
KINDS = ["Now", "Talk0", "Break", "Talk0", "Wait", "Ask", "Both", "Retry", "Now", "Wait"]
"""What the children do, by position; the last two wait for the others' ends before they start."""
ASKS, BREAKS = KINDS.index("Ask"), KINDS.index("Break")
STATES: dict[str, Any] = {
    "Which": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.do", "StringEquals": kind, "Next": kind} for kind in dict.fromkeys(KINDS)],
    },
    "Now": {"Type": "Pass", "End": True},
    **{f"Talk{n}": {**CALL, "End": False, "Next": f"Talk{n + 1}"} for n in range(TALKS)},
    f"Talk{TALKS}": {"Type": "Succeed"},
    "Break": CALL,
    "Wait": {**WAIT, "Next": "Now"},
    "Ask": ASK,
    "Both": {
        "Type": "Parallel",
        "Branches": [
            {"StartAt": "Long", "States": {"Long": {**WAIT, "End": True}}},
            {"StartAt": "Call", "States": {"Call": CALL}},
        ],
        "End": True,
    },
    "Retry": {**CALL, "Retry": [{"ErrorEquals": ["Bad"], "IntervalSeconds": 60, "MaxAttempts": 1}]},
}


class Stored(msgspec.Struct):
    """What is kept: values of Kafka's records, and what the frames and pages among them told when they were written."""

    now_ms: int
    token: str  # of the child that waits for a callback
    journal_first: int  # offset of the first record that is not deleted
    journal: list[bytes]
    signals: list[bytes]
    items: list[bytes]
    home: list[bytes]
    told: dict[int, list[dict[str, Any]]]  # the events of children that had ended, as GetExecutionHistory shows them


class Story(Driver):
    """A lane with one Map Run of few children, and one that is over."""

    def __init__(self) -> None:
        super().__init__(LIMITS)
        self.token = ""
        self.journal_first = 0

    def begin(self) -> None:
        """Some children end, one of them with a long history, one without success; the others are under way."""
        run = opened(STATES, start="Which", quota=QUOTA, n=3)
        self.signal(msgspec.structs.replace(run, run="gone", cause=Cause(0, 1, 0)))
        self.signal(RunClosed(Cause(0, 2, 0), "gone", 0))
        self.signal(run)
        self.items(0, [b'{"do":"%s","n":%d}' % (kind.encode(), n) for n, kind in enumerate(KINDS)])
        for _ in range(TALKS):
            self._answer("Talk", KINDS.index("Talk0"))
        self._answer("Talk")
        self._answer("Break", fails=True)
        self._answer("Ask")
        self.turn(2)
        self._store_snapshot()
        for _ in range(TALKS // 2):
            self._answer("Talk")
        self._answer("Retry", fails=True)
        self._answer("Call")
        self._call_back(HeartbeatReceived)

    def go_on(self) -> None:
        """All that is waited for happens, until every child has ended; then the one that failed is redriven."""
        self._call_back(lambda attempt: TaskSucceeded(attempt, b'"told"'))
        for _ in range(2 * TALKS):
            self._answer()
        for _ in range(3):
            self.turn(600)
            self._answer()
        again = redriven(self, 0, BREAKS)
        self.signal(RunClosed(Cause(0, 50, 0), RUN, 0))
        self.signal(opened(STATES, start="Which", generation=1, n=51))
        self.items(0, [again], generation=1, indexes=(BREAKS, 1), redriven=True)
        self._answer()

    def _answer(self, state: str = "", position: int | None = None, *, fails: bool = False) -> None:
        """Tasks under way come back."""
        for start in list(self.starts):
            if start.request.state.startswith(state) and position in {None, start.position}:
                ref = start.request.ref
                done: TaskOutcome = TaskSucceeded(ref, b'{"Payload":{"by":"%s"}}' % start.request.state.encode())
                if start.request.callback:
                    self.token = json.loads(start.request.parameters)["MessageBody"]["token"]
                    done = TaskSubmitted(ref, b"{}")
                self.outcome(start, TaskFailed(ref, "Bad", "it is") if fails else done)

    def _call_back(self, told: Any) -> None:
        """The holder of the token says something."""
        token = SECRET.read(self.token)
        assert token is not None
        callback: Callback = told(token.attempt)
        self.signal(ChildCallbackReceived(Cause(0, 9, 0), RUN, 0, ASKS, f"request-{len(self.signals)}", callback))

    def _store_snapshot(self) -> None:
        """A snapshot is written, and behind it once more what only older records hold: those are deleted."""
        lane, memory = self.lane, self.lane.memory
        self.journal_first = len(self.log)
        self.log += memory.snapshot(LIMITS.journal_bytes_max)
        places = [(position, child.offset, child.place) for _, position, child in memory.before(self.journal_first)]
        adopted = tuple(self._found(tuple(places)).values())
        record = LaneAdvanced(lane.epoch, *lane.draft.written, (), (), adopted)
        lane.written(len(self.log), record, len(encode(record)))
        self.log.append(record)

    def store(self) -> Stored:
        """What is left if the owner is gone now."""
        journal, signals, frames, home = (
            [encode(record) for record in log] for log in (self.log, self.signals, self.frames, self.home)
        )
        told = {position: shown(answer) for (_, position), answer in self.answers.items()}
        first = self.journal_first
        return Stored(self.now, self.token, first, journal[first:], signals, frames, home, told)

    def restore(self, kept: Stored) -> None:
        """Another owner takes the lane from what is left."""
        self.now, self.token = kept.now_ms, kept.token
        deleted = Claimed("deleted", "other logs")  # counts for nothing: keeps the offsets of those behind it
        self.log = [*[deleted] * kept.journal_first, *map(decode_journal, kept.journal)]
        self.signals = [Decoder[LaneSignal](LaneSignal).decode(value) for value in kept.signals]
        self.frames = [Decoder[ItemFrame](ItemFrame).decode(value) for value in kept.items]
        self.home = [decode_record(value) for value in kept.home]  # type: ignore[misc]
        for fact in self.home:
            if isinstance(fact, ChildrenEnded):
                self._answered(fact)
        self.take_over()


def shown(answer: Answer) -> list[dict[str, Any]]:
    """A child's history, as GetExecutionHistory shows it."""
    return [event_to_api(event, number) for number, event in enumerate(answer.history, 1)]


def versions() -> list[int]:
    """The versions that are kept."""
    return sorted(int(file.stem.rpartition("v")[2]) for file in FOLDER.glob("lane.v*.zst"))


def load(version: int) -> Stored:
    """What this version stored."""
    data = zstandard.ZstdDecompressor().decompress((FOLDER / f"lane.v{version}.zst").read_bytes())
    return msgspec.msgpack.decode(data, type=Stored)


def main() -> None:
    """Writes what today's code stores, unless the newest version is the same."""
    story = Story()
    story.begin()
    kept = story.store()
    newest = max(versions(), default=0)
    if not newest or load(newest) != kept:
        file = FOLDER / f"lane.v{newest + 1}.zst"
        file.write_bytes(zstandard.compress(msgspec.msgpack.encode(kept)))
        sys.stdout.write(f"{file.name}\n")


if __name__ == "__main__":
    main()
