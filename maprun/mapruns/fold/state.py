"""The state that the fold of one home partition keeps, and how it is stored."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.run import Run
from maprun.mapruns.slices import Spent
from schemas.activities import ActivityWritten
from schemas.effects import Effect, Happening, TaskRequested
from schemas.home import ChosenChildren, ExecutionRequested, LimitsTaken
from schemas.machines import MachineWritten
from schemas.starters import Starter
from schemas.wire import Fact, Part

FOLD_VERSION = 14
"""Raised when a rule of the fold changes: records behind a snapshot are folded by the rules of whoever reads it."""
FOLD_VERSIONS_READ = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
"""Whose snapshots are read, FOLD_VERSION last. What an older one lacks has the default of its field, so fields are only
added, with defaults; bytes of each version are kept under tests/architecture/snapshots and go on there."""


class RootEnded(Protocol):
    """How a root execution ended."""

    @property
    def status(self) -> str:
        """SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
        ...

    @property
    def output(self) -> bytes:
        """JSON of the output when it succeeded."""
        ...

    @property
    def error(self) -> str | None:
        """AWS's error name, if any."""
        ...

    @property
    def cause(self) -> str | None:
        """The cause, if any."""
        ...


class RootStep(Protocol):
    """What one step of a root execution brought."""

    @property
    def execution(self) -> Any:
        """The interpreter's state, None once ended."""
        ...

    @property
    def effects(self) -> Sequence[Effect]:
        """What it asks for."""
        ...

    @property
    def events(self) -> list[Any]:
        """New events of its history."""
        ...

    @property
    def ended(self) -> RootEnded | None:
        """How it ended, if it did."""
        ...

    @property
    def remains(self) -> Any:
        """What a redrive goes on from; None unless it ended and can be redriven."""
        ...

    @property
    def more(self) -> bool:
        """True while the step isn't through: it is to be taken further before anything else."""
        ...


class Interpreter(Protocol):
    """The interpreter as the fold needs it (maprun.interpreter.roots implements it)."""

    def begin(self, request: ExecutionRequested, now_ms: int, spent: Spent, /) -> RootStep:
        """Starts a root execution."""
        ...

    def advance(
        self, request: ExecutionRequested, execution: Any, happening: Happening, now_ms: int, spent: Spent, /
    ) -> RootStep:
        """Tells a root execution what happened."""
        ...

    def redrive(self, request: ExecutionRequested, remains: Any, now_ms: int, spent: Spent, /) -> RootStep:
        """Goes on with a root execution that ended unsuccessfully."""
        ...

    def go_on(self, step: Any, spent: Spent, /) -> None:
        """Takes a step that has more to do further."""
        ...

    def encode(self, execution: Any) -> bytes:
        """The bytes of a running execution, or of what remains of one."""
        ...

    def decode(self, data: bytes) -> Any:
        """The running execution again."""
        ...

    def child_outputs(self, page: bytes) -> list[bytes]:
        """The outputs of the children in a page of histories, empty for those that did not succeed."""
        ...


class Root(msgspec.Struct, kw_only=True):
    """One root execution. `execution` is the interpreter's state, None once it ended."""

    request: ExecutionRequested
    started_ms: int
    status: str = "RUNNING"
    stopped_ms: int = 0
    output: bytes = b""
    error: str | None = None
    cause: str | None = None
    execution: Any = None
    events: int = 0
    timers: dict[str, int] = {}
    tasks: dict[str, TaskRequested] = {}
    submitting: dict[str, str] = {}  # of these, by whom they are submitted, for good
    submitted: dict[str, bytes] = {}  # of these the jobs and activities that were submitted, with the answer to that
    workers: dict[str, str] = {}  # of these the activities that a worker has, with its request id
    starters: list[Starter] = []  # Tasks that wait for this execution, beside the one that started it
    runs: dict[str, str] = {}  # effect ref → run id, of runs the execution waits for
    all_runs: list[str] = []  # nested ones left out
    open_runs: int = 0  # nested ones too
    redrive_count: int = 0
    redriven_ms: int = 0
    redrive_requests: dict[str, int] = {}  # the newest that were accepted → when
    remains: Any = None  # of an ended one: the interpreter's state that a redrive goes on from
    kept: dict[str, Run] = {}  # runs that are over and may be redriven with the execution, nested ones too
    chosen: ChosenChildren | None = None  # of one of them, for the redrive that goes on, until it comes to that run

    def forget_task(self, ref: str) -> bool:
        """The execution no longer waits for this Task; False if it didn't."""
        self.submitting.pop(ref, None)
        self.submitted.pop(ref, None)
        self.workers.pop(ref, None)
        return self.tasks.pop(ref, None) is not None


class Ended(msgspec.Struct, kw_only=True):
    """What is remembered of a root execution that ended at the record at `offset`, with all its Map Runs.

    `root` is what a redrive goes on from, None when it can't be redriven.
    """

    request_id: str
    started_ms: int
    stopped_ms: int
    status: str
    offset: int
    root: Root | None = None


class Archive(Protocol):
    """Ended root executions that the state of a home holds no longer."""

    def ended(self, arn: str, before: int, /) -> Ended | None:
        """The newest end of a root execution at a record before this offset, as far as it was archived.

        What ended at a later record is unknown yet to a fold that stands here, however much of it was archived.
        """
        ...


class NothingArchived:
    """The archive of a home whose state keeps everything."""

    def ended(self, _arn: str, _before: int, /) -> Ended | None:
        """Nothing."""
        return None


