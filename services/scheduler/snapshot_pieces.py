"""The pieces that a snapshot is kept in, and when the next snapshot is worth its cost."""

import hashlib
from collections.abc import Container

import msgspec
import zstandard

from schemas.snapshots import SnapshotChunk
from services.scheduler.limits import SchedulerLimits

SNAPSHOT_BYTES_MAX = 4 << 30
"""Uncompressed size a snapshot may claim; guards against a damaged header."""


def snapshot_key(home: int, offset: int, version: int, chunk: int) -> bytes:
    """The key of one piece of a snapshot."""
    return f"{home}|{offset}|{version}|{chunk}".encode()


def cut_snapshot(
    home: int, offset: int, version: int, state: bytes, bytes_max: int, cluster: str = ""
) -> list[SnapshotChunk]:
    """A state's bytes as records that fit `bytes_max` each."""
    packed = zstandard.ZstdCompressor(level=1).compress(state)
    digest = hashlib.blake2b(packed, digest_size=16).digest()
    bodies = [packed[i : i + bytes_max] for i in range(0, len(packed), bytes_max)]
    return [
        SnapshotChunk(home, offset, version, i, len(bodies), digest, body, cluster) for i, body in enumerate(bodies)
    ]


class FoundSnapshot(msgspec.Struct, frozen=True):
    """A complete snapshot: the state as of the record at `offset`, as a fold of `version` left it."""

    offset: int
    version: int
    chunks: int
    state: bytes


class SnapshotSearch:
    """Finds the newest complete snapshot among pieces that come in any order, newest first when it is to be quick."""

    def __init__(self, home: int, versions: Container[int], cluster: str = "") -> None:
        """`versions` are those of the fold whose snapshots count."""
        self._home = home
        self._versions = versions
        self._cluster = cluster
        self._pieces: dict[tuple[int, int, bytes], dict[int, SnapshotChunk]] = {}

    def add(self, piece: SnapshotChunk) -> None:
        """One piece more; those of fold versions that aren't read, and of other logs, don't count."""
        if (piece.home, piece.cluster) == (self._home, self._cluster) and piece.version in self._versions:
            self._pieces.setdefault((piece.offset, piece.version, piece.digest), {})[piece.chunk] = piece

    def newest(self) -> FoundSnapshot | None:
        """The newest snapshot that is whole; what was damaged is passed over."""
        for (offset, version, digest), pieces in sorted(self._pieces.items(), reverse=True):
            count = next(iter(pieces.values())).chunks
            if len(pieces) < count:
                continue
            packed = b"".join(pieces[i].body for i in range(count))
            if hashlib.blake2b(packed, digest_size=16).digest() == digest:
                state = zstandard.ZstdDecompressor().decompress(packed, max_output_size=SNAPSHOT_BYTES_MAX)
                return FoundSnapshot(offset, version, count, state)
        return None

    def drop(self, found: FoundSnapshot) -> None:
        """A snapshot that turned out to be unreadable is not found again."""
        for key in [key for key in self._pieces if key[:2] == (found.offset, found.version)]:
            del self._pieces[key]


def lost_before(home: int, folded: int, start: int) -> str:
    """What would be forgotten if a home were folded from what there is; "" = nothing, all of it is known.

    `folded` is the offset of the snapshot (-1 = there is none), `start` the first offset that home still holds.
    """
    if folded + 1 >= start:
        return ""
    known = f"the newest snapshot is of {folded}" if folded >= 0 else "there is no snapshot that this version reads"
    return (
        f"home {home} begins at offset {start}, and {known}: the executions, Map Runs and state machines before it"
        " would be lost. Start the version of maprun that ran last until it has written a snapshot, or restore the"
        " topic home-snapshots"
    )


class SnapshotPace:
    """When the next snapshot is worth its cost: by what was folded since the last one, or when nobody waits."""

    def __init__(self, limits: SchedulerLimits, at: float) -> None:
        self._limits = limits
        self._written_at = at
        self._size = 0
        self.records = 0
        self.bytes = 0

    def folded(self, records: int, size: int) -> None:
        """So many records of so many bytes were folded."""
        self.records += records
        self.bytes += size

    def due(self, at: float, quiet_seconds: float) -> bool:
        """True if a snapshot should be written now (`at`: monotonic), after `quiet_seconds` without a record."""
        limits = self._limits
        if not self.records:
            return False
        if self.bytes >= self._size * limits.snapshot_size_factor and (
            self.bytes >= limits.snapshot_log_bytes or self.records >= limits.snapshot_log_records
        ):
            return True
        if quiet_seconds < limits.snapshot_quiet_seconds:
            return False
        enough = self.bytes >= self._size * limits.snapshot_quiet_log_share
        return enough or at - self._written_at >= limits.snapshot_quiet_seconds_max

    def written(self, at: float, size: int) -> None:
        """A snapshot of `size` bytes was begun."""
        self._written_at, self._size = at, size
        self.records = self.bytes = 0
