"""The state machines of a CloudFormation, SAM or CDK template, with everything in them worked out."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from maprun.cli.documents import decode
from maprun.cli.errors import FileRefused
from maprun.cli.intrinsics import NO_VALUE, STATE_MACHINES, CannotResolveError, Resolver, Unknown
from maprun.cli.options import read_text
from maprun.cli.positions import places_of
from maprun.cli.publications import ALIAS, VERSION, Publication, publications, published_by_sam

_NAME_REFUSED = re.compile(r"[^0-9A-Za-z_+!@.()=-]+")
_DEFINITION = re.compile(r"\$\{(?!!)([A-Za-z0-9_.:]+)\}")
NAME_LENGTH_MAX = 80


class Origin(msgspec.Struct, frozen=True):
    """Where a definition is written: a file, and the pointer in it to where the definition begins."""

    path: Path
    pointer: str = ""


class MachineSource(msgspec.Struct, frozen=True):
    """A state machine as a file describes it. `None` leaves a member as the API has it, or to its default."""

    name: str
    definition: str
    origin: Origin
    machine_type: str | None = None
    role: str | None = None
    logging: dict[str, Any] | None = None
    tracing: dict[str, Any] | None = None
    encryption: dict[str, Any] | None = None
    logical_id: str = ""
    tags: dict[str, str] = {}
    publication: Publication | None = None
    notes: tuple[str, ...] = ()
    """What the file says about the machine and is not taken over."""


def clean_name(text: str) -> str:
    """The text as a state machine may be called; empty if nothing of it may stand there."""
    return _NAME_REFUSED.sub("-", text).strip("-")[:NAME_LENGTH_MAX]


class Template:
    """A template, read from `path`; paths in it are relative to its folder.

    Of a template that was made from another file, `origins` and `notes` are by logical id where the definitions stand
    in that, and what of it is not taken over.
    """

    def __init__(
        self,
        path: Path,
        resolver: Resolver,
        origins: Mapping[str, Origin] | None = None,
        notes: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._path = path
        self.resolver = resolver
        self._origins = origins or {}
        self._noted = notes or {}
        resources = resolver.template.get("Resources") or {}
        self._machines: dict[str, Mapping[str, Any]] = {
            name: one
            for name, one in resources.items()
            if isinstance(one, Mapping) and one.get("Type") in STATE_MACHINES and self._wanted(name, one)
        }
        self._resources = resources
        for logical_id, machine in self._machines.items():
            resolver.machine_names[logical_id] = self._name(logical_id, machine)

    @property
    def logical_ids(self) -> list[str]:
        """The state machines of the template, those left out that a condition leaves out."""
        return list(self._machines)

    def machines(self, logical_ids: tuple[str, ...]) -> list[MachineSource]:
        """The machines, or those named. Raises FileRefused; what must be given is in the resolver's `missing`."""
        found = []
        for logical_id in logical_ids or self.logical_ids:
            if logical_id not in self._machines:
                has = f"it has {', '.join(self._machines)}" if self._machines else "it has none"
                raise FileRefused(self._path, f"has no state machine '{logical_id}'", has)
            try:
                found.append(self._machine(logical_id, self._machines[logical_id]))
            except Unknown:
                continue
            except CannotResolveError as error:
                raise self._refused(logical_id, error) from error
        return found

    def _wanted(self, name: str, resource: Mapping[str, Any]) -> bool:
        if "Condition" not in resource:
            return True
        try:
            return self.resolver.condition(resource["Condition"])
        except Unknown:
            return True
        except CannotResolveError as error:
            raise self._refused(name, error) from error

    def _refused(self, logical_id: str, error: CannotResolveError) -> FileRefused:
        """What is said of a machine that can't be worked out, with the line at which it begins."""
        place = places_of(read_text(self._path), self._path).of(f"/Resources/{logical_id}")
        what = f"can't be worked out in {logical_id}: {error}"
        return FileRefused(self._path, what, line=place.line, column=place.column)

    def _name(self, logical_id: str, machine: Mapping[str, Any]) -> str:
        properties = machine.get("Properties") or {}
        given = properties.get("StateMachineName", properties.get("Name"))
        if given is None:
            return clean_name(logical_id)
        try:
            name = self.resolver.value(given)
        except Unknown:
            return clean_name(logical_id)  # the missing value is noted, so that nothing is deployed
        except CannotResolveError as error:
            raise self._refused(logical_id, error) from error
        return clean_name(logical_id) if name is NO_VALUE else str(name)

    def _machine(self, logical_id: str, machine: Mapping[str, Any]) -> MachineSource:
        properties = {name: value for name, value in (machine.get("Properties") or {}).items() if value is not None}
        definition, origin = self._definition(logical_id, properties)
        kind = self._given(properties, "StateMachineType", "Type")
        tracing = self._given(properties, "TracingConfiguration", "Tracing")
        encryption = self._given(properties, "EncryptionConfiguration")
        logging = self._given(properties, "LoggingConfiguration", "Logging")
        publication = self._publication(logical_id, properties)
        return MachineSource(
            name=self.resolver.machine_names[logical_id],
            definition=definition,
            origin=origin,
            logical_id=logical_id,
            machine_type=None if kind is None else str(kind),
            role=self._role(properties),
            logging=None if logging is None else _camel(_logging(logging)),
            tracing=None if tracing is None else _camel(_booleans(tracing)),
            encryption=None if encryption is None else _camel(_numbers(encryption)),
            tags=_tags(self._given(properties, "Tags")),
            publication=publication,
            notes=(
                *_notes(logical_id, properties),
                *self._noted.get(logical_id, ()),
                *(() if publication is None else publication.notes),
            ),
        )

    def _publication(self, logical_id: str, properties: Mapping[str, Any]) -> Publication | None:
        """The version and the aliases that the template has of a machine."""
        named = (
            (name, one)
            for name, one in self._resources.items()
            if isinstance(one, Mapping) and one.get("Type") in {VERSION, ALIAS} and self._wanted(name, one)
        )
        found = publications(named, self.resolver.value).get(logical_id)
        return found or published_by_sam(properties, self.resolver.value)

    def _given(self, properties: Mapping[str, Any], *names: str) -> Any:
        for name in names:
            if name in properties:
                value = self.resolver.value(properties[name])
                return None if value is NO_VALUE else value
        return None

    def _role(self, properties: Mapping[str, Any]) -> str | None:
        """The role, if it can be known: nobody assumes it here, so that nobody need be asked for it."""
        noted = dict(self.resolver.missing)
        try:
            role = self._given(properties, "RoleArn", "Role")
        except (Unknown, CannotResolveError):
            self.resolver.missing = noted
            return None
        return role if isinstance(role, str) else None

    def _definition(self, logical_id: str, properties: Mapping[str, Any]) -> tuple[str, Origin]:
        """The definition's JSON text, with its substitutions, and where it stands. Raises Unknown, FileRefused."""
        own = properties.get("DefinitionSubstitutions") or {}
        for name in ("DefinitionString", "Definition"):
            if name in properties:
                value = self.resolver.value(properties[name])
                text = value if isinstance(value, str) else json.dumps(value, indent=2)
                origin = self._origins.get(logical_id, Origin(self._path, f"/Resources/{logical_id}/Properties/{name}"))
                return fill(text, own, self.resolver), origin
        for name in ("DefinitionUri", "DefinitionS3Location"):
            if name in properties:
                path = self._beside(logical_id, properties[name])
                return as_json(fill(read_text(path), own, self.resolver), path), Origin(path)
        raise FileRefused(self._path, f"gives {logical_id} no definition")

    def _beside(self, logical_id: str, location: Any) -> Path:
        """The file that holds a definition: its path, or the asset of a CDK application."""
        if isinstance(location, str):
            return self._path.parent / location
        key = location.get("Key") if isinstance(location, Mapping) else None
        for folder in (self._path.parent, self._path.parent.parent):  # a stage's assets lie with those of the others
            asset = folder / f"asset.{key}"
            if isinstance(key, str) and asset.is_file():
                return asset
        raise FileRefused(
            self._path,
            f"has the definition of {logical_id} in S3",
            "deploy the definition's own file, or the template before it is packaged",
        )


