"""Rows of the table `state`: their keys, their envelope that lets a recovered table prove itself, and what they hold.

Every key begins with the number of its home partition. Every row but marks and snapshots begins with the offset of
home it was written at, and with the digest that the row had at the mark before. So the sum of all digests as of the
mark can be computed from the rows alone, also when a killed process had written newer rows, but not their mark.
"""

import hashlib
import struct
from collections.abc import Sequence

import msgspec
import zstandard

from schemas.wire import Part as WirePart

ENVELOPE = struct.Struct(">qQ")  # offset of home, digest of the row at the last mark (0 = there was none)
BLOCK, RUN, ROOT, HISTORY, DEFINITION, SNAPSHOT, MARK = b"b", b"r", b"x", b"h", b"d", b"s", b"m"
SUMMED = frozenset((BLOCK, RUN, ROOT, HISTORY, DEFINITION))
KIND = slice(2, 3)
ROW_BYTES_MAX = 256 << 20
"""Uncompressed size that a row may claim; guards against a damaged header."""


class Tolerance(WirePart, frozen=True):
    """ToleratedFailureCount and -Percentage as AWS shows them: 0 when not given."""

    count: int = 0
    percentage: float = 0.0


class RunRow(WirePart, frozen=True):
    """A Map Run as the API shows it. The counts are those of `item_counts` with nothing running."""

    run: str
    arn: str
    label: str
    state: str
    root_arn: str
    execution_arn: str  # the root, or the child that asked for a nested run
    machine_arn: str
    machine_name: str
    role_arn: str
    definition: bytes  # digest of the definition's row
    child_type: str
    max_concurrency: int
    tolerance: Tolerance
    generation: int
    generation_offset: int  # answers before it are those of earlier generations
    redriven_ms: int
    status: str
    started_ms: int
    stopped_ms: int
    index_end: int  # indexes at or past this have no child
    item_counts: dict[str, int]
    execution_counts: dict[str, int]
    results_bucket: str = ""  # where the results of the present generation are; empty until they are written
    manifest_key: str = ""


class RootRow(WirePart, frozen=True):
    """A root execution as the API shows it. `pages` holds the first event id of each of its history pages."""

    arn: str
    name: str
    request_id: str
    created: int  # offset of home at which it was accepted
    machine_arn: str
    machine_name: str
    role_arn: str
    revision_id: str
    definition: bytes  # digest of the definition's row
    trace_header: str
    status: str
    started_ms: int
    stopped_ms: int
    input: bytes
    output: bytes
    error: str | None
    cause: str | None
    runs: tuple[str, ...]  # nested ones left out
    events: int
    pages: tuple[int, ...]
    redrive_count: int
    redriven_ms: int
    remains: bool  # it ended, and left what a redrive goes on from
    closed: int = -1  # offset of home at which it was over with all its runs: from there its name is kept a while
    version_arn: str = ""  # that it runs, if it was started by that or by an alias
    alias_arn: str = ""

    @property
    def listed_under(self) -> tuple[str, ...]:
        """The ARNs that executions are listed by: those of its machine, and of its version and alias if it has them."""
        return tuple(arn for arn in (self.machine_arn, self.version_arn, self.alias_arn) if arn)


class Running(WirePart, frozen=True):
    """Children that a lane told are running: flat (first, count, since ms, …)."""

    run: str
    lane: int
    ranges: tuple[int, ...]


class Mark(WirePart, frozen=True):
    """Written last: the fold's state after the record at `offset`, and the sum of all rows' digests then.

    The state stands in `snapshot`, or, when that is empty, in `chunks` rows of the slot that `parity` names.
    """

    version: int
    offset: int
    sum: int
    snapshot: bytes
    parity: int
    chunks: int
    digest: int
    running: tuple[Running, ...]
    gone: tuple[bytes, ...] = ()  # keys that are in no sum any more: their rows are deleted behind this mark
    cluster: str = ""  # of whose home the offset is


def prefix(partition: int) -> bytes:
    """What all keys of a partition begin with."""
    return partition.to_bytes(2, "big")


def home_of_key(key: bytes) -> int:
    """The partition that a key belongs to."""
    return int.from_bytes(key[: KIND.start], "big")


