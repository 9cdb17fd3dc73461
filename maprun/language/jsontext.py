"""JSON text to values and back: one decoder and one encoder, with every failure made a StatesError."""

from typing import Any

import msgspec

from maprun.language.depth import json_depth_ok
from maprun.language.errors import runtime_error

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_format = msgspec.json.format
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_WHITE_SPACE = b" \n\t\r"
_SHORT_BYTES_MAX = 512
DEPTH_MAX = 500
"""Nesting of a payload; AWS's own parser stops at about 1,000."""


def decode(text: bytes) -> Any:
    """The value of a JSON text. Raises StatesError when it is none, or nests too deep."""
    if len(text) > DEPTH_MAX and not json_depth_ok(text, DEPTH_MAX):
        raise runtime_error(f"The JSON text nests deeper than {DEPTH_MAX} levels.")
    try:
        return _decode(text)
    except DECODE_ERRORS as error:
        raise runtime_error(f"The text is not valid JSON: {error}") from error


def encode(value: Any) -> bytes:
    """The compact JSON text of a value. Raises StatesError when it nests too deep to be read again."""
    try:
        text = _encode(value)
    except (UnicodeEncodeError, RecursionError, OverflowError, ValueError) as error:
        raise runtime_error(f"The value cannot be written as JSON: {error}") from error
    if len(text) > DEPTH_MAX and not json_depth_ok(text, DEPTH_MAX):
        raise runtime_error(f"The JSON text nests deeper than {DEPTH_MAX} levels.")
    return text


def _has_white_space(text: bytes) -> bool:
    """One pass is the fastest for a short text, as children's inputs are; searches are for one of many bytes."""
    if len(text) <= _SHORT_BYTES_MAX:
        return len(text.translate(None, _WHITE_SPACE)) < len(text)
    return b" " in text or b"\n" in text or b"\t" in text or b"\r" in text


def compact(text: bytes) -> bytes:
    """A JSON text without white space between its tokens; the very same bytes when it has none."""
    if not _has_white_space(text):
        return text
    try:
        return _format(text, indent=-1)
    except DECODE_ERRORS as error:
        raise runtime_error(f"The text is not valid JSON: {error}") from error
