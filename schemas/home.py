"""Records on the `home` topic: everything about one root execution, ordered in one partition.

Their order in the partition decides (PROTOCOL, rule 1); `now` of each is its broker timestamp. A record whose identity
was seen before is ignored by the fold; identities are named in each docstring.
"""

from schemas.activities import ActivityRecord
from schemas.arns import qualified
from schemas.effects import AttemptNews, SubmissionFailed, TaskFailed, TaskSubmitted, TaskSucceeded
from schemas.history_pages import ChildHistoryRequested, ChildHistoryShown, HistoryPage, PagedHistory
from schemas.machines import AliasRequested, MachineEmptied, MachineRequested, TagsRequested, VersionRequested
from schemas.plan import MapRunPlan
from schemas.starters import Starter, StartWithdrawn
from schemas.wire import Fact, Part

SUCCEEDED, FAILED, TIMED_OUT, ABORTED, RETURNED, REJECTED = 1, 2, 3, 4, 5, 6
"""How a child was answered. RETURNED: never started, its run closes. REJECTED: its input could not be built, which
fails the run."""

STATUS_NAMES = {SUCCEEDED: "SUCCEEDED", FAILED: "FAILED", TIMED_OUT: "TIMED_OUT", ABORTED: "ABORTED"}
PAGE_SLOTS = 64
"""Children in one compressed page of a `ChildrenEnded` frame."""


class Origin(Part, frozen=True):
    """The record of a user's topic that a request came from."""

    topic: str
    partition: int
    offset: int


class ExecutionRequested(Fact, frozen=True):
    """Start a root execution. Identity: request id; the name decides (same name, open, same input: the first answer).

    The definition travels along: the fold needs nothing but this partition. `starter` hears how the execution ended; of
    a request with one the request id is the attempt.
    """

    request_id: str
    arn: str
    name: str
    machine_arn: str
    machine_name: str
    machine_type: str
    revision_id: str
    role_arn: str
    definition: bytes
    input: bytes
    trace_header: str = ""
    origin: Origin | None = None
    starter: Starter | None = None
    version: int = 0  # of the machine, that runs; 0 = none was named
    alias: str = ""  # by which the version was named
    logging: bytes = b""  # the machine's LoggingConfiguration, empty = nothing is logged


def version_arn_of(request: ExecutionRequested) -> str:
    """The ARN of the version that runs an execution; empty if none was named."""
    return qualified(request.machine_arn, request.version) if request.version else ""


def alias_arn_of(request: ExecutionRequested) -> str:
    """The ARN of the alias that an execution was started by; empty if it was none."""
    return qualified(request.machine_arn, request.alias) if request.alias else ""


class StopRequested(Fact, frozen=True):
    """StopExecution of a root execution, or of one child (`arn` is the child's). Identity: request id."""

    request_id: str
    arn: str
    error: str = ""
    cause: str = ""


class ChosenChildren(Part, frozen=True):
    """Children of the Map Run `run`, of which its redrive runs these and no others: indexes, as bytes of a ChildSet.

    They are counted of the run as it is over in `generation`: `of_stages` says how many of them stand in each of the
    stages that the next generation would have without a choice, `tallies` is flat (how they ended, children, items, …).
    """

    run: str
    generation: int
    children: bytes
    of_stages: tuple[int, ...]
    tallies: tuple[int, ...]


class RedriveRequested(Fact, frozen=True):
    """RedriveExecution of a root execution. Identity: request id.

    Of the Map Run that `chosen` names only the children run again that it names.
    """

    request_id: str
    arn: str
    chosen: ChosenChildren | None = None


class MapRunUpdateRequested(Fact, frozen=True):
    """UpdateMapRun. Identity: request id. A field that is None stays as it is."""

    request_id: str
    run: str
    max_concurrency: int | None = None
    tolerated_failure_count: int | None = None
    tolerated_failure_percentage: float | None = None


class SourceOpened(Fact, frozen=True):
    """The reader pinned the source's version. Identity: (run, generation)."""

    run: str
    generation: int
    pin: bytes


