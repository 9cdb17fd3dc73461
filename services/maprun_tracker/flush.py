"""From changes to rows and back: what a flush writes, in which order, and how a recovered table proves itself."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

import msgspec
import zstandard

from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.state import (
    FOLD_VERSION,
    FOLD_VERSIONS_READ,
    Archive,
    Ended,
    HomeState,
    Interpreter,
    decode_state,
    encode_state,
)
from services.maprun_tracker import rows
from services.maprun_tracker.archive import EndedExecutions
from services.maprun_tracker.archiving import forget
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.machine_definitions import with_definition
from services.maprun_tracker.rows import MARK, ROOT, RUN, SUMMED, Codec, Mark, RootRow
from services.maprun_tracker.running import RunningChildren
from services.maprun_tracker.state import Partition

Write = Callable[[bytes, bytes | None], None]
"""Puts one row into the table (None deletes it); it stands in `Partition.stored` at once."""
MakeHome = Callable[[HomeState, Archive], Home]

MACHINES_FOLD_VERSION = 4
"""Marks of earlier folds hold no machines: the tracker passed over the requests that made them."""
ROWS_VERSION = 3
"""Raised when the meaning of a row changes: the table is then emptied and home folded again."""


class Flusher:
    """Writes one partition's changes; knows what the last mark said."""

    def __init__(
        self,
        part: Partition,
        interpreter: Interpreter,
        mark: Mark | None = None,
        rows_to_delete_first: tuple[Mapping[bytes, bytes], Sequence[bytes]] | None = None,
        cluster: str = "",
    ) -> None:
        self.part = part
        self.lacks_machines = False  # what made them, or activities, is not folded: passed over, or on home no more
        self._cluster = cluster
        self._interpreter = interpreter
        self._rows_to_delete_first = rows_to_delete_first  # of this table, before a new row is written
        part.mark_offset = -1 if mark is None else mark.offset
        self._sum = 0 if mark is None else mark.sum
        self._parity = 0 if mark is None else mark.parity
        self._before: dict[bytes, int] = {}  # rows written since the mark → their digest then
        self._snapshot_bytes = 0
        self._folded_bytes = 0
        self._marked_at = 0.0
        self.written_rows = 0
        self.written_bytes = 0
        self.deleted_rows = 0

    def folded(self, size: int) -> None:
        """So many bytes of home were folded: a snapshot is worth its own size only after some multiple of it."""
        self._folded_bytes += size

    def flush(self, write: Write, at: float, *, mark_now: bool = False) -> None:
        """Writes all changes, then, when it is due, the mark. `at` is monotonic seconds.

        Killed between any two writes, a successor finds the older mark and rows that know what they were then; it folds
        home again from there and writes the same rows.
        """
        part = self.part
        self._delete_doomed(write)
        self._delete(write, sorted(part.rows_to_delete))
        part.rows_to_delete.clear()
        for row_key, row in part.fetched.items():
            self._put(write, row_key, row[rows.ENVELOPE.size :])
        part.fetched = {}
        for digest, definition in part.definitions.items():
            self._put(write, rows.definition_key(part.number, digest), part.codec.compress(definition))
        for arn, history in part.histories.items():
            for page, events in history.dirty.items():
                self._put(write, rows.history_key(part.number, arn, page), part.codec.pack_page(events))
            history.dirty = {}
        for run_id, number in sorted(part.dirty_blocks):
            payload = part.blocks[run_id, number].encode(part.codec)
            self._put(write, rows.block_key(part.number, run_id, number), payload)
        for key, run in part.changed_runs.items():
            self._put(write, rows.run_key(part.number, key), part.codec.pack(part.run_row(run)))
            if run.phase == "closed":
                part.digests.pop(key, None)
        for arn, root_row in part.changed_roots.items():
            self._put(write, rows.root_key(part.number, arn), part.codec.pack(root_row))
            if root_row.status != "RUNNING":
                part.histories.pop(arn, None)
                part.digests.pop(arn, None)
        part.definitions, part.changed_runs, part.changed_roots = {}, {}, {}
        part.dirty_blocks = set()
        part.shrink()
        if part.offset > part.mark_offset and (mark_now or self._mark_due(at)):
            gone = self._forgotten()
            self._mark(write, at, gone)
            self._delete(write, gone)

    def _delete_doomed(self, write: Write) -> None:
        if self._rows_to_delete_first is None:
            return
        stored, keys = self._rows_to_delete_first
        for key in sorted(keys, key=lambda key: key[rows.KIND] != MARK):  # without its mark a table proves nothing
            write(key, None)
        self.part.stored, self._rows_to_delete_first = stored, None

    def _delete(self, write: Write, keys: Iterable[bytes]) -> None:
        for key in keys:
            write(key, None)
            self.deleted_rows += 1

    def _put(self, write: Write, key: bytes, payload: bytes) -> None:
        self.part.gone.pop(key, None)
        if key not in self._before:
            self._before[key] = rows.digest_at(self.part.mark_offset, key, self.part.stored.get(key))
        row = rows.wrap(self.part.offset, self._before[key], payload)
        write(key, row)
        self.written_rows += 1
        self.written_bytes += len(row)

    def _mark_due(self, at: float) -> bool:
        limits, size = self.part.limits, self._snapshot_bytes
        return (
            size <= limits.snapshot_small_bytes
            or self._folded_bytes >= size * limits.snapshot_ratio
            or at - self._marked_at >= limits.snapshot_seconds_max
        )

    def _forgotten(self) -> tuple[bytes, ...]:
        """Rows of archived executions, so many as one mark takes, and of definitions without use."""
        gone = self.part.gone
        keys = [*self.part.unused_definitions(), *islice(gone, self.part.limits.gone_rows_max)]
        for key in keys:
            gone.pop(key, None)
        return tuple(dict.fromkeys(keys))

    def _mark(self, write: Write, at: float, gone: tuple[bytes, ...]) -> None:
        """Says what the rows are now. Those that are `gone` are in its sum no more, and are deleted behind it.

        Killed in between, a successor finds them named in the mark and deletes them.
        """
        part = self.part
        for key, before in self._before.items():
            self._sum ^= before ^ rows.digest(key, part.stored[key])
        for key in gone:
            written = key in self._before
            self._sum ^= rows.digest_at(part.offset if written else part.mark_offset, key, part.stored[key])
        snapshot = part.codec.compress(_encode_state(part, self._interpreter))
        self._parity ^= 1
        chunk_bytes = part.limits.chunk_bytes_max
        chunks = [snapshot[i : i + chunk_bytes] for i in range(0, len(snapshot), chunk_bytes)]
        inline = len(chunks) == 1
        for number, chunk in enumerate([] if inline else chunks):
            write(rows.snapshot_key(part.number, self._parity, number), chunk)
        mark = Mark(
            version=_version(),
            offset=part.offset,
            sum=self._sum,
            snapshot=snapshot if inline else b"",
            parity=self._parity,
            chunks=0 if inline else len(chunks),
            digest=rows.digest(b"", snapshot),
            running=part.running.stored(),
            gone=gone,
            cluster=self._cluster,
        )
        write(rows.mark_key(part.number), part.codec.pack_mark(mark))
        part.mark_offset, self._before = part.offset, {}
        self._snapshot_bytes, self._folded_bytes, self._marked_at = len(snapshot), 0, at


