"""Spans of executions and of calls of Tasks, for OpenTelemetry. Their ids are derived: a repeated one is the same.

An execution's span stands below the one that started it, which its trace header names; a call's stands below its
execution's, and whoever is called finds it in the headers as the parent.
"""

from typing import Final

import msgspec

from schemas.effects import SubmissionFailed, TaskFailed, TaskOutcome, TaskRequested
from schemas.traces import Trace, span_of, trace_of, w3c_trace_id

CHILDREN_FIRST: Final = 100
CHILDREN_EACH: Final = 100
"""Of a Map Run the first hundred children have spans, and each hundredth of the others: a million tells no more."""
SERVER: Final = 2
CLIENT: Final = 3
INTERNAL: Final = 1
Attributes = tuple[tuple[str, str], ...]


class Span(msgspec.Struct, frozen=True, gc=False):
    """One that is over. `error` is empty when it went well; `kind` is OpenTelemetry's."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    began_ms: int
    ended_ms: int
    error: str = ""
    attributes: Attributes = ()


def recorded(header: str) -> Trace | None:
    """The trace that a header names, if it is to be recorded."""
    trace = trace_of(header) if header else None
    return trace if trace is not None and trace.sampled else None


def is_shown(index: int) -> bool:
    """Whether the child with this index has spans."""
    return index < CHILDREN_FIRST or index % CHILDREN_EACH == 0


def execution_span_id(arn: str, redrives: int = 0) -> str:
    """The id of an execution's span; of each redrive another one."""
    return span_of(f"{arn}\n{redrives}" if redrives else arn)


def execution_span(
    trace: Trace, machine_arn: str, arn: str, times_ms: tuple[int, int], status: str, *, redrives: int = 0
) -> Span:
    """Of an execution that nobody here started, from its start, or last redrive, to its end."""
    began_ms, ended_ms = times_ms
    return Span(
        w3c_trace_id(trace),
        execution_span_id(arn, redrives),
        trace.parent,
        machine_arn.rpartition(":")[2],
        SERVER,
        began_ms,
        max(began_ms, ended_ms),
        "" if status == "SUCCEEDED" else status,
        (("aws.step_functions.execution.arn", arn), ("aws.step_functions.state_machine.arn", machine_arn)),
    )


def child_span(execution: Span, root_arn: str, map_run_arn: str) -> Span:
    """Of a child of a Map Run: it stands below its root execution."""
    attributes = (*execution.attributes, ("aws.step_functions.map_run.arn", map_run_arn))
    parent = execution_span_id(root_arn)
    return msgspec.structs.replace(execution, parent_id=parent, kind=INTERNAL, attributes=attributes)


def call_span(request: TaskRequested, outcome: TaskOutcome, began_ms: int, ended_ms: int) -> Span | None:
    """Of a call of a Task; None if its execution has none."""
    trace = recorded(request.trace) if request.caller else None
    if trace is None:
        return None
    return Span(
        w3c_trace_id(trace),
        trace.parent,
        request.caller,
        request.state or request.resource,
        CLIENT,
        began_ms,
        max(began_ms, ended_ms),
        outcome.error if isinstance(outcome, TaskFailed | SubmissionFailed) else "",
        (
            ("aws.step_functions.task.resource", request.resource),
            ("aws.step_functions.task.attempt", str(request.attempt)),
        ),
    )
