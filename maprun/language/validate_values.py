"""Checks of single values: kinds, numbers, paths, templates, variables."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, schema_error
from maprun.language.expression import Expression
from maprun.language.path import Path, PathSyntaxError
from maprun.language.template import BadTemplateError, parse_template

_VARIABLE_NAME = re.compile(r"[^\W\d]\w{0,79}", re.UNICODE)


def is_object(value: Any) -> bool:
    """True for a JSON object."""
    return isinstance(value, dict)


def wrong_language(field: str, set_to: str, needed: str) -> str:
    """What is said of a field that belongs to the other query language."""
    return (
        f"The QueryLanguage is set to '{set_to}', but field '{field}' is only supported for the '{needed}' "
        "QueryLanguage"
    )


Expected = Callable[[Any, str, bool], Iterator[Diagnostic]]


def typed(name: str, kinds: type | tuple[type, ...]) -> Expected:
    """A value of these Python kinds; `name` is the JSON type in AWS's words."""

    def check(value: Any, pointer: str, _jsonata: bool) -> Iterator[Diagnostic]:
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            yield schema_error(f"Expected value of type {name}", pointer)

    return check


def number(least: float, most: float | None = None, *, whole: bool = True) -> Expected:
    """A number within bounds; in JSONata an expression may stand for it."""
    kinds: tuple[type, ...] = (int,) if whole else (int, float)

    def check(value: Any, pointer: str, jsonata: bool) -> Iterator[Diagnostic]:
        if jsonata and isinstance(value, str):
            return
        if not isinstance(value, int | float) or not isinstance(value, kinds) or isinstance(value, bool):
            yield schema_error(f"Expected value of type {'Integer' if whole else 'Number'}", pointer)
        elif value < least:
            yield schema_error(f"Minimum value is {least}", pointer)
        elif most is not None and value > most:
            yield schema_error(f"Maximum value is {most}", pointer)

    return check


def filled_list(value: Any, pointer: str, _jsonata: bool) -> Iterator[Diagnostic]:
    """An array with at least one element."""
    if not isinstance(value, list):
        yield schema_error("Expected value of type Array", pointer)
    elif not value:
        yield schema_error("Value cannot be empty", pointer)


def check_template(value: Any, pointer: str) -> Iterator[Diagnostic]:
    """A payload template of a JSONPath state."""
    try:
        parse_template(value)
    except BadTemplateError as bad:
        text = f"The value for the field '{bad.key}' must be a valid JSONPath or a valid intrinsic function call"
        yield schema_error(text, f"{pointer}{bad.pointer}")


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


def check_assign(assign: Any, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    """The variables an Assign sets."""
    if not is_object(assign):
        yield schema_error("Expected value of type Object", pointer)
        return
    for key in assign:
        name = key[:-2] if key.endswith(".$") and not jsonata else key
        if not _VARIABLE_NAME.fullmatch(name) or name == "states":
            yield schema_error(f"Invalid variable name '{name}'", f"{pointer}/{key}")
    if not jsonata:
        yield from check_template(assign, pointer)