def restore(
    number: int,
    stored: Mapping[bytes, bytes],
    keys: Iterable[bytes],
    make_home: MakeHome,
    archive: EndedExecutions,
    interpreter: Interpreter,
    limits: TrackerLimits,
    start: int = 0,
    end: int | None = None,
    cluster: str = "",
) -> tuple[Flusher, str]:
    """A partition from its rows (`keys` of it in `stored`), and why it must be folded from home's beginning, if so.

    Home holds the offsets in [`start`, `end`), as far as known. A mark past its end belongs to records the broker lost,
    and others have their offsets now; behind a mark before its start there are records that nobody can fold any more.
    A mark of another `cluster` is of another home altogether.

    An empty reason means that the rows proved themselves: the fold goes on behind the mark. Otherwise all rows go with
    the first flush.
    """
    keys = list(keys)
    codec = Codec()
    mark, state, reason = _read_mark(number, stored, codec, interpreter)
    if mark is not None and state is not None:
        found = 0
        gone = {key for key in mark.gone if key in stored and not rows.written_after(mark.offset, stored[key])}
        for key in keys:
            if key[rows.KIND] in SUMMED and key not in gone:
                at_mark = rows.digest_at(mark.offset, key, stored[key])
                found ^= at_mark
                if not at_mark:
                    gone.add(key)  # a killed process wrote it behind the mark: what it tells of comes again
        part = Partition(number, make_home(state, archive), archive, stored, limits, RunningChildren(mark.running))
        part.mark_offset, part.rows_to_delete = mark.offset, gone
        reason = _index(part, state, keys) or _take_machines(part, state)
        if mark.cluster != cluster:
            reason = "the rows are of a home that was made anew"
        elif end is not None and mark.offset >= end:
            reason = f"home ends at {end}, before the mark at offset {mark.offset}"
        elif mark.offset + 1 < start:
            reason = f"home begins at {start}, and the mark at offset {mark.offset} does not reach it"
        elif found != mark.sum:
            reason = f"the rows do not add up to the mark at offset {mark.offset}"
        if not reason:
            flusher = Flusher(part, interpreter, mark, cluster=cluster)
            flusher.lacks_machines = mark.version < _version(MACHINES_FOLD_VERSION)
            return flusher, ""
    part = Partition(number, make_home(HomeState(home=number), archive), archive, {}, limits, RunningChildren())
    flusher = Flusher(part, interpreter, None, (stored, keys), cluster)
    flusher.lacks_machines = start > 0
    return flusher, reason if keys else ""


