"""Activities: names under which workers ask for what Tasks wait for."""

from typing import Literal

from schemas.lanes import Cause
from schemas.wire import Fact, Part


class ActivityRequested(Fact, frozen=True):
    """Create or delete an activity. Identity: request id. `encryption` and `tags` as in `MachineSpec`."""

    request_id: str
    action: Literal["create", "delete"]
    arn: str
    name: str
    encryption: bytes = b""
    tags: bytes = b""


class ActivityWritten(Fact, frozen=True):
    """An activity as it is now. Key: (ARN, cause); the highest cause is the activity.

    `deleted`: it is gone. Times are epoch milliseconds.
    """

    cause: Cause
    arn: str
    name: str
    encryption: bytes
    tags: bytes
    created_ms: int
    deleted: bool = False


class ActivityTaskRequested(Fact, frozen=True):
    """An attempt of a Task waits for a worker of the activity `arn`. Identity: the attempt, as task tokens say it.

    Written on the home of the Task, which hands it on to that of the activity. `run` is the Map Run of the child whose
    Task it is; empty for a root execution's.
    """

    run: str
    arn: str
    execution: str
    lane: int
    attempt: str


class ActivityTaskWithdrawn(Fact, frozen=True):
    """The attempt waits for a worker no longer; goes the way of ActivityTaskRequested."""

    run: str
    arn: str
    attempt: str


class ActivityTaskAsked(Fact, frozen=True):
    """GetActivityTask: a worker takes the oldest attempt that waits. Identity: request id."""

    request_id: str
    arn: str
    worker: str


class ActivityTaskAnswered(Fact, frozen=True):
    """Whether the worker that asked under this request id has the attempt: the word of the attempt's home or lane.

    With `refused` it has not: the attempt is over, or another worker's. Written on the `home` of the activity.
    """

    request_id: str
    home: int
    attempt: str
    input: bytes = b""
    refused: bool = False


class TaskForWorker(Part, frozen=True):
    """What GetActivityTask answers: the attempt as its token says it, and its input. Nothing when none waits."""

    execution: str = ""
    lane: int = 0
    attempt: str = ""
    input: bytes = b""


ActivityRecord = (
    ActivityRequested | ActivityTaskRequested | ActivityTaskWithdrawn | ActivityTaskAsked | ActivityTaskAnswered
)
"""Records of home about activities."""
