"""Operations on executions: started, stopped, described, listed."""

import asyncio
from itertools import islice

import msgspec

from maprun.mapruns.requests import Refusal, Start, derived_id, machine_of_arn, parse_arn, validate_start
from schemas.arns import ChildId, child_arn, child_express_id, child_name, home_of, parse_child_name
from schemas.history import (
    HistoryEvent,
    child_cause,
    child_error,
    child_input,
    child_output,
    child_start_ms,
    child_stop_ms,
)
from schemas.home import STATUS_NAMES, StopRequested
from services.maprun_tracker.api import shapes
from services.maprun_tracker.api.errors import execution_missing, machine_missing
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.rows import RootRow, RunRow
from services.maprun_tracker.state import Partition

INCLUDED = shapes.Included(included=True)
LEFT_OUT = shapes.Included(included=False)


class ChildRef(msgspec.Struct, frozen=True):
    """A child that exists: its run and position."""

    part: Partition
    run: RunRow
    position: int
    status: int  # 0 = running
    since_ms: int  # of a running one


async def start(service: Service, ask: shapes.StartExecution, call: Call) -> msgspec.Raw:
    """StartExecution. A name that isn't given is a function of the SDK's call, so its repeats start nothing new."""
    request_id = service.command_id(call, "start")
    text = None if ask.input is None else ask.input.encode()
    wanted = Start(ask.state_machine_arn or "", ask.name, text, ask.trace_header or "")
    name = derived_id("name", call.attempt_of)
    try:
        command = validate_start(
            wanted, service.machines, service.names, request_id, name, input_bytes_max=service.input_bytes_max
        )
    except Refusal as refusal:
        if refusal.code != "StateMachineDoesNotExist" or await service.machine(wanted.machine_arn) is None:
            raise
        command = validate_start(
            wanted, service.machines, service.names, request_id, name, input_bytes_max=service.input_bytes_max
        )
    return msgspec.Raw(await service.command(home_of(command.arn, service.homes), command))


async def stop(service: Service, ask: shapes.StopExecution, call: Call) -> msgspec.Raw:
    """StopExecution of a root execution or of a STANDARD child."""
    arn = ask.execution_arn or ""
    _, rest = parse_arn(arn, ("execution",))
    child = _child_id(service, rest)
    if child is None and ("/" in rest[0] or len(rest) != 2):  # noqa: PLR2004 - machine:name
        raise execution_missing(arn)
    home = home_of(arn, service.homes) if child is None else child.home
    if child is not None:
        await find_child(service, arn)
    request = StopRequested(service.command_id(call, "stop"), arn, ask.error or "", ask.cause or "")
    body = await service.command(home, request)
    if home in service.parts.owned():
        await service.folded(home)
    return msgspec.Raw(body)


def _child_id(service: Service, rest: list[str]) -> ChildId | None:
    """Where the rest of an execution's ARN leads, if it is a child's."""
    if "/" not in rest[0] or len(rest) < 2:  # noqa: PLR2004 - machine/label:name
        return None
    child = parse_child_name(rest[1])
    return child if child is not None and child.home < service.homes else None


async def find_root(service: Service, arn: str) -> RootRow:
    """A root execution. Raises Refusal (ExecutionDoesNotExist)."""
    row = await service.find(home_of(arn, service.homes), lambda part: part.root(arn))
    if row is None:
        raise execution_missing(arn)
    return row


async def find_child(service: Service, arn: str) -> ChildRef:
    """A child that runs or ran. Raises Refusal (ExecutionDoesNotExist)."""
    kind, rest = parse_arn(arn, ("execution", "express"))
    child = _child_id(service, rest)
    if child is None:
        raise execution_missing(arn)

    def look(part: Partition) -> ChildRef | None:
        run = part.run(part.run_of_tail.get(child.run_tail, ""))
        if run is None or arn != arn_of_child(service, run, child.index) or kind != _kind(run):
            return None
        status = part.status(run.run, child.index)
        since = None if status else part.running.since(run.run, child.index)
        if status in STATUS_NAMES or since is not None:
            return ChildRef(part, run, child.index, status, since or 0)
        return None

    found = await service.find(child.home, look)
    if found is None:
        raise execution_missing(arn)
    return found


