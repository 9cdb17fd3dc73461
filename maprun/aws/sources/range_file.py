"""An S3 object as the file that a library asks for ranges, with columns that lie side by side fetched ahead."""

import bisect
import io
from collections.abc import Sequence
from functools import partial

from maprun.aws.sources.byte_stream import Ahead
from maprun.aws.sources.object_reads import ObjectReads


class Column:
    """A part of an object that is read from its front to its end, in pieces, the next of which is under way."""

    def __init__(self, reads: ObjectReads, stop: int, piece_bytes: int) -> None:
        self._reads = reads
        self._stop = stop
        self._piece_bytes = piece_bytes
        self._at = 0  # of the first byte in the buffer
        self._buffer = b""
        self._ahead: Ahead[bytes] | None = None

    def read(self, first: int, end: int) -> bytes:
        """The bytes from `first` to before `end`; nearly always where the last ones ended. Raises SourceError."""
        if not self._at <= first <= self._at + len(self._buffer):
            self._at, self._buffer, self._ahead = first, b"", None
        while self._at + len(self._buffer) < end:
            start = self._at + len(self._buffer)
            ahead, self._ahead = self._ahead, None
            piece = ahead.result() if ahead is not None else self._piece(start, end)
            self._buffer = self._buffer[first - self._at :] + piece
            self._at = first
            following = start + len(piece)
            if following < self._stop:
                self._ahead = Ahead(partial(self._piece, following, following))
        return self._buffer[first - self._at : end - self._at]

    def _piece(self, start: int, end: int) -> bytes:
        """A piece, or up to `end` where that lies behind the column's own end."""
        return self._reads.read(start, max(end, min(start + self._piece_bytes, self._stop)))


class RangeFile(io.RawIOBase):
    """The file. What is held in memory isn't asked for again; columns are read ahead, each from its own place."""

    def __init__(self, reads: ObjectReads) -> None:
        self._reads = reads
        self._at = 0
        self._held: dict[int, bytes] = {}  # by the offset of their first byte
        self._stops: list[int] = []  # where columns end, ascending
        self._columns: list[Column] = []

    def hold(self, held: dict[int, bytes], stops: Sequence[int] = (), piece_bytes: int = 1) -> None:
        """From now on these ranges are in memory and no others, and columns end at `stops`."""
        self._held = held
        self._stops = sorted(stops)
        self._columns = [Column(self._reads, stop, piece_bytes) for stop in self._stops]

    def seekable(self) -> bool:
        """True: that is its purpose."""
        return True

    def readable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to an offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._reads.pin.size_bytes}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """The offset that is read next."""
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes. Raises SourceError, which pyarrow lets through."""
        end = self._reads.pin.size_bytes if size < 0 else min(self._at + size, self._reads.pin.size_bytes)
        first, self._at = self._at, max(self._at, end)
        if first >= end:
            return b""
        for begin, data in self._held.items():
            if begin <= first and end <= begin + len(data):
                return data[first - begin : end - begin]
        column = bisect.bisect_right(self._stops, first)
        return self._columns[column].read(first, end) if column < len(self._stops) else self._reads.read(first, end)
