"""Activities: names under which workers ask for the work of Tasks."""

from typing import Literal

from schemas.lanes import Cause
from schemas.wire import Fact


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


ActivityRecord = ActivityRequested
"""Records of home about activities."""
