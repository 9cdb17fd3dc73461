"""From a file or folder to the state machines in it, whatever tool wrote it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from maprun.cli import serverless, terraform
from maprun.cli.documents import INSTEAD, Kind, decode, kind_of
from maprun.cli.errors import FileRefused, NotDecoded
from maprun.cli.intrinsics import Resolver, Unknown
from maprun.cli.options import read_text
from maprun.cli.templates import MachineSource, Origin, Template, as_json, clean_name, fill
from maprun.cli.variables import Variables
from schemas.arns import Names, partition_of

_ENDINGS = (".json", ".yaml", ".yml", ".asl", ".template")
_ASSEMBLY = ("*.template.json", "assembly-*/*.template.json")
"""Templates that CDK writes; a stage's stand in a folder of their own."""
_NAMES = (
    "cloudformation-template-update-stack.json",
    *("template.yaml", "template.yml", "template.json"),
    *("serverless.yml", "serverless.yaml", "serverless.json"),
)
"""Files that stand for the folder they lie in, the first of them that is there."""


class _Found(NamedTuple):
    """Machines, the names of `given` that stand in their files, and what must be given: its name and what it is."""

    machines: list[MachineSource]
    used: set[str]
    missing: Mapping[str, str]


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


def _read(path: Path, given: Mapping[str, str], names: Names, logical_ids: tuple[str, ...]) -> _Found:
    files = _files(path)
    found = [_of_file(file, given, names, logical_ids, alone=len(files) == 1) for file in files]
    return _Found(
        [machine for one in found for machine in one.machines],
        {name for one in found for name in one.used},
        {name: what for one in found for name, what in one.missing.items()},
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    templates = sorted(file for pattern in _ASSEMBLY for file in path.glob(pattern))
    for name in _NAMES:
        if not templates and (path / name).is_file():
            templates = [path / name]
    if not templates:
        if any(path.glob("*.tf")):
            raise FileRefused(path, "is a folder of Terraform", INSTEAD[Kind.TERRAFORM])
        raise FileRefused(path, "is a folder without a template", "name the file of the definition or the template")
    return templates


def _stem(path: Path) -> str:
    name = path.name
    while name.endswith(_ENDINGS):
        name = name.rpartition(".")[0]
    return name


def _of_file(
    path: Path, given: Mapping[str, str], names: Names, logical_ids: tuple[str, ...], *, alone: bool
) -> _Found:
    document, kind = _decoded(path)
    stack = clean_name(_stem(path)) or "maprun"
    match kind:
        case Kind.TEMPLATE:
            return _of_template(
                Template(path, Resolver(document, given, names, stack, path.parent)), logical_ids, alone=alone
            )
        case Kind.SERVERLESS:
            variables = Variables(path, document, given, names, os.environ)
            project = serverless.project(variables)
            resolver = Resolver(project.template, given, names, stack, path.parent)
            found = _of_template(Template(path, resolver, project.origins, project.notes), logical_ids, alone=alone)
            return _Found(found.machines, found.used | variables.used, {**found.missing, **variables.missing})
        case Kind.TERRAFORM_SHOWN:
            return _Found(terraform.machines(path, document, names, logical_ids), set(), {})
        case Kind.DEFINITION:
            if logical_ids:
                raise FileRefused(path, "is a definition, and has no logical ids")
            return _of_definition(path, Resolver({}, given, names, stack, path.parent))
        case Kind.TERRAFORM | Kind.ASSEMBLY | Kind.OTHER:
            raise FileRefused(path, f"is {kind}", INSTEAD[kind])


def _decoded(path: Path) -> tuple[Any, Kind]:
    text = read_text(path)
    try:
        document = decode(text, path)
    except NotDecoded:
        if "${" in text:
            return {}, Kind.DEFINITION  # it may become JSON only once its placeholders are filled in
        raise
    return document, kind_of(document)


def _of_template(template: Template, logical_ids: tuple[str, ...], *, alone: bool) -> _Found:
    here = tuple(name for name in logical_ids if name in template.logical_ids)
    if logical_ids and not here and not alone:
        return _Found([], set(), {})  # in another of the folder's templates
    machines = template.machines(logical_ids if alone else here)
    resolver = template.resolver
    used = resolver.used | (resolver.given.keys() & (resolver.template.get("Parameters") or {}).keys())
    return _Found(machines, used, resolver.missing)


def _of_definition(path: Path, resolver: Resolver) -> _Found:
    machines = []
    try:
        definition = as_json(fill(read_text(path), {}, resolver), path)
        machines.append(MachineSource(clean_name(_stem(path)), definition, Origin(path)))
    except Unknown:
        pass  # what is missing is noted
    return _Found(machines, resolver.used, resolver.missing)