class RequestAnswered(Fact, frozen=True):
    """The fold's word on a request: `error` is empty when it was accepted; `body` is JSON of the answer.

    An output of the fold, and kept for repeats of the request; stored, so its fields are only added to.
    """

    request_id: str
    error: str
    message: str
    body: bytes
    answered_ms: int = 0


class WaitingTask(Part, frozen=True):
    """An attempt that waits for a worker of its activity, as its task token says it."""

    execution: str
    lane: int


class TaskTaken(Part, frozen=True):
    """What a worker's request was given: an attempt of an activity, whose own home decides whether it has it."""

    arn: str
    attempt: str
    task: WaitingTask
    worker: str
    asked_ms: int


class HomeState(msgspec.Struct, kw_only=True):
    """Everything the fold of one home partition knows after the record at `offset`, but for what is in its archive.

    Whether an ended execution is in `ended` or in the archive makes no difference to what is decided: whoever holds the
    state archives first and deletes here afterwards, when he likes.
    """

    home: int
    offset: int = -1
    now_ms: int = 0
    roots: dict[str, Root] = {}
    runs: dict[str, Run] = {}
    waiting: list[str] = []  # runs past the limit of open ones, in order
    machines: dict[str, MachineWritten] = {}
    answered: dict[str, RequestAnswered] = {}  # the newest answers, for repeats of their requests
    ended: dict[str, Ended] = {}  # in the order they ended
    activities: dict[str, ActivityWritten] = {}
    activity_tasks: dict[str, dict[str, WaitingTask]] = {}  # by activity and attempt, in the order they came
    activity_workers: dict[str, TaskTaken] = {}  # the newest requests of workers that were given an attempt
    starts_waiting: dict[str, ExecutionRequested] = {}  # past the limit of open executions: by request id, in order
    limits: LimitsTaken | None = LimitsTaken()  # None: the process's, of a version before 13 and until the first record
    forgotten_ms: int = 0  # what ended before is forgotten, though limits that came later would remember it


class _Closed(msgspec.Struct, frozen=True, array_like=True):
    """An ended root execution as versions 2 to 4 had it."""

    request_id: str
    started_ms: int
    stopped_ms: int = 0
    status: str = ""


class _AnyVersion(HomeState, kw_only=True):
    """The state of any version that is read."""

    closed: dict[str, _Closed] = {}
    redrivable: dict[str, Root] = {}  # of these, those that could be redriven yet
    limits: LimitsTaken | None = None


def encode_state(state: HomeState, interpreter: Interpreter) -> bytes:
    """The bytes of a state; `decode_state` makes an equal one of them."""
    roots = [*state.roots.values(), *(ended.root for ended in state.ended.values() if ended.root is not None)]
    with _encoded(roots, interpreter):
        return msgspec.msgpack.encode(state, enc_hook=_enc_hook)


def decode_state(data: bytes, interpreter: Interpreter) -> HomeState:
    """The state again. Raises msgspec.DecodeError when the bytes are not a state of a version that is read."""
    read = msgspec.msgpack.decode(data, type=_AnyVersion, dec_hook=_dec_hook)
    state = HomeState(**{name: getattr(read, name) for name in HomeState.__struct_fields__})
    _take_older(read, state)
    for root in [*state.roots.values(), *(ended.root for ended in state.ended.values() if ended.root is not None)]:
        _decode_root(root, interpreter)
    return state


def _take_older(read: _AnyVersion, state: HomeState) -> None:
    """Ended executions of versions 2 to 4: they are known to have ended since this snapshot."""
    closed = read.closed
    for arn, root in read.redrivable.items():  # trackers stored those alone
        name = _Closed(root.request.request_id, root.started_ms, root.stopped_ms, root.status)
        closed.setdefault(arn, name)
    for arn, end in closed.items():
        state.ended[arn] = Ended(
            request_id=end.request_id,
            started_ms=end.started_ms,
            stopped_ms=end.stopped_ms,
            status=end.status,
            offset=state.offset,
            root=read.redrivable.get(arn),
        )


def encode_ended(ended: Ended, interpreter: Interpreter) -> bytes:
    """The bytes of an ended execution; `decode_ended` makes an equal one of them."""
    with _encoded([] if ended.root is None else [ended.root], interpreter):
        return msgspec.msgpack.encode(ended, enc_hook=_enc_hook)


def decode_ended(data: bytes, interpreter: Interpreter) -> Ended:
    """The ended execution again, nobody else's."""
    ended = msgspec.msgpack.decode(data, type=Ended, dec_hook=_dec_hook)
    if ended.root is not None:
        _decode_root(ended.root, interpreter)
    return ended


@contextmanager
def _encoded(roots: Sequence[Root], interpreter: Interpreter) -> Iterator[None]:
    """While the interpreter's states in these executions are bytes."""
    live = [(root.execution, root.remains) for root in roots]
    try:
        for root in roots:
            root.execution = None if root.execution is None else interpreter.encode(root.execution)
            root.remains = None if root.remains is None else interpreter.encode(root.remains)
        yield
    finally:
        for root, (execution, remains) in zip(roots, live, strict=True):
            root.execution, root.remains = execution, remains


def _decode_root(root: Root, interpreter: Interpreter) -> None:
    if root.execution is not None:
        root.execution = interpreter.decode(root.execution)
    if root.remains is not None:
        root.remains = interpreter.decode(root.remains)


def _enc_hook(value: object) -> object:
    if isinstance(value, Intervals):
        return value.flat()
    raise TypeError(type(value).__name__)


def _dec_hook(kind: type, value: Any) -> object:
    if kind is Intervals:
        return Intervals(value)
    raise TypeError(kind.__name__)
