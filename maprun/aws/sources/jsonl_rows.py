"""JSON Lines text to items: each line that isn't blank is one JSON value."""

import msgspec

from maprun.aws.errors import SourceError
from maprun.aws.sources.contract import BadRecordError, Rows
from maprun.aws.sources.json_text import check_depth, check_utf8, compact

EXCERPT_BYTES = 100


class JsonLines:
    """A RowParser. Blank lines are skipped (AWS's way is unknown; a file's last line often is one)."""

    def parse(self, text: bytes, count: int, *, last: bool) -> Rows:  # noqa: ARG002 - the protocol's signature
        """At most `count` items of the text. Raises SourceError for a line that is no JSON."""
        lines = text.split(b"\n", count)
        rest = lines.pop()
        consumed = len(text) - len(rest)
        if rest and len(lines) < count:  # the object's last line, without a line end
            lines.append(rest)
            consumed = len(text)
        ends = None
        try:
            check_utf8(text)
            check_depth(text)
            items = [compact(line) for line in lines]
        except (msgspec.DecodeError, SourceError):
            items, ends = _one_by_one(lines)
        return Rows(items, ends, consumed)


def _one_by_one(lines: list[bytes]) -> tuple[list[bytes], list[int]]:
    """Items and their ends where some lines are blank or wrong."""
    items: list[bytes] = []
    ends: list[int] = []
    end = 0
    for line in lines:
        start = end
        end += len(line) + 1
        if not line.strip():
            continue
        try:
            check_utf8(line)
            check_depth(line)
            items.append(compact(line))
        except SourceError as error:
            raise BadRecordError(f"JSONL record can't be read: {error.cause}", start, len(items)) from error
        except msgspec.DecodeError as error:
            excerpt = line[:EXCERPT_BYTES].decode(errors="replace")
            cause = f"JSONL record can't be read: {error}: {excerpt}; each line must be one JSON value"
            raise BadRecordError(cause, start, len(items)) from error
        ends.append(end)
    return items, ends
