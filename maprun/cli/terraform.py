"""The state machines of a Terraform plan or state, as `terraform show -json` prints it.

A plan knows less than a state: what a resource is told only once it is made (its ARN), and whatever holds that, is
missing in a plan.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from maprun.cli.errors import FileRefused
from maprun.cli.publications import AliasSource, Publication
from maprun.cli.templates import MachineSource, Origin, clean_name
from schemas.arns import Names, partition_of

_MACHINE, _ALIAS, _LOG_GROUP = "aws_sfn_state_machine", "aws_sfn_alias", "aws_cloudwatch_log_group"
_INDEX = re.compile(r"\[[^\]]*\]")
_CURE = (
    "apply it and deploy what `terraform show -json` prints then, or write there what a plan knows: an ARN with the "
    "resource's name in it"
)


class _Resource(msgspec.Struct, frozen=True):
    """A resource of the plan or the state."""

    address: str
    module: str
    name: str
    values: Mapping[str, Any]
    pointer: str


def machines(
    path: Path, document: Mapping[str, Any], names: Names, logical_ids: tuple[str, ...]
) -> list[MachineSource]:
    """The machines, or those whose addresses are named. Raises FileRefused."""
    return _Shown(path, document, names).machines(logical_ids)


class _Shown:
    """What Terraform showed."""

    def __init__(self, path: Path, document: Mapping[str, Any], names: Names) -> None:
        self._path = path
        self._names = names
        top = "planned_values" if "planned_values" in document else "values"
        root = (document.get(top) or {}).get("root_module") or {}
        self._resources = dict(_resources(root, f"/{top}/root_module"))
        self._expressions = dict(_expressions((document.get("configuration") or {}).get("root_module") or {}, ""))

    def machines(self, logical_ids: tuple[str, ...]) -> list[MachineSource]:
        """See `machines`."""
        own = self._resources.get(_MACHINE, {})
        if unknown := [name for name in logical_ids if name not in own]:
            raise FileRefused(self._path, f"has no state machine '{unknown[0]}'", f"it has {', '.join(own) or 'none'}")
        wanted = [one for one in own.values() if not logical_ids or one.address in logical_ids]
        if unknown := [f"{one.address}: it holds {self._holds(one)}" for one in wanted if not _definition(one)]:
            told = "\n  ".join((*unknown, _CURE))
            raise FileRefused(self._path, "is a plan that doesn't know yet what a state machine is defined as", told)
        return [self._machine(one) for one in wanted]

    def _machine(self, one: _Resource) -> MachineSource:
        values = one.values
        logging = _block(values, "logging_configuration", ("level", "include_execution_data"))
        if logging is not None and logging.get("level", "OFF") != "OFF":
            group = values["logging_configuration"][0].get("log_destination") or self._log_group(one)
            logging["destinations"] = [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]
        publication = self._publication(one) if values.get("publish") else None
        return MachineSource(
            name=values.get("name") or clean_name(f"{values.get('name_prefix') or ''}{_label(one)}"),
            definition=_definition(one),
            origin=Origin(self._path, f"{one.pointer}/values/definition"),
            logical_id=one.address,
            machine_type=values.get("type"),
            role=values.get("role_arn"),
            logging=logging,
            tracing=_block(values, "tracing_configuration", ("enabled",)),
            encryption=_block(
                values, "encryption_configuration", ("type", "kms_key_id", "kms_data_key_reuse_period_seconds")
            ),
            tags=values.get("tags_all") or values.get("tags") or {},
            publication=publication,
            notes=() if publication is None else publication.notes,
        )

    def _holds(self, one: _Resource) -> str:
        """What the definition of a machine is made of, as far as the plan says."""
        found = _references(self._expressions.get(_INDEX.sub("", one.address), {}).get("definition"))
        whole = [name for name in found if not any(other.startswith(f"{name}.") for other in found)]
        return ", ".join(whole) or "what is known after apply"

    def _log_group(self, one: _Resource) -> str:
        """The ARN of the log group that a machine's logging names, which a plan does not know, by the group's name."""
        blocks = self._expressions.get(_INDEX.sub("", one.address), {}).get("logging_configuration") or [{}]
        name = clean_name(one.address)
        for reference in _references(blocks[0].get("log_destination")):
            group = self._resources.get(_LOG_GROUP, {}).get(one.module + reference)
            if group is not None:
                name = group.values.get("name") or name
        region, account = self._names.region, self._names.account
        return f"arn:{partition_of(region)}:logs:{region}:{account}:log-group:{name}:*"

    def _publication(self, machine: _Resource) -> Publication:
        """The version that is published of a machine, and the aliases that lead to it."""
        aliases, notes = [], []
        for alias in self._resources.get(_ALIAS, {}).values():
            routes = alias.values.get("routing_configuration") or []
            if not self._leads_to(alias, routes, machine):
                continue
            aliases.append(AliasSource(alias.values["name"], alias.values.get("description") or None))
            if len(routes) > 1:
                notes.append(f"{alias.address}: shares out between versions; all goes to the one that is published now")
        return Publication(machine.values.get("version_description") or None, tuple(aliases), tuple(notes))

    def _leads_to(self, alias: _Resource, routes: list[Any], machine: _Resource) -> bool:
        known = [route["state_machine_version_arn"] for route in routes if route.get("state_machine_version_arn")]
        if known and machine.values.get("arn"):
            return any(arn.rpartition(":")[0] == machine.values["arn"] for arn in known)
        blocks = self._expressions.get(_INDEX.sub("", alias.address), {}).get("routing_configuration") or []
        named = {name for block in blocks for name in _references(block.get("state_machine_version_arn"))}
        return _INDEX.sub("", machine.address) in {_INDEX.sub("", alias.module + name) for name in named}


def _resources(module: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, dict[str, _Resource]]]:
    """(type, its resources by address)."""
    found: dict[str, dict[str, _Resource]] = {}
    waiting = [(module, pointer)]
    while waiting:
        module, pointer = waiting.pop()
        prefix = f"{module['address']}." if module.get("address") else ""
        for at, one in enumerate(module.get("resources") or ()):
            if one.get("mode", "managed") == "managed":
                own = _Resource(
                    one["address"], prefix, one["name"], one.get("values") or {}, f"{pointer}/resources[{at}]"
                )
                found.setdefault(one["type"], {})[own.address] = own
        children = enumerate(module.get("child_modules") or ())
        waiting += [(child, f"{pointer}/child_modules[{at}]") for at, child in children]
    yield from found.items()


def _expressions(module: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(address without indexes, what is written for each member), of every resource of the configuration."""
    for one in module.get("resources") or ():
        yield prefix + str(one["address"]), one.get("expressions") or {}
    for name, call in (module.get("module_calls") or {}).items():
        yield from _expressions(call.get("module") or {}, f"{prefix}module.{name}.")


def _references(expression: Any) -> list[str]:
    return list(expression.get("references") or ()) if isinstance(expression, Mapping) else []


def _definition(one: _Resource) -> str:
    return str(one.values.get("definition") or "")


def _label(one: _Resource) -> str:
    """A resource's name, with its index if there are several."""
    return one.name + "".join(f"-{index.strip('[]')}" for index in _INDEX.findall(one.address.rpartition(".")[2]))


def _block(values: Mapping[str, Any], name: str, members: tuple[str, ...]) -> dict[str, Any] | None:
    """A nested block as the API names its members, None if it is not written."""
    blocks = values.get(name) or []
    if not blocks:
        return None
    found = {member: blocks[0].get(member) for member in members}
    return {_camel(member): value for member, value in found.items() if value not in (None, "")}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
