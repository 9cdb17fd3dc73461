"""From a file or folder to the state machines in it, whatever tool wrote it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maprun.cli.documents import INSTEAD, Kind, decode, kind_of
from maprun.cli.errors import FileRefused, NotDecoded
from maprun.cli.intrinsics import Resolver, Unknown
from maprun.cli.options import read_text
from maprun.cli.templates import MachineSource, Origin, Template, as_json, clean_name, fill
from schemas.arns import Names, partition_of

_ENDINGS = (".json", ".yaml", ".yml", ".asl", ".template")
_SERVERLESS = "cloudformation-template-update-stack.json"


def read_machines(
    path: Path, given: Mapping[str, str], names: Names, logical_ids: tuple[str, ...] = ()
) -> list[MachineSource]:
    """The state machines of a file, or of the folder that CDK, SAM or the Serverless Framework wrote.

    `given` are the values of --set; `logical_ids` picks machines of a template. Raises FileRefused, which says what
    the file is, what is missing, and what to do.
    """
    found, used, missing = _read(path, given, names, logical_ids)
    if missing:
        asked = "\n  ".join(f"--set {name}=…   {what}" for name, what in missing.items())
        raise FileRefused(path, f"asks for what only you know ({len(missing)})", asked)
    if not found:
        raise FileRefused(path, "has no state machines", "a template's are of type AWS::StepFunctions::StateMachine")
    if unused := sorted(given.keys() - used):
        raise FileRefused(path, f"has nothing that is called {', '.join(unused)}", "see --set")
    return found


def read_machines_as_far_as_known(path: Path, given: Mapping[str, str], names: Names) -> list[MachineSource]:
    """The same for whoever only looks: what only a user knows is made up, a function's ARN for each.

    Raises FileRefused for what can't be read.
    """
    made_up = dict(given)
    while True:
        found, _, missing = _read(path, made_up, names, ())
        new = [name for name in missing if name not in made_up]
        if not new:
            return found
        arn = f"arn:{partition_of(names.region)}:lambda:{names.region}:{names.account}:function:"
        made_up |= {name: arn + (clean_name(name) or "made-up") for name in new}


def _read(
    path: Path, given: Mapping[str, str], names: Names, logical_ids: tuple[str, ...]
) -> tuple[list[MachineSource], set[str], dict[str, str]]:
    """(machines, names of `given` that stand somewhere, names that must be given and what they are)."""
    found: list[MachineSource] = []
    used: set[str] = set()
    missing: dict[str, str] = {}
    files = _files(path)
    for file in files:
        resolver = Resolver(_template(file), given, names, clean_name(_stem(file)) or "maprun")
        found += _machines(file, resolver, logical_ids, alone=len(files) == 1)
        used |= resolver.used | (given.keys() & (resolver.template.get("Parameters") or {}).keys())
        missing |= resolver.missing
    return found, used, missing


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    templates = sorted(path.glob("*.template.json"))
    for one in (_SERVERLESS, "template.yaml", "template.yml", "template.json"):
        if not templates and (path / one).is_file():
            templates = [path / one]
    if not templates:
        raise FileRefused(path, "is a folder without a template", "name the file of the definition or the template")
    return templates


def _stem(path: Path) -> str:
    name = path.name
    while name.endswith(_ENDINGS):
        name = name.rpartition(".")[0]
    return name


def _template(path: Path) -> Mapping[str, Any]:
    """The template in a file, empty if the file is none."""
    text = read_text(path)
    try:
        document = decode(text, path)
    except NotDecoded:
        if "${" in text:
            return {}  # a definition may become JSON only once its placeholders are filled in
        raise
    kind = kind_of(document)
    if kind in INSTEAD:
        raise FileRefused(path, f"is {kind}", INSTEAD[kind])
    return document if kind is Kind.TEMPLATE else {}


def _machines(path: Path, resolver: Resolver, logical_ids: tuple[str, ...], *, alone: bool) -> list[MachineSource]:
    if resolver.template:
        template = Template(path, resolver)
        here = tuple(name for name in logical_ids if name in template.logical_ids)
        if logical_ids and not here and not alone:
            return []  # in another of the folder's templates
        return template.machines(logical_ids if alone else here)
    if logical_ids:
        raise FileRefused(path, "is a definition, and has no logical ids")
    try:
        return [
            MachineSource(clean_name(_stem(path)), as_json(fill(read_text(path), {}, resolver), path), Origin(path))
        ]
    except Unknown:
        return []
