"""CloudFormation's functions, worked out without CloudFormation: what a template's values are on this machine.

A value that only a deployment could know is not guessed: it is noted as missing, by the name that `--set` has for it.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maprun.cli.documents import decode
from maprun.cli.options import read_text
from schemas.arns import Names, partition_of

NO_VALUE = object()
"""What `AWS::NoValue` stands for: the member is left out."""
_PLACE = re.compile(r"\$\{(!?)([^}]*)\}")

_LAMBDA = "arn:{partition}:lambda:{region}:{account}:function:{}"
_TABLE = "arn:{partition}:dynamodb:{region}:{account}:table/{}"
_TOPIC = "arn:{partition}:sns:{region}:{account}:{}"
_QUEUE = "arn:{partition}:sqs:{region}:{account}:{}"
_BUS = "arn:{partition}:events:{region}:{account}:event-bus/{}"
_CONNECTION = "arn:{partition}:events:{region}:{account}:connection/{}"  # AWS's has an id behind the name
_LOGS = "arn:{partition}:logs:{region}:{account}:log-group:{}:*"
_ACTIVITY = "arn:{partition}:states:{region}:{account}:activity:{}"
_NAMED = {
    "AWS::Lambda::Function": ("FunctionName", "{}", _LAMBDA),
    "AWS::Serverless::Function": ("FunctionName", "{}", _LAMBDA),
    "AWS::S3::Bucket": ("BucketName", "{}", "arn:{partition}:s3:::{}"),
    "AWS::DynamoDB::Table": ("TableName", "{}", _TABLE),
    "AWS::Serverless::SimpleTable": ("TableName", "{}", _TABLE),
    "AWS::SNS::Topic": ("TopicName", _TOPIC, _TOPIC),
    "AWS::SQS::Queue": ("QueueName", "https://sqs.{region}.amazonaws.com/{account}/{}", _QUEUE),
    "AWS::Events::EventBus": ("Name", "{}", _BUS),
    "AWS::Events::Connection": ("Name", "{}", _CONNECTION),
    "AWS::IAM::Role": ("RoleName", "{}", "arn:{partition}:iam::{account}:role/{}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "{}", _LOGS),
    "AWS::StepFunctions::Activity": ("Name", _ACTIVITY, _ACTIVITY),
}
"""type → (the property that gives its name, what Ref is, what GetAtt Arn is); `{}` stands for the name."""
_OWN_NAME = ("AWS::IAM::Role", "AWS::Logs::LogGroup")
"""Nobody here assumes the one or writes to the other, so that their logical id is name enough."""
STATE_MACHINES = ("AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine")


class Unknown(Exception):  # noqa: N818 - it ends the work on one value, and nothing went wrong
    """A value that must be given: its name is in `missing` already."""


class CannotResolveError(Exception):
    """A function that is written wrongly, or one that only AWS can work out."""


class Resolver:
    """One template with the values given for it. `missing` maps each name that `--set` must give to what it is."""

    def __init__(
        self, template: Mapping[str, Any], given: Mapping[str, str], names: Names, stack: str, folder: Path
    ) -> None:
        self.template = template
        self.given = given
        self.used: set[str] = set()
        self.missing: dict[str, str] = {}
        self.machine_names: dict[str, str] = {}  # logical id → name that the machine has here
        self._names = names
        self._stack = stack
        self._folder = folder  # what the template includes lies there
        self._open: list[str] = []  # names on the way to be worked out, so that a circle is seen

    def value(self, value: Any) -> Any:
        """The value with every function worked out. Raises Unknown, once all that is missing in it has been noted."""
        if isinstance(value, Mapping):
            function = self._function(value)
            if function is not None:
                return function()
            return self._all(value)
        if isinstance(value, list):
            return self._each(value)
        if isinstance(value, str) and "{{resolve:" in value:
            raise CannotResolveError(f"'{value}' is looked up by AWS alone: put the value itself there")
        return value

    def _all(self, value: Mapping[str, Any]) -> dict[str, Any]:
        found = dict(zip(value, self._tried(value.values()), strict=True))
        return {name: member for name, member in found.items() if member is not NO_VALUE}

    def _each(self, values: Any) -> list[Any]:
        return [found for found in self._tried(values) if found is not NO_VALUE]

    def _tried(self, values: Any) -> list[Any]:
        """All values; one that is unknown doesn't keep the others' missing names from being noted."""
        found, unknown = [], False
        for value in values:
            try:
                found.append(self.value(value))
            except Unknown:
                unknown = True
        if unknown:
            raise Unknown
        return found

    def _function(self, value: Mapping[str, Any]) -> Callable[[], Any] | None:
        if len(value) != 1:
            return None
        ((name, argument),) = value.items()
        if name == "Ref":
            return lambda: self.ref(str(argument))
        if not name.startswith("Fn::"):
            return None
        work = _FUNCTIONS.get(name)
        if work is None:
            raise CannotResolveError(f"{name} is not known here: put the value itself there")
        return lambda: work(self, argument)

    def ref(self, name: str) -> Any:
        """What `Ref` gives: a parameter, a pseudo parameter, or a resource."""
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.given:
            self.used.add(name)
            return self.given[name]
        pseudo = self._pseudo().get(name)
        if pseudo is not None:
            return pseudo
        parameters = self.template.get("Parameters") or {}
        if name in parameters:
            return self._parameter(name, parameters[name])
        return self.attribute(name, "Ref")

    def _pseudo(self) -> dict[str, Any]:
        names = self._names
        partition = partition_of(names.region)
        return {
            "AWS::Region": names.region,
            "AWS::AccountId": names.account,
            "AWS::Partition": partition,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self._stack,
            "AWS::StackId": f"arn:{partition}:cloudformation:{names.region}:{names.account}:stack/{self._stack}/maprun",
            "AWS::NotificationARNs": [],
        }

    def _parameter(self, name: str, parameter: Any) -> Any:
        kind = parameter.get("Type", "String") if isinstance(parameter, Mapping) else "String"
        if isinstance(parameter, Mapping) and "Default" in parameter and not str(kind).startswith("AWS::SSM::"):
            default = parameter["Default"]
            return str(default).split(",") if str(kind).startswith(("List<", "CommaDelimitedList")) else default
        raise self._note(name, f"the parameter, of type {kind}")

    def _note(self, name: str, what: str) -> Unknown:
        self.missing.setdefault(name, what)
        return Unknown(name)

    def attribute(self, logical_id: str, attribute: str) -> Any:
        """What Ref or GetAtt gives of a resource."""
        whole = logical_id if attribute == "Ref" else f"{logical_id}.{attribute}"
        if whole in self.given:
            self.used.add(whole)
            return self.given[whole]
        resource = (self.template.get("Resources") or {}).get(logical_id)
        if not isinstance(resource, Mapping):
            raise self._note(whole, "a name that the template refers to and does not have")
        kind = str(resource.get("Type"))
        if kind in STATE_MACHINES:
            return self._machine(logical_id, attribute)
        known = _NAMED.get(kind)
        if known is None or attribute not in ("Ref", "Arn"):
            raise self._note(whole, f"{'the Ref' if attribute == 'Ref' else attribute} of the {kind}")
        name = self._physical(logical_id, kind, resource)
        if name.startswith("arn:"):
            return name
        place = {
            "partition": partition_of(self._names.region),
            "region": self._names.region,
            "account": self._names.account,
        }
        return known[1 if attribute == "Ref" else 2].format(name, **place)

    def _physical(self, logical_id: str, kind: str, resource: Mapping[str, Any]) -> str:
        """The name of a resource outside the template."""
        if logical_id in self.given:
            self.used.add(logical_id)
            return self.given[logical_id]
        properties = resource.get("Properties")
        field = _NAMED[kind][0]
        if isinstance(properties, Mapping) and field in properties:
            return str(self._once(logical_id, lambda: self.value(properties[field])))
        if kind in _OWN_NAME:
            return logical_id
        raise self._note(logical_id, f"the name of the {kind}")

    def _once(self, name: str, work: Callable[[], Any]) -> Any:
        if name in self._open:
            raise CannotResolveError(f"{' → '.join([*self._open, name])} goes round in a circle")
        self._open.append(name)
        try:
            return work()
        finally:
            self._open.pop()

    def _machine(self, logical_id: str, attribute: str) -> str:
        name = self.machine_names.get(logical_id, logical_id)
        if attribute == "Name":
            return name
        if attribute in ("Ref", "Arn"):
            return self._names.machine(name)
        raise self._note(f"{logical_id}.{attribute}", f"{attribute} of the state machine")

    def substituted(self, text: str, own: Mapping[str, Any], what: str) -> str:
        """A text with `${Name}` filled in, from `own` values first, then as Ref or GetAtt. `${!Name}` stays `${Name}`.

        Raises Unknown.
        """
        unknown = False

        def fill(match: re.Match[str]) -> str:
            nonlocal unknown
            if match[1]:
                return f"${{{match[2]}}}"
            try:
                return _text(self._named(match[2].strip(), own), what)
            except Unknown:
                unknown = True
                return ""

        filled = _PLACE.sub(fill, text)
        if unknown:
            raise Unknown
        return filled

    def _named(self, name: str, own: Mapping[str, Any]) -> Any:
        if name in own:
            return self.value(own[name])
        logical_id, dot, attribute = name.partition(".")
        return self.attribute(logical_id, attribute) if dot and name not in self.given else self.ref(name)

    def included(self, location: str) -> Any:
        """The content of a file that the template includes, worked out."""
        if location.startswith("s3://"):
            raise CannotResolveError(f"{location} is included from S3: name a file beside the template")
        path = self._folder / location
        return self._once(location, lambda: self.value(decode(read_text(path), path)))

    def condition(self, condition: Any) -> bool:
        """A condition of the template, or the functions that one is made of. Raises Unknown or CannotResolveError."""
        if isinstance(condition, str):
            found = (self.template.get("Conditions") or {}).get(condition)
            if found is None:
                raise CannotResolveError(f"the template has no condition '{condition}'")
            return bool(self._once(f"condition {condition}", lambda: self.condition(found)))
        if isinstance(condition, Mapping) and len(condition) == 1:
            ((name, argument),) = condition.items()
            match name:
                case "Condition":
                    return self.condition(argument)
                case "Fn::Not":
                    return not self.condition(argument[0])
                case "Fn::And":
                    both = [self.condition(one) for one in argument]  # each, so that all that is missing is noted
                    return all(both)
                case "Fn::Or":
                    either = [self.condition(one) for one in argument]
                    return any(either)
                case "Fn::Equals":
                    first, second = self._each(argument)
                    return _text(first, name) == _text(second, name)
        raise CannotResolveError(f"{json.dumps(condition)} is no condition that can be worked out here")


def _text(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise CannotResolveError(f"{what} needs a text where {json.dumps(value, default=str)} stands")


def _sub(resolver: Resolver, argument: Any) -> str:
    text, own = (argument, {}) if isinstance(argument, str) else argument
    return resolver.substituted(text, own, "Fn::Sub")


def _join(resolver: Resolver, argument: Any) -> str:
    separator, pieces = argument
    return str(separator).join(_text(piece, "Fn::Join") for piece in _list(resolver.value(pieces), "Fn::Join"))


def _get_att(resolver: Resolver, argument: Any) -> Any:
    logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return resolver.attribute(str(logical_id), str(resolver.value(attribute)))


def _select(resolver: Resolver, argument: Any) -> Any:
    at, values = resolver.value(argument)
    return _list(values, "Fn::Select")[int(at)]


def _split(resolver: Resolver, argument: Any) -> list[str]:
    separator, text = resolver.value(argument)
    return _text(text, "Fn::Split").split(separator)


def _find_in_map(resolver: Resolver, argument: Any) -> Any:
    name, *keys = resolver.value(argument[:3])
    found: Any = (resolver.template.get("Mappings") or {}).get(name, {})
    for key in keys:
        found = found.get(str(key)) if isinstance(found, Mapping) else None
    if found is not None:
        return found
    if len(argument) > 3 and "DefaultValue" in argument[3]:  # noqa: PLR2004 - map, two keys, then the default
        return resolver.value(argument[3]["DefaultValue"])
    raise CannotResolveError(f"Fn::FindInMap finds nothing at {name}.{'.'.join(map(str, keys))}")


def _if(resolver: Resolver, argument: Any) -> Any:
    name, then, otherwise = argument
    return resolver.value(then if resolver.condition(name) else otherwise)


def _import_value(resolver: Resolver, argument: Any) -> str:
    name = _text(resolver.value(argument), "Fn::ImportValue")
    if name not in resolver.given:
        resolver.missing.setdefault(name, "what another stack exports by this name")
        raise Unknown(name)
    resolver.used.add(name)
    return resolver.given[name]


def _base64(resolver: Resolver, argument: Any) -> str:
    return base64.b64encode(_text(resolver.value(argument), "Fn::Base64").encode()).decode()


def _to_json(resolver: Resolver, argument: Any) -> str:
    return json.dumps(resolver.value(argument), separators=(",", ":"))


def _length(resolver: Resolver, argument: Any) -> int:
    return len(_list(resolver.value(argument), "Fn::Length"))


def _transform(resolver: Resolver, argument: Any) -> Any:
    if argument["Name"] != "AWS::Include":
        raise CannotResolveError(f"the transform {argument['Name']} is done by AWS alone")
    return resolver.included(_text(resolver.value(argument["Parameters"]["Location"]), "AWS::Include"))


def _list(value: Any, what: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise CannotResolveError(f"{what} needs a list where {json.dumps(value, default=str)} stands")


def _checked(work: Callable[[Resolver, Any], Any], name: str) -> Callable[[Resolver, Any], Any]:
    """A function whose argument has another shape than CloudFormation's is told as such."""

    def checked(resolver: Resolver, argument: Any) -> Any:
        try:
            return work(resolver, argument)
        except (TypeError, ValueError, IndexError, AttributeError, KeyError) as error:
            shown = json.dumps(argument, default=str)
            raise CannotResolveError(f"{name} is written wrongly: {shown}") from error

    return checked


_FUNCTIONS: dict[str, Callable[[Resolver, Any], Any]] = {
    name: _checked(work, name)
    for name, work in {
        "Fn::Sub": _sub,
        "Fn::Join": _join,
        "Fn::GetAtt": _get_att,
        "Fn::Select": _select,
        "Fn::Split": _split,
        "Fn::FindInMap": _find_in_map,
        "Fn::If": _if,
        "Fn::ImportValue": _import_value,
        "Fn::Base64": _base64,
        "Fn::ToJsonString": _to_json,
        "Fn::Length": _length,
        "Fn::Transform": _transform,
    }.items()
}
