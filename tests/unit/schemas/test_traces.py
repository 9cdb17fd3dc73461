"""Headers of traces, X-Ray's and W3C's."""

import pytest

from schemas.effects import TaskRequested
from schemas.traces import Trace, call_headers, header_of, root_of, span_of, trace_of, traced

ROOT, SPAN = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"Root={ROOT};Parent={SPAN};Sampled=1", Trace(ROOT, SPAN, sampled=True)),
        (f"Sampled=0; Root={ROOT}", Trace(ROOT, "", sampled=False)),
        (f"Self=1-2-3;Root={ROOT};Sampled=?;Lineage=a:1", Trace(ROOT)),
        (f"Root={ROOT};Parent=no-span", Trace(ROOT)),
        ("Root=1-2-3", None),
        ("Parent=53995c3f42cd8ad8;Sampled=1", None),
        ("nonsense;=;;Root", None),
        ("", None),
    ],
)
def test_what_a_header_says(header: str, trace: Trace | None) -> None:
    """Members in any order, those that nobody knows passed over; without a proper root it names no trace."""
    assert trace_of(header) == trace
    if trace is not None:
        assert trace_of(header_of(trace)) == trace


def test_ids_are_derived() -> None:
    """The same execution and attempt have the same ids wherever they are looked at, and others have others."""
    root = root_of("arn", 1_790_000_000_123)
    assert root == root_of("arn", 1_790_000_000_999)
    assert root.startswith(f"1-{1_790_000_000:08x}-")
    assert trace_of(f"Root={root}") == Trace(root)
    assert len({root, root_of("other", 1_790_000_000_123), root_of("arn", 1_790_000_001_000)}) == 3
    assert span_of("key") != span_of("other")


def test_a_call_says_which_attempt_makes_it() -> None:
    """Its parent is the attempt's span; W3C's header has the same trace, span and decision."""
    request = traced(TaskRequested("r", "f", b"{}"), f"Root={ROOT};Parent={SPAN};Sampled=1", "key")
    assert request.trace == f"Root={ROOT};Parent={span_of('key')};Sampled=1"
    assert call_headers(request.trace) == {
        "X-Amzn-Trace-Id": request.trace,
        "traceparent": f"00-5759e988bd862e3fe1be46a994272793-{span_of('key')}-01",
    }
    for header, flags in ((f"Root={ROOT};Sampled=0", "00"), (f"Root={ROOT}", "00")):
        headers = call_headers(traced(request, header, "key").trace)
        assert headers["traceparent"].endswith(f"-{flags}")


def test_without_a_trace_nothing_is_said() -> None:
    """Neither by an execution that carries no header, nor by one whose header names no trace."""
    request = TaskRequested("r", "f", b"{}")
    assert traced(request, "", "key") is request
    assert traced(request, "Root=1-2-3", "key") is request
    assert call_headers("") == {}
