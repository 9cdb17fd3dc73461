"""Validation of JSONata: every expression within a value, wherever a JSONata state may hold one."""

from collections.abc import Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, error
from maprun.language.jsonata import BadExpressionError, Query, source_of

INPUT = frozenset({"input", "context"})
"""The members of `$states` that every expression may read."""
RESULT = INPUT | {"result"}
"""In Output and Assign of a state that has a result: Task, Parallel and Map."""
ERROR_OUTPUT = INPUT | {"errorOutput"}
"""In Output and Assign of a catcher."""


def check_jsonata(value: Any, pointer: str, offered: frozenset[str]) -> Iterator[Diagnostic]:
    """The expressions of a value; `offered` are the members of `$states` that they may read at this place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from check_jsonata(inner, f"{pointer}/{key}", offered)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from check_jsonata(inner, f"{pointer}[{at}]", offered)
    elif (source := source_of(value)) is not None:
        try:
            Query(source, pointer)
        except BadExpressionError as bad:
            yield error("INVALID_JSONATA_EXPRESSION", str(bad), pointer)
