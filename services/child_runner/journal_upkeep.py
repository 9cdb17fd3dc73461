"""A lane's journal as its owner keeps it: claimed and read, made short by snapshots, its beginning deleted."""

from collections.abc import Callable

import msgspec

from maprun.bus.port import Outgoing, Port, RecordsGoneError
from schemas import topics
from schemas.lanes import ChildAdopted, Claimed, LaneAdvanced
from schemas.wire import encode
from services.child_runner.journal import PART_BYTES, Adopted, LaneMemory, RunKey, decode_journal
from services.child_runner.lane import Lane
from services.child_runner.limits import LaneLimits

JOURNAL = topics.LANE_JOURNAL.name
READ_RECORDS_FIRST, READ_RECORDS_MAX = 64, 5_000
READ_BYTES = 8 << 20
"""What is read of the journal at once, about."""

Unreadable = Callable[[str, int, int], None]
"""Hears of a record that can't be read: topic, partition, offset."""


async def claim(port: Port, number: int, limits: LaneLimits, unreadable: Unreadable) -> LaneMemory:
    """Writes the claim and reads the journal up to it. Raises RecordsGoneError when a newer claim has made it void."""
    [epoch] = await port.send([Outgoing(JOURNAL, number, encode(Claimed(port.instance, port.cluster)))])
    while True:
        memory = LaneMemory(inputs_bytes_max=limits.spill_bytes_max, cluster=port.cluster)
        if await _fold(port, number, memory, epoch, unreadable):
            return memory


async def _fold(port: Port, number: int, memory: LaneMemory, epoch: int, unreadable: Unreadable) -> bool:
    """Folds the journal up to the claim; False if records went away meanwhile, so that it must be begun again."""
    next_offset = await port.start_offset(JOURNAL, number)
    if next_offset > epoch:  # this process stood still meanwhile
        raise RecordsGoneError(f"the claim {epoch} of lane {number} is deleted already")
    count = READ_RECORDS_FIRST
    while next_offset <= epoch:
        records = await port.read(JOURNAL, number, next_offset, min(epoch + 1, next_offset + count))
        if not records:
            return False
        size = 0
        for record in records:
            if record.offset != next_offset:
                return False  # an earlier owner deletes what a snapshot made needless
            next_offset += 1
            value = record.value or b""
            size += len(value)
            try:
                memory.apply(record.offset, decode_journal(value), len(value))
            except msgspec.DecodeError:
                unreadable(JOURNAL, number, record.offset)
        count = max(1, min(READ_RECORDS_MAX, READ_BYTES * len(records) // max(1, size)))
    return True


async def read_inputs(port: Port, number: int, places: list[tuple[int, int]]) -> list[ChildAdopted | None]:
    """The adopted children at these (offset, place), in ascending order; None where no such record is any more."""
    found: list[ChildAdopted | None] = []
    offset_read, adopted = -1, tuple[ChildAdopted, ...]()
    for offset, place in places:
        if offset != offset_read:
            records = await port.read(JOURNAL, number, offset, offset + 1)
            record = decode_journal(records[0].value or b"") if records else None
            offset_read, adopted = offset, record.adopted if isinstance(record, LaneAdvanced) else ()
        found.append(adopted[place] if place < len(adopted) else None)
    return found


class JournalUpkeep:
    """Snapshots and deletion, a step at a time between the turns of the lane."""

    def __init__(self, port: Port, lane: Lane) -> None:
        self.port = port
        self.lane = lane
        self._moving: list[tuple[RunKey, int, Adopted]] | None = None  # still to be adopted again, last one first
        self._trimmed = (0, 0)  # items and signals
        self._journal_trimmed = 0
        self._trimmed_seconds = port.monotonic()

    async def step(self) -> bool:
        """Does what is due; True if more is to be done at once."""
        await self._trim()
        return await self._snapshot()

    def wait_seconds(self, at_seconds: float) -> float | None:
        """When something may be deleted."""
        if self.lane.confirmed > self._trimmed:
            return max(0.0, self._trimmed_seconds + self.lane.limits.trim_seconds - at_seconds)
        return None

    # ------------------------------------------------------------------ snapshots

    async def _snapshot(self) -> bool:
        lane, memory = self.lane, self.lane.memory
        if self._moving is None:
            due = max(lane.limits.snapshot_bytes_min, lane.limits.snapshot_factor * memory.bytes)
            if memory.written < due:
                return False
            # Once this snapshot is read back, what is older than the one before it may be deleted.
            self._moving = memory.before(memory.snapshots[1])[::-1]
        if self._moving:
            await self._move(self._moving)
            return True
        self._moving = None
        pieces = memory.snapshot(lane.limits.journal_bytes_max)
        values = [encode(piece) for piece in pieces]
        offsets = await self.port.send([Outgoing(JOURNAL, lane.number, value) for value in values])
        memory.snapshot_written(offsets[0], sum(map(len, values)))
        return False

    async def _move(self, moving: list[tuple[RunKey, int, Adopted]]) -> None:
        """Adopts some children again, so that the records in which they stand aren't needed any more."""
        lane = self.lane
        some: list[tuple[RunKey, int, Adopted]] = []
        size = 0
        while moving and size < lane.limits.inputs_read_bytes_max:
            some.append(moving.pop())
            size += PART_BYTES + some[-1][2].size
        gone = [(child.offset, child.place) for _, _, child in some if child.input is None]
        read = iter(await read_inputs(self.port, lane.number, gone) if gone else [])
        inputs = [child.input if child.input is not None else _input(next(read)) for _, _, child in some]
        adopted: list[ChildAdopted] = []
        for (key, position, child), child_input in zip(some, inputs, strict=True):
            if _lives(lane.memory, key, position, child):
                if child_input is None:
                    raise RecordsGoneError(f"the input of {key}/{position} is gone from {JOURNAL}/{lane.number}")
                adopted.append(ChildAdopted(*key, position, child_input, child.items, child.index, child.redriven))
        if adopted:
            record = LaneAdvanced(lane.epoch, *lane.draft.written, (), (), tuple(adopted))
            value = encode(record)
            [offset] = await self.port.send([Outgoing(JOURNAL, lane.number, value)])
            lane.written(offset, record, len(value))

    # ------------------------------------------------------------------ deletion

    async def _trim(self) -> None:
        lane, port = self.lane, self.port
        before, last = lane.memory.snapshots
        if before > self._journal_trimmed and lane.snapshot_read > last:
            self._journal_trimmed = before
            await port.trim(JOURNAL, lane.number, before)
        confirmed = lane.confirmed
        at_seconds = port.monotonic()
        if confirmed == self._trimmed or at_seconds - self._trimmed_seconds < lane.limits.trim_seconds:
            return
        before_items, before_signals = self._trimmed
        self._trimmed, self._trimmed_seconds = confirmed, at_seconds
        if confirmed[0] > before_items:
            await port.trim(topics.ITEMS.name, lane.number, confirmed[0])
        if confirmed[1] > before_signals:
            await port.trim(topics.LANE_SIGNALS.name, lane.number, confirmed[1])


def _input(child: ChildAdopted | None) -> bytes | None:
    return None if child is None else child.input


def _lives(memory: LaneMemory, key: RunKey, position: int, child: Adopted) -> bool:
    """True while the child's input is needed."""
    run = memory.runs.get(key)
    return run is not None and run.adopted.get(position) is child
