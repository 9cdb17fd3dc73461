"""What follows from a record on home. Each service acts on its own kinds of output and passes over the others."""

from typing import Any

import msgspec

from maprun.integrations.jobs import Followed
from maprun.mapruns.fold.state import RequestAnswered, Root
from maprun.mapruns.ledger import Piece
from maprun.mapruns.run import Run
from schemas.effects import TaskRequested
from schemas.home import ChildrenEnded
from schemas.wire import Fact


class Send(msgspec.Struct, frozen=True):
    """Publish a message (scheduler); without one the key's record is deleted by compaction.

    The root execution `arn` fails if that can't be done; empty = nobody's.
    """

    topic: str
    partition: int
    message: Fact | bytes | None
    key: bytes | None = None
    arn: str = ""


class StartTask(msgspec.Struct, frozen=True):
    """Start a Task of a root execution (scheduler)."""

    arn: str
    request: TaskRequested


class SubmitTask(msgspec.Struct, frozen=True):
    """Make the call that submits a Task of a root execution, by the owner of home that `by` names (scheduler)."""

    arn: str
    request: TaskRequested
    by: str


class FollowJob(msgspec.Struct, frozen=True):
    """A Task of a root execution started a job: ask after it until it ends (scheduler)."""

    arn: str
    job: Followed


class SetTimer(msgspec.Struct, frozen=True):
    """Write TimerDue once log time reaches `due_ms` (scheduler)."""

    arn: str
    ref: str
    due_ms: int


class CancelEffect(msgspec.Struct, frozen=True):
    """The root execution no longer waits for this task or timer (scheduler)."""

    arn: str
    ref: str


class ActivityTaskWaits(msgspec.Struct, frozen=True):
    """An attempt waits for a worker of this activity (tracker)."""

    arn: str


class ExportDue(msgspec.Struct, frozen=True):
    """A run with a result writer exists, or its facts changed: the exporter looks at it (scheduler)."""

    run: str


class HistoryGrew(msgspec.Struct, frozen=True):
    """New events of a root execution; the first has id `first_id` (tracker; scheduler, where `logging` asks for it)."""

    arn: str
    first_id: int
    events: list[Any]
    logging: bytes = b""
    redrive_count: int = 0


class RootChanged(msgspec.Struct, frozen=True):
    """A root execution began, moved or ended (tracker). To be read before the next record is folded: it changes."""

    arn: str
    root: Root


class RunChanged(msgspec.Struct, frozen=True):
    """A Map Run began, moved or ended (tracker). To be read before the next record is folded: it changes."""

    run: Run


class EntriesAccepted(msgspec.Struct, frozen=True):
    """These slots of the frame are the answers that count (tracker)."""

    run: str
    pieces: list[Piece]
    frame: ChildrenEnded


Output = (
    Send
    | StartTask
    | SubmitTask
    | FollowJob
    | SetTimer
    | CancelEffect
    | ExportDue
    | HistoryGrew
    | RootChanged
    | RunChanged
    | EntriesAccepted
    | RequestAnswered
    | ActivityTaskWaits
)
