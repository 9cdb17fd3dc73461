"""Root executions of EXPRESS machines: asked for in frames, and answered in frames.

They stand on no home: nothing decides about them but the lane that runs them, and nothing of them is kept.
"""

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
