"""Root executions of EXPRESS machines: asked for in frames, and answered in frames.

They stand on no home: nothing decides about them but the lane that runs them. What happened in them the process that
ran them knows for a while, and shows whoever asks all lanes.
"""

from schemas.history import HistoryEvent
from schemas.wire import Fact, Part

NOBODY_WAITS = 0
"""The call of a start that StartExecution made: it was answered when its record was acknowledged."""
NOT_RUN = ""
"""The status of an execution that a lane's new owner found, and that may have run under the former one."""


class ExpressMachine(Part, frozen=True):
    """The machine of some starts, as it was when they were asked for. `logging` is JSON, b"" = off."""

    arn: str
    name: str
    role_arn: str
    definition: bytes
    logging: bytes = b""
    version_arn: str = ""  # if it was started by that or by an alias
    alias_arn: str = ""


class ExpressStart(Part, frozen=True):
    """One execution: `machine` is the number of its machine in the frame, `call` that of who waits for its end."""

    machine: int
    arn: str
    name: str
    input: bytes
    started_ms: int
    call: int = NOBODY_WAITS
    trace_header: str = ""


class ExpressRequested(Fact, frozen=True):
    """Run these executions. Who waits for their ends is `asker`, which reads partition `answers` of `express-answers`.

    `carrier`: the lane's owner wrote the frame itself, of executions that run there, so that its position passes the
    records that asked for them first.
    """

    asker: str
    answers: int
    machines: tuple[ExpressMachine, ...]
    starts: tuple[ExpressStart, ...]
    carrier: str = ""


class ExpressEnd(Part, frozen=True):
    """How the execution of one call ended. `status` NOT_RUN: nobody can say whether it ran."""

    call: int
    status: str
    stopped_ms: int
    output: bytes = b""
    error: str | None = None
    cause: str | None = None


class ExpressEnded(Fact, frozen=True):
    """Executions that `asker` waits for have ended."""

    asker: str
    ends: tuple[ExpressEnd, ...]


class ExpressHistoryAsked(Fact, frozen=True):
    """Show what happened in this execution, if it ran there: so many events from the one with id `first` on.

    With `reverse` they are asked for downwards, and 0 is the last one's id. Each lane that is asked answers.
    """

    asker: str
    answers: int
    call: int
    arn: str
    first: int
    count: int
    reverse: bool = False


class ExpressHistoryShown(Fact, frozen=True):
    """What a lane's process knows of the execution that `call` asked for: as many of the events as fit a frame.

    `total`: how many events there are so far; 0 = the process knows nothing of the execution.
    """

    asker: str
    call: int
    lane: int
    total: int = 0
    events: tuple[HistoryEvent, ...] = ()


ExpressRequest = ExpressRequested | ExpressHistoryAsked
"""What travels on `express-requests`."""
ExpressAnswer = ExpressEnded | ExpressHistoryShown
"""What travels on `express-answers`."""
