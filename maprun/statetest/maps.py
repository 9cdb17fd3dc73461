"""A Map that is tested: its items, what its children would be given, and how many may fail."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from maprun.interpreter import input_builder
from maprun.interpreter.execution import ChildrenWait, Frame
from maprun.interpreter.map_run import tolerated
from maprun.interpreter.map_state import iteration_input
from maprun.interpreter.scopes import at_once_max, items_of, root_value
from maprun.interpreter.step_builder import Spent, StepBuilder
from maprun.language import jsontext
from maprun.language.model import Machine, MapWork, State
from maprun.mapruns.batches import fill_batch
from maprun.mapruns.verdicts import tolerance_exceeded
from schemas.plan import ItemBatcherPlan, ItemReaderPlan, MapRunPlan


class Items(NamedTuple):
    """What an ItemReader gives: JSON texts, the names of an object's members, and Map.Item.Source."""

    items: list[bytes]
    keys: list[str] | None
    source: str


ReadItems = Callable[[ItemReaderPlan, bytes], tuple[list[bytes], list[str] | None, str]]
"""The items in the text that an ItemReader finds. Raises StatesError."""


@dataclass(frozen=True, slots=True)
class MapSeen:
    """What is shown of a Map; None for what its definition doesn't have. `iterations` is None if nobody knows."""

    max_concurrency: int
    tolerated_count: int | None
    tolerated_percentage: float | None
    inputs: bytes | None = None
    batches: bytes | None = None
    pointed: bytes | None = None
    iterations: int | None = None

    def too_many(self, failed: int) -> bool:
        """True if so many failed iterations fail the Map."""
        return tolerance_exceeded(failed, self.tolerated_count, self.tolerated_percentage, self.iterations)


class Room(NamedTuple):
    """How much of a Map is looked at: all inputs together, and until when. What takes more is not shown."""

    bytes_max: int
    spent: Spent

    def gathered(self, inputs: Iterable[bytes]) -> list[bytes] | None:
        """All of them, or None where they take too much."""
        found: list[bytes] = []
        size = 0
        for text in inputs:
            size += len(text) + 1
            if size > self.bytes_max or self.spent():
                return None
            found.append(text)
        return found


def inline_map(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait, room: Room) -> MapSeen:
    """Of an inline Map that has begun. Raises StatesError."""
    work = state.work
    assert isinstance(work, MapWork)
    count = len(items_of(step.execution, frame, wait))
    inputs = room.gathered(iteration_input(step, frame, state, wait, index) for index in range(count))
    scope = step.scope(frame)
    root = root_value(frame, state, scope)
    return MapSeen(
        at_once_max(work, root, scope), *tolerated(state, work, root, scope), inputs=_array(inputs), iterations=count
    )


def distributed_map(machine: Machine, plan: MapRunPlan, data: str | None, read: ReadItems, room: Room) -> MapSeen:
    """Of a Map Run that is asked for; `data` is what its ItemReader would find. Raises StatesError."""
    limits = plan.max_concurrency, plan.tolerated_failure_count, plan.tolerated_failure_percentage
    pointed = None
    if plan.reader is None:
        found = _own_items(plan.items)
    elif data is None:
        return MapSeen(*limits)
    else:
        found = Items(*read(plan.reader, data.encode()))
        pointed = _array(room.gathered(found.items)) if plan.reader.items_pointer else None
    build = input_builder(machine, plan)
    keys: list[str | None] = [None] * len(found.items) if found.keys is None else [*found.keys]
    inputs = room.gathered(build(at, keys[at], item, found.source) for at, item in enumerate(found.items))
    batches = None if plan.batcher is None or inputs is None else _batches(plan.batcher, inputs)
    return MapSeen(
        *limits,
        inputs=_array(inputs),
        batches=_array(batches),
        pointed=pointed,
        iterations=_iterations(plan, found, batches),
    )


def _own_items(text: bytes) -> Items:
    """The items of a Map without an ItemReader."""
    value = jsontext.decode(text)
    if isinstance(value, dict):
        return Items([jsontext.encode(item) for item in value.values()], list(value), "STATE_DATA")
    return Items([jsontext.encode(item) for item in value], None, "STATE_DATA")


def _iterations(plan: MapRunPlan, found: Items, batches: list[bytes] | None) -> int | None:
    """How many children there would be; None where the batches take too much to be made."""
    if plan.batcher is None:
        return len(found.items)
    return None if batches is None else len(batches)


def _batches(batcher: ItemBatcherPlan, inputs: list[bytes]) -> list[bytes]:
    rest = inputs[::-1]
    batches = []

    def take() -> None:
        rest.pop()

    while rest:
        batch, _ = fill_batch(batcher, lambda: rest[-1] if rest else None, take)
        batches.append(batch)
    return batches


def _array(texts: list[bytes] | None) -> bytes | None:
    if texts is None:
        return None
    return b"[" + b",".join(texts) + b"]"
