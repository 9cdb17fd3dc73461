"""Numbers of a state that may come from a path: timeouts, concurrency, tolerances, limits of batches and items."""

from typing import Any

from maprun.language import jsontext
from maprun.language.errors import StatesError, runtime_error
from maprun.language.jsonata import source_of, unexpected
from maprun.language.model import Amount, Computed
from maprun.language.scope import Scope


def whole_number(given: Amount, root: Any, scope: Scope, field: str) -> int | None:
    """An integer; None when not given. A numeric string counts (recorded). Raises StatesError."""
    if given is None or isinstance(given, int):
        return given
    if isinstance(given, float):
        return int(given)
    value = given.evaluate(root, scope)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.lstrip("-").isdecimal():
        return int(value)
    raise _refused(field, value, "integer", given)


def real_number(given: Amount, root: Any, scope: Scope, field: str) -> float | None:
    """A number; None when not given. A numeric string counts. Raises StatesError."""
    if given is None or isinstance(given, int | float):
        return None if given is None else float(given)
    value = given.evaluate(root, scope)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise _refused(field, value, "float", given)


def _refused(field: str, value: Any, kind: str, given: Computed) -> StatesError:
    source = source_of(given.text)
    if source is not None:
        return unexpected(source, field, "number", value)
    shown = value if isinstance(value, str) else jsontext.encode(value).decode()
    return runtime_error(f'The {field}Path field refers to value "{shown}" which is not a valid {kind}: {given.text}')
