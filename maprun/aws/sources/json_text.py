"""Checks and compaction of JSON texts, for items that leave this room as bytes."""

import json
import re
from typing import Any, NoReturn

import msgspec

from maprun.aws.errors import SourceError

# msgspec and json recurse a C stack frame a level; worker threads may have small stacks, so depth is judged first.
DEPTH_MAX = 500

_NOT_OPENERS = bytes(set(range(256)) - set(b"[{\n"))
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def check_depth(text: bytes) -> None:
    """Raises SourceError when a line of the text, or a text of one line, is nested deeper than DEPTH_MAX.

    The count of openers bounds the depth and is cheap; only a line with very many is looked at bracket by bracket.
    """
    openers = text.translate(None, _NOT_OPENERS)
    if len(openers) <= DEPTH_MAX or max(map(len, openers.split(b"\n"))) <= DEPTH_MAX:
        return
    depth = 0
    for found in _STRUCTURE.finditer(text):
        first = found.group()[:1]
        if first in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise SourceError(f"JSON is nested deeper than {DEPTH_MAX} levels.")
        elif first in b"]}":
            depth -= 1


def check_utf8(text: bytes) -> None:
    """Raises SourceError when the text isn't UTF-8."""
    if text.isascii():
        return
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise SourceError(f"JSON is not UTF-8: {error}") from error


def compact(text: bytes | msgspec.Raw) -> bytes:
    """One JSON value without insignificant whitespace, numbers as written. Raises msgspec.DecodeError.

    Escapes of unpaired surrogates become `?`, as Java writes them: no UTF-8 can hold them, but AWS lets them pass.
    """
    try:
        return msgspec.json.format(text, indent=-1)
    except msgspec.DecodeError:
        raw = bytes(text)
        if b"\\ud" not in raw and b"\\uD" not in raw:
            raise
        try:
            value: Any = json.loads(raw, parse_constant=_refuse)
        except ValueError:
            value = _WRONG
        if value is _WRONG:
            raise
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


_WRONG = object()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
