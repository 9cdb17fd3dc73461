"""The inputs of children that wait: in item frames, in the journal once their frame is old, in memory or not. Pure.

A lane's position must not stand still for a child that takes long. So the unfinished children of an old frame are
adopted: their inputs go into the journal, and the position passes the frame. What the journal holds may leave memory,
and is read again when its turn comes.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from maprun.language.errors import StatesError
from maprun.mapruns.slices import Pace
from schemas.lanes import ChildAdopted, ItemFrame, LaneAdvanced
from schemas.ranges import pairs, ranges_of_ascending
from services.child_runner import inputs
from services.child_runner.journal import LaneMemory, RunKey
from services.child_runner.journal_draft import JournalDraft
from services.child_runner.lane_run import Child, Frame, LaneRun, Waiting
from services.child_runner.limits import LaneLimits


class InputsRequested(msgspec.Struct, frozen=True):
    """Read these inputs from the journal: (position, offset of the record, place in it), in the journal's order."""

    run: RunKey
    places: tuple[tuple[int, int, int], ...]


class InputsRead(msgspec.Struct, frozen=True):
    """What was found of them: by position."""

    requested: InputsRequested
    found: dict[int, ChildAdopted]


Dequeued = tuple[int, bytes, int, int, bool]
"""Position, input (of who isn't adopted: the item), number of items, index, whether it is a RedrivenChild."""


def indexes_of(frame: ItemFrame) -> Sequence[int]:
    """The index of each child of a frame."""
    if not frame.indexes:
        return range(frame.first, frame.first + len(frame.items))
    return [index for first, count in pairs(frame.indexes) for index in range(first, first + count)]


def input_in_memory(run: LaneRun, waiting: Waiting) -> bool:
    """True if the next child of these can be started."""
    return waiting.items is not None or run.memory.adopted[waiting.position].input is not None


def first_waiting(run: LaneRun) -> Waiting | None:
    """Those of which one is started next; forgets who wait no more."""
    queue = run.queue
    while queue and queue[0].position >= queue[0].end:
        queue.popleft()
    return queue[0] if queue else None


def may_run(run: LaneRun, waiting: Waiting) -> bool:
    """True if the quota lets the next child of these start, or an earlier owner had started it."""
    return len(run.running) < run.quota or (bool(run.past) and waiting.position in run.past)


