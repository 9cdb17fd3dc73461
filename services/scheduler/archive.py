"""The archive of a home's ended executions: what the fold asks of it, and what goes into it before it is forgotten."""

import hashlib
from itertools import islice

import msgspec
import zstandard

from maprun.archive.log import Archive, home_prefix
from maprun.archive.store import Store
from maprun.bus.port import Outgoing, Port
from maprun.mapruns.fold.state import Ended, HomeState, decode_ended, encode_ended
from schemas import topics
from schemas.archives import ArchivePage, ExecutionsArchived
from schemas.wire import encode
from services.scheduler.deps import Deps

TOPIC = topics.SCHEDULER_ARCHIVE.name
ENDED = b"e"
ENDED_BYTES_MAX = 1 << 30
"""Uncompressed size that an execution may claim; guards against a damaged header."""
_OFFSETS = 1 << 64
_PLAIN, _COMPRESSED = b"\0", b"\1"


def key_of(home: int, arn: str, offset: int) -> bytes:
    """The key of an execution that ended at an offset: of one name the newest end comes first."""
    name = hashlib.blake2b(arn.encode(), digest_size=16).digest()
    return home_prefix(home) + ENDED + name + (_OFFSETS - 1 - offset).to_bytes(8, "big")


class Archiving(msgspec.Struct, frozen=True):
    """Ended executions on their way into the archive, and the pages that hold them."""

    ended: dict[str, Ended]
    pages: list[ArchivePage]

    def records(self, home: int) -> list[Outgoing]:
        """What is to be published."""
        return [Outgoing(TOPIC, home, encode(page)) for page in self.pages]


class EndedExecutions:
    """The archive of one home. Implements maprun.mapruns.fold.state.Archive."""

    def __init__(self, port: Port, home: int, deps: Deps, store: Store) -> None:
        self._home = home
        self._interpreter = deps.interpreter
        self._at_once_max = deps.limits.archive_executions_max
        bytes_max = deps.limits.archive_page_bytes_max
        unreadable = deps.metrics.unreadable
        self._archive = Archive(port, TOPIC, home, store, ExecutionsArchived, bytes_max, unreadable)
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
        self._until = 0  # ends at records below this offset may have been archived by whoever had this home before

    async def load(self, end: int) -> None:
        """Fetches what it lacks. A snapshot that is gone on from was read before: what it forgot is here afterwards.

        `end` is where home ended, or later.
        """
        await self._archive.catch_up()
        self._until = end

    def ended(self, arn: str, before: int) -> Ended | None:
        """The newest end of a root execution at a record before this offset."""
        if before <= 0:
            return None
        at = key_of(self._home, arn, before - 1)
        found = self._archive.first(at[:-8], at)
        if found is None:
            return None
        return decode_ended(self._unpacked(found[1]), self._interpreter)

    def archiving(self, state: HomeState) -> Archiving:
        """Some of what has ended, longest ago first. What was archived by whoever had this home before is left out."""
        chosen = dict(islice(state.ended.items(), self._at_once_max))
        rows = []
        for arn, ended in chosen.items():
            key = key_of(self._home, arn, ended.offset)
            if ended.offset >= self._until or self._archive.get(key) is None:
                rows.append((key, self._packed(ended), ended.stopped_ms))
        return Archiving(chosen, self._archive.pages(rows))

    def _packed(self, ended: Ended) -> bytes:
        """What can be redriven is worth compressing; a name and its times are not."""
        data = encode_ended(ended, self._interpreter)
        return _PLAIN + data if ended.root is None else _COMPRESSED + self._compress(data)

    def _unpacked(self, row: bytes) -> bytes:
        if row.startswith(_PLAIN):
            return row[1:]
        return self._decompress(row[1:], max_output_size=ENDED_BYTES_MAX)

    async def archived(self, state: HomeState, archiving: Archiving, offsets: list[int]) -> None:
        """They stand on the topic at these offsets: now they may be forgotten."""
        await self._archive.written(archiving.pages, offsets)
        for arn, ended in archiving.ended.items():
            if state.ended.get(arn) is ended:
                del state.ended[arn]

    def expire(self, before_ms: int) -> None:
        """Deletes some of what ended before a time."""
        self._archive.expire(before_ms)
