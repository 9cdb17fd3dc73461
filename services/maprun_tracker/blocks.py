"""Index blocks: for each child of a run how it ended, and the frame of home that holds its history."""

import struct
from array import array
from collections.abc import Iterator, Sequence

import msgspec

from schemas.home import ABORTED, FAILED, REJECTED, SUCCEEDED, TIMED_OUT
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.rows import ENVELOPE, Codec

REDRIVEN = 8
"""Added to the status of a child that was redriven before it ended so."""
_STATUS = REDRIVEN - 1
_MARKS = 2 * REDRIVEN
_HEADER = struct.Struct(f">{_MARKS}HIB2Q")  # children by mark (0 = none), frames, whether items are stored, offsets
SHOWN = (SUCCEEDED, FAILED, TIMED_OUT, ABORTED)
"""Statuses of children that ran; the others never started and are listed nowhere."""
_FRAMES_MAX = 4 * BLOCK_POSITIONS  # in one block, unused ones too: references have 16 bits
LOST = (FAILED, TIMED_OUT, ABORTED)
"""Statuses of those that a redrive runs again."""


class Wanted(msgspec.Struct, frozen=True):
    """Which answers are looked for: these statuses; redriven or not (None = either); and of which generations.

    Answers in frames from `since` on are of the present generation; `earlier` says which side is meant (None = both).
    """

    statuses: tuple[int, ...] = SHOWN
    redriven: bool | None = None
    since: int = 0
    earlier: bool | None = None

    @property
    def marks(self) -> tuple[int, ...]:
        """The bytes that stand for such an answer in a block."""
        plain = self.statuses if self.redriven is not True else ()
        redriven = self.statuses if self.redriven is not False else ()
        return (*plain, *(status | REDRIVEN for status in redriven))


class Block:
    """Children [n * 8,192, (n + 1) * 8,192) of a run. Counts are derived from the marks, never kept beside them."""

    __slots__ = ("_index", "_items", "_marks", "_offsets", "_refs", "_replaced")

    def __init__(self) -> None:
        self._marks = bytearray(BLOCK_POSITIONS)
        self._refs = array("H", bytes(2 * BLOCK_POSITIONS))
        self._offsets: list[int] = []
        self._index: dict[int, int] = {}
        self._items: array[int] | None = None
        self._replaced = False  # some answer was: frames may stand here that nobody refers to

    def put(self, first: int, marks: bytes, items: Sequence[int], offset: int) -> None:
        """Answers of one frame (the record at `offset`) for the places from `first` on; `items` empty = one each.

        They replace what is there: the fold accepts one answer to a child in each generation, so whatever it accepts
        is true from then on, and folded again the same answers end the same.
        """
        count = len(marks)
        end = first + count
        ref = self._index.get(offset)
        if ref is None:
            if len(self._offsets) >= _FRAMES_MAX:
                self._drop_unused()
            ref = self._index[offset] = len(self._offsets)
            self._offsets.append(offset)
        if items and self._items is None:
            self._items = array("I", [1]) * BLOCK_POSITIONS
        self._replaced = self._replaced or any(self._marks[first:end])
        self._marks[first:end] = marks
        self._refs[first:end] = array("H", (ref,)) * count
        if self._items is not None:
            self._items[first:end] = array("I", items or (1,) * count)

    def status(self, place: int) -> int:
        """The status at a place; 0 = not answered."""
        return self._marks[place] & _STATUS

    def redriven(self, place: int) -> bool:
        """Whether the child had been redriven before it ended so."""
        return bool(self._marks[place] & REDRIVEN)

    def offset(self, place: int) -> int:
        """The offset of the frame that answered."""
        return self._offsets[self._refs[place]]

    def items(self, place: int) -> int:
        """How many items the child at a place holds."""
        return 1 if self._items is None else self._items[place]

    def counts(self) -> list[int]:
        """Children by mark: by status, then those that were redriven by status."""
        count = self._marks.count
        return [count(mark) for mark in range(_MARKS)]

    def newest(self, below: int, wanted: Wanted) -> Iterator[int]:
        """The places under `below` with such answers, the last one first."""
        table = bytes(mark in wanted.marks for mark in range(256))
        found = self._marks.translate(table)
        meant = [wanted.earlier in {None, offset < wanted.since} for offset in self._offsets]
        if not any(meant):
            return
        while (below := found.rfind(1, 0, below)) >= 0:
            if meant[self._refs[below]]:
                yield below

    def open_places(self, first: int, count: int, since: int) -> int:
        """How many of these places have no answer in a frame at or past `since`."""
        end = first + count
        marks = self._marks[first:end]
        if not any(marks):
            return count
        old = [offset < since for offset in self._offsets]
        if not any(old):
            return marks.count(0)
        return sum(not mark or old[ref] for mark, ref in zip(marks, self._refs[first:end], strict=True))

    def encode(self, codec: Codec) -> bytes:
        """The payload of the block's row: a function of the answers in it alone."""
        if self._replaced:
            self._drop_unused()
        body = array("Q", self._offsets).tobytes() + self._marks + self._refs.tobytes()
        if self._items is not None:
            body += self._items.tobytes()
        edges = (min(self._offsets, default=0), max(self._offsets, default=0))
        header = _HEADER.pack(*self.counts(), len(self._offsets), self._items is not None, *edges)
        return header + codec.compress(body)

    def _drop_unused(self) -> None:
        """Keeps the frames that some answer refers to, in the order of home."""
        used = sorted(self._offsets[ref] for ref in {r for r, m in zip(self._refs, self._marks, strict=True) if m})
        index = {offset: ref for ref, offset in enumerate(used)}
        moved = [index.get(offset, 0) for offset in self._offsets]
        self._refs = array("H", [moved[r] if m else 0 for r, m in zip(self._refs, self._marks, strict=True)])
        self._offsets, self._index, self._replaced = used, index, False


def decode_block(row: bytes, codec: Codec) -> Block:
    """A block from its row (with envelope)."""
    header = _HEADER.unpack_from(row, ENVELOPE.size)
    frames, has_items = header[_MARKS], header[_MARKS + 1]
    body = codec.decompress(memoryview(row)[ENVELOPE.size + _HEADER.size :])
    block = Block()
    at = 8 * frames
    offsets = array("Q")
    offsets.frombytes(body[:at])
    block._offsets = offsets.tolist()  # noqa: SLF001 - its own decoder
    block._index = {offset: ref for ref, offset in enumerate(block._offsets)}  # noqa: SLF001
    block._marks[:] = body[at : at + BLOCK_POSITIONS]  # noqa: SLF001
    at += BLOCK_POSITIONS
    block._refs = array("H", body[at : at + 2 * BLOCK_POSITIONS])  # noqa: SLF001
    if has_items:
        block._items = array("I", body[at + 2 * BLOCK_POSITIONS :])  # noqa: SLF001
    return block


def row_may_hold(row: bytes, wanted: Wanted) -> bool:
    """False when the header alone says that no such answer is in the block."""
    header = _HEADER.unpack_from(row, ENVELOPE.size)
    if not any(header[mark] for mark in wanted.marks):
        return False
    oldest, newest = header[-2:]
    return wanted.earlier is None or (oldest < wanted.since if wanted.earlier else newest >= wanted.since)


def marked(statuses: bytes, redriven: frozenset[int], first: int) -> bytes:
    """The marks of slots from `first` on with these statuses, of which the `redriven` ones were redriven."""
    if not redriven:
        return statuses
    return bytes(s | REDRIVEN if first + i in redriven else s for i, s in enumerate(statuses))


assert REJECTED < REDRIVEN
