"""Operations on the aliases of state machines."""

import msgspec

from maprun.mapruns.fold.versions import MISSING
from maprun.requests.checks import Refusal, constraint_failed, machine_of_arn
from maprun.requests.starts import being_deleted
from maprun.requests.versions import WEIGHTS_SUM, alias_of
from schemas.arns import qualified, unqualified
from schemas.machines import Alias, AliasRequested, MachineWritten
from services.maprun_tracker.api import inputs, shapes
from services.maprun_tracker.api.errors import machine_missing
from services.maprun_tracker.api.machines import written
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token
from services.maprun_tracker.api.versions import version_of_arn

ROUTES_MAX = 2
NOTHING_GIVEN = "Either the description or the routing configuration must be specified"


async def create(service: Service, ask: inputs.CreateAlias, call: Call) -> msgspec.Raw:
    """CreateStateMachineAlias: of the machine whose versions it routes to."""
    routes = ask.routing_configuration or []
    numbers = _routes(routes)
    arn = unqualified(routes[0].state_machine_version_arn or "")
    if any(unqualified(route.state_machine_version_arn or "") != arn for route in routes):
        raise _refused("Routing configuration must contain versions of one state machine", routes)
    command_id = service.command_id(call, "create-alias")
    asked = AliasRequested(command_id, "create", arn, ask.name or "", numbers, ask.description)
    return await written(service, asked)


async def update(service: Service, ask: inputs.UpdateAlias, call: Call) -> msgspec.Raw:
    """UpdateStateMachineAlias."""
    arn, name = _alias_arn(ask.state_machine_alias_arn)
    routes = ask.routing_configuration
    if routes is None and ask.description is None:
        raise Refusal("ValidationException", NOTHING_GIVEN, "MISSING_REQUIRED_PARAMETER")
    numbers = () if routes is None else _routes(routes)
    if any(unqualified(route.state_machine_version_arn or "") != arn for route in routes or ()):
        raise _refused("Routing configuration must contain versions of the alias's state machine", routes or [])
    command_id = service.command_id(call, "update-alias")
    return await written(service, AliasRequested(command_id, "update", arn, name, numbers, ask.description))


async def delete(service: Service, ask: inputs.AliasAsked, call: Call) -> msgspec.Raw:
    """DeleteStateMachineAlias."""
    arn, name = _alias_arn(ask.state_machine_alias_arn)
    return await written(service, AliasRequested(service.command_id(call, "delete-alias"), "delete", arn, name))


async def describe(service: Service, ask: inputs.AliasAsked, _call: Call) -> shapes.AliasDescription:
    """DescribeStateMachineAlias."""
    arn, name = _alias_arn(ask.state_machine_alias_arn)
    machine = service.machines.get(arn) if await service.knows(qualified(arn, name)) else None
    alias = None if machine is None else alias_of(machine, name)
    if alias is None:
        raise Refusal("ResourceNotFound", MISSING)
    pairs = zip(alias.routes[::2], alias.routes[1::2], strict=True)
    return shapes.AliasDescription(
        state_machine_alias_arn=qualified(arn, name),
        name=name,
        description=alias.description or None,
        routing_configuration=[
            shapes.Route(state_machine_version_arn=qualified(arn, version), weight=weight) for version, weight in pairs
        ],
        creation_date=alias.created_ms / 1000,
        update_date=alias.updated_ms / 1000,
    )


async def list_aliases(service: Service, ask: inputs.MachinePage, _call: Call) -> shapes.Aliases:
    """ListStateMachineAliases of a machine or a version: oldest first, as AWS was seen to list them."""
    asked = ask.state_machine_arn or ""
    version = version_of_arn(asked)
    arn = unqualified(asked)
    query = ("ListStateMachineAliases", asked)
    after = read_token(ask.next_token, query, tuple[int, str])
    if not await service.knows(asked) and service.machines.get(arn) is not None:
        raise Refusal("ResourceNotFound", MISSING)
    machine = service.machines.get(arn)
    if machine is None:
        raise machine_missing(asked)
    if machine.deleting:
        raise being_deleted(arn)
    size = ask.max_results or service.limits.page_default
    left = [alias for alias in _listed(machine, version) if after is None or _age(alias) > after]
    return shapes.Aliases(
        state_machine_aliases=[
            shapes.AliasItem(state_machine_alias_arn=qualified(arn, alias.name), creation_date=alias.created_ms / 1000)
            for alias in left[:size]
        ],
        next_token=make_token(query, _age(left[size - 1])) if len(left) > size else None,
    )


def _listed(machine: MachineWritten, version: int) -> list[Alias]:
    return sorted((alias for alias in machine.aliases if not version or version in alias.routes[::2]), key=_age)


def _age(alias: Alias) -> tuple[int, str]:
    return alias.created_ms, alias.name


def _alias_arn(given: str | None) -> tuple[str, str]:
    """The ARN of the machine in an alias's, and the alias's name. Raises Refusal."""
    arn = given or ""
    _, name = machine_of_arn(arn)
    if not name or version_of_arn(arn):
        raise Refusal("ValidationException", f"The ARN is not that of a state machine alias: '{arn}'")
    return unqualified(arn), name


def _routes(routes: list[inputs.Route]) -> tuple[int, ...]:
    """A routing configuration as it is kept. Raises Refusal."""
    arns = [route.state_machine_version_arn or "" for route in routes]
    weights = [route.weight or 0 for route in routes]
    if len(routes) > ROUTES_MAX:
        shown = ", ".join(
            f"RoutingConfigurationListItem(stateMachineVersionArn={arn}, weight={weight})"
            for arn, weight in zip(arns, weights, strict=True)
        )
        constraint_failed(
            "routingConfiguration", f"Member must have length less than or equal to {ROUTES_MAX}", f"'[{shown}]'"
        )
    if not routes:
        constraint_failed("routingConfiguration", "Member must have length greater than or equal to 1", "'[]'")
    numbers = [version_of_arn(arn) for arn in arns]
    if not all(numbers):
        raise _refused("Routing configuration must contain state machine version ARNs", routes)
    if len(set(arns)) < len(arns):
        raise _refused("Routing configuration must contain distinct state machine version ARNs", routes)
    if sum(weights) != WEIGHTS_SUM:
        message = f"Sum of routing configuration weights must equal {WEIGHTS_SUM}. Received: {weights}"
        raise Refusal("ValidationException", message, "INVALID_ROUTING_CONFIGURATION")
    return tuple(number for pair in zip(numbers, weights, strict=True) for number in pair)


def _refused(what: str, routes: list[inputs.Route]) -> Refusal:
    received = ", ".join(route.state_machine_version_arn or "" for route in routes)
    return Refusal("ValidationException", f"{what}. Received: [{received}]", "INVALID_ROUTING_CONFIGURATION")
