"""Walks the steps of a path through a value, with Jayway's rules and words."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, assert_never

from maprun.language.errors import PathNotFoundError
from maprun.language.pathsteps import Filter, Function, Index, Names, Scan, Slice, Step, Wild

VALUES_MAX = 262_144
"""No payload can hold more; repeated `..` would multiply the values it passes without end."""


def read_definite(steps: Sequence[Step], root: Any) -> Any:
    """The one value a definite path leads to. Raises PathNotFoundError."""
    value = root
    for at, step in enumerate(steps):
        if isinstance(step, Names):
            name = step.names[0]
            if not isinstance(value, dict):
                raise PathNotFoundError(_no_object(steps, at, value))
            if name not in value:
                shown = _shown(steps[: at + 1])
                leaf = at == len(steps) - 1
                raise PathNotFoundError(f"{'No results for path:' if leaf else 'Missing property in path'} {shown}")
            value = value[name]
        elif isinstance(step, Index):
            if not isinstance(value, list):
                raise PathNotFoundError(_no_array(steps, at, value))
            place = step.places[0]
            if not -len(value) <= place < len(value):
                raise PathNotFoundError(f"No results for path: {_shown(steps)}")
            value = value[place]
    return value


def _shown(steps: Sequence[Step]) -> str:
    return "$" + "".join(map(str, steps))


def _no_object(steps: Sequence[Step], at: int, value: Any) -> str:
    if value is None:
        return f"Missing property in path {_shown(steps[: at + 1])}"
    return (
        f"Expected to find an object with property {steps[at]} in path {_shown(steps[:at])} but found "
        f"'{_java_class(value)}'. This is not a json object according to the JsonProvider: "
        "'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'."
    )


def _no_array(steps: Sequence[Step], at: int, value: Any) -> str:
    if value is None:
        return f"The path {_shown(steps[:at])} is null"
    from maprun.language.jsontext import encode

    return f"Filter: {steps[at]} can only be applied to arrays. Current context is: {encode(value).decode()}"


def _java_class(value: Any) -> str:
    kinds = {bool: "BooleanNode", str: "TextNode", int: "IntNode", float: "DoubleNode", list: "ArrayNode"}
    return f"com.fasterxml.jackson.databind.node.{kinds.get(type(value), 'ObjectNode')}"


def read_indefinite(steps: Sequence[Step], root: Any) -> list[Any]:
    """All values a path leads to, in document order; an empty list when there are none."""
    found = [root]
    for step in steps:
        if isinstance(step, Scan):
            places: Iterator[Any] = (place for value in found for place in _below(value))
        else:
            places = (after for value in found for after in _after(step, value, root))
        found = list(islice(places, VALUES_MAX + 1))
        if len(found) > VALUES_MAX:
            raise PathNotFoundError(f"The path leads to more than {VALUES_MAX} values")
    return found


def _below(value: Any) -> Iterator[Any]:
    """The value and every array and object under it, parents first; without recursion, since payloads may nest."""
    stack = [value]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            yield here
            stack.extend(reversed(list(here.values())))
        elif isinstance(here, list):
            yield here
            stack.extend(reversed(here))


def _after(step: Step, value: Any, root: Any) -> Sequence[Any]:
    match step:
        case Names(names):
            if not isinstance(value, dict):
                return ()
            if len(names) == 1:
                return (value[names[0]],) if names[0] in value else ()
            return ({name: value[name] for name in names if name in value},)
        case Index(places):
            if not isinstance(value, list):
                return ()
            return [value[place] for place in places if -len(value) <= place < len(value)]
        case Slice(first, last):
            return value[first:last] if isinstance(value, list) else ()
        case Wild():
            return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
        case Filter(keeps):
            candidates = value if isinstance(value, list) else [value] if isinstance(value, dict) else ()
            return [candidate for candidate in candidates if keeps(candidate, root)]
        case Scan() | Function():
            return ()
        case _:
            assert_never(step)


def call_function(function: Function, value: Any) -> Any:
    """The value of a path function. Raises PathNotFoundError when it has none for this argument."""
    name = function.name
    if name == "length":
        return len(value) if isinstance(value, list | dict | str) else None
    if name == "keys":
        return list(value) if isinstance(value, dict) else None
    if name == "concat":
        return "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else value
    numbers = (
        [n for n in value if isinstance(n, int | float) and not isinstance(n, bool)] if isinstance(value, list) else []
    )
    if not numbers:
        raise PathNotFoundError("Aggregation function attempted to calculate value using empty array")
    if name == "stddev":
        mean = sum(numbers) / len(numbers)
        return math.sqrt(sum((n - mean) ** 2 for n in numbers) / len(numbers))
    if name == "avg":
        return sum(numbers) / len(numbers)
    if name == "sum":
        return float(sum(numbers))
    return float(min(numbers) if name == "min" else max(numbers))
