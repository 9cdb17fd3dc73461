"""A running execution in memory: frames, what each waits for, and the head they share."""

from typing import Any

from maprun.interpreter.history_bytes import event_bytes
from maprun.language import jsontext
from maprun.language.model import Machine
from schemas.history import HistoryEvent
from schemas.tokens import NO_LANE, TaskToken, TokenSecret, attempt_of
from schemas.wire import Part

UNSET: Any = object()
"""Stands for a value that has not been decoded."""
NO_SECRET = TokenSecret()
"""Of a host whose executions wait for no callbacks."""


class ExecutionHead(Part, frozen=True):
    """What is fixed when an execution starts. ARNs and names are AWS's; `input` is the caller's raw JSON text."""

    arn: str
    name: str
    machine_arn: str
    machine_name: str
    role_arn: str
    start_ms: int
    input: bytes
    redrive_count: int = 0
    redrive_ms: int = 0
    express: bool = False
    lane: int = NO_LANE  # that a child runs on; its task tokens say so
    version_arn: str = ""  # that a root execution runs, if it was started by that or by an alias
    alias_arn: str = ""
    synchronous: bool = False  # StartSyncExecution waits for its end


class Limits(Part, frozen=True):
    """AWS's limits, which may be raised, and what one execution may take of its host."""

    payload_bytes_max: int = 262_144
    events_max: int = 25_000
    inline_iterations_max: int = 40  # at once
    variables_bytes_max: int = 262_144  # of one Assign
    express_seconds_max: int = 300  # an EXPRESS execution may be open
    execution_variables_bytes_max: int = 10 << 20  # of all variables of an execution together
    history_bytes_max: int = 256 << 20  # of all events of an execution together, about
    plan_bytes_max: int = 8 << 20  # of what a Map Run is asked for with: it travels in one record


def ref_prefix(redrive_count: int) -> str:
    """What the refs of a redriven execution begin with: whatever it asked for before may be answered late."""
    return f"{redrive_count}/" if redrive_count else ""


def timeout_ref(head: ExecutionHead) -> str:
    """The ref of the timer behind the machine's own TimeoutSeconds; a state's ref always holds a `#`."""
    return f"{ref_prefix(head.redrive_count)}TimeoutSeconds"


class Beginning(Part, frozen=True):
    """What an inline Map saw when it began, in an execution redriven since: its items must come out the same again.

    `ref` is its effect ref then.
    """

    redrive_count: int
    redrive_ms: int
    retry_count: int
    ref: str


class TaskWait:
    """A Task attempt is under way; `timer` and `heartbeat` are the refs of its timeouts, or empty.

    `submitted` once its history tells that it was; of an activity, that it is scheduled. Until then `parameters` are an
    activity's input, and until a worker has it `timeout_seconds` is the time that it will have.
    """

    __slots__ = ("heartbeat", "heartbeat_seconds", "parameters", "ref", "submitted", "timeout_seconds", "timer")

    def __init__(
        self,
        ref: str,
        timer: str = "",
        heartbeat: str = "",
        heartbeat_seconds: int = 0,
        *,
        submitted: bool = False,
        timeout_seconds: int = 0,
        parameters: bytes = b"",
    ) -> None:
        self.ref = ref
        self.timer = timer
        self.heartbeat = heartbeat
        self.heartbeat_seconds = heartbeat_seconds
        self.submitted = submitted
        self.timeout_seconds = timeout_seconds
        self.parameters = parameters


class DelayWait:
    """A Wait state waits for its timer."""

    __slots__ = ("ref",)

    def __init__(self, ref: str) -> None:
        self.ref = ref


class RetryWait:
    """A failed state waits for its next attempt."""

    __slots__ = ("ref",)

    def __init__(self, ref: str) -> None:
        self.ref = ref


class MapRunWait:
    """A distributed Map waits for its Map Run.

    `began_id` is the id of MapStateStarted, `started_id` that of the newest MapRunStarted or MapRunRedriven, 0 before
    them. `redriving` until the redrive it asked for is under way.
    """

    __slots__ = ("began_id", "redriving", "ref", "started_id")

    def __init__(self, ref: str, began_id: int, started_id: int = 0, *, redriving: bool = False) -> None:
        self.ref = ref
        self.began_id = began_id
        self.started_id = started_id
        self.redriving = redriving


class ChildrenWait:
    """A Parallel or inline Map waits for branches or iterations.

    `items` are the values an inline Map iterates over, UNSET after a restore until somebody needs them (they follow
    from the state's input). `results` holds the JSON text of each one done. `live` are those that run, and, once the
    state failed, those that a redrive goes on with. `began_ms` is when the state's work began, `began_id` the event
    that says so, `beginning` what it saw then, if the execution was redriven since.
    """

    __slots__ = ("at_once_max", "began_id", "began_ms", "beginning", "items", "live", "next_index", "results")

    def __init__(self, items: Any, count: int, at_once_max: int, began_ms: int, began_id: int) -> None:
        self.items = items
        self.results: list[bytes | None] = [None] * count
        self.live: dict[int, Frame] = {}
        self.next_index = 0
        self.at_once_max = at_once_max
        self.began_ms = began_ms
        self.began_id = began_id
        self.beginning: Beginning | None = None

    def result(self) -> bytes:
        """The JSON array of all results."""
        return b"[" + b",".join(text or b"null" for text in self.results) + b"]"


