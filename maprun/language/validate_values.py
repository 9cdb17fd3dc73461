"""Checks of single values: kinds, numbers, enumerations, paths, templates, variables.

Texts: "Expected value of type [STRING]" and "Value should be one of the following: […]" were measured.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeGuard

from maprun.language.diagnostics import Diagnostic, schema_error, warning
from maprun.language.errors import PathSyntaxError
from maprun.language.expression import Expression
from maprun.language.jsonata import source_of
from maprun.language.path import Path
from maprun.language.validate_jsonata import INPUT, check_jsonata

EMPTY = "Value cannot be empty"
NO_PATH = "Value must be a valid JSONPath."
NO_REFERENCE = "Value is not a Reference Path"
_VARIABLE_NAME = re.compile(r"[^\W\d]\w{0,79}", re.UNICODE)
_LOOKS_COMPUTED = re.compile(r"\$\$?(?:[.\[].+)?|States\.[A-Za-z0-9]+\(.*\)", re.DOTALL)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """True for a JSON object."""
    return isinstance(value, dict)


def wrong_language(field: str, set_to: str, needed: str) -> str:
    """What is said of a field that belongs to the other query language."""
    return (
        f"The QueryLanguage is set to '{set_to}', but field '{field}' is only supported for the '{needed}' "
        "QueryLanguage"
    )


def other_language(field: str, *, jsonata: bool) -> str:
    """The same, of a field that belongs to the language which the state does not have."""
    return wrong_language(field, "JSONata", "JSONPath") if jsonata else wrong_language(field, "JSONPath", "JSONata")


def only_one(fields: Collection[str]) -> str:
    """What is said of fields that exclude each other."""
    return f"There should only be one of the following fields: [{', '.join(fields)}]"


def not_recognized(resource: str) -> str:
    """What is said of a Resource that is none, or none that can stand there."""
    return (
        f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
        "resource is not available in this region."
    )


Expected = Callable[[Any, str, bool], Iterator[Diagnostic]]
"""(value, pointer, the state is in JSONata) → findings."""


def typed(kind: type) -> Expected:
    """A value of this Python type; messages name the JSON type as AWS's parser does."""

    def check(value: Any, pointer: str, _jsonata: bool) -> Iterator[Diagnostic]:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            yield wrong_type(kind, pointer)

    return check


def wrong_type(kind: type, pointer: str) -> Diagnostic:
    """A value that is not of the JSON type which this Python type stands for."""
    names = {str: "STRING", dict: "OBJECT", list: "ARRAY", bool: "BOOLEAN", int: "INTEGER", float: "NUMBER"}
    return schema_error(f"Expected value of type [{names[kind]}]", pointer)


def required(holder: dict[str, Any], fields: Collection[str], pointer: str) -> Iterator[Diagnostic]:
    """All fields that are missing, in one finding."""
    missing = [field for field in fields if field not in holder]
    if missing:
        yield schema_error(f"These fields are required: [{', '.join(missing)}]", pointer or "/")


def unknown(holder: dict[str, Any], fields: Collection[str], pointer: str) -> Iterator[Diagnostic]:
    """Each field that has no meaning here."""
    for field in holder:
        if field not in fields:
            yield schema_error(f"Field '{field}' is not supported", pointer or "/")


def enumerated(holder: dict[str, Any], field: str, values: Collection[str], pointer: str) -> Iterator[Diagnostic]:
    """A field that, if it is there, holds one of some words."""
    if field not in holder:
        return
    if not isinstance(holder[field], str):
        yield wrong_type(str, f"{pointer}/{field}")
    elif holder[field] not in values:
        yield schema_error(f"Value should be one of the following: [{', '.join(values)}]", f"{pointer}/{field}")


