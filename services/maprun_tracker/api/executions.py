"""Operations on executions: started, stopped, redriven, found, listed."""

import asyncio
from itertools import islice

import msgspec

from maprun.integrations.executions import name_of
from maprun.requests.callbacks import token_of
from maprun.requests.checks import Refusal, machine_of_arn, parse_arn
from maprun.requests.express import EXPRESS, unsupported_type
from maprun.requests.starts import Start, derived_id, execution_requested
from schemas.arns import ChildId, child_arn, child_express_id, child_name, child_of_arn, home_of, unqualified
from schemas.home import RedriveRequested, StopRequested
from schemas.machines import MachineSpec, configured
from schemas.starters import Starter
from services.maprun_tracker.api import express, inputs, shapes, start_inputs
from services.maprun_tracker.api.errors import execution_missing, machine_missing
from services.maprun_tracker.api.frames import GoneError, Kept
from services.maprun_tracker.api.run_children import Child, child_of
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.rows import RootRow, RunRow
from services.maprun_tracker.state import Partition

MACHINE_DELETING = "State machine is in DELETING status"
"""Why an execution can't be redriven then (AWS: API reference, DescribeExecution, redriveStatusReason)."""


class ChildRef(msgspec.Struct, frozen=True):
    """A child that exists, and its run."""

    part: Partition
    run: RunRow
    child: Child


async def start(service: Service, ask: start_inputs.StartExecution, call: Call) -> msgspec.Raw:
    """StartExecution. A name that isn't given is a function of the SDK's call, so its repeats start nothing new.

    For a Task that waits for the execution both name and request are functions of its attempt.
    """
    text = None if ask.input is None else ask.input.encode()
    wanted = Start(ask.state_machine_arn or "", ask.name, text, call.trace_header or ask.trace_header or "")
    machine = await service.machine_to_start(wanted)
    if machine.spec.machine_type == EXPRESS:
        return await express.start(service, wanted, call)
    starter = _starter(service, call)
    request_id = service.command_id(call, "start") if starter is None else starter.attempt
    name = derived_id("name", call.attempt_of) if starter is None else name_of(starter.attempt)
    command = execution_requested(wanted, service.machines, service.names, request_id, name, traced=service.traced)
    command = msgspec.structs.replace(command, starter=starter)
    return msgspec.Raw(await service.command(home_of(command.arn, service.homes), command))


def _starter(service: Service, call: Call) -> Starter | None:
    """The Task that waits for the execution. Raises Refusal (InvalidToken) when its token is none of this cluster."""
    if not call.task_token:
        return None
    token = token_of(service.secret, call.task_token)
    return Starter(token.arn, token.attempt, token.lane, call.parsed)


async def stop(service: Service, ask: inputs.StopExecution, call: Call) -> msgspec.Raw:
    """StopExecution of a root execution or of a STANDARD child."""
    arn = ask.execution_arn or ""
    _, rest = parse_arn(arn, ("execution",))
    child = _child_id(service, arn)
    if child is None and ("/" in rest[0] or len(rest) != 2):  # noqa: PLR2004 - machine:name
        raise execution_missing(arn)
    home = home_of(arn, service.homes) if child is None else child.home
    if child is not None:
        await find_child(service, arn)
    request = StopRequested(service.command_id(call, "stop"), arn, ask.error or "", ask.cause or "")
    return msgspec.Raw(await service.command(home, request))


async def redrive(service: Service, ask: inputs.RedriveExecution, call: Call) -> msgspec.Raw:
    """RedriveExecution of a root execution. One client token redrives an execution once."""
    arn, token = ask.execution_arn or "", ask.client_token
    _, rest = parse_arn(arn, ("execution",))
    if _child_id(service, arn) is not None:
        await find_child(service, arn)
        message = "Child workflow executions are redriven by redriving the execution that started their Map Run"
        raise Refusal("ExecutionNotRedrivable", message)
    if "/" in rest[0] or len(rest) != 2:  # noqa: PLR2004 - machine:name
        raise execution_missing(arn)
    if service.names.machine(rest[0]) in service.machines.deleting:
        raise Refusal("ExecutionNotRedrivable", MACHINE_DELETING)
    request_id = derived_id("redrive", arn, token) if token else service.command_id(call, "redrive")
    command = RedriveRequested(request_id, arn)
    return msgspec.Raw(await service.command(home_of(arn, service.homes), command))


