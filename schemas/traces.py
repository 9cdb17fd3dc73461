"""Which trace an execution belongs to: X-Ray's header (X-Amzn-Trace-Id), and W3C's (traceparent). Ids are derived.

An execution carries the header it was started with, or the one that was made for it then; its children have the same.
Who calls something for it says so under the header's trace, with a span of its own as the parent.
"""

import hashlib
import re
from typing import Final

import msgspec

from schemas.effects import TaskRequested

XRAY_HEADER: Final = "X-Amzn-Trace-Id"
W3C_HEADER: Final = "traceparent"
_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_SPAN = re.compile(r"[0-9a-f]{16}")
_SAMPLED = {"1": True, "0": False}


class Trace(msgspec.Struct, frozen=True):
    """A trace as a header says it: X-Ray's id, the span that called, and whether it is recorded, None = nobody said."""

    root: str
    parent: str = ""
    sampled: bool | None = None


def trace_of(header: str) -> Trace | None:
    """What a header says; None when it names no trace."""
    parts = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    root, parent = parts.get("Root", ""), parts.get("Parent", "")
    if _ROOT.fullmatch(root) is None:
        return None
    return Trace(root, parent if _SPAN.fullmatch(parent) else "", _SAMPLED.get(parts.get("Sampled", "")))


def header_of(trace: Trace) -> str:
    """The header that says this."""
    parent = f";Parent={trace.parent}" if trace.parent else ""
    sampled = "" if trace.sampled is None else f";Sampled={int(trace.sampled)}"
    return f"Root={trace.root}{parent}{sampled}"


def root_of(arn: str, started_ms: int) -> str:
    """The id of the trace of an execution that was started without one."""
    return f"1-{started_ms // 1000 & 0xFFFFFFFF:08x}-{_digest(arn, 12)}"


def span_of(key: str) -> str:
    """The id of the span of whatever this key names: of an attempt of a Task its idempotency key."""
    return _digest(key, 8)


def w3c_trace_id(trace: Trace) -> str:
    """The id of a trace as W3C has it: X-Ray's digits."""
    return trace.root[2:].replace("-", "")


def traced(request: TaskRequested, header: str, key: str, caller: str = "") -> TaskRequested:
    """A Task's request whose call says which trace it belongs to, if its execution has one, whose span is `caller`."""
    trace = trace_of(header) if header else None
    if trace is None:
        return request
    own = header_of(Trace(trace.root, span_of(key), trace.sampled))
    return msgspec.structs.replace(request, trace=own, caller=caller)


def call_headers(header: str) -> dict[str, str]:
    """The headers of a call over HTTP under this trace; none without one."""
    trace = trace_of(header) if header else None
    if trace is None:
        return {}
    parent = f"00-{w3c_trace_id(trace)}-{trace.parent or span_of(trace.root)}-{int(bool(trace.sampled)):02x}"
    return {XRAY_HEADER: header, W3C_HEADER: parent}


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=size).hexdigest()
