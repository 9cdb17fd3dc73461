"""A project of the Serverless Framework's plugin for Step Functions, as the CloudFormation template it becomes.

Only what state machines need is translated: their definitions, and the names of functions, activities and resources
that these refer to. No plugin and no program of the project runs.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from maprun.cli.errors import FileRefused
from maprun.cli.intrinsics import CannotResolveError, Unknown
from maprun.cli.options import read_text
from maprun.cli.positions import places_of
from maprun.cli.templates import Origin
from maprun.cli.variables import Located, Variables

_PSEUDO = re.compile(r"#\{([^}]+)\}")
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources")
_TAKEN = frozenset(
    (
        "definition",
        "id",
        "name",
        "type",
        "loggingConfig",
        "tracingConfig",
        "encryptionConfig",
        "tags",
        "inheritGlobalTags",
    )
)
_NOT_TAKEN = {
    "events": "its events are not taken over; start it yourself",
    "notifications": "its notifications are not taken over; the topic execution-events has its changes of status",
    "alarms": "its alarms are not taken over",
    "useExactVersion": "calls its functions as they are, not a version of each",
}


class Project(msgspec.Struct, frozen=True):
    """A template, and by its machines' logical ids where each definition stands and what is not taken over."""

    template: dict[str, Any]
    origins: dict[str, Origin]
    notes: dict[str, tuple[str, ...]]


def project(variables: Variables) -> Project:
    """The project that these variables are of; what must be given is in their `missing`. Raises FileRefused."""
    path = variables.at().path
    try:
        machines = variables.members(variables.at("stepFunctions", "stateMachines"))
        if not machines:
            raise FileRefused(path, "has no state machines", "they stand in stepFunctions.stateMachines")
        found = Project(_sections(variables), {}, {})
    except CannotResolveError as error:
        raise FileRefused(path, f"can't be worked out: {error}") from error
    for key, machine in machines.items():
        try:
            members = variables.members(machine)
            logical_id, resource = _machine(variables, key, members)
        except Unknown:
            continue
        except CannotResolveError as error:
            place = places_of(read_text(machine.path), machine.path).of(machine.pointer)
            what = f"can't be worked out in {key}: {error}"
            raise FileRefused(machine.path, what, line=place.line, column=place.column) from error
        found.template["Resources"][logical_id] = resource
        definition = members["definition"]
        found.origins[logical_id] = Origin(definition.path, definition.pointer)
        found.notes[logical_id] = tuple(f"{key}: {what}" for name, what in _NOT_TAKEN.items() if name in members)
    return found


def _sections(variables: Variables) -> dict[str, dict[str, Any]]:
    """The template without its machines: the project's own resources, its functions and its activities."""
    found: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for part in variables.parts(variables.at("resources")):
        for name in _SECTIONS:
            for member, one in variables.members(part.member(name)).items():
                kind = one.value.get("Type") if isinstance(one.value, Mapping) else None
                found[name][member] = variables.tried(one.value) or {"Type": kind}
    for logical_id, resource in (*_functions(variables), *_activities(variables)):
        found["Resources"].setdefault(logical_id, resource)
    return found


def _functions(variables: Variables) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each function by the logical id that the framework makes, and by its name in the project."""
    service = variables.tried(variables.at("service").value)
    service = service.get("name") if isinstance(service, Mapping) else service
    for name, function in variables.members(variables.at("functions")).items():
        own = function.value.get("name") if isinstance(function.value, Mapping) else None
        full = f"{service}-{variables.stage()}-{name}" if own is None else variables.tried(own)
        resource: dict[str, Any] = {"Type": "AWS::Lambda::Function"}
        if full is not None:
            resource["Properties"] = {"FunctionName": _substituted(full)}
        yield f"{_normalized(name)}LambdaFunction", resource
        yield name, resource


def _activities(variables: Variables) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in variables.of("stepFunctions", "activities") or ():
        logical_id = f"{_normalized(str(name))}StepFunctionsActivity"
        yield logical_id, {"Type": "AWS::StepFunctions::Activity", "Properties": {"Name": name}}


def _machine(variables: Variables, key: str, members: Mapping[str, Located]) -> tuple[str, dict[str, Any]]:
    """A machine's logical id and its resource. Raises Unknown, CannotResolveError."""
    if "definition" not in members:
        raise CannotResolveError("it has no definition")
    values = {name: variables.value(one.value) for name, one in members.items() if name in _TAKEN}
    definition = values["definition"]
    properties = {
        "Definition" if isinstance(definition, Mapping) else "DefinitionString": _substituted(definition),
        "StateMachineName": _substituted(values.get("name")),
        "StateMachineType": values.get("type"),
        "RoleArn": variables.tried(members["role"].value) if "role" in members else None,
        "LoggingConfiguration": _logging(values.get("loggingConfig")),
        "TracingConfiguration": _capital(values.get("tracingConfig")),
        "EncryptionConfiguration": values.get("encryptionConfig"),
        "Tags": _tags(variables, values),
    }
    if "id" in values:
        logical_id = _normalized(values["id"])
    elif "name" in values:
        logical_id = _normalized(values["name"])
    else:
        logical_id = f"{_normalized(key)}StepFunctionsStateMachine"
    kept = {name: value for name, value in properties.items() if value is not None}
    return logical_id, {"Type": "AWS::StepFunctions::StateMachine", "Properties": kept}


def _logging(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    groups = [{"CloudWatchLogsLogGroup": {"LogGroupArn": arn}} for arn in value.get("destinations") or ()]
    members = {"level": "OFF", **{name: one for name, one in value.items() if name != "destinations"}}
    return {**_capital(members), **({"Destinations": groups} if groups else {})}


def _capital(value: Any) -> Any:
    """Members as CloudFormation has them: they begin with a capital."""
    return {name[:1].upper() + name[1:]: one for name, one in value.items()} if isinstance(value, Mapping) else value


def _tags(variables: Variables, values: Mapping[str, Any]) -> dict[str, Any] | None:
    shared = variables.of("provider", "tags") if values.get("inheritGlobalTags", True) else None
    return {**(shared or {}), **(values.get("tags") or {})} or None


def _substituted(value: Any) -> Any:
    """A value whose texts name pseudo parameters and resources, in the framework's ways, as Fn::Sub."""
    if isinstance(value, Mapping):
        name = next(iter(value)) if len(value) == 1 else ""
        if name == "Ref" or str(name).startswith("Fn::"):
            return value
        return {name: _substituted(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_substituted(element) for element in value]
    if isinstance(value, str):
        text = _PSEUDO.sub(r"${\1}", value)
        return {"Fn::Sub": text} if "${" in text else text
    return value


def _normalized(name: str) -> str:
    """A name as a part of a logical id."""
    text = name.replace("-", "Dash").replace("_", "Underscore")
    return text[:1].upper() + text[1:]