def _kind(run: RunRow) -> str:
    return "express" if run.child_type == "EXPRESS" else "execution"


def arn_of_child(service: Service, run: RunRow, position: int) -> str:
    """A child's ARN."""
    express = run.child_type == "EXPRESS"
    prefix = service.names.child_prefix(run.machine_name, run.label, express=express)
    return child_arn(prefix, run.run, position, express=express)


def name_of_child(run: RunRow, position: int) -> str:
    """A child's name as DescribeExecution has it: that of an EXPRESS child has a second part."""
    name = child_name(run.run, position)
    return f"{name}:{child_express_id(run.run, position)}" if run.child_type == "EXPRESS" else name


async def child_events(service: Service, child: ChildRef) -> list[HistoryEvent]:
    """The history of a child that ended, from the frame that answered it."""
    block = child.part.block(child.run.run, child.position // BLOCK_POSITIONS)
    assert block is not None
    frame = await service.frames.frame(child.part.number, block.offset(child.position % BLOCK_POSITIONS))
    return service.frames.events(frame, [child.position])[child.position]


async def describe(service: Service, ask: shapes.ExecutionAsked, _call: Call) -> shapes.ExecutionDescription:
    """DescribeExecution."""
    arn = ask.execution_arn or ""
    kind, rest = parse_arn(arn, ("execution", "express"))
    if kind == "express" and "/" not in rest[0]:
        raise Refusal("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")
    data = ask.included_data != "METADATA_ONLY"
    if "/" in rest[0]:
        return await _describe_child(service, arn, data=data)
    row = await find_root(service, arn)
    ended, succeeded = row.status != "RUNNING", row.status == "SUCCEEDED"
    redrive, reason = redrive_status(row.status)
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
        error=_text(row.error),
        cause=_text(row.cause),
        redrive_count=0 if ended else None,
        redrive_status=redrive,
        redrive_status_reason=reason,
    )


def _text(value: str | None) -> str | None:
    return value or None


def redrive_status(status: str, *, child: bool = False) -> tuple[str, str | None]:
    """Whether an execution can be redriven, and why not."""
    if status in {"RUNNING", "SUCCEEDED"}:
        return "NOT_REDRIVABLE", f"Execution is {status} and cannot be redriven"
    return ("REDRIVABLE_BY_MAP_RUN" if child else "REDRIVABLE"), None


async def _describe_child(service: Service, arn: str, *, data: bool) -> shapes.ExecutionDescription:
    child = await find_child(service, arn)
    run = child.run
    machine_arn = service.names.labelled_machine(run.machine_name, run.label)
    name = name_of_child(run, child.position)
    if not child.status:
        redrive, reason = redrive_status("RUNNING")
        return shapes.ExecutionDescription(
            execution_arn=arn,
            state_machine_arn=machine_arn,
            name=name,
            status="RUNNING",
            start_date=child.since_ms / 1000,
            input_details=LEFT_OUT,
            map_run_arn=run.arn,
            redrive_status=redrive,
            redrive_status_reason=reason,
        )
    status = STATUS_NAMES[child.status]
    events = await child_events(service, child)
    output = child_output(events)
    redrive, reason = redrive_status(status, child=True)
    return shapes.ExecutionDescription(
        execution_arn=arn,
        state_machine_arn=machine_arn,
        name=name,
        status=status,
        start_date=child_start_ms(events) / 1000,
        stop_date=child_stop_ms(events) / 1000,
        input=child_input(events).decode() if data else None,
        input_details=INCLUDED if data else LEFT_OUT,
        output=output.decode() if output is not None and data else None,
        output_details=(INCLUDED if data else LEFT_OUT) if output is not None else None,
        map_run_arn=run.arn,
        error=_text(child_error(events)) if status != "TIMED_OUT" else None,
        cause=_text(child_cause(events)) if status != "TIMED_OUT" else None,
        redrive_count=0,
        redrive_status=redrive,
        redrive_status_reason=reason,
    )


