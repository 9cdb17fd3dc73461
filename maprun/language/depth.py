"""How deep a JSON text nests, found without decoding it: decoders recurse, and a small stack ends the process."""

import re

_RUNS = re.compile(rb"\[+|\]+")
_KEPT = b'[]{}"'
_OTHERS = bytes(code for code in range(256) if code not in _KEPT)
_ROUNDS = 8
"""Levels peeled off before what is left is walked; payloads are rarely deeper."""


def json_depth_ok(data: bytes, limit: int = 500) -> bool:
    """True if no value in the text lies in more than `limit` arrays and objects. The text need not be valid."""
    if data.count(b"[") + data.count(b"{") <= limit:
        return True  # nearly every text: two passes at the speed of memchr
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")  # what is left of quotes begins or ends a string
    outside = b"".join(data.translate(None, _OTHERS).split(b'"')[::2])
    outside = outside.replace(b"{", b"[").replace(b"}", b"]")
    depth = 0
    for _ in range(min(_ROUNDS, limit)):
        if not outside:
            return True
        outside = outside.replace(b"[]", b"")  # the innermost level
        limit -= 1
    for run in _RUNS.findall(outside):
        if run[:1] == b"[":
            depth += len(run)
            if depth > limit:
                return False
        else:
            depth = max(0, depth - len(run))
    return True
