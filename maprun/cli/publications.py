"""What a template publishes of its state machines: versions and aliases; and how that is done."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from maprun.cli.client import Api
from maprun.cli.errors import Refused

VERSION, ALIAS = "AWS::StepFunctions::StateMachineVersion", "AWS::StepFunctions::StateMachineAlias"
Resources = Iterable[tuple[str, Mapping[str, Any]]]
"""Resources of a template by their logical ids."""
Resolve = Callable[[Any], Any]


class AliasSource(msgspec.Struct, frozen=True):
    """An alias as a template describes it; it leads to the version that is published with it."""

    name: str
    description: str | None = None


class Publication(msgspec.Struct, frozen=True):
    """A machine is published as a version with this description, and these aliases lead to it."""

    description: str | None = None
    aliases: tuple[AliasSource, ...] = ()
    notes: tuple[str, ...] = ()
    """What the template says of it and is not done."""


def publications(resources: Resources, resolve: Resolve) -> dict[str, Publication]:
    """What is published of each machine, by the machine's logical id."""
    found: dict[str, Publication] = {}
    machines: dict[str, str] = {}  # by the logical ids of their versions
    resources = list(resources)
    for logical_id, properties in _of(VERSION, resources):
        machine = machines[logical_id] = _referred(properties.get("StateMachineArn"))
        found[machine] = Publication(_text(properties.get("Description"), resolve))
    for logical_id, properties in _of(ALIAS, resources):
        routes = properties.get("RoutingConfiguration") or [properties.get("DeploymentPreference") or {}]
        machine = machines.get(_referred(routes[0].get("StateMachineVersionArn")), "")
        if machine:
            alias = AliasSource(
                _text(properties.get("Name"), resolve) or logical_id, _text(properties.get("Description"), resolve)
            )
            found[machine] = _with_alias(found[machine], alias, [_notes(logical_id, properties, routes)])
    return found


def published_by_sam(properties: Mapping[str, Any], resolve: Resolve) -> Publication | None:
    """What SAM's AutoPublishAlias publishes of a machine with these properties."""
    name = _text(properties.get("AutoPublishAlias"), resolve)
    return None if name is None else _with_alias(Publication(), AliasSource(name), [_gradual(name, properties)])


def _of(kind: str, resources: Resources) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name, one.get("Properties") or {}) for name, one in resources if one.get("Type") == kind]


def _referred(value: Any) -> str:
    """The logical id that a reference names, "" if it is none."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return ""
    [(function, named)] = value.items()
    if function == "Fn::GetAtt":
        named = named[0] if isinstance(named, list) else str(named).partition(".")[0]
    return str(named) if function in {"Ref", "Fn::GetAtt"} else ""


def _text(value: Any, resolve: Resolve) -> str | None:
    found = None if value is None else resolve(value)
    return found if isinstance(found, str) else None


def _with_alias(publication: Publication, alias: AliasSource, notes: Iterable[str]) -> Publication:
    return msgspec.structs.replace(
        publication,
        aliases=(*publication.aliases, alias),
        notes=(*publication.notes, *filter(None, notes)),
    )


def _notes(logical_id: str, properties: Mapping[str, Any], routes: list[Any]) -> str:
    if len(routes) > 1:
        return f"{logical_id}: shares out between versions; all goes to the one that is published now"
    return _gradual(logical_id, properties)


def _gradual(name: str, properties: Mapping[str, Any]) -> str:
    """A deployment that AWS would do over some time, watching alarms."""
    kind = (properties.get("DeploymentPreference") or {}).get("Type", "ALL_AT_ONCE")
    return "" if kind == "ALL_AT_ONCE" else f"{name}: goes to the new version at once, not {kind}"


def publish(api: Api, machine: str, publication: Publication) -> dict[str, Any]:
    """Publishes the machine with this ARN, and has its aliases lead to that version; what it came to."""
    done = api.call("PublishStateMachineVersion", stateMachineArn=machine, description=publication.description)
    version = str(done["stateMachineVersionArn"])
    aliases = [_lead(api, machine, alias, version) for alias in publication.aliases]
    return {"stateMachineVersionArn": version, "stateMachineAliasArns": aliases}


def _lead(api: Api, machine: str, alias: AliasSource, version: str) -> str:
    """Creates the alias, or has the one that is there lead to the version; its ARN."""
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    arn = f"{machine}:{alias.name}"
    try:
        api.call("CreateStateMachineAlias", name=alias.name, description=alias.description, routingConfiguration=routes)
    except Refused as refusal:
        if refusal.code != "ConflictException":
            raise
        members = {"description": alias.description, "routingConfiguration": routes}
        api.call("UpdateStateMachineAlias", stateMachineAliasArn=arn, **members)
    return arn