def number(least: float, most: float | None = None, *, whole: bool = True) -> Expected:
    """A number within bounds; in JSONata an expression may stand for it."""

    def check(value: Any, pointer: str, jsonata: bool) -> Iterator[Diagnostic]:
        if jsonata and source_of(value) is not None:
            yield from check_jsonata(value, pointer, INPUT)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            yield wrong_type(float, pointer)
            yield from looks_computed(value, pointer)
        elif whole and not isinstance(value, int):
            yield wrong_type(int, pointer)
        elif value < least:
            yield schema_error(f"Minimum value is {least}", pointer)
        elif most is not None and value > most:
            yield schema_error(f"Maximum value is {most}", pointer)

    return check


def filled_list(value: Any, pointer: str, _jsonata: bool) -> Iterator[Diagnostic]:
    """An array with at least one element."""
    if not isinstance(value, list):
        yield wrong_type(list, pointer)
    elif not value:
        yield schema_error(EMPTY, pointer)


def looks_computed(value: Any, pointer: str) -> Iterator[Diagnostic]:
    """A warning about a path in a field that takes none, beside which a field with Path in its name may stand."""
    if isinstance(value, str) and _LOOKS_COMPUTED.fullmatch(value):
        field = pointer.rpartition("/")[2]
        text = f"The value of '{field}' looks like a path, but the name of the field does not end with 'Path'"
        yield warning("NO_PATH", text, pointer)


def check_template(value: Any, pointer: str) -> Iterator[Diagnostic]:
    """A payload template of a JSONPath state."""
    if isinstance(value, list):
        for at, inner in enumerate(value):
            yield from check_template(inner, f"{pointer}[{at}]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not key.endswith(".$"):
                yield from _literal(key, inner, pointer)
            elif not is_expression(inner, calls=True):
                text = f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call"
                yield schema_error(text, pointer)


def _literal(key: str, value: Any, pointer: str) -> Iterator[Diagnostic]:
    """A member that is taken as it is written."""
    if isinstance(value, str) and _LOOKS_COMPUTED.fullmatch(value):
        text = (
            f"The value of '{key}' looks like a JSONPath or an intrinsic function, but '{key}' does not end with '.$'"
        )
        yield warning("NO_DOLLAR", text, f"{pointer}/{key}")
    yield from check_template(value, f"{pointer}/{key}")


def holds_computed(value: Any) -> bool:
    """True when a value that nobody evaluates is written as if somebody did."""
    if isinstance(value, str):
        return _LOOKS_COMPUTED.fullmatch(value) is not None
    if isinstance(value, dict):
        return any(key.endswith(".$") or holds_computed(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(holds_computed, value))


def is_expression(text: Any, *, calls: bool) -> bool:
    """A path of any kind, or, where `calls`, an intrinsic call."""
    if not isinstance(text, str) or not text.startswith(("$", "States.") if calls else "$"):
        return False
    try:
        Expression(text)
    except PathSyntaxError:
        return False
    return True


def is_reference(text: Any) -> bool:
    """A reference path of the input."""
    if not isinstance(text, str) or not text.startswith("$"):
        return False
    try:
        return Path(text).reference
    except PathSyntaxError:
        return False


def is_place(text: Any) -> bool:
    """A reference path, of the input or of a variable; the context object is refused (measured)."""
    if not isinstance(text, str) or not text.startswith("$") or text.startswith("$$"):
        return False
    try:
        return Expression(text).reference
    except PathSyntaxError:
        return False


def check_assign(assign: Any, pointer: str, *, jsonata: bool, offered: frozenset[str] = INPUT) -> Iterator[Diagnostic]:
    """The variables an Assign sets; `offered` are the members of `$states` that its expressions may read."""
    if not is_object(assign):
        yield wrong_type(dict, pointer)
        return
    for key in assign:
        name = key[:-2] if key.endswith(".$") and not jsonata else key
        if not _VARIABLE_NAME.fullmatch(name) or name == "states":
            yield schema_error(f"Invalid variable name '{name}'", f"{pointer}/{key}")
    if jsonata:
        yield from check_jsonata(assign, pointer, offered)
    else:
        yield from check_template(assign, pointer)
