"""Rows across the ends of what was fetched and of what is parsed at once: the same as of the whole text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.aws.errors import SourceError
from maprun.aws.sources.contract import RECORD_BYTES_MAX, Budget, Pin
from maprun.aws.sources.csv_rows import CsvShape
from maprun.aws.sources.line_source import TEXT_BYTES_MIN, LineSource

HEADERS = ("a", "b")
LONG = TEXT_BYTES_MIN + 100


class Pieces:
    """Bytes as a ByteStream that fetches `size` of them at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._left = data
        self._size = size
        self.buffer = b""
        self.start = self.offset = 0
        self.pin = Pin('"etag"', len(data))

    @property
    def share(self) -> float:
        """How much of it lies before `offset`."""
        return self.offset / max(1, self.pin.size_bytes)

    def fill(self) -> bool:
        """Appends the next piece."""
        piece, self._left = self._left[: self._size], self._left[self._size :]
        self.buffer, self.start = self.buffer[self.start :] + piece, 0
        return bool(piece)

    def advance(self, count: int) -> None:
        """Drops bytes from the front."""
        self.start += count
        self.offset += count

    def close(self) -> None:
        """Forgets the buffer."""
        self.buffer, self._left = b"", b""


def rows_of(text: bytes, size: int = 1_000_000, count: int = 100) -> list[list[str]]:
    """The cells of all rows, `count` rows a read."""
    stream = Pieces(text, size)
    source = LineSource(stream, CsvShape(HEADERS, ","), stream.pin, Budget(0, 0))
    rows: list[list[str]] = []
    for _ in range(len(text) + 1):  # each read gives at least one row
        chunk = source.read(count, 1_000_000)
        rows += [list(json.loads(item).values()) for item in chunk.items]
        if chunk.ended:
            assert stream.offset == len(text)
            return rows
    raise AssertionError("the source did not end")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b'1,"two\nlines"', [["1", "two\nlines"]]),
        (b'1,2\n3,"\n4"\n5,"\n\n6', [["1", "2"], ["3", "\n4"], ["5", "\n\n6"]]),
        (b'"\n",x', [["\n", "x"]]),
        (b'1,"\n' + b"x" * LONG + b'"\n3,4', [["1", "\n" + "x" * LONG], ["3", "4"]]),
        (b'1,"\n' + b"x" * LONG + b'"', [["1", "\n" + "x" * LONG]]),
    ],
)
@pytest.mark.parametrize("size", [7, 5000, 1_000_000])
def test_a_line_end_in_quotes_is_no_end_of_a_row(text: bytes, rows: list[list[str]], size: int) -> None:
    """Rows end where their quotes are closed, however far the next line end is and however the object ends."""
    assert rows_of(text, size) == rows


@given(
    cells=st.lists(st.sampled_from(["", "x", "two\nlines", "\n", "p\n" + "x" * LONG, "y" * LONG]), max_size=12),
    size=st.sampled_from([100, 5000, 30_000]),
    count=st.sampled_from([1, 3, 100]),
    closed=st.booleans(),
)
@settings(max_examples=60)
def test_rows_do_not_depend_on_where_pieces_end(cells: list[str], size: int, count: int, *, closed: bool) -> None:
    """Any sizes of fetches and reads, and an object with or without a last line end, give the rows as written."""
    text = "\n".join(f'"{cell}","{at}"' for at, cell in enumerate(cells)) + ("\n" if closed and cells else "")
    assert rows_of(text.encode(), size, count) == [[cell, str(at)] for at, cell in enumerate(cells)]


@pytest.mark.parametrize("text", [b'1,"\n' + b"x" * (RECORD_BYTES_MAX + 10), b"x" * (RECORD_BYTES_MAX + 10)])
def test_a_row_over_8_mib_is_refused_wherever_its_lines_end(text: bytes) -> None:
    """A quote that nobody closes ends the run, not the reader's memory."""
    with pytest.raises(SourceError, match=r"exceeds the maximum of|larger than field limit"):
        rows_of(text + b"\n2,3\n" * 2_000_000)