def _run_bytes(run: str) -> bytes:
    return bytes.fromhex(run.replace("-", ""))


def block_key(partition: int, run: str, number: int) -> bytes:
    """The key of an index block."""
    return prefix(partition) + BLOCK + _run_bytes(run) + number.to_bytes(4, "big")


def run_key(partition: int, run: str) -> bytes:
    """The key of a Map Run."""
    return prefix(partition) + RUN + _run_bytes(run)


def root_key(partition: int, arn: str) -> bytes:
    """The key of a root execution."""
    return prefix(partition) + ROOT + arn.encode()


def history_key(partition: int, arn: str, page: int) -> bytes:
    """The key of a page of a root execution's history."""
    return prefix(partition) + HISTORY + page.to_bytes(4, "big") + arn.encode()


def definition_key(partition: int, digest: bytes) -> bytes:
    """The key of a definition."""
    return prefix(partition) + DEFINITION + digest


def snapshot_key(partition: int, parity: int, chunk: int) -> bytes:
    """The key of a piece of a snapshot; two slots alternate, so that the one the mark names stays whole."""
    return prefix(partition) + SNAPSHOT + bytes((parity,)) + chunk.to_bytes(4, "big")


def mark_key(partition: int) -> bytes:
    """The key of a partition's mark."""
    return prefix(partition) + MARK


def definition_digest(definition: bytes) -> bytes:
    """The name of a definition's row."""
    return hashlib.blake2b(definition, digest_size=16).digest()


def digest(key: bytes, row: bytes) -> int:
    """A row's digest, 64 bits."""
    hashed = hashlib.blake2b(key, digest_size=8)
    hashed.update(row)
    return int.from_bytes(hashed.digest(), "big")


def wrap(offset: int, before: int, payload: bytes) -> bytes:
    """A row in its envelope."""
    return ENVELOPE.pack(offset, before) + payload


def written_after(mark_offset: int, row: bytes) -> bool:
    """True for a row that was written after the mark at `mark_offset`."""
    offset: int = ENVELOPE.unpack_from(row)[0]
    return offset > mark_offset


def digest_at(mark_offset: int, key: bytes, row: bytes | None) -> int:
    """The digest that this key's row had when the mark at `mark_offset` was written; 0 when there was none."""
    if row is None:
        return 0
    offset, before = ENVELOPE.unpack_from(row)
    return digest(key, row) if offset <= mark_offset else int(before)


class Codec:
    """Packs rows; keeps its coders, which cost more to make than to use. Not thread-safe."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
        self._encode = msgspec.msgpack.Encoder().encode
        self._run = msgspec.msgpack.Decoder(RunRow)
        self._root = msgspec.msgpack.Decoder(RootRow)
        self._page = msgspec.msgpack.Decoder(list[msgspec.Raw])
        self._mark = msgspec.msgpack.Decoder(Mark)

    def decompress(self, data: bytes | memoryview) -> bytes:
        """What `compress` packed."""
        return self._decompress(data, max_output_size=ROW_BYTES_MAX)

    def pack(self, value: RunRow | RootRow) -> bytes:
        """A row's payload."""
        return self.compress(self._encode(value))

    def pack_page(self, events: Sequence[bytes]) -> bytes:
        """A history page of events that are msgpack already."""
        return self.compress(self._encode([msgspec.Raw(event) for event in events]))

    def pack_mark(self, mark: Mark) -> bytes:
        """A mark; it has no envelope."""
        return self._encode(mark)

    def run(self, row: bytes) -> RunRow:
        """A Map Run's row."""
        return self._run.decode(self._payload(row))

    def root(self, row: bytes) -> RootRow:
        """A root execution's row."""
        return self._root.decode(self._payload(row))

    def page(self, row: bytes) -> list[bytes]:
        """A history page's events, still msgpack."""
        return [bytes(event) for event in self._page.decode(self._payload(row))]

    def definition(self, row: bytes) -> bytes:
        """A definition's row."""
        return self._payload(row)

    def mark(self, row: bytes) -> Mark:
        """A mark's row. Raises msgspec.DecodeError when it is of another shape."""
        return self._mark.decode(row)

    def _payload(self, row: bytes) -> bytes:
        return self.decompress(memoryview(row)[ENVELOPE.size :])