async def machine_of_execution(service: Service, ask: shapes.ExecutionAsked, _call: Call) -> shapes.MachineOfExecution:
    """DescribeStateMachineForExecution: the machine as it was when the execution started."""
    arn = ask.execution_arn or ""
    _, rest = parse_arn(arn, ("execution",))
    data = ask.included_data != "METADATA_ONLY"
    run: RunRow | None = None
    if "/" in rest[0]:
        child = await find_child(service, arn)
        run = child.run
        row = await find_root(service, run.root_arn)
        definition = processor_of(child.part.definition(run.definition), run.state)
    else:
        row = await find_root(service, arn)
        definition = service.part(home_of(arn, service.homes)).definition(row.definition)
    machine = service.machines.get(row.machine_arn)
    spec = None if machine is None or run is not None else machine.spec
    updated = run is None and machine is not None and machine.updated
    return shapes.MachineOfExecution(
        state_machine_arn=row.machine_arn
        if run is None
        else service.names.labelled_machine(run.machine_name, run.label),
        name=row.machine_name,
        definition=definition.decode() if data else None,
        role_arn=row.role_arn,
        update_date=(row.started_ms if machine is None else min(machine.updated_ms, row.started_ms)) / 1000,
        logging_configuration=msgspec.Raw((spec and spec.logging) or b'{"level":"OFF","includeExecutionData":false}'),
        tracing_configuration=msgspec.Raw((spec and spec.tracing) or b'{"enabled":false}'),
        encryption_configuration=msgspec.Raw((spec and spec.encryption) or b'{"type":"AWS_OWNED_KEY"}'),
        map_run_arn=None if run is None else run.arn,
        label=None if run is None else run.label,
        revision_id=row.revision_id if updated else None,
    )


def processor_of(definition: bytes, state: str) -> bytes:
    """The child machine of a Map state, as AWS shows it: StartAt and States, without ProcessorConfig."""
    waiting = [msgspec.json.decode(definition)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            found = value.get("States", {}).get(state) if isinstance(value.get("States"), dict) else None
            processor = found.get("ItemProcessor", found.get("Iterator")) if isinstance(found, dict) else None
            if isinstance(processor, dict):
                shown = {member: part for member, part in processor.items() if member != "ProcessorConfig"}
                return msgspec.json.encode(shown)
            waiting += value.values()
    return b"{}"


async def check_machine(service: Service, arn: str) -> None:
    """Refuses a machine that can't be listed by. Raises Refusal."""
    machine_of_arn(arn)
    machine = await service.machine(arn)
    if machine is None:
        raise machine_missing(arn)
    if machine.spec.machine_type == "EXPRESS":
        raise Refusal("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")


def newest_of_machine(
    service: Service, arn: str, status: str | None, below: tuple[int, str] | None, size: int
) -> list[shapes.ExecutionItem]:
    """A machine's newest executions on the partitions of this process."""
    items: list[tuple[tuple[int, str], shapes.ExecutionItem]] = []
    for part in service.parts.owned().values():
        keys = (key for key in part.newest_roots(arn, below) if status is None or part.status_of.get(key[1]) == status)
        for key in islice(keys, size):
            row = part.root(key[1])
            if row is not None:
                items.append((key, _item(row)))
    items.sort(key=lambda item: item[0], reverse=True)
    return [item for _, item in items[:size]]


def _item(row: RootRow) -> shapes.ExecutionItem:
    ended = row.status != "RUNNING"
    return shapes.ExecutionItem(
        execution_arn=row.arn,
        state_machine_arn=row.machine_arn,
        name=row.name,
        status=row.status,
        start_date=row.started_ms / 1000,
        stop_date=row.stopped_ms / 1000 if ended else None,
        redrive_count=0 if ended else None,
    )


async def all_folded(service: Service) -> None:
    """Waits until everything that stands on the owned homes now is folded."""
    await asyncio.gather(*(service.folded(home) for home in service.parts.owned()))
