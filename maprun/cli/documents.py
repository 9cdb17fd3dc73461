"""Files as people have them: JSON, or YAML with CloudFormation's short tags, and what such a file is."""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from maprun.cli.errors import FileRefused, NotDecoded
from maprun.language.depth import json_depth_ok

_TERRAFORM = re.compile(r"^\s*(?:resource|module|data|provider|variable|locals|terraform)\b[^\n]*\{", re.MULTILINE)


_PLAIN = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", "~nN"),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    "float": (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    "merge": (r"<<", "<"),
}
"""tag → (which plain texts have it, with what they begin), as YAML 1.2's core schema; merging is PyYAML's own."""


class Kind(StrEnum):
    """What a decoded file is."""

    DEFINITION = "a state machine definition"
    TEMPLATE = "a CloudFormation template"
    SERVERLESS = "a file of the Serverless Framework"
    TERRAFORM = "a file of Terraform"
    TERRAFORM_SHOWN = "a plan or state of Terraform"
    ASSEMBLY = "the manifest of a CDK application"
    OTHER = "no definition and no template"


INSTEAD = {
    Kind.TERRAFORM: (
        "deploy its plan (`terraform plan -out=plan && terraform show -json plan > plan.json`), or let Terraform make "
        "the machine (its provider's `endpoints { sfn = … }` takes the address of the API)"
    ),
    Kind.ASSEMBLY: "deploy the folder it lies in, or one of the *.template.json files beside it",
    Kind.OTHER: (
        "a definition has StartAt and States at its top, a template has Resources; for a definition within another "
        "document, write it to a file of its own"
    ),
}
"""What to do with a file that can't be deployed as it is."""


def kind_of(document: Any) -> Kind:
    """What a decoded file is, by the members at its top."""
    if not isinstance(document, Mapping):
        return Kind.OTHER
    if "States" in document or "StartAt" in document:
        return Kind.DEFINITION
    if isinstance(document.get("Resources"), Mapping) or "AWSTemplateFormatVersion" in document:
        return Kind.TEMPLATE
    if "service" in document and {"provider", "functions", "stepFunctions"} & document.keys():
        return Kind.SERVERLESS
    if "planned_values" in document or {"format_version", "values"} <= document.keys():
        return Kind.TERRAFORM_SHOWN
    if {"terraform_version", "terraform", "resource"} & document.keys():
        return Kind.TERRAFORM
    return Kind.ASSEMBLY if {"artifacts", "version"} <= document.keys() else Kind.OTHER


def decode(text: str, path: Path) -> Any:
    """The value of a JSON or YAML text. Raises FileRefused, which says what is wrong and where."""
    if path.suffix == ".tf" or (path.suffix not in (".json", ".yaml", ".yml") and _TERRAFORM.search(text)):
        raise FileRefused(path, f"is {Kind.TERRAFORM}", INSTEAD[Kind.TERRAFORM])
    if looks_like_json(text, path):
        return _json(text, path)
    return _yaml(text, path)


def looks_like_json(text: str, path: Path) -> bool:
    """True for a text that is meant to be JSON, else it is YAML."""
    return path.suffix == ".json" or text.lstrip()[:1] in ("{", "[")


TOO_DEEP = "nests too deeply to be read"


LEVELS_MAX = 500
"""Of a JSON text; no definition or template comes near it. A decoder recurses once a level, to a bound that varies."""


def _json(text: str, path: Path) -> Any:
    if not json_depth_ok(text.encode("utf-8", "replace"), LEVELS_MAX):
        raise NotDecoded(path, TOO_DEEP)
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        place = re.search(r"\(byte (\d+)\)", str(error))
        before = text.encode()[: int(place[1])].decode("utf-8", "replace") if place else ""
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise NotDecoded(path, f"is not valid JSON: {error}, in line {line}", line, column) from error


def _yaml(text: str, path: Path) -> Any:
    try:
        return yaml.load(text, yaml_loader())  # noqa: S506 - the loader below is the safe one with CloudFormation's tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        place = f" (line {line}, column {column})" if mark else ""
        raise NotDecoded(path, f"is not valid YAML: {error.problem}{place}", line, column) from error
    except RecursionError:
        raise NotDecoded(path, TOO_DEEP) from None
    except yaml.YAMLError as error:
        raise NotDecoded(path, f"is not valid YAML: {error}") from error


@lru_cache(maxsize=1)
def yaml_loader() -> type[yaml.SafeLoader]:
    """The safe loader, with YAML 1.2's plain values (a day is text, `on` no boolean) and CloudFormation's tags."""

    class Loader(yaml.SafeLoader):
        """Keys that are texts and differ: of a state that is written twice, one would be lost."""

        yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML keeps them on the class

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            """An object."""
            _check_keys(node)
            return super().construct_mapping(node, deep=deep)

    for tag, (pattern, first) in _PLAIN.items():
        name = f"tag:yaml.org,2002:{tag}"
        Loader.add_implicit_resolver(name, re.compile(f"^(?:{pattern})$"), [*first, *([""] if tag == "null" else [])])
    Loader.add_multi_constructor("!", _tagged)
    return Loader


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key is no text", key.start_mark)
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' occurs twice", key.start_mark)
        seen.add(key.value)
        key.tag = "tag:yaml.org,2002:str"


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    """`!Sub x` is {"Fn::Sub": x}, as CloudFormation has it."""
    value: Any
    if isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_scalar(node)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}