Wait = TaskWait | DelayWait | RetryWait | MapRunWait | ChildrenWait


class Frame:
    """One sequence of states: the machine itself, a branch of a Parallel, an iteration of an inline Map.

    `input` is the JSON text of the present state's raw input and `value` the same decoded, or UNSET. `last_id` is the
    newest event of this sequence, `before_id` the one before the present state was entered. `variables` may be shared
    with the parent and is never changed in place; `sizes` are the bytes of those that were assigned in this frame.

    A frame that failed or was aborted is `dead` and stays as it stood, for a redrive: in `wait` is what its state had
    begun and can go on with; `entered_id` is 0 if it hadn't entered its state.
    """

    __slots__ = (
        "attempts",
        "before_id",
        "dead",
        "entered_id",
        "entered_ms",
        "index",
        "input",
        "last_id",
        "machine",
        "parent",
        "path",
        "retry_count",
        "sizes",
        "state",
        "value",
        "variables",
        "visit",
        "visits",
        "wait",
    )

    def __init__(self, machine: Machine, parent: "Frame | None", index: int, path: str) -> None:
        self.machine = machine
        self.parent = parent
        self.index = index
        self.path = path
        self.state = machine.start_at
        self.input = b""
        self.value: Any = UNSET
        self.last_id = 0
        self.before_id = 0
        self.entered_id = 0
        self.entered_ms = 0
        self.variables: dict[str, Any] = parent.variables if parent is not None else {}
        self.sizes: dict[str, int] | None = None
        self.visit = 0
        self.visits: dict[str, int] = {}
        self.attempts: list[int] | None = None
        self.retry_count = 0
        self.wait: Wait | None = None
        self.dead = False

    def decoded(self) -> Any:
        """The present state's raw input as a value."""
        if self.value is UNSET:
            self.value = jsontext.decode(self.input)
        return self.value

    def compact_input(self) -> bytes:
        """The present state's raw input without white space; only the caller's own text can have any."""
        return self.input if self.before_id else jsontext.compact(self.input)

    def effect_ref(self) -> str:
        """Names the present visit and attempt of the present state within the execution, for ever."""
        return f"{self.path}{self.state}#{self.visited()}.{self.retry_count}"

    def visited(self) -> int:
        """The number of this visit to the present state in this frame, from 1; counted once somebody asks."""
        if not self.visit:
            self.visit = self.visits[self.state] = self.visits.get(self.state, 0) + 1
        return self.visit


class Execution:
    """A running execution. Steps change it in place: after `advance`, go on with what the step returned.

    `waits` leads from the ref of each outstanding effect to the frame that waits for it (None: the machine's timeout).
    """

    __slots__ = (
        "events_bytes",
        "events_count",
        "head",
        "input_value",
        "root",
        "secret",
        "timeout_pending",
        "unbound",
        "unweighed",
        "waits",
    )

    def __init__(self, head: ExecutionHead, root: Frame | None, secret: TokenSecret = NO_SECRET) -> None:
        self.head = head
        self.root = root
        self.secret = secret  # of the host; never stored
        self.unbound: Any = None  # the saved root frame, until `bind` joins it with its machine
        self.timeout_pending = False  # of an unbound one: the machine's timeout is outstanding
        self.events_count = 0
        self.events_bytes = 0  # of the events that were weighed, about
        self.unweighed: list[HistoryEvent] = []  # the newest ones: to weigh each as it comes would cost more
        self.waits: dict[str, Frame | None] = {}
        self.input_value: Any = UNSET

    def weigh(self) -> None:
        """Adds the bytes of the newest events to those it counts."""
        self.events_bytes += sum(event_bytes(event.details) for event in self.unweighed)
        self.unweighed = []

    def token(self, frame: Frame) -> str:
        """The task token of the frame's present attempt."""
        arn = self.head.arn
        return self.secret.make(TaskToken(arn, attempt_of(arn, frame.effect_ref()), self.head.lane))

    def variables_bytes(self) -> int:
        """The JSON of all variables that live, in all scopes together."""
        size, frames = 0, [self.root]
        while frames:
            frame = frames.pop()
            if frame is None:
                continue
            if frame.sizes:
                size += sum(frame.sizes.values())
            if isinstance(frame.wait, ChildrenWait):
                frames += frame.wait.live.values()
        return size

    def decoded_input(self) -> Any:
        """The execution's input as a value."""
        if self.input_value is UNSET:
            self.input_value = jsontext.decode(self.head.input)
        return self.input_value
