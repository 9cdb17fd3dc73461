"""What a lane's owner keeps of each run, each frame and each child that waits for something."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from maprun.mapruns.intervals import Intervals
from schemas.effects import Happening, MapRunRedriveRequested, MapRunRequested, TaskRequested
from schemas.lanes import ChildAdopted, ChildAdvanced, ChildStopRequested, ItemFrame, RunOpened
from services.child_runner.journal import RunKey, RunMemory
from services.child_runner.machine import ChildMachine, Step
from services.child_runner.outbox import Outbox


class Room:
    """What running children take of a process's memory, about: shared by all its lanes. Units: bytes."""

    __slots__ = ("max", "used")

    def __init__(self, bytes_max: int) -> None:
        self.max = bytes_max
        self.used = 0

    @property
    def full(self) -> bool:
        """True when no more children should start until some have ended."""
        return self.used >= self.max


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
    """Children that have not started: positions [position, end).

    Their items stand in the frame `items`; or, when that is None, they are adopted and the run's memory knows them.
    `indexes` are those of the frame's children, whose first position is `base`.
    """

    __slots__ = ("base", "end", "frame", "indexes", "items", "position")

    def __init__(
        self, frame: Frame | None, items: ItemFrame | None, indexes: Sequence[int], position: int, end: int
    ) -> None:
        self.frame = frame
        self.items = items
        self.indexes = indexes
        self.base = position if items is None else items.first
        self.position = position
        self.end = end


class Nested:
    """The wait of a child for a Map Run of its own; `begun` once the child was told that there is one."""

    __slots__ = ("begun", "effect")

    def __init__(self, effect: MapRunRequested | MapRunRedriveRequested) -> None:
        self.effect = effect
        self.begun = False


class Child:
    """A child that runs: it waits for at least one effect, or its `step` has more to do.

    While it is `queued` among those that the lane takes further slice by slice, what it is told waits in `inbox`.
    """

    __slots__ = (
        "events",
        "execution",
        "frame",
        "inbox",
        "index",
        "input",
        "items",
        "past",
        "position",
        "queued",
        "redriven",
        "redrives",
        "size",
        "step",
        "told",
        "told_ms",
        "waits",
    )

    def __init__(self, position: int, index: int, child_input: bytes, items: int, frame: Frame | None) -> None:
        self.position = position
        self.index = index
        self.input = child_input  # kept while it may have to be adopted
        self.items = items
        self.frame = frame
        self.redriven = False  # `input` is a RedrivenChild
        self.redrives = 0
        self.size = 0  # what it takes of the process's room
        self.told_ms = 0  # when it was last told something: clocks of two owners differ, its time never goes back
        self.execution: Any = None
        self.events: list[Any] = []
        self.waits: dict[str, TaskRequested | int | Nested] = {}  # ref → the Task, the timer's due time, the Map Run
        self.told: set[str] = set()  # refs whose outcome is on its way through the journal
        self.step: Step | None = None
        self.queued = False
        self.past: deque[ChildAdvanced] | None = None  # what an earlier owner told it, to be told again
        self.inbox: deque[tuple[Happening, int]] = deque()  # what happened, and when


class LaneRun:
    """One generation of a run on one lane."""

    __slots__ = (
        "adopted",
        "bytes_adopted",
        "bytes_queued",
        "cause",
        "closing",
        "express",
        "finished",
        "key",
        "known",
        "loading",
        "machine",
        "memory",
        "opened",
        "opened_offset",
        "outbox",
        "past",
        "progress",
        "queue",
        "quota",
        "running",
        "stops",
    )

    def __init__(self, opened: RunOpened, opened_offset: int, machine: ChildMachine, memory: RunMemory) -> None:
        # The machine holds what it needs of the definition and the ItemSelector, once for all lanes of the process.
        plan = msgspec.structs.replace(opened.plan, selector_input=b"", context=b"", variables=b"")
        self.opened = msgspec.structs.replace(opened, definition=b"", plan=plan)
        self.opened_offset = opened_offset
        self.key: RunKey = (opened.run, opened.generation)
        self.machine = machine
        self.memory = memory
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
        self.stops: dict[int, ChildStopRequested] = {}  # by index, of children that may be among those
        self.bytes_queued = 0  # items in memory that have not started
        self.bytes_adopted = 0  # of these, the inputs that the journal holds as well
        self.loading = False  # inputs are being read from the journal
        self.outbox = Outbox(opened.run, opened.generation)
        self.progress: tuple[int, ...] = ()


class TaskStart(msgspec.Struct, frozen=True):
    """Start this Task (if the lease holds at that very moment)."""

    run: RunKey
    position: int
    request: TaskRequested
    key: str


class TaskStop(msgspec.Struct, frozen=True):
    """Nobody waits for this Task any more."""

    run: RunKey
    position: int
    ref: str


class TaskOver(msgspec.Struct, frozen=True):
    """A Task's call came back."""

    run: RunKey
    position: int
    outcome: Happening


class TaskNotStarted(msgspec.Struct, frozen=True):
    """The lease did not hold: the Task was not started and is to be started again."""

    start: TaskStart


class InputsWanted(msgspec.Struct, frozen=True):
    """Read these inputs from the journal: (position, offset of the record, place in it), in the journal's order."""

    run: RunKey
    places: tuple[tuple[int, int, int], ...]


class InputsRead(msgspec.Struct, frozen=True):
    """What was found of them: by position."""

    wanted: InputsWanted
    found: dict[int, ChildAdopted]
