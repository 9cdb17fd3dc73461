"""Numbers of a state that may come from a path: timeouts, concurrency, tolerances, limits of batches and items."""

from typing import Any

from maprun.language import jsontext
from maprun.language.errors import StatesError, runtime_error
from maprun.language.fields import real_number_of, whole_number_of
from maprun.language.jsonata import source_of, unexpected
from maprun.language.model import Amount, Computed
from maprun.language.scope import Scope
from schemas.quotas import SECONDS_MAX

WHOLE_MAX = 10**15
"""Larger integers mean the same as this one to every field, and this one fits every encoding."""


def whole_number(given: Amount, root: Any, scope: Scope, field: str) -> int | None:
    """An integer; None when not given. A numeric string counts (recorded). Raises StatesError."""
    if given is None:
        return None
    if not isinstance(given, Computed):
        return min(int(given), WHOLE_MAX)
    value = given.evaluate(root, scope)
    computed = isinstance(value, float) and value.is_integer() and source_of(given.text) is not None
    whole = whole_number_of(int(value) if computed else value)  # JSONata's numbers are all floating
    if whole is None:
        raise _refused(field, value, "integer", given)
    return max(-WHOLE_MAX, min(whole, WHOLE_MAX))


def real_number(given: Amount, root: Any, scope: Scope, field: str) -> float | None:
    """A number; None when not given. A numeric string counts. Raises StatesError."""
    if given is None or isinstance(given, int | float):
        return None if given is None else float(given)
    value = given.evaluate(root, scope)
    real = real_number_of(value)
    if real is None:
        raise _refused(field, value, "float", given)
    return real


def seconds(given: Amount, root: Any, scope: Scope, field: str) -> int | None:
    """A timeout or heartbeat in seconds; None when not given. Raises StatesError."""
    span = whole_number(given, root, scope, field)
    if span is not None and not 1 <= span <= SECONDS_MAX:
        raise runtime_error(f"{field} must be between 1 and {SECONDS_MAX}, but was: {span}")
    return span


def _refused(field: str, value: Any, kind: str, given: Computed) -> StatesError:
    source = source_of(given.text)
    if source is not None:
        return unexpected(source, field, "number", value)
    shown = value if isinstance(value, str) else jsontext.encode(value).decode()
    return runtime_error(f'The {field}Path field refers to value "{shown}" which is not a valid {kind}: {given.text}')