def _read_mark(
    number: int, stored: Mapping[bytes, bytes], codec: Codec, interpreter: Interpreter
) -> tuple[Mark | None, HomeState | None, str]:
    row = stored.get(rows.mark_key(number))
    if row is None:
        return None, None, "there are rows but no mark"
    try:
        mark = codec.mark(row)
    except msgspec.DecodeError as error:
        return None, None, f"the mark can't be read: {error}"
    if mark.version not in _versions_read():
        return None, None, f"the rows are of version {mark.version}, this process writes {_version()}"
    chunks = [stored.get(rows.snapshot_key(number, mark.parity, i)) for i in range(mark.chunks)]
    snapshot = mark.snapshot or b"".join(chunk or b"" for chunk in chunks)
    if rows.digest(b"", snapshot) != mark.digest:
        return None, None, f"the snapshot of the mark at offset {mark.offset} is not whole"
    try:
        return mark, decode_state(codec.decompress(snapshot), interpreter), ""
    except msgspec.DecodeError as error:
        return None, None, f"the fold's state can't be read: {error}"


def _take_machines(part: Partition, state: HomeState) -> str:
    """Gives the machines of a mark their definitions again; or why that can't be done."""
    for arn, machine in state.machines.items():
        digest = machine.spec.definition
        try:
            definition = part.definition(digest)
        except (KeyError, zstandard.ZstdError) as error:
            return f"the definition of {arn} can't be read: {error!r}"
        part.machines.written(machine, digest)
        state.machines[arn] = with_definition(machine, definition)
    return ""


def _index(part: Partition, state: HomeState, keys: Iterable[bytes]) -> str:
    """Rebuilds the indexes; or says why it can't.

    Versions before the archive kept the names of ended executions in their rows alone. A row that was archived, and is
    not deleted yet, is forgotten again.
    """
    over: list[RootRow] = []
    try:
        for key in keys:
            kind, value = key[rows.KIND], part.row(key)
            if value is None:
                continue
            if kind == RUN:
                part.index.know_run(part.codec.run(value))
            elif kind == ROOT:
                row = part.codec.root(value)
                if rows.written_after(part.mark_offset, value):  # what comes after the mark comes again
                    if row.arn in state.ended:
                        return f"{row.arn} was over at the mark, and its row is of later"
                    row = msgspec.structs.replace(row, status="RUNNING", closed=-1)
                part.index.know_root(row)
                if row.closed >= 0:
                    over.append(row)
    except (msgspec.DecodeError, zstandard.ZstdError) as error:
        return f"a row can't be read: {error}"
    part.index.order({arn for arn, root in state.roots.items() if root.status != "RUNNING"})
    over.sort(key=lambda row: row.closed)
    for row in over:
        known = state.ended.pop(row.arn, None)
        if known is None and part.archive.holds(row.arn, row.closed):
            forget(part, row.arn)
        else:
            state.ended[row.arn] = Ended(
                request_id=row.request_id,
                started_ms=row.started_ms,
                stopped_ms=row.stopped_ms,
                status=row.status,
                offset=row.closed,
                root=None if known is None else known.root,
            )
    return ""


def _encode_state(part: Partition, interpreter: Interpreter) -> bytes:
    """The fold's state without what stands in rows: definitions of machines."""
    state = part.home.state
    machines, state.machines = state.machines, dict(part.machines.machines)
    try:
        return encode_state(state, interpreter)
    finally:
        state.machines = machines


def _version(fold_version: int = FOLD_VERSION) -> int:
    return ROWS_VERSION * 1_000 + fold_version


def _versions_read() -> list[int]:
    """Marks that are gone on from: of rows as this process writes them, with a fold's state that it reads."""
    return [_version(fold_version) for fold_version in FOLD_VERSIONS_READ]
