"""The outcome of a JSONata expression in the engine and in a second implementation, in one form for both."""

import json
import re
import sys
from typing import Any

import jsonata
from jsonata.jexception import JException

from maprun.language.errors import StatesError
from maprun.language.jsonata import BadExpressionError, Query, read
from maprun.language.scope import Scope

sys.setrecursionlimit(1_000)  # jsonata raises it as it is imported, for every test of the process

NOW_MS = 1_700_000_000_000
_CODE = re.compile(r"\b[STD]\d{4}\b")
Outcome = tuple[str, Any]
"""("value", JSON) · ("undefined", None) · ("unsupported", None) · ("error", code or "") · ("refused", None)"""


def ours(source: str, given: Any, variables: dict[str, Any] | None = None) -> Outcome:
    """What the engine makes of it, `$states.input` being `given`."""
    scope = Scope(dict, variables or {}, lambda: "seed", NOW_MS)
    try:
        read(source)
    except BadExpressionError:
        return "refused", None
    try:
        return "value", Query(source, "Output")({"input": given}, scope)
    except StatesError as error:
        if error.error != "States.QueryEvaluationError":
            return "error", error.error
        if error.cause.endswith("returned nothing (undefined)."):
            return "undefined", None
        if error.cause.endswith("returned an unsupported result type."):
            return "unsupported", None
        code = _CODE.search(error.cause)
        return "error", code.group() if code else ""


def theirs(source: str, given: Any) -> Outcome:
    """What `jsonata-python` makes of it. Its errors without a code (Python's own) come as an empty code."""
    try:
        compiled = jsonata.Jsonata(source)
    except JException:
        return "refused", None
    try:
        value = _evaluated(compiled, given)
        if value is None and not _evaluated(jsonata.Jsonata(f"$exists({source})"), given):
            return "undefined", None
    except JException as error:
        code = _CODE.fullmatch(str(error.error))
        return "error", code.group() if code else ""
    except (ArithmeticError, TypeError, ValueError, KeyError):
        return "error", ""
    if value is not None and not isinstance(value, bool | int | float | str | list | dict):
        return "unsupported", None
    return "value", json.loads(json.dumps(value, default=lambda _function: ""))


def _evaluated(compiled: Any, given: Any) -> Any:
    frame = compiled.create_frame()
    frame.bind("states", {"input": given})
    return compiled.evaluate(None, frame)


def agree(first: Outcome, second: Outcome) -> bool:
    """True for the same outcome. An error without a code agrees with any error: the second engine lacks some codes."""
    if first[0] == second[0] == "error":
        return first[1] == second[1] or not second[1]
    return first == second
