"""The archive of one home: pages of rows on a topic, and the store that holds what stands on it."""

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from maprun.archive.store import Row, Store
from maprun.bus.port import Port, Record
from schemas.archives import ArchivePage
from schemas.wire import Decoder

PAGES_PER_READ = 16
KEYS_PER_EXPIRY = 2_000
"""Deleted at once, about: deleting must keep up with archiving and hold nobody up."""
_ENDED = struct.Struct(">Q")  # before each row in the store: when what it tells of had ended, in ms
_PIECES = struct.Struct(">I")
_DIGEST_BYTES = 16  # of a row that is cut
_AGE = struct.Struct(">QQ")
_POSITION = struct.Struct(">Q")
_AGES, _PIECE, _MARK = b"a", b"p", b"@"
_KIND = slice(2, 3)
_WHOLE, _CUT = b"\0", b"\1"
_decode_keys = msgspec.msgpack.Decoder(list[bytes]).decode

Unreadable = Callable[[str, int, int], None]
"""Told of a record that can't be read: topic, partition, offset."""


def home_prefix(home: int) -> bytes:
    """What the keys of a home begin with; the kind of row follows, one letter but `a`, `p` and `@`."""
    return home.to_bytes(2, "big")


class Archive:
    """Rows of one home that were archived. What is read from it is in the store; what is in the store is on the topic.

    The store is a function of the topic's pages up to a position that is kept beside its rows, so it may be lost, or be
    as old as it likes: what it lacks is read. It may also hold more than whoever reads it has folded yet; that is for
    the reader to see in the rows.
    """

    def __init__(
        self,
        port: Port,
        topic: str,
        home: int,
        store: Store,
        kind: type[ArchivePage],
        bytes_max: int,
        unreadable: Unreadable = lambda _topic, _partition, _offset: None,
    ) -> None:
        """`bytes_max` is that of a record's value with all that is in it."""
        self._port = port
        self._topic = topic
        self._home = home
        self._store = store
        self._kind = kind
        self._decoder = Decoder(kind)
        self._bytes_max = bytes_max
        self._unreadable = unreadable
        self._position = 0

    async def catch_up(self) -> None:
        """Fills the store up to the end of the topic. What was asked of the topic before is in the store afterwards."""
        head, cluster = home_prefix(self._home), self._port.cluster.encode()
        mark = self._store.get(head + _MARK)
        if mark is not None and mark[_POSITION.size :] != cluster:
            self._store.clear(head, _behind(head))  # of a home that was made anew
            mark = None
        start = await self._port.start_offset(self._topic, self._home)
        end = await self._port.end_offset(self._topic, self._home)
        known: int = 0 if mark is None else _POSITION.unpack_from(mark)[0]
        self._position = max(start, min(known, end))
        await self._read_to(end)

    async def _read_to(self, end: int) -> None:
        while self._position < end:
            until = min(end, self._position + PAGES_PER_READ)
            for record in await self._port.read(self._topic, self._home, self._position, until):
                self.take(record)
            self._position = until

    def take(self, record: Record) -> None:
        """Puts a page of the topic into the store."""
        try:
            page = self._decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            self._unreadable(self._topic, self._home, record.offset)
            return
        if (page.home, page.cluster) == (self._home, self._port.cluster):
            self._apply(page, record.offset)

    def _apply(self, page: ArchivePage, offset: int) -> None:
        ended = _ENDED.pack(page.ended_ms)
        head = home_prefix(self._home)
        rows = [(key, ended + row) for key, row in zip(page.keys, page.rows, strict=True)]
        rows.append((head + _AGES + _AGE.pack(page.ended_ms, offset), msgspec.msgpack.encode(page.keys)))
        rows.append((head + _MARK, _POSITION.pack(offset + 1) + page.cluster.encode()))
        self._store.write(rows)

    # ------------------------------------------------------------------ writing

    def pages(self, rows: Iterable[tuple[bytes, bytes, int]]) -> list[ArchivePage]:
        """Pages for rows (key, row, when what it tells of ended), each small enough for a record."""
        pages: list[ArchivePage] = []
        keys: list[bytes] = []
        bodies: list[bytes] = []
        size, newest = 0, 0

        def close() -> None:
            nonlocal keys, bodies, size, newest
            if keys:
                pages.append(self._kind(self._home, newest, tuple(keys), tuple(bodies), self._port.cluster))
            keys, bodies, size, newest = [], [], 0, 0

        for key, row, ended_ms in rows:
            for part_key, part in self._pieces(key, row):
                cost = len(part_key) + len(part) + 16
                if size + cost > self._bytes_max - 256:
                    close()
                keys.append(part_key)
                bodies.append(part)
                size, newest = size + cost, max(newest, ended_ms)
        close()
        return pages

    def _pieces(self, key: bytes, row: bytes) -> list[Row]:
        """A row as it is stored: one that fits no page is cut, and stands behind its pieces.

        Their keys name what they are pieces of: another owner may archive the same in other bytes, and fall meanwhile.
        """
        most = self._bytes_max // 2
        if len(row) < most:
            return [(key, _WHOLE + row)]
        digest = hashlib.sha256(row).digest()[:_DIGEST_BYTES]
        cut = [row[first : first + most] for first in range(0, len(row), most)]
        pieces = [(_piece_key(key, digest, number), piece) for number, piece in enumerate(cut)]
        return [*pieces, (key, _CUT + _PIECES.pack(len(cut)) + digest)]

    async def written(self, pages: Sequence[ArchivePage], offsets: Sequence[int]) -> None:
        """Pages are on the topic at these offsets: they go into the store, with what others wrote before them."""
        for page, offset in zip(pages, offsets, strict=True):
            await self._read_to(offset)
            if offset == self._position:
                self._apply(page, offset)
                self._position = offset + 1

    # ------------------------------------------------------------------ reading

    def get(self, key: bytes) -> bytes | None:
        """The row under a key."""
        row = self._store.get(key)
        return None if row is None else self._whole(key, row)

    def ended_ms(self, key: bytes) -> int:
        """Until when the row under a key is kept at least: when what it tells of had ended. -1 = there is none."""
        row = self._store.get(key)
        ended: int = -1 if row is None else _ENDED.unpack_from(row)[0]
        return ended

    def first(self, prefix: bytes, at: bytes) -> Row | None:
        """The row with the lowest key that begins with `prefix` and is not below `at`."""
        found = self._store.first(prefix, at)
        return None if found is None else next(self._wholes([found]), None)

    def scan_back(self, first: bytes, end: bytes) -> Iterable[Row]:
        """The rows with keys in [first, end), descending."""
        return self._wholes(self._store.scan_back(first, end))

    def scan(self, first: bytes, end: bytes) -> Iterable[Row]:
        """The rows with keys in [first, end), ascending."""
        return self._wholes(self._store.scan(first, end))

    def _wholes(self, rows: Iterable[Row]) -> Iterator[Row]:
        for key, row in rows:
            whole = self._whole(key, row)
            if whole is not None:
                yield key, whole

    def _whole(self, key: bytes, row: bytes) -> bytes | None:
        """A row put together; None if it is so old that pieces of it were deleted."""
        body = row[_ENDED.size + 1 :]
        if row[_ENDED.size : _ENDED.size + 1] == _WHOLE:
            return body
        digest = body[_PIECES.size :]  # versions that wrote none told pieces apart by number alone
        keys = [_piece_key(key, digest, number) for number in range(_PIECES.unpack_from(body)[0])]
        pieces = [piece for piece in map(self._store.get, keys) if piece is not None]
        return b"".join(piece[_ENDED.size :] for piece in pieces) if len(pieces) == len(keys) else None

    # ------------------------------------------------------------------ age

    def expire(self, before_ms: int) -> int:
        """Deletes some of the rows of what ended before a time, if there are any; says how many went."""
        head = home_prefix(self._home) + _AGES
        gone: list[bytes] = []
        for age, keys in self._store.scan(head, head + _ENDED.pack(max(0, before_ms))):
            if len(gone) >= KEYS_PER_EXPIRY:
                break
            gone.append(age)
            for key in _decode_keys(keys):
                row = self._store.get(key)  # archived again later, it is kept for its later page
                if row is not None and _ENDED.unpack_from(row)[0] < before_ms:
                    gone.append(key)
        if gone:
            self._store.write((), gone)
        return len(gone)


def _piece_key(key: bytes, digest: bytes, number: int) -> bytes:
    return key[: _KIND.start] + _PIECE + key[_KIND.start :] + digest + _PIECES.pack(number)


def _behind(prefix: bytes) -> bytes:
    """The first key behind all that begin with a prefix."""
    return (int.from_bytes(prefix, "big") + 1).to_bytes(len(prefix), "big")
