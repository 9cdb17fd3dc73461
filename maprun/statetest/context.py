"""The context object of a tested state: made up like that of a synchronous EXPRESS execution, or given in part."""

from collections.abc import Mapping
from typing import Any

import msgspec

from maprun.requests.checks import Refusal

_ANY, _TEXT, _NUMBER = "anything", "a string", "a number"
_Shape = str | Mapping[str, "_Shape"]
_SHAPE: Mapping[str, _Shape] = {
    "Execution": {
        "Id": _TEXT,
        "Input": _ANY,
        "Name": _TEXT,
        "RedriveCount": _NUMBER,
        "RedriveTime": _TEXT,
        "RoleArn": _TEXT,
        "StartTime": _TEXT,
    },
    "Map": {"Item": {"Index": _NUMBER, "Key": _TEXT, "Source": _TEXT, "Value": _ANY}},
    "State": {"EnteredTime": _TEXT, "Name": _TEXT, "RetryCount": _NUMBER},
    "StateMachine": {"Id": _TEXT, "Name": _TEXT},
    "Task": {"Token": _TEXT},
}
"""What may stand in a context that is given."""
_WHOLE = ("Input", "Value")
"""The user's own values: one that is given stands instead of the other, not beside it."""
INVALID = "Invalid Context object provided"


def context_of(text: str | None) -> dict[str, Any]:
    """The context that a request gives, empty if none. Raises Refusal (ValidationException)."""
    if text is None:
        return {}
    try:
        context = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refusal("ValidationException", f"{INVALID}: it is not valid JSON: {error}") from None
    if not isinstance(context, dict):
        raise Refusal("ValidationException", f"{INVALID}: it must be a JSON object")
    _check(context, _SHAPE)
    return context


def _check(given: dict[str, Any], shape: Mapping[str, _Shape]) -> None:
    for field, value in given.items():
        if field not in shape:
            raise Refusal("ValidationException", f"{INVALID}: Field '{field}' is not allowed")
        expected = shape[field]
        if not isinstance(expected, str):
            if not isinstance(value, dict):
                raise Refusal("ValidationException", f"{INVALID}: Field '{field}' must be an object")
            _check(value, expected)
        elif expected == _TEXT and not isinstance(value, str):
            raise Refusal("ValidationException", f"{INVALID}: Field '{field}' must be {_TEXT}")
        elif expected == _NUMBER and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise Refusal("ValidationException", f"{INVALID}: Field '{field}' must be {_NUMBER}")


def show(context: dict[str, Any], given: Mapping[str, Any], item: tuple[Any] | None) -> None:
    """Makes the interpreter's context object that of a test: what is given wins, member by member.

    A state that is run for items of a Map sees its own input as the first of them: `item`, None outside of Maps.
    """
    context["Execution"].pop("RedriveCount", None)
    if item is not None:
        context["Map"] = {"Item": {"Index": 0, "Value": item[0]}}
    _merge(context, given)


def _merge(into: dict[str, Any], given: Mapping[str, Any]) -> None:
    for field, value in given.items():
        mine = into.get(field)
        if isinstance(mine, dict) and isinstance(value, dict) and field not in _WHOLE:
            _merge(mine, value)
        else:
            into[field] = value
