"""The comparisons of path filters, with the rules of JsonPath 2.0.0: what stands in a filter is a text.

`expected` is the value on the right of the operator, `given` the one on the left. A text on the right is compared with
a number as a number and with a boolean as a boolean; a text on the left is not.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from maprun.language.errors import PathError
from maprun.language.javatext import json_text

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?")
_LONG_MAX = 2**63


class Pattern:
    """A regular expression as an operand: a test for whole texts."""

    __slots__ = ("matches",)

    def __init__(self, matches: Callable[[str], bool]) -> None:
        self.matches = matches


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and -_LONG_MAX <= value < _LONG_MAX
    return isinstance(value, float)


def _is_nullish(value: Any) -> bool:
    return value is None or value == "null"


@lru_cache(maxsize=256)
def _decimal_of(text: str) -> Decimal:
    if _DECIMAL.fullmatch(text) is None:
        raise PathError(f"The text '{text[:100]}' can't be compared with a number")
    return Decimal(text)


def _decimal(value: float) -> Decimal | int:
    return value if isinstance(value, int) else Decimal(repr(value))


def _text_order(a: str, b: str) -> int:
    """Java's, by UTF-16 units."""
    if a == b or (a.isascii() and b.isascii()):
        return _sign(a, b)
    return _sign(a.encode("utf-16-be", "surrogatepass"), b.encode("utf-16-be", "surrogatepass"))


def _sign(a: Any, b: Any) -> int:
    return 0 if a == b else 1 if a > b else -1


def order(expected: Any, given: Any) -> int | None:
    """Below 0, 0 or above it as `expected` comes before, with or behind `given`; None if they can't be compared.

    Raises PathError for a number and a text that is none.
    """
    first, second = _is_nullish(expected), _is_nullish(given)
    if first or second:
        return int(second) - int(first)
    if isinstance(expected, str):
        if isinstance(given, str):
            return _text_order(expected.replace("\\'", "'"), given)
        if isinstance(given, bool):
            return _sign(expected.lower() == "true", given)
        return _sign(_decimal_of(expected), _decimal(given)) if _is_number(given) else None
    if isinstance(expected, bool) or isinstance(given, bool):
        return _sign(expected, given) if isinstance(expected, bool) and isinstance(given, bool) else None
    if _is_number(expected) and _is_number(given):
        return _sign(_decimal(expected), _decimal(given))
    return None


def _ordered(holds: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    def test(expected: Any, given: Any) -> bool:
        if (expected is None) != (given is None):
            return False
        found = order(expected, given)
        return found is not None and holds(found)

    return test


def _equal(expected: Any, given: Any) -> bool:
    if expected.__class__ is str and given.__class__ is str:
        return bool(expected == given) or order(expected, given) == 0
    return order(expected, given) == 0


def _unequal(expected: Any, given: Any) -> bool:
    return order(expected, given) not in (0, None)


def _matches(expected: Any, given: Any) -> bool:
    pattern, target = (given, expected) if isinstance(given, Pattern) else (expected, given)
    if not isinstance(pattern, Pattern):
        raise PathError("The operator =~ needs a regular expression between slashes")
    return target is not None and not isinstance(target, Pattern) and pattern.matches(_text(target))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    ">=": _ordered(lambda found: found <= 0),
    "<=": _ordered(lambda found: found >= 0),
    "!=": _unequal,
    "<": _ordered(lambda found: found > 0),
    ">": _ordered(lambda found: found < 0),
    "=~": _matches,
}
"""By operator, in the order in which a condition is searched for them: (expected, given) → holds."""
