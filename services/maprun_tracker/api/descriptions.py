"""DescribeExecution: of roots from their rows, of children from the frames of home that tell of their ends."""

from collections.abc import Sequence

import msgspec

from maprun.mapruns.limits import MapRunLimits
from maprun.requests.checks import Refusal, parse_arn
from schemas.history import (
    EventType,
    HistoryEvent,
    child_cause,
    child_error,
    child_input,
    child_output,
    child_start_ms,
    child_stop_ms,
)
from services.maprun_tracker.api import inputs, shapes
from services.maprun_tracker.api.child_events import ChildEvents, shown_of
from services.maprun_tracker.api.executions import (
    MACHINE_DELETING,
    ChildRef,
    find_child,
    find_root,
    kept_of,
    name_of_child,
)
from services.maprun_tracker.api.frames import Kept
from services.maprun_tracker.api.run_children import PENDING_REDRIVE, RUNNING
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.rows import RootRow

INCLUDED = shapes.Included(included=True)
LEFT_OUT = shapes.Included(included=False)


class RedriveStatus(msgspec.Struct, frozen=True):
    """Whether an execution can be redriven, and why not."""

    status: str
    reason: str | None = None


async def describe(service: Service, ask: inputs.ExecutionAsked, call: Call) -> shapes.ExecutionDescription:
    """DescribeExecution."""
    arn = ask.execution_arn or ""
    kind, rest = parse_arn(arn, ("execution", "express"))
    if kind == "express" and "/" not in rest[0]:
        raise Refusal("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")
    data = ask.included_data != "METADATA_ONLY"
    if "/" in rest[0]:
        return await _describe_child(service, arn, call, data=data)
    row = await find_root(service, arn)
    ended, succeeded = row.status != RUNNING, row.status == "SUCCEEDED"
    redrive = root_redrive(row, service.now_ms(arn), service.fold_limits)
    if redrive.reason is None and row.machine_arn in service.machines.deleting:
        redrive = RedriveStatus("NOT_REDRIVABLE", MACHINE_DELETING)
    return shapes.ExecutionDescription(
        execution_arn=arn,
        state_machine_arn=row.machine_arn,
        name=row.name,
        status=row.status,
        start_date=row.started_ms / 1000,
        stop_date=row.stopped_ms / 1000 if ended else None,
        input=row.input.decode() if data else None,
        input_details=INCLUDED if data else LEFT_OUT,
        output=row.output.decode() if succeeded and data else None,
        output_details=(INCLUDED if data else LEFT_OUT) if succeeded else None,
        trace_header=row.trace_header or None,
        state_machine_version_arn=row.version_arn or None,
        state_machine_alias_arn=row.alias_arn or None,
        error=_text(row.error),
        cause=_text(row.cause),
        redrive_count=row.redrive_count if ended or row.redrive_count else None,
        redrive_date=row.redriven_ms / 1000 if row.redrive_count else None,
        redrive_status=redrive.status,
        redrive_status_reason=redrive.reason,
    )


def _text(value: str | None) -> str | None:
    return value or None


def root_redrive(row: RootRow, now_ms: int, limits: MapRunLimits) -> RedriveStatus:
    """Whether a root execution can be redriven, in the words of the API reference, DescribeExecution."""
    if row.status in {RUNNING, "SUCCEEDED"}:
        return RedriveStatus("NOT_REDRIVABLE", f"Execution is {row.status} and cannot be redriven")
    if not row.remains or row.stopped_ms + limits.redrive_within_ms < now_ms:
        return RedriveStatus("NOT_REDRIVABLE", "Execution redrivable period exceeded")
    if row.events >= limits.events_max - 1:
        return RedriveStatus("NOT_REDRIVABLE", "Execution history event limit exceeded")
    if row.started_ms + limits.execution_ms < now_ms:
        return RedriveStatus("NOT_REDRIVABLE", "Execution has exceeded the max execution time")
    return RedriveStatus("REDRIVABLE")


