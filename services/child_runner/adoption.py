"""Children whose frames the lane's position passes: into the journal, out of memory, and back when they start. Pure."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from maprun.language.errors import StatesError
from schemas.lanes import ChildAdopted, ItemFrame, LaneAdvanced
from services.child_runner import inputs
from services.child_runner.journal import pairs
from services.child_runner.outbox import ranges_of
from services.child_runner.state import Child, Frame, InputsRead, InputsWanted, LaneRun, Waiting

if TYPE_CHECKING:
    from services.child_runner.lane import Lane


def indexes_of(frame: ItemFrame) -> Sequence[int]:
    """The index of each child of a frame."""
    if not frame.indexes:
        return range(frame.first, frame.first + len(frame.items))
    return [index for first, count in pairs(frame.indexes) for index in range(first, first + count)]


def take_in(lane: "Lane", offset: int, items: ItemFrame | None, at: float) -> None:
    """An item frame whose run is known, or proved closed: its new positions wait to be started."""
    lane.items_next = max(lane.items_next, offset + 1)
    run = lane.run_of(items.run, items.generation) if items is not None else None
    if items is None or run is None:
        return
    new = run.known.missing(items.first, len(items.items))
    if not new:
        return
    frame = Frame(offset, run, new, at)
    lane.frames.append(frame)
    indexes = indexes_of(items)
    for first, count in new:
        run.known.add(first, count)
        start = first - items.first
        run.bytes_queued += sum(map(len, items.items[start : start + count]))
        waiting = Waiting(frame, items, indexes, first, first + count)
        if run.past and any(p in run.past for p in range(first, first + count)):
            run.queue.appendleft(waiting)  # an earlier owner ran these: they come before what never started
        else:
            run.queue.append(waiting)


def to_adopt(lane: "Lane", run: LaneRun, waiting: Waiting, position: int) -> ChildAdopted | StatesError:
    """A waiting child as the journal keeps it; or why it has no input."""
    frame = waiting.items
    if frame is None:
        known = run.memory.adopted[position]
        assert known.input is not None, "who asks for it has it read before"
        return ChildAdopted(*run.key, position, known.input, known.items, known.index, known.redriven)
    i = position - waiting.base
    raw = frame.items[i]
    redriven = frame.redriven and bool(raw)
    try:
        child_input = raw if redriven else inputs.checked(lane, waiting.indexes[i], inputs.built(run, frame, i))
    except StatesError as refused:
        return refused
    return ChildAdopted(
        *run.key, position, child_input, frame.counts[i] if frame.counts else 1, waiting.indexes[i], redriven
    )


def taken(lane: "Lane", run: LaneRun, waiting: Waiting, position: int) -> None:
    """A waiting child is answered without being started: its input is not queued any more."""
    if waiting.items is None:
        known = run.memory.adopted[position]
        run.bytes_queued -= known.size
        run.bytes_adopted -= known.size
        if known.offset >= 0:
            lane.memory.leave(known)
    else:
        run.bytes_queued -= len(waiting.items.items[position - waiting.base])


# ---------------------------------------------------------------------- into the journal


def adopt(lane: "Lane", run: LaneRun, frames: set[Frame]) -> set[Frame]:
    """Moves the unfinished children of these frames into the journal, with the inputs they have or will have.

    The frames that still hold some, for there was no time to build the inputs of all.
    """
    for child in run.running.values():
        if child.frame in frames:
            _adopt_running(lane, run, child)
    queue = list(run.queue)
    run.queue.clear()
    left: set[Frame] = set()
    for waiting in queue:
        if waiting.frame is None or waiting.frame not in frames:
            run.queue.append(waiting)
            continue
        parts = _adopt_waiting(lane, run, waiting)
        run.queue += parts
        if parts and parts[-1].frame is not None:
            left.add(waiting.frame)
    return left


def _adopt_running(lane: "Lane", run: LaneRun, child: Child) -> None:
    adopted = ChildAdopted(*run.key, child.position, child.input, child.items, child.index, child.redriven)
    lane.memory.adopt(run.memory, adopted)
    lane.adopted.append(adopted)
    child.frame, child.input = None, b""


def _adopt_waiting(lane: "Lane", run: LaneRun, waiting: Waiting) -> list[Waiting]:
    """The same children, adopted, but for those that will be refused: their frame isn't passed before they are.

    The last part keeps its frame when there was no time for all.
    """
    parts: list[Waiting] = []
    frame = waiting.items
    assert frame is not None, "adopted children belong to no frame"
    for position in range(waiting.position, waiting.end):
        if position > waiting.position and lane.pace.spent():
            parts.append(Waiting(waiting.frame, frame, waiting.indexes, position, waiting.end))
            break
        child = to_adopt(lane, run, waiting, position)
        if isinstance(child, StatesError):
            parts.append(Waiting(None, frame, waiting.indexes, position, position + 1))
            continue
        lane.memory.adopt(run.memory, child)
        lane.adopted.append(child)
        grown = len(child.input) - len(frame.items[position - waiting.base])
        run.bytes_queued += grown
        run.bytes_adopted += len(child.input)
        if parts and parts[-1].items is None:
            parts[-1].end += 1
        else:
            parts.append(Waiting(None, None, (), position, position + 1))
    return parts


def journalled(lane: "Lane", record: LaneAdvanced) -> None:
    """The adopted children of a record are in the journal: the input of who runs needn't be kept twice."""
    for adopted in record.adopted:
        run = lane.run_of(adopted.run, adopted.generation)
        if run is not None and adopted.position in run.running:
            known = run.memory.adopted.get(adopted.position)
            if known is not None:
                lane.memory.leave(known)


