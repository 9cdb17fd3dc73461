"""What a JSON Schema (draft 4) says against a value: the keywords that SARIF's schema has."""

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
SILENT = {"default", "description", "definitions", "format", "id", "title", "$schema", "properties", "minItems"}
KNOWN = SILENT | {"type", "required", "additionalProperties", "items", "uniqueItems", "minimum", "maximum", "pattern"}
KNOWN |= {"enum", "anyOf", "oneOf", "$ref"}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[str]:
    """One line for each thing that the schema forbids."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema:
        yield from faults(value, root["definitions"][schema["$ref"].rpartition("/")[2]], root, path)
        return
    for choice, allowed in (("anyOf", range(1, 99)), ("oneOf", range(1, 2))):
        if choice in schema:
            fitting = sum(not list(faults(value, one, root, path)) for one in schema[choice])
            if fitting not in allowed:
                yield f"{path}: fits {fitting} of {choice}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{path}: is no {kind}"
    elif isinstance(value, dict):
        yield from _members(value, schema, root, path)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), root, f"{path}[{at}]")
        if len(value) < schema.get("minItems", 0):
            yield f"{path}: has too few items"
        if schema.get("uniqueItems") and any(item in value[:at] for at, item in enumerate(value)):
            yield f"{path}: has an item twice"
    elif isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{path}: {value!r} is not like {schema['pattern']}"
    elif isinstance(value, int | float) and not _between(value, schema):
        yield f"{path}: {value} is out of bounds"


def _between(value: float, schema: dict[str, Any]) -> bool:
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _members(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[str]:
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (f"{path}: lacks {name}" for name in schema.get("required", ()) if name not in value)
    for name, member in value.items():
        if name in known:
            yield from faults(member, known[name], root, f"{path}/{name}")
        elif more is False:
            yield f"{path}: may not have {name}"
        elif isinstance(more, dict):
            yield from faults(member, more, root, f"{path}/{name}")