def child_redrive(status: str, root: RootRow, now_ms: int, limits: MapRunLimits) -> RedriveStatus:
    """Whether a child can be redriven: while its root execution can, or still runs."""
    if status in {RUNNING, "SUCCEEDED"}:
        return RedriveStatus("NOT_REDRIVABLE", f"Execution is {status} and cannot be redriven")
    if root.status not in {RUNNING, "SUCCEEDED"}:
        redrive = root_redrive(root, now_ms, limits)
        if redrive.reason is not None:
            return redrive
    return RedriveStatus("REDRIVABLE_BY_MAP_RUN")


async def _describe_child(service: Service, arn: str, call: Call, *, data: bool) -> shapes.ExecutionDescription:
    ref = await find_child(service, arn)
    run, child = ref.run, ref.child
    root = await find_root(service, run.root_arn)
    redrive = child_redrive(child.status, root, service.now_ms(root.arn), service.fold_limits)
    description = shapes.ExecutionDescription(
        execution_arn=arn,
        state_machine_arn=service.names.labelled_machine(run.machine_name, run.label),
        name=name_of_child(run, child.index),
        status=child.status,
        start_date=(child.since_ms or run.started_ms) / 1000,
        input_details=LEFT_OUT,
        map_run_arn=run.arn,
        redrive_status=redrive.status,
        redrive_status_reason=redrive.reason,
    )
    kept = await kept_of(service, ref)
    if kept is None:
        shown = await shown_of(service, ref, call)
        return description if shown is None else await _begun(description, shown, data=data)
    events = kept.events
    times = ChildTimes.of(ref, kept)
    description = msgspec.structs.replace(
        description,
        start_date=times.started_ms / 1000,
        input=child_input(events).decode() if data else None,
        input_details=INCLUDED if data else LEFT_OUT,
        redrive_count=times.redrive_count,
        redrive_date=times.redriven_ms / 1000 if times.redriven_ms else None,
    )
    if child.status in {RUNNING, PENDING_REDRIVE}:  # how it ended before vanishes, as on AWS
        return description
    output = child_output(events)
    explained = child.status != "TIMED_OUT"
    return msgspec.structs.replace(
        description,
        stop_date=times.stopped_ms / 1000,
        output=output.decode() if output is not None and data else None,
        output_details=(INCLUDED if data else LEFT_OUT) if output is not None else None,
        error=_text(child_error(events)) if explained else None,
        cause=_text(child_cause(events)) if explained else None,
    )


async def _begun(
    description: shapes.ExecutionDescription, shown: ChildEvents, *, data: bool
) -> shapes.ExecutionDescription:
    """A child that never ended yet, as its lane shows it."""
    started = await shown.event(1)
    return msgspec.structs.replace(
        description,
        start_date=started.at_ms / 1000,
        input=child_input([started]).decode() if data else None,
        input_details=INCLUDED if data else LEFT_OUT,
    )


class ChildTimes(msgspec.Struct, frozen=True):
    """When a child of which home tells began, ended (0 = it goes on), and was redriven last (0 = never)."""

    started_ms: int
    stopped_ms: int
    redriven_ms: int
    redrive_count: int

    @classmethod
    def of(cls, ref: ChildRef, kept: Kept) -> "ChildTimes":
        """Of a child that ended before. One that runs again was redriven since; an EXPRESS one then began anew."""
        express, again = ref.run.child_type == "EXPRESS", ref.child.status == RUNNING
        redriven = 0 if express else (ref.child.since_ms if again else last_redriven_ms(kept.events))
        return cls(
            ref.child.since_ms if again and express else child_start_ms(kept.events),
            0 if again or ref.child.status == PENDING_REDRIVE else child_stop_ms(kept.events),
            redriven,
            kept.redrive_count + again,
        )


def last_redriven_ms(events: Sequence[HistoryEvent]) -> int:
    """When an execution was redriven last; 0 = never."""
    times = (event.at_ms for event in reversed(events) if event.type == EventType.EXECUTION_REDRIVEN)
    return next(times, 0)
