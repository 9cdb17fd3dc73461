"""Items from lines: the part that CSV and JSONL share, which cuts texts from the stream and counts."""

from typing import Protocol

from maprun.aws.errors import SourceError, SourceRecordTooLargeError
from maprun.aws.sources.byte_stream import ByteStream
from maprun.aws.sources.contract import RECORD_BYTES_MAX, BadRecordError, Budget, Checkpoint, Chunk, Pin, Rows, dump

TEXT_BYTES_MIN = 4096
EXPANSION_FIRST = 4.0  # bytes of JSON a byte of source, until the first rows tell
ROW_BYTES_FIRST = 64.0  # likewise


class RowParser(Protocol):
    """Turns a text of whole lines into items."""

    def parse(self, text: bytes, count: int, *, last: bool) -> Rows:
        """At most `count` items; an incomplete record at the end is left, unless the text is the `last`."""
        ...


class LineSource:
    """A Source over a ByteStream and a RowParser. `where` is the object's address, for errors."""

    pinned = True

    def __init__(self, stream: ByteStream, parser: RowParser, pin: Pin, budget: Budget, where: str = "") -> None:
        self._stream = stream
        self._where = where
        self._parser = parser
        self._budget = budget
        self._expansion = EXPANSION_FIRST
        self._row_bytes = ROW_BYTES_FIRST
        self._at_end = False
        self.pin = dump(pin)

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items (see Source)."""
        count = self._budget.allowed(count)
        items: list[bytes] = []
        begin = self._stream.offset
        room = bytes_max
        while count > len(items) and (room > 0 or not items) and not self._ended():
            try:
                found = self._some(count - len(items), room)
            except SourceError as error:
                raise self._located(error, len(items)) from error
            items += found
            room -= sum(map(len, found))
            if 4 * room < bytes_max:
                break
        self._budget.given += len(items)
        place = Checkpoint(self._stream.offset, self._budget.given)
        ended = self._budget.spent or self._ended()
        share = self._budget.share(self._stream.share)
        return Chunk(items, None, dump(place), ended, self._stream.offset - begin, share=share)

    def close(self) -> None:
        """Forgets the buffer."""
        self._stream.close()
        self._at_end = True

    def _ended(self) -> bool:
        stream = self._stream
        if stream.start < len(stream.buffer):
            return False
        if not self._at_end:
            self._at_end = not stream.fill()
        return self._at_end

    def _located(self, error: SourceError, read: int) -> SourceError:
        """The error with the record it is about: `read` records of this call came before the text it arose in."""
        record, byte = self._budget.given + read + 1, self._stream.offset
        if isinstance(error, BadRecordError):
            record, byte = record + error.records, byte + error.byte
            error = SourceError(error.cause)
        return error.located(self._where, f", record {record}, byte {byte}")

    def _some(self, count: int, bytes_max: int) -> list[bytes]:
        """Items of one text of whole lines; none when the lines were blank."""
        wanted = max(TEXT_BYTES_MIN, int(min(bytes_max / self._expansion, 1.2 * count * self._row_bytes)))
        while True:
            text, last = self._text(wanted)
            items, ends, consumed = self._parser.parse(text, count, last=last)
            if consumed:
                break
            # A quote is open at the end of the text, and no line ends between there and what was wanted: only a longer
            # reach holds the whole row.
            reach = max(wanted, len(text))
            if reach > RECORD_BYTES_MAX:
                raise self._too_large()
            wanted = 2 * reach
        if items:
            if len(items) == 1 and consumed > RECORD_BYTES_MAX:
                raise self._too_large()
            size = sum(map(len, items))
            self._expansion = max(0.5, size / consumed)
            self._row_bytes = consumed / len(items)
            if size > 2 * bytes_max and len(items) > 1:
                items, consumed = self._cut(text, items, ends, bytes_max)
        self._stream.advance(consumed)
        return items

    def _text(self, wanted: int) -> tuple[bytes, bool]:
        """About `wanted` bytes that end with a line's end, or all that is left of the object and True."""
        stream = self._stream
        while True:
            start, buffer = stream.start, stream.buffer
            left = len(buffer) - start
            if self._at_end and left <= wanted:
                return buffer[start:], True
            if self._at_end or left >= wanted:
                end = buffer.rfind(b"\n", start, start + wanted) + 1 or buffer.find(b"\n", start + wanted) + 1
                if end:
                    return buffer[start:end], self._at_end and end == len(buffer)
                if self._at_end:
                    return buffer[start:], True
                if left > RECORD_BYTES_MAX:
                    raise self._too_large()
            self._at_end = not stream.fill()

    def _cut(
        self,
        text: bytes,
        items: list[bytes],
        ends: list[int] | None,
        bytes_max: int,
    ) -> tuple[list[bytes], int]:
        """The first items that fit, and the bytes of the text they took."""
        size = kept = 0
        for item in items:
            size += len(item)
            if size > bytes_max and kept:
                break
            kept += 1
        if ends is not None:
            return items[:kept], ends[kept - 1]
        position = 0
        for _ in range(kept):
            position = text.find(b"\n", position) + 1 or len(text)
        return items[:kept], position

    def _too_large(self) -> SourceRecordTooLargeError:
        return SourceRecordTooLargeError(
            f"The record at byte {self._stream.offset} exceeds the maximum of {RECORD_BYTES_MAX} bytes",
        )
