"""The archive of what the tracker shows of ended executions: their rows, and the names and places they are found by."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from heapq import merge

import msgspec
import zstandard

from maprun.archive.log import Archive, home_prefix
from maprun.archive.store import Store
from maprun.bus.port import Outgoing, Port
from maprun.mapruns.fold.state import Ended, Interpreter, decode_ended, encode_ended
from maprun.mapruns.limits import DAY_MS
from schemas import topics
from schemas.archives import ArchivePage, RowsArchived
from schemas.arns import run_tail
from schemas.wire import Part, encode
from services.maprun_tracker.rows import KIND, ROW_BYTES_MAX, RootRow, RunRow, prefix

TOPIC = topics.TRACKER_ARCHIVE.name
ROWS_INSIDE_BYTES_MAX = 32_768
"""So much of an execution's rows stands together; what is over has a place of its own."""
_EXECUTION, _ROW, _LISTED, _TAIL, _CHILD, _DEFINITION = b"e", b"r", b"l", b"t", b"c", b"d"
_OFFSETS = 1 << 64
_COMPRESSED = b"\xc1"
"""Before what can be redriven; never the first byte of msgpack."""
_STATUSES = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")

TableRow = tuple[bytes, bytes]
"""The key of a row of the table, and the row."""


class ArchivedExecution(Part, frozen=True):
    """A root execution that was over, with all its Map Runs, at the record at `offset`.

    `rows` are those of its rows, in the table's words, that stand here.
    """

    arn: str
    offset: int
    stopped_ms: int
    ended: bytes  # as the fold has to know it
    runs: tuple[str, ...]  # nested ones too
    rows: dict[bytes, bytes]


class Listed(Part, frozen=True):
    """An ended execution in a list: of its machine's, its version's or its alias's."""

    arn: str
    started_ms: int
    stopped_ms: int
    status: str
    redriven: bool


class Execution(msgspec.Struct, frozen=True):
    """What is archived of an execution: how it ended, its rows, and the digests of definitions that they name."""

    ended: Ended
    root: RootRow
    runs: list[RunRow]
    rows: list[TableRow]
    definitions: set[bytes]


