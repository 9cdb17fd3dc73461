"""Operations on the versions of state machines."""

import msgspec

from maprun.requests.checks import Refusal, machine_of_arn
from schemas.arns import qualified, unqualified
from schemas.machines import VersionRequested
from services.maprun_tracker.api import inputs, shapes
from services.maprun_tracker.api.errors import machine_missing
from services.maprun_tracker.api.machines import written
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token


def version_of_arn(arn: str) -> int:
    """The number in a version's ARN; 0 for an ARN of a machine or an alias. Raises Refusal."""
    _, qualifier = machine_of_arn(arn)
    return int(qualifier) if qualifier.isascii() and qualifier.isdecimal() and qualifier[0] != "0" else 0


async def publish(service: Service, ask: inputs.PublishVersion, call: Call) -> msgspec.Raw:
    """PublishStateMachineVersion."""
    arn = ask.state_machine_arn or ""
    _, qualifier = machine_of_arn(arn)
    if qualifier:
        raise machine_missing(arn)
    asked = VersionRequested(
        service.command_id(call, "publish"),
        "publish",
        arn,
        revision_id=ask.revision_id or "",
        description=ask.description or "",
    )
    return await written(service, asked)


async def delete(service: Service, ask: inputs.VersionAsked, call: Call) -> msgspec.Raw:
    """DeleteStateMachineVersion."""
    arn = ask.state_machine_version_arn or ""
    number = version_of_arn(arn)
    if not number:
        raise Refusal("ValidationException", f"The ARN is not that of a state machine version: '{arn}'")
    asked = VersionRequested(service.command_id(call, "unpublish"), "delete", unqualified(arn), number)
    return await written(service, asked)


async def list_versions(service: Service, ask: inputs.MachinePage, _call: Call) -> shapes.Versions:
    """ListStateMachineVersions, newest first."""
    arn = ask.state_machine_arn or ""
    machine_of_arn(arn)
    query = ("ListStateMachineVersions", arn)
    below = read_token(ask.next_token, query, int)
    machine = await service.machine(arn)
    size = ask.max_results or service.limits.page_default
    numbers = () if machine is None else machine.versions
    left = [number for number in reversed(numbers) if below is None or number < below]
    shown = [service.machines.get(qualified(arn, number)) for number in left[:size]]
    return shapes.Versions(
        state_machine_versions=[
            shapes.VersionItem(state_machine_version_arn=version.arn, creation_date=version.created_ms / 1000)
            for version in shown
            if version is not None
        ],
        next_token=make_token(query, left[size - 1]) if len(left) > size else None,
    )
