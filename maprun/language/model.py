"""A compiled state machine: what each state holds once paths, templates and rules are functions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from maprun.integrations.task_events import TaskEvents
from maprun.language.errors import StatesError
from maprun.language.retry import Retrier
from maprun.language.scope import Evaluate, Scope
from maprun.language.template import Node

Assign = tuple[tuple[str, Evaluate], ...]
Put = Callable[[Any, Any], Any]
"""ResultPath: (raw input, result) → output. Raises StatesError."""
Test = Callable[[Any, Scope], bool]
"""A choice rule: (root, scope) → matched."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A number that an expression gives; `text` is the expression as written, for messages."""

    evaluate: Evaluate
    text: str


Amount = int | float | Computed | None
"""A number of the definition, what computes it, or nothing."""


@dataclass(frozen=True, slots=True)
class Catcher:
    """One entry of Catch. In JSONata `output` is set, in JSONPath `put`."""

    errors: frozenset[str]
    next: str
    put: Put | None = None
    output: Evaluate | None = None
    assign: Assign = ()


@dataclass(frozen=True, slots=True)
class PassWork:
    """Pass: `result` is the literal Result, else None (then the parameters are the result)."""

    result: bytes | None = None
    result_value: Any = None


@dataclass(frozen=True, slots=True)
class TaskWork:
    """Task. A `callback` ends by its task token, a `job` with what it started, `followed` or told of.

    An `activity` ends as its worker says.

    `refusal` says why this resource can't run here; empty when it can.
    """

    resource: str
    events: TaskEvents
    callback: bool = False
    job: bool = False
    followed: bool = False
    activity: bool = False
    refusal: str = ""
    names_origin: bool = False  # the call says which execution it comes from
    timeout_seconds: Amount = None
    heartbeat_seconds: Amount = None
    role_arn: Evaluate | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a Choice at the top level."""

    test: Test
    next: str
    assign: Assign = ()
    output: Evaluate | None = None


@dataclass(frozen=True, slots=True)
class ChoiceWork:
    """Choice: the first rule that matches decides."""

    rules: tuple[Rule, ...]
    default: str | None


@dataclass(frozen=True, slots=True)
class WaitWork:
    """Wait: exactly one way to say until when. (effective input, scope, now_ms) → due_ms."""

    due_ms: Callable[[Any, Scope, int], int]


@dataclass(frozen=True, slots=True)
class FailWork:
    """Fail: an error name and a cause, each given, computed or absent."""

    error: Evaluate | None
    cause: Evaluate | None


@dataclass(frozen=True, slots=True)
class SucceedWork:
    """Succeed has nothing of its own."""


@dataclass(frozen=True, slots=True)
class ParallelWork:
    """Parallel: branches in the order of the definition."""

    branches: tuple["Machine", ...]


@dataclass(frozen=True, slots=True)
class ReaderWork:
    """ItemReader: what it takes to make an ItemReaderPlan."""

    resource: str
    parameters: Evaluate
    config: dict[str, Any]
    max_items: Amount


@dataclass(frozen=True, slots=True)
class BatcherWork:
    """ItemBatcher: limits and the input every batch carries."""

    items_max: Amount
    bytes_max: Amount
    batch_input: Evaluate | None


@dataclass(frozen=True, slots=True)
class WriterWork:
    """ResultWriter: destination and shape."""

    parameters: Evaluate | None
    transformation: str
    output_type: str


@dataclass(frozen=True, slots=True)
class MapWork:
    """Map, inline or distributed. `items` gives the array; `selector` is the ItemSelector, its text as written."""

    processor: "Machine"
    distributed: bool
    child_type: str
    label: str
    items: Evaluate
    selector: Node | None
    select: Evaluate | None
    selector_text: str
    max_concurrency: Amount
    tolerated_count: Amount
    tolerated_percentage: Amount
    reader: ReaderWork | None
    batcher: BatcherWork | None
    writer: WriterWork | None


Work = PassWork | TaskWork | ChoiceWork | WaitWork | FailWork | SucceedWork | ParallelWork | MapWork


@dataclass(slots=True)
class State:
    """One state. A field that the definition leaves at its default is None, so that it costs nothing."""

    name: str
    kind: str
    next: str | None
    entered_type: int
    exited_type: int
    work: Work
    jsonata: bool = False
    input: Evaluate | None = None
    parameters: Evaluate | None = None
    selector: Evaluate | None = None
    put: Put | None = None
    output: Evaluate | None = None
    assign: Assign = ()
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    plain: bool = False  # the output is the input, untouched

    def child_machine(self, index: int) -> "Machine":
        """The machine of a branch of this Parallel, or of an iteration of this Map."""
        if isinstance(self.work, ParallelWork):
            return self.work.branches[index]
        assert isinstance(self.work, MapWork)
        return self.work.processor


@dataclass(slots=True)
class Machine:
    """A compiled machine: the whole document, a branch, or the processor of a Map state."""

    start_at: str
    states: dict[str, State]
    comment: str = ""
    timeout_seconds: int | None = None
    query_language: str = "JSONPath"
    machine_type: str = "STANDARD"
    source: dict[str, Any] = field(default_factory=dict)
    _maps: dict[str, State] = field(default_factory=dict)

    def processor(self, state: str) -> "Machine":
        """The child machine of a distributed Map state, anywhere in the document. Raises StatesError if it is none."""
        found = self._maps.get(state)
        if found is None or not isinstance(found.work, MapWork):
            raise StatesError("States.Runtime", f"'{state}' is not a distributed Map state of this definition.")
        return found.work.processor

    def map_work(self, state: str) -> MapWork:
        """What a distributed Map state, anywhere in the document, holds. Raises StatesError if it is none."""
        found = self._maps.get(state)
        if found is None or not isinstance(found.work, MapWork):
            raise StatesError("States.Runtime", f"'{state}' is not a distributed Map state of this definition.")
        return found.work

    def map_states(self) -> Iterator[tuple[str, str, str]]:
        """(name, label or "", child type) of every distributed Map state of the document."""
        for name, state in self._maps.items():
            if isinstance(state.work, MapWork):
                yield name, state.work.label, state.work.child_type