def _child_id(service: Service, arn: str) -> ChildId | None:
    """Where an execution's ARN leads, if it is a child's."""
    child = child_of_arn(arn)
    return child if child is not None and child.home < service.homes else None


async def find_root(service: Service, arn: str) -> RootRow:
    """A root execution. Raises Refusal (ExecutionDoesNotExist)."""
    row = await service.find(home_of(arn, service.homes), lambda part: part.root(arn))
    if row is None:
        raise execution_missing(arn)
    return row


async def find_child(service: Service, arn: str) -> ChildRef:
    """A child that runs or ran. Raises Refusal (ExecutionDoesNotExist)."""
    kind, _ = parse_arn(arn, ("execution", "express"))
    child_id = _child_id(service, arn)
    if child_id is None:
        raise execution_missing(arn)

    def look(part: Partition) -> ChildRef | None:
        run = part.run(part.run_of_tail(child_id.run_tail))
        if run is None or arn != arn_of_child(service, run, child_id.index) or kind != _kind(run):
            return None
        child = child_of(part, run, child_id.index)
        return None if child is None else ChildRef(part, run, child)

    found = await service.find(child_id.home, look)
    if found is None:
        raise execution_missing(arn)
    return found


def _kind(run: RunRow) -> str:
    return "express" if run.child_type == "EXPRESS" else "execution"


def arn_of_child(service: Service, run: RunRow, index: int) -> str:
    """A child's ARN."""
    express = run.child_type == "EXPRESS"
    prefix = service.names.child_prefix(run.machine_name, run.label, express=express)
    return child_arn(prefix, run.run, index, express=express)


def name_of_child(run: RunRow, index: int) -> str:
    """A child's name as DescribeExecution has it: that of an EXPRESS child has a second part."""
    name = child_name(run.run, index)
    return f"{name}:{child_express_id(run.run, index)}" if run.child_type == "EXPRESS" else name


async def kept_of(service: Service, ref: ChildRef) -> Kept | None:
    """What home tells of a child's last end; None when it never ended, or when home no longer holds that frame."""
    child = ref.child
    if child.offset < 0:
        return None
    try:
        frame = await service.frames.frame(ref.part.number, child.offset)
    except GoneError:
        return None
    return service.frames.children(frame, [child.index])[child.index]


async def machine_of_execution(service: Service, ask: inputs.ExecutionAsked, _call: Call) -> shapes.MachineOfExecution:
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
    machine = service.machines.get(row.version_arn or row.machine_arn)
    spec = configured(MachineSpec() if machine is None or run is not None else machine.spec)
    updated = run is None and machine is not None and machine.updated
    return shapes.MachineOfExecution(
        state_machine_arn=row.machine_arn
        if run is None
        else service.names.labelled_machine(run.machine_name, run.label),
        name=row.machine_name,
        definition=definition.decode() if data else None,
        role_arn=row.role_arn,
        update_date=(row.started_ms if machine is None else min(machine.updated_ms, row.started_ms)) / 1000,
        logging_configuration=msgspec.Raw(spec.logging),
        tracing_configuration=msgspec.Raw(spec.tracing),
        encryption_configuration=msgspec.Raw(spec.encryption),
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
    """Refuses a machine, version or alias that can't be listed by. Raises Refusal."""
    machine_of_arn(arn)
    machine = service.machines.get(unqualified(arn)) if await service.knows(arn) else None
    if machine is None:
        raise machine_missing(arn)
    if machine.spec.machine_type == EXPRESS:
        raise unsupported_type()


def newest_of_machine(
    service: Service, ask: inputs.ListExecutions, below: tuple[int, str] | None, size: int
) -> list[shapes.ExecutionItem]:
    """The newest executions of a machine, version or alias on the partitions of this process."""
    arn, status = ask.state_machine_arn or "", ask.status_filter
    redriven = None if ask.redrive_filter is None else ask.redrive_filter == "REDRIVEN"
    items: list[tuple[tuple[int, str], shapes.ExecutionItem]] = []
    for part in service.parts.owned().values():
        for key in islice(part.newest_roots(arn, below, status, redriven), size):
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
        state_machine_version_arn=row.version_arn or None,
        state_machine_alias_arn=row.alias_arn or None,
        redrive_count=row.redrive_count if ended or row.redrive_count else None,
        redrive_date=row.redriven_ms / 1000 if row.redrive_count else None,
    )


async def all_folded(service: Service) -> None:
    """Waits until everything that stands on the owned homes now is folded."""
    await asyncio.gather(*(service.folded(home) for home in service.parts.owned()))
