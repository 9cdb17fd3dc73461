"""Operations on state machines."""

import msgspec

from maprun.language import FINDINGS_MAX, DefinitionError, compile_machine, examine
from maprun.language.diagnostics import Diagnostic
from maprun.requests.checks import Refusal, machine_of_arn, validate_name
from schemas.arns import home_of, unqualified
from schemas.machines import AliasRequested, MachineRequested, MachineSpec, MachineWritten, VersionRequested, configured
from services.maprun_tracker.api import inputs, shapes, tags
from services.maprun_tracker.api.configurations import encryption_to_store, logging_to_store, tracing_to_store
from services.maprun_tracker.api.errors import machine_missing
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token

NOTHING_GIVEN = (
    "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"
)


def faults_of(definition: bytes, machine_type: str) -> str:
    """All that is wrong with a definition that can't be used; "" = it can."""
    try:
        compile_machine(definition, machine_type)
    except DefinitionError as error:
        return str(error)
    return ""


async def _check_definition(service: Service, definition: str, machine_type: str) -> None:
    """Refuses a definition that can't be used, naming all that is wrong. Raises Refusal (InvalidDefinition)."""
    faults = await service.examiner.examined(faults_of, definition, machine_type)
    if faults:
        raise Refusal("InvalidDefinition", f"Invalid State Machine Definition: '{faults}'")


def _check_publish(publish: bool | None, description: str | None) -> None:
    if description is not None and not publish:
        raise Refusal("ValidationException", "Version description can only be set when publish is true")


def check_role(role_arn: str) -> None:
    """Refuses what can be no role. Raises Refusal (InvalidArn)."""
    if not role_arn.startswith("arn:") or role_arn.count(":") < 5:  # noqa: PLR2004 - arn:partition:service:region:account:
        raise Refusal("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {role_arn}'")


def spec_of(ask: inputs.CreateStateMachine | inputs.UpdateStateMachine, machine_type: str, tags: bytes) -> MachineSpec:
    """What a request sets; what it doesn't give is empty. Raises Refusal."""
    return MachineSpec(
        (ask.definition or "").encode(),
        ask.role_arn or "",
        machine_type,
        logging_to_store(ask.logging_configuration),
        tracing_to_store(ask.tracing_configuration),
        encryption_to_store(ask.encryption_configuration),
        tags,
    )


async def create(service: Service, ask: inputs.CreateStateMachine, call: Call) -> msgspec.Raw:
    """CreateStateMachine."""
    name, definition, role = ask.name or "", ask.definition or "", ask.role_arn or ""
    machine_type = ask.type or "STANDARD"
    validate_name(name)
    check_role(role)
    _check_publish(ask.publish, ask.version_description)
    spec = spec_of(ask, machine_type, tags.stored(ask.tags))
    arn = service.names.machine(name)
    service.part(home_of(arn, service.homes))  # whose owner examines the definition
    await service.finish_deletion(arn)
    await _check_definition(service, definition, machine_type)
    published = (ask.publish or False, ask.version_description or "")
    command = MachineRequested(service.command_id(call, "create"), "create", arn, name, spec, *published)
    return await written(service, command)


async def update(service: Service, ask: inputs.UpdateStateMachine, call: Call) -> msgspec.Raw:
    """UpdateStateMachine."""
    arn = ask.state_machine_arn or ""
    name, qualifier = machine_of_arn(arn)
    if qualifier:
        raise machine_missing(arn)
    _check_publish(ask.publish, ask.version_description)
    spec = spec_of(ask, "", b"")
    if not (spec.definition or spec.role_arn or spec.logging or spec.tracing or spec.encryption):
        raise Refusal("MissingRequiredParameter", NOTHING_GIVEN)
    if ask.role_arn is not None:
        check_role(ask.role_arn)
    machine = await service.machine(arn)
    if machine is None:
        raise machine_missing(arn)
    if ask.definition is not None:
        service.part(home_of(arn, service.homes))  # whose owner examines the definition
        await _check_definition(service, ask.definition, machine.spec.machine_type)
    published = (ask.publish or False, ask.version_description or "")
    command = MachineRequested(service.command_id(call, "update"), "update", arn, name, spec, *published)
    return await written(service, command)


