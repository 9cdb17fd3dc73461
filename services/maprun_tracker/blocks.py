"""Index blocks: for each child of a run its status and the frame of home that holds its history."""

import struct
from array import array
from collections.abc import Sequence

from schemas.home import ABORTED, FAILED, REJECTED, SUCCEEDED, TIMED_OUT
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.rows import ENVELOPE, Codec

_HEADER = struct.Struct(">7HIB")  # children by status (0 = none), frames, whether items are stored
_STATUSES = REJECTED + 1
SHOWN = (SUCCEEDED, FAILED, TIMED_OUT, ABORTED)
"""Statuses of children that ran; the others never started and are listed nowhere."""
_MASKS = {status: bytes(1 if s == status else 0 for s in range(256)) for status in SHOWN}
_MASKS[0] = bytes(1 if s in SHOWN else 0 for s in range(256))


class Block:
    """Positions [n * 8,192, (n + 1) * 8,192) of a run. Counts are derived from the statuses, never kept beside them."""

    __slots__ = ("_index", "_items", "_offsets", "_refs", "_statuses")

    def __init__(self) -> None:
        self._statuses = bytearray(BLOCK_POSITIONS)
        self._refs = array("H", bytes(2 * BLOCK_POSITIONS))
        self._offsets: list[int] = []
        self._index: dict[int, int] = {}
        self._items: array[int] | None = None

    def put(self, first: int, statuses: bytes, items: Sequence[int], offset: int) -> None:
        """Answers of one frame (the record at `offset`) for the places from `first` on; `items` empty = one each.

        An answer that is there is replaced only by an earlier one: a repeat changes nothing.
        """
        count = len(statuses)
        end = first + count
        ref = self._index.get(offset)
        if ref is None:
            ref = self._index[offset] = len(self._offsets)
            self._offsets.append(offset)
        if items and self._items is None:
            self._items = array("I", [1]) * BLOCK_POSITIONS
        if not any(self._statuses[first:end]):
            self._statuses[first:end] = statuses
            self._refs[first:end] = array("H", (ref,)) * count
            if self._items is not None:
                self._items[first:end] = array("I", items or (1,) * count)
            return
        for i in range(count):
            place = first + i
            if not self._statuses[place] or offset < self._offsets[self._refs[place]]:
                self._statuses[place], self._refs[place] = statuses[i], ref
                if self._items is not None:
                    self._items[place] = items[i] if items else 1

    def status(self, place: int) -> int:
        """The status at a place; 0 = not answered."""
        return self._statuses[place]

    def offset(self, place: int) -> int:
        """The offset of the frame that answered."""
        return self._offsets[self._refs[place]]

    def items(self, place: int) -> int:
        """How many items the child at a place holds."""
        return 1 if self._items is None else self._items[place]

    def counts(self) -> list[int]:
        """Children by status."""
        count = self._statuses.count
        return [count(status) for status in range(_STATUSES)]

    def newest(self, below: int, status: int) -> int:
        """The last place under `below` whose child ended with `status` (0: with any that ran); -1 = none."""
        return self._statuses.translate(_MASKS[status]).rfind(1, 0, below)

    def encode(self, codec: Codec) -> bytes:
        """The payload of the block's row."""
        body = array("Q", self._offsets).tobytes() + self._statuses + self._refs.tobytes()
        if self._items is not None:
            body += self._items.tobytes()
        header = _HEADER.pack(*self.counts(), len(self._offsets), self._items is not None)
        return header + codec.compress(body)


def decode_block(row: bytes, codec: Codec) -> Block:
    """A block from its row (with envelope)."""
    header = _HEADER.unpack_from(row, ENVELOPE.size)
    frames, has_items = header[_STATUSES], header[_STATUSES + 1]
    body = codec.decompress(memoryview(row)[ENVELOPE.size + _HEADER.size :])
    block = Block()
    at = 8 * frames
    offsets = array("Q")
    offsets.frombytes(body[:at])
    block._offsets = offsets.tolist()  # noqa: SLF001 - its own decoder
    block._index = {offset: ref for ref, offset in enumerate(block._offsets)}  # noqa: SLF001
    block._statuses[:] = body[at : at + BLOCK_POSITIONS]  # noqa: SLF001
    at += BLOCK_POSITIONS
    block._refs = array("H", body[at : at + 2 * BLOCK_POSITIONS])  # noqa: SLF001
    if has_items:
        block._items = array("I", body[at + 2 * BLOCK_POSITIONS :])  # noqa: SLF001
    return block


def counts_of_row(row: bytes) -> Sequence[int]:
    """Children by status, from the header alone."""
    return _HEADER.unpack_from(row, ENVELOPE.size)[:_STATUSES]