def restore(run: LaneRun) -> None:
    """Takes over the children that an earlier owner had adopted; those that it ran come first."""
    adopted = run.memory.adopted
    new = [position for position in sorted(adopted) if position not in run.known]
    ran = [position for position in new if position in run.past]
    waiting = [position for position in new if position not in run.past]
    for some in (ran, waiting):
        for first, count in pairs(ranges_of(some)):
            run.known.add(first, count)
            run.adopted.add(first, count)
            run.queue.append(Waiting(None, None, (), first, first + count))
    here = sum(adopted[position].size for position in new if adopted[position].input is not None)
    run.bytes_queued += here
    run.bytes_adopted += here


# ---------------------------------------------------------------------- out of memory, and back


def spill(lane: "Lane") -> None:
    """Lets go of inputs that the journal holds, the last to start first, when those that wait take too much memory."""
    most = lane.limits.spill_bytes_max
    over = sum(run.bytes_queued for run in lane.runs.values()) - most
    if over <= 0:
        return
    over += most // 2
    for run in sorted(lane.runs.values(), key=lambda run: -run.bytes_adopted):
        if over <= 0 or not run.bytes_adopted:
            return
        over -= _spill_run(lane, run, over)


def _spill_run(lane: "Lane", run: LaneRun, bytes_max: int) -> int:
    """The next one to start stays, if it can start now: it would be read from the journal again and again.

    Of a run whose quota is used up it goes too: those that run may wait for Map Runs of their own, whose items come
    behind it and must find room.
    """
    freed = 0
    first = run.queue[0] if run.queue and len(run.running) < run.quota and not lane.room.full else None
    for waiting in reversed(run.queue):
        if waiting.items is not None:
            continue
        for position in range(waiting.end - 1, waiting.position - (waiting is not first), -1):
            child = run.memory.adopted[position]
            if child.input is None or child.offset < 0:
                continue
            lane.memory.leave(child)
            run.bytes_queued -= child.size
            run.bytes_adopted -= child.size
            freed += child.size
            if freed >= bytes_max:
                return freed
    return freed


def at_hand(run: LaneRun, waiting: Waiting) -> bool:
    """True if the next child of these can be started: its input is in memory."""
    return waiting.items is not None or run.memory.adopted[waiting.position].input is not None


def want(lane: "Lane", run: LaneRun) -> None:
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
        if size >= lane.limits.wanted_bytes_max:
            break
    lane.wanted.append(InputsWanted(run.key, tuple(sorted(places, key=lambda place: place[1:]))))


def _adopted_in(run: LaneRun) -> Iterator[int]:
    for waiting in run.queue:
        if waiting.items is None:
            yield from range(waiting.position, waiting.end)


def inputs_read(lane: "Lane", read: InputsRead) -> bool:
    """Inputs came back. One that wasn't found has moved on in the journal meanwhile, and is asked for again there.

    False if one is nowhere: who deleted it is the lane's owner now.
    """
    run = lane.run_of(*read.wanted.run)
    if run is None:
        return True
    run.loading = False
    for position, offset, _ in read.wanted.places:
        known = run.memory.adopted.get(position)
        if known is None or known.input is not None or position in run.running:
            continue
        child = read.found.get(position)
        if child is not None:
            lane.memory.bring(known, child)
            run.bytes_queued += known.size
            run.bytes_adopted += known.size
        elif known.offset == offset:
            return False
    return True