class ItemsRead(Fact, frozen=True):
    """Positions [first, first + count) were read. Accepted only where the last accepted one ended.

    From a pinned source they are published already; from a listing they are published once the scheduler confirms
    this record's `digest`. `items` and `item_bytes` count what stands in those positions. Positions of a redrive stage
    never share a record with those of the source; of them `redriven` is flat (old status, children, items, …).
    """

    run: str
    generation: int
    first: int
    count: int
    items: int
    item_bytes: int
    checkpoint: bytes
    digest: bytes = b""
    redriven: tuple[int, ...] = ()
    share: float = 0.0  # of the source that lies before the end of these positions, from 0 to 1; 0 = not known


class SourceEnded(Fact, frozen=True):
    """The source holds `total` positions. Identity: (run, generation)."""

    run: str
    generation: int
    total: int


class SourceFailed(Fact, frozen=True):
    """The source can't be read. Identity: (run, generation)."""

    run: str
    generation: int
    error: str
    cause: str


class ChildrenEnded(Fact, frozen=True):
    """Answers for positions of one lane. Identity of each entry: (run, generation, position); the first wins.

    Slot order: `ranges` is flat (first, count, first, count, …); `statuses` has one byte a slot; `items` the number of
    items a slot, empty when each is one. `pages[k]` is zstd of msgpack: for each of the slots 64k … 64k+63 the list of
    its history events; a slot that never started has one pseudo event, its input (see maprun.mapruns.results.shaping).
    `epoch` is the claim the lane's owner worked under; `error` and `cause` belong to the first REJECTED slot.
    `indexes` are the children's indexes as flat (first, count, …) in slot order; empty = each is its position.
    `afterlives` is zstd of the msgpack of a list of `Afterlife`, empty when there is none.
    `paged` are the histories that are too long for a frame: their slots hold the first event, the last
    ExecutionRedriven if there is one, and the last event; all events stand in pages that came before this record.
    """

    run: str
    generation: int
    lane: int
    ranges: tuple[int, ...]
    statuses: bytes
    items: tuple[int, ...]
    pages: tuple[bytes, ...]
    epoch: int
    error: str = ""
    cause: str = ""
    indexes: tuple[int, ...] = ()
    afterlives: bytes = b""
    paged: tuple[PagedHistory, ...] = ()


class Afterlife(Part, frozen=True):
    """What a redrive needs of the child in a slot of a frame, and how often it was redriven before it ended so.

    Only for children that ended unsuccessfully (`remains`: the state they failed in, empty for those that start anew)
    or that were redriven.
    """

    slot: int
    redrive_count: int
    remains: bytes = b""


class NestedRunRequested(Fact, frozen=True):
    """A child of a Map Run reached a distributed Map. Identity: the Map Run id that follows from it.

    `run`, `generation`, `position`, `index` and `lane` say which child and where it runs; `ref` and `plan` are those of
    its effect; `plan` None asks for generation `redrive` of the Map Run that was asked for under `ref`. Asked again,
    the answer comes again.
    """

    run: str
    generation: int
    position: int
    index: int
    lane: int
    ref: str
    plan: MapRunPlan | None
    redrive: int = 0


class NestedRunDropped(Fact, frozen=True):
    """The child no longer waits for the Map Run it asked for under `ref`."""

    run: str
    generation: int
    position: int
    index: int
    ref: str


class LaneProgress(Fact, frozen=True):
    """Which children (by index) run on a lane now: flat (first, count, …). Decides nothing; the API shows it."""

    run: str
    generation: int
    lane: int
    running: tuple[int, ...]


class TimerDue(Fact, frozen=True):
    """A timer of a root execution fired. Accepted while the execution waits for `ref`."""

    arn: str
    ref: str


class ParentTaskEnded(Fact, frozen=True):
    """A Task of a root execution ended. Accepted while the execution waits for the outcome's `ref`."""

    arn: str
    outcome: TaskSucceeded | TaskFailed