async def delete(service: Service, ask: inputs.MachineAsked, call: Call) -> msgspec.Raw:
    """DeleteStateMachine. The machine is gone with the answer, or DELETING while any of its executions is open."""
    arn = ask.state_machine_arn or ""
    name, qualifier = machine_of_arn(arn)
    if qualifier:
        raise Refusal("ValidationException", f"This operation does not support version or alias ARNs: '{arn}'")
    command = MachineRequested(service.command_id(call, "delete"), "delete", arn, name, MachineSpec())
    answer = await written(service, command)
    await service.finish_deletion(arn)
    return answer


async def written(service: Service, command: MachineRequested | VersionRequested | AliasRequested) -> msgspec.Raw:
    """Has a machine changed, and the answer once everybody can read it."""
    body = await service.command(home_of(command.arn, service.homes), command)
    await service.machine_shown(command.arn)
    return msgspec.Raw(body)


async def describe(service: Service, ask: inputs.MachineAsked, _call: Call) -> shapes.MachineDescription:
    """DescribeStateMachine, of a version too."""
    arn = ask.state_machine_arn or ""
    machine_of_arn(arn)
    machine = await service.machine(arn)
    if machine is None:
        raise machine_missing(arn)
    spec = configured(machine.spec)
    return shapes.MachineDescription(
        state_machine_arn=machine.arn,
        name=machine.name,
        status="DELETING" if unqualified(arn) in service.machines.deleting else "ACTIVE",
        definition=None if ask.included_data == "METADATA_ONLY" else spec.definition.decode(),
        role_arn=spec.role_arn,
        type=spec.machine_type,
        creation_date=machine.created_ms / 1000,
        logging_configuration=msgspec.Raw(spec.logging),
        tracing_configuration=msgspec.Raw(spec.tracing),
        encryption_configuration=msgspec.Raw(spec.encryption),
        revision_id=machine.revision_id if machine.updated else None,
        description=machine.description or None,
    )


async def list_machines(service: Service, ask: inputs.Page, _call: Call) -> shapes.MachineList:
    """ListStateMachines, newest first."""
    query = ("ListStateMachines",)
    below = read_token(ask.next_token, query, tuple[int, str])
    await service.all_machines_read()
    found = sorted(service.machines.machines(), key=_age, reverse=True)
    size = ask.max_results or service.limits.page_default
    page = [machine for machine in found if below is None or _age(machine) < below][: size + 1]
    more = len(page) > size
    return shapes.MachineList(
        state_machines=[
            shapes.MachineItem(
                state_machine_arn=machine.arn,
                name=machine.name,
                type=machine.spec.machine_type,
                creation_date=machine.created_ms / 1000,
            )
            for machine in page[:size]
        ],
        next_token=make_token(query, _age(page[size - 1])) if more else None,
    )


def _age(machine: MachineWritten) -> tuple[int, str]:
    return machine.created_ms, machine.arn


async def validate(service: Service, ask: inputs.ValidateDefinition, _call: Call) -> shapes.Validation:
    """ValidateStateMachineDefinition."""
    findings = await service.examiner.examined(findings_of, ask.definition or "", ask.type or "STANDARD")
    return validation(ask, findings)


Findings = tuple[list[Diagnostic], list[Diagnostic]]
"""Errors and warnings."""


def findings_of(definition: bytes, machine_type: str) -> Findings:
    """What is found about a definition."""
    examined = examine(definition, machine_type)
    return examined.errors, examined.warnings


def validation(ask: inputs.ValidateDefinition, findings: Findings) -> shapes.Validation:
    """Errors, and from severity WARNING on warnings after them.

    So a cut at maxResults never leaves out an error for a warning.
    """
    errors, warnings = findings
    found = [*errors, *(warnings if ask.severity == "WARNING" else ())]
    most = ask.max_results or FINDINGS_MAX
    return shapes.Validation(
        result="FAIL" if errors else "OK",
        diagnostics=[
            shapes.Diagnostic(severity=one.severity, code=one.code, message=one.message, location=one.location or None)
            for one in found[:most]
        ],
        truncated=len(found) > most,
    )
