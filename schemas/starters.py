"""Executions that Tasks start and wait for: who waits, and that nobody does any more."""

from schemas.wire import Fact, Part


class Starter(Part, frozen=True):
    """The Task that started an execution and waits for its end: what its task token says of it.

    `parsed`: it is told input and output as JSON (`.sync:2`), else as texts that hold it (`.sync`).
    """

    arn: str
    attempt: str
    lane: int
    parsed: bool = False


class StartWithdrawn(Fact, frozen=True):
    """The Task that asked to start the execution `arn` under this request id no longer waits for it.

    It is stopped; if the request is still on its way, it never begins. Written on the Task's home, which hands it on to
    that of the execution. `run` is the Map Run of the child whose Task it was; empty for a root execution's.
    """

    run: str
    arn: str
    request_id: str
    cause: str