class ParentSubmissionBegan(Fact, frozen=True):
    """A scheduler is about to submit a Task of a root execution. Identity: (arn, ref); the first wins.

    `by` names the owner of home that wrote it: it alone may submit, once it has read that its record was the first.
    """

    arn: str
    ref: str
    by: str


class ParentTaskSubmitted(Fact, frozen=True):
    """The call that submits a Task of a root execution came back. Accepted while the execution waits for its `ref`."""

    arn: str
    outcome: TaskSubmitted | SubmissionFailed


class CallbackReceived(Fact, frozen=True):
    """SendTaskSuccess, SendTaskFailure or SendTaskHeartbeat of a root execution or a child. Identity: request id.

    `arn`, `lane` and the attempt, which stands in the place of the callback's `ref`, are those of the token. Without a
    request id it is the end of an execution that the attempt started, or the word of its activity's home: nobody waits
    for an answer, and a repeat changes nothing. With ActivityTaskStarted the answer is an ActivityTaskAnswered.
    """

    request_id: str
    arn: str
    lane: int
    callback: AttemptNews


class CallbackAnswered(Fact, frozen=True):
    """The word of a child's lane on a callback: taken, or why not."""

    run: str
    request_id: str
    error: str = ""
    message: str = ""


class OutputRefused(Fact, frozen=True):
    """A message that follows from what the root execution `arn` does fits no record: the execution fails.

    Identity: the execution; accepted while it runs. Without it nobody could go on behind the record it follows from.
    """

    arn: str
    error: str
    cause: str


class LimitsTaken(Fact, frozen=True):
    """The fold judges by these limits and rules from here on, until the next one. Appended when a home is taken over.

    They stand on home so that records are judged alike whenever they are folded again, whatever was set meanwhile. What
    stands here by default is judged by before the first one.
    """

    payload_bytes_max: int = 262_144
    history_events_max: int = 25_000
    retention_ms: int = 90 * 24 * 3_600_000
    open_executions_max: int = 0  # of the whole cluster, as the next one; 0 = no bound
    open_map_runs_max: int = 1_000
    rules: int = 0  # maprun.mapruns.limits.RULES of the version that appended it


class ResultFileOpened(Fact, frozen=True):
    """A multipart upload for one result file was begun. The first per (run, generation, status, file) wins."""

    run: str
    generation: int
    status: str  # SUCCEEDED | FAILED | PENDING
    file: int
    upload_id: str


class ResultPartWritten(Fact, frozen=True):
    """One part of a result file is in S3; parts have fixed byte edges, so whoever writes them writes the same."""

    run: str
    generation: int
    status: str
    file: int
    part: int
    etag: str
    size: int


class ResultsWritten(Fact, frozen=True):
    """All result files and the manifest are in S3. Identity: (run, generation).

    `succeeded` are this generation's SUCCEEDED files as flat (key, size, …): later manifests list them too.
    """

    run: str
    generation: int
    bucket: str
    manifest_key: str
    succeeded: tuple[str | int, ...] = ()


class ResultsFailed(Fact, frozen=True):
    """The results can't be written. Identity: (run, generation)."""

    run: str
    generation: int
    error: str
    cause: str


HomeRecord = (
    MachineRequested
    | TagsRequested
    | VersionRequested
    | AliasRequested
    | ExecutionRequested
    | StopRequested
    | RedriveRequested
    | MapRunUpdateRequested
    | SourceOpened
    | ItemsRead
    | SourceEnded
    | SourceFailed
    | ChildrenEnded
    | LaneProgress
    | HistoryPage
    | ChildHistoryRequested
    | ChildHistoryShown
    | NestedRunRequested
    | NestedRunDropped
    | TimerDue
    | ParentTaskEnded
    | ResultFileOpened
    | ResultPartWritten
    | ResultsWritten
    | ResultsFailed
    | OutputRefused
    | LimitsTaken
    | ParentSubmissionBegan
    | ParentTaskSubmitted
    | CallbackReceived
    | CallbackAnswered
    | StartWithdrawn
    | ActivityRecord
    | MachineEmptied
)
