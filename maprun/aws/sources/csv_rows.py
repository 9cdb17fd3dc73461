"""CSV text to JSON items: a fast way for plain rows, an exact way for all others, and both agree.

Rules: facts of the page input-output-itemreader ("CSV") and of executions recorded on AWS. Rows end with LF or CRLF;
cells may stand in quotes, where delimiters and line ends are text; "" is a quote, in cells without quotes too, but a
cell of nothing else is empty; a backslash makes the backslash, quote or delimiter after it text, and is dropped before
anything else; missing cells are empty, surplus cells dropped; nothing is trimmed; header names are kept verbatim. Lines
with nothing on them are skipped (AWS's way is unknown).
"""

import csv
import re
from collections.abc import Iterator

import msgspec

from maprun.aws.errors import SourceError
from maprun.aws.sources.contract import RECORD_BYTES_MAX, BadRecordError, Rows

DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
HEADER_BYTES_MAX = 10 * 1024  # input-output-itemreader, "CSVHeaders"

# Bytes that a plain row must not hold: quotes and backslashes mean something, control characters need JSON escapes.
_SPECIAL = bytes(range(32)) + b'"\\'
# A backslash and what follows it (a line end as a whole, or nothing), or a CR that ends no line.
_BACKSLASH_OR_CR = re.compile(r"\\(\r?\n|[\s\S])?|\r(?!\n)")
# An escape, or a cell in quotes with the delimiter or line end before it: what is left to the csv module. Else a quote
# that is written twice. A cell that begins with two quotes and goes on is one without quotes.
_TWO_QUOTES = rb"""\\[^\r\n]|(?:\A|%b|\n)"(?!"[^"\r\n%b])(?:[^"\\]++|\\[\s\S]?|"")*+"?|("")"""


class CsvShape:
    """Header names and delimiter, compiled. Raises SourceError for headers that AWS refuses."""

    def __init__(self, headers: tuple[str, ...], delimiter: str) -> None:
        if len(set(headers)) != len(headers):
            raise SourceError("CSV headers cannot contain duplicates.")  # AWS's words, recorded
        if sum(len(header.encode()) for header in headers) > HEADER_BYTES_MAX:
            raise SourceError(f"CSV headers cannot exceed {HEADER_BYTES_MAX} bytes.")
        # The csv module's limit is process-wide and small; nothing else here reads with it, so it is only raised.
        if csv.field_size_limit() < RECORD_BYTES_MAX:
            csv.field_size_limit(RECORD_BYTES_MAX)
        self.headers = headers
        self.delimiter = delimiter
        self._delimiter_byte = delimiter.encode()
        self._two_quotes = two_quotes(delimiter)
        self._plain_bytes = bytes(set(range(256)) - set(_SPECIAL) | {10, 13, ord(delimiter)})
        members = b",".join(msgspec.json.encode(name).replace(b"%", b"%%") + b':"%b"' for name in headers)
        self._template = b"{" + members + b"}"
        self._encode = msgspec.json.Encoder().encode

    def parse(self, text: bytes, count: int, *, last: bool) -> Rows:
        """At most `count` items of `text`, which starts at a row and ends at a line's end (or is the `last`).

        A row that isn't complete (a quote is open) is left for a longer text, unless the text is the last.
        """
        return self.parse_plain(text, count) or self.parse_exact(text, count, last=last)

    def parse_plain(self, text: bytes, count: int) -> Rows | None:
        """The same for rows without quotes, backslashes, blank lines and missing or surplus cells; None: not such.

        A text that begins with a quote must be plain but for quotes around each cell, as S3 writes inventories.
        """
        quoted = text.startswith(b'"')
        line_end = b"\r\n" if text.count(b"\r", 0, 4096) else b"\n"
        rows = text.split(line_end, count)
        rest = rows.pop()
        consumed = len(text) - len(rest)
        open_end = bool(rest) and len(rows) < count
        if open_end:  # the last row of the object, without a line end
            rows.append(rest)
            consumed = len(text)
        body = text[:consumed]
        left = body.translate(None, self._plain_bytes)
        if quoted:
            # Each row has at least the quotes that its cells need; so if together they have no more, no cell has one.
            between = body.count(b'"' + line_end + b'"') == len(rows) - 1 and min(map(len, rows)) > 1
            if not between or not rows[-1].endswith(b'"') or left != b'""' * len(self.headers) * len(rows):
                return None
            rows, separator, left = [row[1:-1] for row in rows], b'"' + self._delimiter_byte + b'"', b""
        else:
            separator = self._delimiter_byte
        if left or not self.headers or not _line_ends_agree(body, line_end, len(rows), open_end=open_end):
            return None
        if not body.isascii() and not _is_utf8(body):
            return None
        template = self._template
        try:
            items = [template % tuple(row.split(separator)) for row in rows]
        except TypeError:  # "not enough arguments" or "not all converted": a row with missing or surplus cells
            return None
        if len(self.headers) == 1 and b"" in rows and not quoted:
            return None
        return Rows(items, None, consumed)

    def parse_exact(self, text: bytes, count: int, *, last: bool) -> Rows:
        """The same by the csv module, to which everything special is told in its own words. Raises SourceError."""
        lines = Lines(_with_single_quotes(text, self._two_quotes), last=last)
        reader = csv.reader(lines, delimiter=self.delimiter, escapechar="\\", doublequote=True, strict=False)
        items: list[bytes] = []
        ends: list[int] = []
        headers, encode = self.headers, self._encode
        width = len(headers)
        consumed = 0
        try:
            for row in reader:
                if lines.cut:  # the reader ran out of lines within a row
                    break
                consumed = lines.offset
                if not row:
                    continue
                if len(row) < width:
                    row.extend([""] * (width - len(row)))
                items.append(encode(dict(zip(headers, row, strict=False))))
                ends.append(consumed)
                if len(items) == count:
                    break
        except csv.Error as error:
            raise BadRecordError(f"CSV row can't be read: {error}", consumed, len(items)) from error
        return Rows(items, ends, consumed)


