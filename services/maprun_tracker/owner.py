"""The owner of a home in the tracker: takes its rows up, reads home on from their mark, folds and flushes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from maprun.archive.store import MemoryStore, Store
from maprun.bus.port import Port, Record, RecordsGoneError
from maprun.mapruns.fold.state import Interpreter
from maprun.mapruns.slices import Pace
from maprun.requests.registry import MachineRegistry
from maprun.runtime.pace import LoopPace
from schemas import topics
from schemas.machines import remembered
from services.maprun_tracker.archive import EndedExecutions
from services.maprun_tracker.archiving import ending, execution, forget
from services.maprun_tracker.flush import Flusher, MakeHome, restore
from services.maprun_tracker.handlers import record_folding
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.recovery import Change, changes_of
from services.maprun_tracker.rows import prefix
from services.maprun_tracker.state import Partition

MACHINES_PER_READ = 64
MARKS_UNSURE_MS = 60_000
"""A successor may go on from an older mark than the newest, but of no longer ago: what isn't acknowledged by then ends
the process. So long what is remembered no more stays in the archive."""
SLICE_SECONDS = 0.001
"""Requests are answered between two slices."""


class Table(Protocol):
    """The rows of all homes of a process."""

    @property
    def rows(self) -> Mapping[bytes, bytes]:
        """What stands in the table now."""
        ...

    def forget(self, home: int) -> None:
        """Drops a home's rows from memory; the changelog keeps them."""
        ...

    def recovered(self, changes: Sequence[Change], to_go: int) -> None:
        """Takes over rows of the changelog, without writing them to it again; so many offsets of it are to go."""
        ...

    def write(self, key: bytes, row: bytes | None) -> None:
        """Puts a row, or deletes it: it stands in `rows` at once, and goes to the changelog in the order of writes."""
        ...

    async def flushed(self, home: int, offset: int) -> None:
        """All rows up to this offset of home are written; waits while more wait to be sent than should."""
        ...


class Held:
    """A home whose rows were taken up. `end` is where home ended then: what this process may not answer without."""

    def __init__(self, flusher: Flusher, end: int) -> None:
        self.flusher = flusher
        self.end = end
        self.pending = 0  # records folded since the last flush
        self.since = 0.0  # monotonic, when the first of them came
        self.folding = False  # a record, slice by slice: until its last the state belongs to no offset

    @property
    def part(self) -> Partition:
        """The home itself."""
        return self.flusher.part

    @property
    def to_go(self) -> int:
        """How many records must be folded before it may be asked."""
        return max(0, self.end - 1 - self.part.offset)


class Watch:
    """Hears what owners do; here nobody listens."""

    def taken(self, held: Held, rows: int, rebuilt: str) -> None:
        """A home's rows were taken up; `rebuilt` says why it is folded from its beginning, if so."""

    def passed_over(self, home: int, first: int, end: int) -> None:
        """Home holds nothing at offsets in [first, end): of a home folded from its beginning it is kept no more."""

    def folded(self, part: Partition, size: int) -> None:
        """A record of so many bytes was folded."""

    def unreadable(self, home: int, offset: int) -> None:
        """A record that can't be read was passed over, as every reader of home does."""

    def flushed(self, rows: int, size: int, deleted: int) -> None:
        """So many rows of so many bytes were written, so many deleted."""

    def given_up(self, held: Held) -> None:
        """The owner has ended; what was not flushed is forgotten, and folded again by whoever comes next."""


class Deps(msgspec.Struct, frozen=True):
    """What an owner needs beside its port."""

    table: Table
    make_home: MakeHome
    interpreter: Interpreter
    limits: TrackerLimits
    watch: Watch
    store: Store = msgspec.field(default_factory=MemoryStore)  # of what has ended, of all homes of the process
    pace: Pace = msgspec.field(default_factory=partial(LoopPace, SLICE_SECONDS))  # of the process's loop


async def own_home(port: Port, home: int, deps: Deps) -> None:
    """Owns a home for as long as the group gives it to this process; ends only by being cancelled.

    The position is the table's own mark and nothing else: rows and position can't disagree, wherever a process ended.
    """
    deps.table.forget(home)  # another process may have written newer ones since
    async for changes, to_go in changes_of(port, home):
        deps.table.recovered(changes, to_go)
    archive = EndedExecutions(port, home, deps.store, deps.interpreter, deps.limits.archive_page_bytes_max)
    await archive.log.catch_up()  # behind the rows: whatever they left out is in it
    start = await port.start_offset(topics.HOME.name, home)
    end = await port.end_offset(topics.HOME.name, home)
    stored, head = deps.table.rows, prefix(home)
    keys = [key for key in stored if key.startswith(head)]
    flusher, rebuilt = restore(
        home, stored, keys, deps.make_home, archive, deps.interpreter, deps.limits, start, end, port.cluster
    )
    if flusher.lacks_machines:
        await _take_machines(port, flusher.part)
    held = Held(flusher, end)
    await archive_ended(port, held, deps)  # before anything is folded: their rows are still those of their ends
    deps.watch.taken(held, len(keys), rebuilt)
    mailbox = port.mailbox()
    feed = port.feed(topics.HOME.name, home, held.part.offset + 1, mailbox)
    try:
        while True:
            await _fold_all(port, held, await mailbox.get(_wait(port, held, deps.limits)), deps)
            if held.pending and _wait(port, held, deps.limits) == 0:
                await flush(port, held, deps)
    finally:
        feed.close()
        held.part.waits.give_up()
        held.part.lines.give_up()
        deps.watch.given_up(held)


