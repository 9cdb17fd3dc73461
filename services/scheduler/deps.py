"""What the scheduler's coroutines need beside their port."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from maprun.archive.store import MemoryStore, Store
from maprun.integrations.jobs import JobCalls
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.state import Interpreter
from maprun.mapruns.limits import MapRunLimits
from maprun.mapruns.slices import Pace
from maprun.requests.tracing import Tracer
from maprun.runtime.pace import LoopPace
from maprun.runtime.throttles import Throttle
from schemas.arns import Names
from schemas.effects import TaskOutcome, TaskRequested
from schemas.tokens import TokenSecret
from schemas.traces import Trace
from services.scheduler.limits import SchedulerLimits
from services.scheduler.machines_view import MachinesView
from services.scheduler.shaping import Shaping


class Metrics:
    """What the owners count; the composition root gives one that Prometheus reads."""

    def folded(self, home: int, records: int) -> None:
        """So many records of home were folded and their outputs acknowledged."""

    def sent(self, topic: str, count: int) -> None:
        """So many records were published on a topic."""

    def unreadable(self, topic: str, partition: int, offset: int) -> None:
        """A record that can't be read was passed over."""

    def tasks_started(self, count: int) -> None:
        """So many Tasks of root executions were started."""

    def status_changed(self, event: bytes, trace: Trace | None) -> None:
        """The status of a root execution changed: the event that says so was published. `trace` is recorded."""

    def timers_fired(self, count: int) -> None:
        """So many timers fired."""

    def snapshot_written(self, home: int, size: int) -> None:
        """A snapshot of so many compressed bytes is on its topic."""

    def requests(self, accepted: int, rejected: int) -> None:
        """So many records of `execution-requests` were handed on, so many refused."""

    def exported(self, children: int, size: int) -> None:
        """So many children, so many bytes of result files, were shaped."""

    def export_failed(self) -> None:
        """The results of a run can't be written."""

    def unexpected(self, what: str, error: Exception) -> None:
        """Something raised what it should not; it failed what it was about, and is to be mended."""


class ResultStore(Protocol):
    """Result files in S3 (maprun.aws.results implements it). Blocking; every method raises ResultTroubleError."""

    def create_upload(self, bucket: str, key: str) -> str:
        """A new multipart upload's id."""
        ...

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Uploads part `number` (1 …); its ETag."""
        ...

    def complete(self, bucket: str, key: str, upload_id: str, parts: Sequence[tuple[int, str]], size: int) -> bool:
        """Makes the object from its (number, ETag) parts once.

        True: it is there with these bytes. False: one of this size is there, and only its bytes tell: `compare` them.
        """
        ...

    def size_of(self, bucket: str, key: str) -> int | None:
        """Bytes of the object that is there, None where nothing is."""
        ...

    def compare(self, bucket: str, key: str, first: int, body: bytes) -> None:
        """Reads what is there from byte `first` on: raises unless it is `body`."""
        ...

    def put_manifest(self, bucket: str, key: str, body: bytes) -> None:
        """Writes the manifest once, by the same rule."""
        ...

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Drops an upload that lost."""
        ...


class ResultTroubleError(Exception):
    """Results can't be written to S3; `cause` is for the user, after all retries that make sense."""

    retriable = False

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class UploadGoneError(ResultTroubleError):
    """The upload is there no more: it was completed, or dropped."""


def part_etag(body: bytes) -> str:
    """The ETag that S3 gives a part: its MD5. With quotes."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class Deps(msgspec.Struct, frozen=True):
    """One value for all owners of a process.

    `run_task(request, idempotency key)` makes one attempt of a Task. `effect_key(arn, redrive count, ref)` is
    maprun.interpreter's. `watch` lets a simulation look at a home after each turn.
    """

    interpreter: Interpreter
    effect_key: Callable[[str, int, str], str]
    run_task: Callable[[TaskRequested, str], Awaitable[TaskOutcome]]
    jobs: JobCalls
    results: ResultStore
    shaping: Shaping
    names: Names
    homes: int
    lanes: int
    store: Store = msgspec.field(default_factory=MemoryStore)  # of what has ended, of all homes of the process
    machines: MachinesView = msgspec.field(default_factory=MachinesView)
    limits: SchedulerLimits = SchedulerLimits()
    map_run_limits: MapRunLimits = MapRunLimits()
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    watch: Callable[[Home], Any] = lambda _home: None
    secret: TokenSecret = msgspec.field(default_factory=TokenSecret)  # of the cluster's task tokens
    topic_prefix: str = ""  # what users know the topics under
    tracer: Tracer = msgspec.field(default_factory=Tracer)  # of the process's gates
    throttle: Throttle = msgspec.field(default_factory=lambda: Throttle({}, lambda: 0.0))  # of the process's gates
    pace: Pace = msgspec.field(default_factory=LoopPace)  # of the process's loop