class EndedExecutions:
    """The archive of one home's ended executions. Implements maprun.mapruns.fold.state.Archive."""

    def __init__(self, port: Port, home: int, store: Store, interpreter: Interpreter, bytes_max: int) -> None:
        self.log = Archive(port, TOPIC, home, store, RowsArchived, bytes_max)
        self._head = home_prefix(home)
        self._home = home
        self._interpreter = interpreter
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
        self._decode = msgspec.msgpack.Decoder(ArchivedExecution).decode
        self._decode_listed = msgspec.msgpack.Decoder(Listed).decode

    # ------------------------------------------------------------------ what is asked

    def ended(self, arn: str, before: int) -> Ended | None:
        """The newest end of a root execution at a record before this offset."""
        found = self.newest(arn, before)
        if found is None:
            return None
        ended = found.ended
        if ended.startswith(_COMPRESSED):
            ended = self._decompress(ended[1:], max_output_size=ROW_BYTES_MAX)
        return decode_ended(ended, self._interpreter)

    def newest(self, arn: str, before: int) -> ArchivedExecution | None:
        """The execution as it was when it ended last before this offset."""
        if before <= 0:
            return None
        at = self._execution_key(arn, before - 1)
        found = self.log.first(at[:-8], at)
        return None if found is None else self._decode(found[1])

    def holds(self, arn: str, offset: int) -> bool:
        """Whether this end of an execution was archived."""
        return self.log.get(self._execution_key(arn, offset)) is not None

    def row(self, execution: ArchivedExecution, key: bytes) -> bytes | None:
        """One of its rows, by the key that it had in the table."""
        inside = execution.rows.get(key)
        return self.log.get(self._row_key(key, execution.offset)) if inside is None else inside

    def definition(self, digest: bytes) -> bytes | None:
        """A definition that some archived execution names, packed."""
        return self.log.get(self._head + _DEFINITION + digest)

    def run_of_tail(self, tail: str) -> tuple[str, str]:
        """The Map Run whose children have this in their names, and its root execution; empty when there is none."""
        found = self.log.get(self._named(_TAIL, tail))
        if found is None:
            return "", ""
        run, arn = msgspec.msgpack.decode(found, type=tuple[str, str])
        return run, arn

    def runs_of_child(self, arn: str) -> Iterator[tuple[str, str]]:
        """The nested Map Runs of a child execution, in the order they started, and its root execution."""
        head = self._named(_CHILD, arn)
        for key, root_arn in self.log.scan(head, head + b"\xff" * 9):
            yield key[len(head) + 8 :].decode(), root_arn.decode()

    def listed(self, machine_arn: str, below: tuple[int, str] | None, status: str) -> Iterator[Listed]:
        """Executions of a machine, version or alias with this status ("" = any), newest first, from below a place."""
        if not status:
            each = [self.listed(machine_arn, below, one) for one in _STATUSES]
            yield from merge(*each, key=lambda one: (one.started_ms, one.arn), reverse=True)
            return
        head = self._named(_LISTED, f"{machine_arn}\n{status}")
        end = head + b"\xff" * 9 if below is None else head + _place(*below)
        for _, row in self.log.scan_back(head, end):
            yield self._decode_listed(row)

    # ------------------------------------------------------------------ what goes in

    def pages(
        self, executions: Iterable[Execution], definition: Callable[[bytes], bytes], keep_ms: int
    ) -> list[ArchivePage]:
        """The pages of these executions. A definition is written again as long as executions have it, but seldom."""
        definitions: dict[bytes, tuple[bytes, int]] = {}
        rows: list[tuple[bytes, bytes, int]] = []
        for execution in executions:
            stopped_ms = execution.root.stopped_ms
            until_ms = stopped_ms + min(DAY_MS, keep_ms)
            for digest in execution.definitions:
                key = self._head + _DEFINITION + digest
                if key in definitions:
                    definitions[key] = definitions[key][0], max(definitions[key][1], until_ms)
                elif self.log.ended_ms(key) < stopped_ms:
                    definitions[key] = self._compress(definition(digest)), until_ms
            rows += ((key, row, stopped_ms) for key, row in self._rows(execution))
        seldom = [(key, packed, until_ms) for key, (packed, until_ms) in definitions.items()]
        return [*self.log.pages(seldom), *self.log.pages(rows)]

    def records(self, pages: Iterable[ArchivePage]) -> list[Outgoing]:
        """What is to be published."""
        return [Outgoing(TOPIC, self._home, encode(page)) for page in pages]

    def _rows(self, execution: Execution) -> Iterator[TableRow]:
        """Its own row comes last: who finds it finds all others."""
        root, offset = execution.root, execution.ended.offset
        inside: dict[bytes, bytes] = {}
        room = ROWS_INSIDE_BYTES_MAX
        for key, row in execution.rows:
            room -= len(row)
            if room >= 0:
                inside[key] = row
            else:
                yield self._row_key(key, offset), row
        for run in execution.runs:
            yield self._named(_TAIL, run_tail(run.run)), msgspec.msgpack.encode((run.run, root.arn))
            if run.execution_arn != root.arn:
                yield self._named(_CHILD, run.execution_arn) + _place(run.started_ms, run.run), root.arn.encode()
        listed = encode(Listed(root.arn, root.started_ms, root.stopped_ms, root.status, root.redrive_count > 0))
        for machine_arn in root.listed_under:
            yield self._named(_LISTED, f"{machine_arn}\n{root.status}") + _place(root.started_ms, root.arn), listed
        ended = encode_ended(execution.ended, self._interpreter)
        if execution.ended.root is not None:
            ended = _COMPRESSED + self._compress(ended)
        runs = tuple(run.run for run in execution.runs)
        archived = ArchivedExecution(root.arn, offset, root.stopped_ms, ended, runs, inside)
        yield self._execution_key(root.arn, offset), encode(archived)

    # ------------------------------------------------------------------ keys

    def _execution_key(self, arn: str, offset: int) -> bytes:
        return self._named(_EXECUTION, arn) + _newest_first(offset)

    def _row_key(self, key: bytes, offset: int) -> bytes:
        assert key.startswith(prefix(self._home))
        return self._head + _ROW + _digest(key[KIND.start :]) + _newest_first(offset)

    def _named(self, kind: bytes, name: str) -> bytes:
        return self._head + kind + _digest(name.encode())


def _digest(name: bytes) -> bytes:
    return hashlib.blake2b(name, digest_size=16).digest()


def _newest_first(offset: int) -> bytes:
    return (_OFFSETS - 1 - offset).to_bytes(8, "big")


def _place(started_ms: int, name: str) -> bytes:
    return started_ms.to_bytes(8, "big") + name.encode()
