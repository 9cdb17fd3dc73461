"""Spans of executions and of calls: which there are, and how they hang together."""

import pytest

from schemas.effects import SubmissionFailed, TaskFailed, TaskOutcome, TaskRequested, TaskSubmitted, TaskSucceeded
from schemas.spans import (
    CHILDREN_EACH,
    CHILDREN_FIRST,
    CLIENT,
    INTERNAL,
    SERVER,
    call_span,
    child_span,
    execution_span,
    execution_span_id,
    is_shown,
    recorded,
)
from schemas.traces import Trace, call_headers, span_of, traced

ROOT, TRACE_ID, STARTER = "1-5759e988-bd862e3fe1be46a994272793", "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
HEADER = f"Root={ROOT};Parent={STARTER};Sampled=1"
MACHINE, ARN = "arn:aws:states:r:1:stateMachine:m", "arn:aws:states:r:1:execution:m:e"


@pytest.mark.parametrize("header", ["", f"Root={ROOT}", f"Root={ROOT};Sampled=0", "Root=1-2;Sampled=1"])
def test_what_is_not_sampled_is_not_recorded(header: str) -> None:
    """Nobody said that it is to be, or somebody that it isn't; a header that names no trace says nothing."""
    assert recorded(header) is None


def test_an_execution_stands_below_who_started_it() -> None:
    """With the span that its header names as the parent; each redrive has a span of its own."""
    trace = recorded(HEADER)
    assert trace == Trace(ROOT, STARTER, sampled=True)
    span = execution_span(trace, MACHINE, ARN, (5, 9), "SUCCEEDED")
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE_ID, span_of(ARN), STARTER)
    assert (span.name, span.kind, span.error) == ("m", SERVER, "")
    again = execution_span(trace, MACHINE, ARN, (9, 5), "FAILED", redrives=1)
    assert again.span_id == execution_span_id(ARN, 1) != span.span_id
    assert (again.began_ms, again.ended_ms, again.error) == (9, 9, "FAILED")


def test_a_child_stands_below_its_root_execution() -> None:
    """And says which Map Run it is of."""
    own = execution_span(Trace(ROOT, STARTER, sampled=True), f"{MACHINE}/L", "child", (5, 9), "SUCCEEDED")
    span = child_span(own, ARN, "map-run")
    assert (span.parent_id, span.span_id, span.kind) == (execution_span_id(ARN), span_of("child"), INTERNAL)
    assert ("aws.step_functions.map_run.arn", "map-run") in span.attributes


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (TaskSucceeded("r", b"1"), ""),
        (TaskSubmitted("r", b"1"), ""),
        (TaskFailed("r", "No", "why"), "No"),
        (SubmissionFailed("r", "States.Timeout", ""), "States.Timeout"),
    ],
)
def test_a_call_is_the_parent_that_its_callee_is_told(outcome: TaskOutcome, error: str) -> None:
    """The span's id is that in the call's headers, so that what the callee records stands below it."""
    request = traced(TaskRequested("r", "lambda:invoke", b"{}", state="Call"), HEADER, "key", span_of(ARN))
    span = call_span(request, outcome, 5, 9)
    assert span is not None
    assert call_headers(request.trace)["traceparent"] == f"00-{span.trace_id}-{span.span_id}-01"
    assert (span.parent_id, span.name, span.kind, span.error) == (span_of(ARN), "Call", CLIENT, error)


def test_a_call_of_who_has_no_span_has_none() -> None:
    """Of a child that is not shown, and of what is not sampled."""
    request = TaskRequested("r", "lambda:invoke", b"{}")
    done = TaskSucceeded("r", b"1")
    assert call_span(traced(request, HEADER, "key"), done, 5, 9) is None
    assert call_span(traced(request, f"Root={ROOT};Sampled=0", "key", span_of(ARN)), done, 5, 9) is None


def test_of_many_children_a_share_is_shown() -> None:
    """The first, and each hundredth of the others."""
    shown = sum(is_shown(index) for index in range(10_000))
    assert shown == CHILDREN_FIRST + (10_000 - CHILDREN_FIRST) // CHILDREN_EACH
    assert all(is_shown(index) for index in range(CHILDREN_FIRST))
