"""What a lane knows of one generation of a Map Run: its item frames, its children that wait, those that run."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from maprun.integrations.jobs import Followed
from maprun.integrations.registry import job_of
from maprun.mapruns.intervals import Intervals
from schemas.effects import Happening, MapRunRedriveRequested, MapRunRequested, TaskRequested
from schemas.history import HistoryEvent
from schemas.lanes import ChildAdvanced, ChildCallbackReceived, ChildStopRequested, ItemFrame, RunOpened
from services.child_runner.journal import RunKey, RunMemory
from services.child_runner.long_history import LongHistory
from services.child_runner.machine import ChildMachine, Step
from services.child_runner.outbox import Outbox
from services.child_runner.tally import ChildTally


class Frame:
    """One item frame with the positions that came first with it.

    The lane's position can't pass it before all of them are finished, or adopted by the journal.
    """

    __slots__ = ("adopted", "arrived_seconds", "offset", "parts", "run")

    def __init__(self, offset: int, run: "LaneRun", parts: list[tuple[int, int]], arrived_seconds: float) -> None:
        self.offset = offset
        self.run = run
        self.parts = parts
        self.arrived_seconds = arrived_seconds
        self.adopted = False

    @property
    def passed(self) -> bool:
        """True when a successor doesn't need the frame any more."""
        return self.run.over or all(
            self.run.adopted.covers(*part)
            for first, count in self.parts
            for part in self.run.finished.missing(first, count)
        )


class Waiting:
    """Children that have not started: positions [position, end).

    Their items stand in `items`; or, when that is None, they are adopted and the run's memory knows them. `indexes` are
    those of the frame's children, whose first position is `base`.
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


CHILD_BYTES = 4_000
"""What a running child takes beside its input and what happened to it, about (measured: 3 to 5 KB)."""


class Nested:
    """A Map Run that a child asked for; `begun` once the child has heard that it started, or goes on."""

    __slots__ = ("begun", "effect")

    def __init__(self, effect: MapRunRequested | MapRunRedriveRequested) -> None:
        self.effect = effect
        self.begun = False


class Submission:
    """A Task that ends by a callback, with the job that it submits, or by the worker of its activity.

    `begun` once the journal says that it is about to be submitted: from then on only this owner may submit it, ever,
    unless the call may be made again. `submitted` once the journal has the answer; then a job that a service runs is
    `followed`. `worker` is the request of who works on an activity's.
    """

    __slots__ = ("begun", "effect", "followed", "job", "submitted", "worker")

    def __init__(self, effect: TaskRequested) -> None:
        self.effect = effect
        self.job = job_of(effect.resource)
        self.begun = False
        self.submitted = False
        self.worker = ""
        self.followed: Followed | None = None

    @property
    def repeatable(self) -> bool:
        """True if the call that submits starts nothing new when it is made again."""
        return bool(self.effect.token) or (self.job is not None and self.job.repeatable)


Waited = TaskRequested | Submission | int | Nested
"""What a child waits for: a Task, a callback, a timer (its due time), a Map Run."""


class Child:
    """A child that waits for something."""

    __slots__ = (
        "awaiting_journal",
        "began_ms",
        "bytes",
        "events",
        "events_logged",
        "execution",
        "frame",
        "history",
        "inbox",
        "index",
        "input",
        "items",
        "last_event_ms",
        "paged_bytes",
        "past",
        "position",
        "queued",
        "redriven",
        "redrives",
        "step",
        "waits",
    )

    def __init__(self, position: int, index: int, child_input: bytes, items: int, frame: Frame | None) -> None:
        self.position = position
        self.index = index
        self.input = child_input  # empty when the journal has it
        self.items = items
        self.frame = frame  # None when the lane's position has passed it
        self.redriven = False  # `input` is a RedrivenChild
        self.redrives = 0
        self.bytes = 0  # what it takes of the process's memory budget
        self.began_ms = 0  # or was redriven
        self.last_event_ms = 0  # its time never goes back, though the clocks of two owners differ
        self.execution: Any = None
        self.events: list[HistoryEvent] = []  # those that are in no page
        self.events_logged = 0  # of this life, and of earlier ones that its first step brought
        self.history: LongHistory | None = None  # of which a part is in pages
        self.paged_bytes = 0  # what those take, about
        self.waits: dict[str, Waited] = {}  # by ref
        self.awaiting_journal: set[str] = set()  # refs whose outcome is not read back from the journal yet
        self.step: Step | None = None  # it has more to do
        self.queued = False  # among those that have more to do
        self.past: deque[ChildAdvanced] | None = None  # what happened under an earlier owner, while it is done again
        self.inbox: deque[tuple[Happening, int]] = deque()  # what happened, and when


class LaneRun:
    """One generation of a run on one lane. Each group of attributes is changed by one part of the lane alone."""

    __slots__ = (
        "adopted",
        "bytes_adopted",
        "bytes_queued",
        "callbacks",
        "cause",
        "closing",
        "express",
        "finished",
        "key",
        "known",
        "loading",
        "logging",
        "machine",
        "memory",
        "opened",
        "opened_offset",
        "outbox",
        "over",
        "past",
        "progress",
        "queue",
        "quota",
        "running",
        "stops",
        "tally",
    )

    def __init__(self, opened: RunOpened, opened_offset: int, machine: ChildMachine, memory: RunMemory) -> None:
        # The machine holds what it needs of the definition and the ItemSelector, once for all lanes of the process.
        plan = msgspec.structs.replace(opened.plan, selector_input=b"", context=b"", variables=b"")
        self.opened = msgspec.structs.replace(opened, definition=b"", plan=plan)
        self.opened_offset = opened_offset
        self.key: RunKey = (opened.run, opened.generation)
        self.machine = machine
        self.memory = memory
        self.express = opened.plan.child_type == "EXPRESS"
        self.logging = opened.logging
        # the lane itself, as signals come and answers are acknowledged
        self.quota = opened.quota
        self.cause = opened.cause
        self.closing = False
        self.over = False  # its RunClosed was read
        self.finished = memory.finished  # positions answered on home
        # the store of inputs
        self.known = Intervals(memory.finished.flat())  # positions that came to this lane
        self.adopted = Intervals()  # of these, with their input in the journal
        self.queue: deque[Waiting] = deque()
        self.bytes_queued = 0  # items in memory that have not started
        self.bytes_adopted = 0  # of these, the inputs that the journal holds as well
        self.loading = False  # inputs are being read from the journal
        # the executions
        self.running: dict[int, Child] = {}  # by position
        self.past: dict[int, list[ChildAdvanced]] = dict(memory.past)  # of children that an earlier owner ran
        self.stops: dict[int, ChildStopRequested] = {}  # by index, of children that may be among those
        self.callbacks: dict[int, list[tuple[ChildCallbackReceived, bool]]] = {}  # likewise, and if an earlier owner's
        self.tally = ChildTally(self.opened, machine)
        # reports to home
        self.outbox = Outbox(opened.run, opened.generation)
        self.progress: tuple[int, ...] = ()

    def child(self, index: int) -> Child | None:
        """The running child with this index; in generation 0 that is its position."""
        if not self.key[1]:
            return self.running.get(index)
        return next((child for child in self.running.values() if child.index == index), None)
