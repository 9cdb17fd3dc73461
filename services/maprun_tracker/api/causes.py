"""What causes have in common: a cause without what differs from child to child, so that equal failures count as one."""

import re
from typing import Final

import msgspec

READ_CHARS_MAX: Final = 600
"""Of a cause that are looked at: what tells causes apart stands at their beginning."""
PATTERN_CHARS_MAX: Final = 200
_VARYING: Final = (
    (re.compile(r"\barn:[\w-]+:[^\s\"',;)\]}]+"), "<arn>"),
    (re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<id>"),
    (re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?"), "<n>"),
    (re.compile(r"\d+"), "<n>"),
)
"""In this order: ARNs, UUIDs, times, hexadecimal ids, numbers, digits within words."""
_WHITE = re.compile(r"\s+")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)


def cause_pattern(cause: str) -> str:
    """The first line of a cause, with `<id>`, `<n>` and the like for what varies. Of a function's error its message."""
    line = next((line for line in _said(cause)[:READ_CHARS_MAX].splitlines() if line.strip()), "")
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    line = _WHITE.sub(" ", line).strip()
    return line if len(line) <= PATTERN_CHARS_MAX else f"{line[: PATTERN_CHARS_MAX - 1]}…"


def _said(cause: str) -> str:
    """`errorMessage`, where the cause is the JSON that a function fails with; else the cause."""
    if not cause.lstrip().startswith("{"):
        return cause
    try:
        return _text.decode(_members.decode(cause).get("errorMessage", b""))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return cause
