"""What a lane's owner keeps of each run, each frame and each child that waits for something."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from maprun.mapruns.intervals import Intervals
from schemas.effects import Effect, Happening, TaskRequested
from schemas.lanes import ChildAdvanced, ItemFrame, RunOpened
from services.child_runner.outbox import Outbox

Build = Callable[[int, str | None, bytes, str], bytes]
"""(item index, item key, item JSON, source) → child input JSON. Raises StatesError."""


class Ended(Protocol):
    """How a child ended."""

    @property
    def status(self) -> str:
        """SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
        ...


class Step(Protocol):
    """What one step of a child brought."""

    @property
    def execution(self) -> Any:
        """The interpreter's state; None once ended."""
        ...

    @property
    def effects(self) -> Sequence[Effect]:
        """What the child asks for."""
        ...

    @property
    def events(self) -> list[Any]:
        """The history events it brought."""
        ...

    @property
    def ended(self) -> Ended | None:
        """How the child ended, if it did."""
        ...


class ChildMachine(Protocol):
    """The child machine of one run, ready to run children (maprun.interpreter.lane_children implements it)."""

    @property
    def build(self) -> Build:
        """Makes a child's input of an item."""
        ...

    def begin(self, index: int, child_input: bytes, now_ms: int) -> Step:
        """Starts the child with this index."""
        ...

    def advance(self, execution: Any, happening: Happening, now_ms: int) -> Step:
        """Tells a child what happened."""
        ...

    def effect_key(self, index: int, ref: str) -> str:
        """The idempotency key of an effect of the child with this index."""
        ...

    def pack(self, events: list[Any], /) -> bytes:
        """A child's history as msgpack."""
        ...


class Frame:
    """One item frame with the positions that came first with it.

    The lane's position can't pass it before all of them are finished, or adopted by the journal.
    """

    __slots__ = ("adopted", "at", "offset", "parts", "run")

    def __init__(self, offset: int, run: "LaneRun", parts: list[tuple[int, int]], at: float) -> None:
        self.offset = offset
        self.run = run
        self.parts = parts
        self.at = at
        self.adopted = False

    @property
    def passed(self) -> bool:
        """True when a successor doesn't need the frame any more."""
        return all(
            self.run.adopted.covers(*part)
            for first, count in self.parts
            for part in self.run.finished.missing(first, count)
        )


class Waiting:
    """Children of a frame that have not started: positions [position, end)."""

    __slots__ = ("base", "end", "frame", "items", "position")

    def __init__(self, frame: Frame | None, items: ItemFrame, position: int, end: int) -> None:
        self.frame = frame
        self.items = items
        self.base = items.first
        self.position = position
        self.end = end


class Child:
    """A child that runs and waits for at least one effect."""

    __slots__ = ("events", "execution", "frame", "input", "items", "position", "told", "told_ms", "waits")

    def __init__(self, position: int, child_input: bytes, items: int, frame: Frame | None) -> None:
        self.position = position
        self.input = child_input
        self.items = items
        self.frame = frame
        self.told_ms = 0  # when it was last told something: clocks of two owners differ, its time never goes back
        self.execution: Any = None
        self.events: list[Any] = []
        self.waits: dict[str, TaskRequested | int] = {}  # ref → the Task, or the timer's due time
        self.told: set[str] = set()  # refs whose outcome is on its way through the journal


class LaneRun:
    """One run on one lane."""

    __slots__ = (
        "adopted",
        "bytes_queued",
        "cause",
        "closing",
        "express",
        "finished",
        "known",
        "machine",
        "opened",
        "opened_offset",
        "outbox",
        "past",
        "progress",
        "queue",
        "quota",
        "running",
    )

    def __init__(self, opened: RunOpened, opened_offset: int, machine: ChildMachine) -> None:
        self.opened = opened
        self.opened_offset = opened_offset
        self.machine = machine
        self.quota = opened.quota
        self.cause = opened.cause
        self.closing = False
        self.express = opened.plan.child_type == "EXPRESS"
        self.known = Intervals()  # positions that came to this lane
        self.finished = Intervals()  # of these, answered on home
        self.adopted = Intervals()  # of these, with their input in the journal
        self.queue: deque[Waiting] = deque()
        self.running: dict[int, Child] = {}
        self.past: dict[int, list[ChildAdvanced]] = {}  # of children that an earlier owner ran
        self.bytes_queued = 0
        self.outbox = Outbox(opened.run, opened.generation)
        self.progress: tuple[int, ...] = ()


class TaskStart(msgspec.Struct, frozen=True):
    """Start this Task (if the lease holds at that very moment)."""

    run: str
    position: int
    request: TaskRequested
    key: str


class TaskStop(msgspec.Struct, frozen=True):
    """Nobody waits for this Task any more."""

    run: str
    position: int
    ref: str


class TaskOver(msgspec.Struct, frozen=True):
    """A Task's call came back."""

    run: str
    position: int
    outcome: Happening


class TaskNotStarted(msgspec.Struct, frozen=True):
    """The lease did not hold: the Task was not started and is to be started again."""

    start: TaskStart