def fill(text: str, own: Mapping[str, Any], resolver: Resolver) -> str:
    """A definition's text with its `${Name}` filled in: from its substitutions, else from what is given.

    As CloudFormation does it: the value stands as it is in the text, within quotes or without. Raises Unknown.
    """
    unknown = False

    def filled(match: re.Match[str]) -> str:
        nonlocal unknown
        name = match[1]
        try:
            if name in own:
                value = resolver.value(own[name])
                return value if isinstance(value, str) else json.dumps(value)
        except Unknown:
            unknown = True
            return ""
        if name in resolver.given:
            resolver.used.add(name)
            return resolver.given[name]
        resolver.missing.setdefault(name, f"a placeholder of the definition; '${{{name}}}' keeps it as it is")
        unknown = True
        return ""

    result = _DEFINITION.sub(filled, text)
    if unknown:
        raise Unknown
    return result


def as_json(text: str, path: Path) -> str:
    """A definition's text as the API takes it: JSON stays as it is written, YAML becomes JSON."""
    document = decode(text, path)
    return text if text.lstrip().startswith(("{", "[")) else json.dumps(document, indent=2, ensure_ascii=False)


def _logging(value: Any) -> Any:
    return (
        {name: _booleans(member) if name == "IncludeExecutionData" else member for name, member in value.items()}
        if isinstance(value, Mapping)
        else value
    )


def _booleans(value: Any) -> Any:
    """Booleans also where a template writes them as texts."""
    if isinstance(value, Mapping):
        return {name: _booleans(member) for name, member in value.items()}
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _numbers(value: Any) -> Any:
    return (
        {
            name: int(member) if name == "KmsDataKeyReusePeriodSeconds" and str(member).isdecimal() else member
            for name, member in value.items()
        }
        if isinstance(value, Mapping)
        else value
    )


def _camel(value: Any) -> Any:
    """Members as the API names them: CloudFormation begins them with a capital."""
    if isinstance(value, Mapping):
        return {name[:1].lower() + name[1:]: _camel(member) for name, member in value.items()}
    return [_camel(one) for one in value] if isinstance(value, list) else value


def _tags(value: Any) -> dict[str, str]:
    """Tags of CloudFormation (a list) or SAM (an object)."""
    if isinstance(value, list):
        return {
            str(tag["Key"]): str(tag.get("Value", "")) for tag in value if isinstance(tag, Mapping) and "Key" in tag
        }
    return {str(key): str(tag) for key, tag in value.items()} if isinstance(value, Mapping) else {}


def _notes(logical_id: str, properties: Mapping[str, Any]) -> Iterator[str]:
    if properties.get("Policies"):
        yield f"{logical_id}: its Policies are not taken over: Tasks call with the keys that the stack has"
    if properties.get("Events"):
        yield f"{logical_id}: its Events are not taken over; start it yourself"