async def _take_machines(port: Port, part: Partition) -> None:
    """Takes the machines and activities of a home as they stand on their own topic by now.

    Some may be newer than the next record that is folded. The requests that changed them, folded once more, leave them
    as they are.
    """
    topic, machines = topics.MACHINES.name, MachineRegistry()
    end = await port.end_offset(topic, part.number)
    for first in range(0, end, MACHINES_PER_READ):
        for record in await port.read(topic, part.number, first, min(end, first + MACHINES_PER_READ)):
            machines.read(part.number, record.offset, record.value)
    for machine in machines:
        part.home.state.machines[machine.arn] = remembered(machine)
        part.machine_written(machine)
    for activity in machines.activities:
        part.home.state.activities[activity.arn] = activity


def _wait(port: Port, held: Held, limits: TrackerLimits) -> float | None:
    """Until what waits for company has waited too long; None = nothing waits."""
    return max(0.0, held.since + limits.flush_seconds_max - port.monotonic()) if held.pending else None


async def _fold_all(port: Port, held: Held, records: Sequence[object], deps: Deps) -> None:
    deps.pace.begin()
    for record in records:
        assert isinstance(record, Record)
        if record.offset != held.part.offset + 1:
            await _passed_over(port, held.part, record.offset, deps)
        await _fold(port, held, record, deps)
        if held.pending >= deps.limits.flush_records_max:
            await flush(port, held, deps)
        if deps.pace.spent():
            await _pause(port, deps)


async def _passed_over(port: Port, part: Partition, first: int, deps: Deps) -> None:
    """Home goes on at `first`, not where it was left. Raises RecordsGoneError when what lacks was there once.

    A feed passes over what was deleted. A fold that goes on must not: its next owner sees where home begins now.
    """
    if 0 <= part.offset < await port.start_offset(topics.HOME.name, part.number) - 1:
        raise RecordsGoneError(f"home {part.number} goes on at {first}: what stood from {part.offset + 1} on is gone")
    deps.watch.passed_over(part.number, part.offset + 1, first)


async def _pause(port: Port, deps: Deps) -> None:
    await port.sleep(0)
    deps.pace.begin()


async def _fold(port: Port, held: Held, record: Record, deps: Deps) -> None:
    part = held.part
    held.folding = True
    folding = record_folding(part, record.offset, record.timestamp_ms, record.value, deps.pace.spent)
    readable: bool | None = None
    while readable is None:
        try:
            next(folding)
        except StopIteration as end:
            readable = bool(end.value)
        else:
            await _pause(port, deps)
    held.folding = False
    part.waits.passed(part.offset)
    if not readable:
        deps.watch.unreadable(part.number, record.offset)
    size = len(record.value or b"")
    held.flusher.folded(size)
    if not held.pending:
        held.since = port.monotonic()
    held.pending += 1
    deps.watch.folded(part, size)


async def flush(port: Port, held: Held, deps: Deps, *, mark_now: bool = False) -> None:
    """Writes what was folded, and the mark if it is due or wanted now. What has ended is archived first."""
    await archive_ended(port, held, deps)
    part = held.part
    marked = part.mark_offset
    offset = write(port, held, deps, mark_now=mark_now)
    if part.mark_offset > marked:
        part.archive.log.expire(part.home.state.now_ms - part.home.retention_ms - MARKS_UNSURE_MS)
    await deps.table.flushed(held.part.number, offset)


async def archive_ended(port: Port, held: Held, deps: Deps) -> None:
    """What has ended goes into the archive, and out of the table, once it stands there."""
    part = held.part
    archive, ended = part.archive, part.home.state.ended
    while ended:
        arns = ending(part, deps.limits.archive_executions_max)
        # Of an end that was folded before, later rows may stand in the table: then it is in the archive as it was.
        may_be_there = {arn for arn in arns if ended[arn].offset < held.end}
        there = {arn for arn in may_be_there if archive.holds(arn, ended[arn].offset)}
        new = [execution(part, arn) for arn in arns if arn not in there]
        pages = archive.pages(new, part.definition, part.home.limits.retention_ms)
        await archive.log.written(pages, await port.send(archive.records(pages)) if pages else [])
        for arn in arns:
            forget(part, arn)
            del ended[arn]
        if deps.pace.spent():
            await _pause(port, deps)


def write(port: Port, held: Held, deps: Deps, *, mark_now: bool = False) -> int:
    """The same without waiting for room; the offset up to which all is written."""
    flusher = held.flusher
    before = flusher.written_rows, flusher.written_bytes, flusher.deleted_rows
    flusher.flush(deps.table.write, port.monotonic(), mark_now=mark_now)
    after = flusher.written_rows, flusher.written_bytes, flusher.deleted_rows
    deps.watch.flushed(*(now - then for now, then in zip(after, before, strict=True)))
    held.pending = 0
    return held.part.offset
