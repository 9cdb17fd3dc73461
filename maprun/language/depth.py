"""How deep a JSON text nests, found without decoding it: decoders recurse, and a small stack ends the process."""

import re

_STRINGS = re.compile(rb'"(?:[^"\\]+|\\.)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[{]+|[\]}]+")


def json_depth_ok(data: bytes, limit: int = 500) -> bool:
    """True if no value in the text lies in more than `limit` arrays and objects. The text need not be valid."""
    if data.count(b"[") + data.count(b"{") <= limit:
        return True  # nearly every text: two passes at the speed of memchr
    depth = 0
    for run in _BRACKETS.findall(_STRINGS.sub(b"", data)):
        if run[:1] in b"[{":
            depth += len(run)
            if depth > limit:
                return False
        else:
            depth = max(0, depth - len(run))
    return True