class InputStore:
    """The frames that the lane's position has not passed, and the inputs of all children that have not started."""

    def __init__(self, memory: LaneMemory, draft: JournalDraft, limits: LaneLimits, pace: Pace) -> None:
        self._memory = memory
        self._draft = draft
        self._limits = limits
        self._pace = pace
        self._frames: deque[Frame] = deque()
        self._requests: list[InputsRequested] = []

    # ------------------------------------------------------------------ in, and on to be started

    def take_in(self, run: LaneRun, offset: int, items: ItemFrame, at_seconds: float) -> None:
        """An item frame of a run that is open: its new positions wait to be started."""
        new = run.known.missing(items.first, len(items.items))
        if not new:
            return
        frame = Frame(offset, run, new, at_seconds)
        self._frames.append(frame)
        indexes = indexes_of(items)
        for first, count in new:
            run.known.add(first, count)
            start = first - items.first
            run.bytes_queued += sum(map(len, items.items[start : start + count]))
            for ran, position, end in _by_past(run, first, first + count):
                waiting = Waiting(frame, items, indexes, position, end)
                if ran:
                    run.queue.appendleft(waiting)  # they come before what never started
                else:
                    run.queue.append(waiting)

    def restore(self, run: LaneRun) -> None:
        """Takes over the children that an earlier owner had adopted; those that it ran come first."""
        adopted = run.memory.adopted
        new = [position for position in sorted(adopted) if position not in run.known]
        ran = [position for position in new if position in run.past]
        waiting = [position for position in new if position not in run.past]
        for some in (ran, waiting):
            for first, count in pairs(ranges_of_ascending(some)):
                run.known.add(first, count)
                run.adopted.add(first, count)
                run.queue.append(Waiting(None, None, (), first, first + count))
        here = sum(adopted[position].size for position in new if adopted[position].input is not None)
        run.bytes_queued += here
        run.bytes_adopted += here

    def dequeue(self, run: LaneRun, waiting: Waiting) -> Dequeued:
        """The first child of these is started, or answered without: its input is not queued any more."""
        position = waiting.position
        waiting.position += 1
        frame = waiting.items
        if frame is not None:
            i = position - waiting.base
            raw = frame.items[i]
            run.bytes_queued -= len(raw)
            redriven = frame.redriven and bool(raw)
            return position, raw, frame.counts[i] if frame.counts else 1, waiting.indexes[i], redriven
        adopted = run.memory.adopted[position]
        child_input = adopted.input
        assert child_input is not None, "who waits without its input isn't started"
        run.bytes_queued -= adopted.size
        run.bytes_adopted -= adopted.size
        if adopted.offset >= 0:
            self._memory.leave(adopted)
        return position, child_input, adopted.items, adopted.index, adopted.redriven

    # ------------------------------------------------------------------ positions

    def settle_frames(self, runs: Mapping[str, LaneRun]) -> None:
        """The draft is about to be taken: forgets frames at the head whose children are all finished or adopted."""
        for child in self._draft.adopted:
            runs[child.run].adopted.add(child.position, 1)
        self._forget_passed()

    def _forget_passed(self) -> None:
        while self._frames and self._frames[0].passed:
            self._frames.popleft()

    def position(self, items_next: int) -> int:
        """Where a successor must read the items on from, if all others were taken in up to `items_next`."""
        return min(self._frames[0].offset, items_next) if self._frames else items_next

    # ------------------------------------------------------------------ into the journal

    def adopt_old(self, at_seconds: float) -> None:
        """Moves the unfinished children of old frames into the journal, so that the position can pass the frames."""
        self._forget_passed()
        seconds = self._limits.adopt_after_seconds
        old = [f for f in self._frames if not f.adopted and at_seconds - f.arrived_seconds >= seconds]
        if not old:
            return
        left: set[Frame] = set()
        for run in {f.run.key: f.run for f in old}.values():
            if not run.over:  # frames of a closed run may still wait behind others
                left |= self._adopt(run, set(old), at_seconds)
        for frame in old:
            if frame in left:
                break
            frame.adopted = True

    def adopts_in_seconds(self, at_seconds: float) -> float | None:
        """When the next frame is old; None when there is none."""
        if not self._frames or self._frames[-1].adopted:
            return None
        next_one = next(frame for frame in self._frames if not frame.adopted)
        return next_one.arrived_seconds + self._limits.adopt_after_seconds - at_seconds

    def _adopt(self, run: LaneRun, frames: set[Frame], at_seconds: float) -> set[Frame]:
        """The frames that still hold some, for there was no time to build the inputs of all."""
        for child in run.running.values():
            if child.frame in frames:
                self._adopt_running(run, child, at_seconds)
        queue = list(run.queue)
        run.queue.clear()
        left: set[Frame] = set()
        for waiting in queue:
            if waiting.frame is None or waiting.frame not in frames:
                run.queue.append(waiting)
                continue
            parts = self._adopt_waiting(run, waiting, at_seconds)
            run.queue += parts
            if parts and parts[-1].frame is not None:
                left.add(waiting.frame)
        return left

    def _adopt_running(self, run: LaneRun, child: Child, at_seconds: float) -> None:
        adopted = ChildAdopted(*run.key, child.position, child.input, child.items, child.index, child.redriven)
        self._memory.adopt(run.memory, adopted)
        self._draft.adopt(adopted, at_seconds)
        child.frame, child.input = None, b""

    def _adopt_waiting(self, run: LaneRun, waiting: Waiting, at_seconds: float) -> list[Waiting]:
        """The same children, adopted, but for those that will be refused: their frame isn't passed before they are.

        The last part keeps its frame when there was no time for all.
        """
        parts: list[Waiting] = []
        frame = waiting.items
        assert frame is not None, "adopted children belong to no frame"
        for position in range(waiting.position, waiting.end):
            if position > waiting.position and self._pace.spent():
                parts.append(Waiting(waiting.frame, frame, waiting.indexes, position, waiting.end))
                break
            child = inputs.to_adopt(run, waiting, position, self._limits)
            if isinstance(child, StatesError):
                parts.append(Waiting(None, frame, waiting.indexes, position, position + 1))
                continue
            self._memory.adopt(run.memory, child)
            self._draft.adopt(child, at_seconds)
            run.bytes_queued += len(child.input) - len(frame.items[position - waiting.base])
            run.bytes_adopted += len(child.input)
            if parts and parts[-1].items is None:
                parts[-1].end += 1
            else:
                parts.append(Waiting(None, None, (), position, position + 1))
        return parts

    def written(self, offset: int, record: LaneAdvanced, size: int, runs: Mapping[str, LaneRun]) -> None:
        """A record of this owner is in the journal, at this offset: the input of who runs needn't be kept twice."""
        self._memory.apply(offset, record, size)
        for adopted in record.adopted:
            run = runs.get(adopted.run)
            if run is not None and run.key[1] == adopted.generation and adopted.position in run.running:
                known = run.memory.adopted.get(adopted.position)
                if known is not None:
                    self._memory.leave(known)

    # ------------------------------------------------------------------ out of memory, and back

    def spill(self, runs: Iterable[LaneRun], *, can_start: bool) -> None:
        """Lets go of inputs that the journal holds, the last to start first, when those that wait take too much memory.

        `can_start` says whether the process has memory for one more child.
        """
        most = self._limits.spill_bytes_max
        over = sum(run.bytes_queued for run in runs) - most
        if over <= 0:
            return
        over += most // 2
        for run in sorted(runs, key=lambda run: -run.bytes_adopted):
            if over <= 0 or not run.bytes_adopted:
                return
            over -= self._spill_run(run, over, can_start=can_start)

    def _spill_run(self, run: LaneRun, bytes_max: int, *, can_start: bool) -> int:
        """The next one to start stays, if it can start now: it would be read from the journal again and again.

        Of a run whose quota is used up it goes too: those that run may wait for Map Runs of their own, whose items come
        behind it and must find memory.
        """
        freed = 0
        first = run.queue[0] if run.queue and len(run.running) < run.quota and can_start else None
        for waiting in reversed(run.queue):
            if waiting.items is not None:
                continue
            for position in range(waiting.end - 1, waiting.position - (waiting is not first), -1):
                child = run.memory.adopted[position]
                if child.input is None or child.offset < 0:
                    continue
                self._memory.leave(child)
                run.bytes_queued -= child.size
                run.bytes_adopted -= child.size
                freed += child.size
                if freed >= bytes_max:
                    return freed
        return freed

    def request(self, run: LaneRun) -> None:
        """Asks for the next inputs of a run from the journal."""
        if run.loading:
            return
        run.loading = True
        places: list[tuple[int, int, int]] = []
        size = 0
        for position in _adopted_in(run):
            child = run.memory.adopted[position]
            if child.input is None:
                places.append((position, child.offset, child.place))
                size += child.size
            if size >= self._limits.inputs_read_bytes_max:
                break
        self._requests.append(InputsRequested(run.key, tuple(sorted(places, key=lambda place: place[1:]))))

    def take_requests(self) -> list[InputsRequested]:
        """What is to be read from the journal."""
        taken, self._requests = self._requests, []
        return taken

    @property
    def requests(self) -> bool:
        """True while something is to be read."""
        return bool(self._requests)

    def received(self, run: LaneRun, read: InputsRead) -> bool:
        """Inputs came back. One that wasn't found has moved on in the journal meanwhile, and is asked for again there.

        False if one is nowhere: who deleted it is the lane's owner now.
        """
        run.loading = False
        for position, offset, _ in read.requested.places:
            known = run.memory.adopted.get(position)
            if known is None or known.input is not None or position in run.running:
                continue
            child = read.found.get(position)
            if child is not None:
                self._memory.bring(known, child)
                run.bytes_queued += known.size
                run.bytes_adopted += known.size
            elif known.offset == offset:
                return False
        return True


def _by_past(run: LaneRun, first: int, end: int) -> Iterator[tuple[bool, int, int]]:
    """Positions [first, end) in pieces: whether an earlier owner had started these, first, end."""
    started = first in run.past
    for position in range(first + 1, end) if run.past else ():
        if (position in run.past) is not started:
            yield started, first, position
            started, first = not started, position
    yield started, first, end


def _adopted_in(run: LaneRun) -> Iterator[int]:
    for waiting in run.queue:
        if waiting.items is None:
            yield from range(waiting.position, waiting.end)