class Lines:
    """The lines of a text for the csv module; `offset` is the end, in the bytes given, of the line handed out last."""

    def __init__(self, text: bytes, *, last: bool) -> None:
        self._lines = text.split(b"\n")
        self._closed = not self._lines[-1]  # the last line has a line end, too
        if self._closed:
            self._lines.pop()
        self._size = len(text)
        self._next = 0
        self._last = last
        self.offset = 0
        self.cut = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._next == len(self._lines):
            # The module asks for more when it ended the last row, or within one: then it hands out what it has.
            self.cut = not self._last
            raise StopIteration
        line = self._lines[self._next]
        self._next += 1
        self.offset = min(self.offset + len(line) + 1, self._size)
        text = line.decode(errors="replace")
        if self._next < len(self._lines) or self._closed:
            text += "\n"
        if "\\" in text or "\r" in text[:-2] or text.endswith("\r"):
            text = _BACKSLASH_OR_CR.sub(_escaped, text)
        return text


def two_quotes(delimiter: str) -> re.Pattern[bytes]:
    """Finds what `_with_single_quotes` looks at, in texts with this delimiter."""
    mark = re.escape(delimiter.encode())
    return re.compile(_TWO_QUOTES % (mark, mark))


def _with_single_quotes(text: bytes, found: re.Pattern[bytes]) -> bytes:
    r"""The text with `\"` for each quote that is written twice outside of quotes, which csv would leave as two.

    It is as long as it was, so places in it stay true.
    """
    if b'""' not in text:
        return text
    return found.sub(lambda match: b'\\"' if match.group(1) else match.group(), text)


def _escaped(match: re.Match[str]) -> str:
    """A backslash before a line end or the text's end goes, a CR within a line is text: csv would do otherwise."""
    found = match.group()
    if found == "\r":
        return "\\\r"
    follower: str = match.group(1) or ""
    return follower if follower in {"", "\n", "\r\n"} else found


def _line_ends_agree(body: bytes, line_end: bytes, rows: int, *, open_end: bool) -> bool:
    """True when every CR and LF of the body belongs to one of its line ends."""
    ends = rows - 1 if open_end else rows
    carriage_returns = body.count(b"\r")
    if line_end == b"\n":
        return carriage_returns == 0
    return carriage_returns == ends and body.count(b"\n") == ends


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def header_row(text: bytes, delimiter: str, *, last: bool) -> tuple[tuple[str, ...], int] | None:
    """The names in the first row of a text and where the next row begins; None when the row isn't complete."""
    lines = Lines(_with_single_quotes(text, two_quotes(delimiter)), last=last)
    reader = csv.reader(lines, delimiter=delimiter, escapechar="\\", doublequote=True, strict=False)
    try:
        row = next(reader, None)
    except csv.Error as error:
        raise SourceError(f"CSV header can't be read: {error}") from error
    if row is None:
        return ((), 0) if last else None
    if lines.cut:
        return None
    return tuple(row), lines.offset
