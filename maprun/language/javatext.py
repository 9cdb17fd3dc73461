"""Values as Java writes them, for the texts in which AWS's engine shows through."""

from collections.abc import Callable
from typing import Any

from maprun.language import jsontext

_PLAIN_LEAST, _PLAIN_MOST = 1e-3, 1e7
"""Between these Double.toString writes no exponent."""


def double_text(value: float) -> str:
    """`Double.toString`: 1.0E10 for ten thousand millions, 1.0E-4 for a ten thousandth, 0.1 for a tenth."""
    if value == 0 or _PLAIN_LEAST <= abs(value) < _PLAIN_MOST:
        return repr(value)
    digits, _, exponent = f"{value!r}".partition("e")
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    whole, _, fraction = digits.partition(".")
    power = int(exponent or 0) + len(whole) - 1
    figures = (whole + fraction).lstrip("0")
    power -= len(whole + fraction) - len(figures)
    figures = figures.rstrip("0") or "0"
    return f"{sign}{figures[0]}.{figures[1:] or '0'}E{power}"


def map_text(value: Any) -> str:
    """`toString` of maps, lists and what they hold: `{a=1, b=[x, null]}`; texts stand without quotes."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict | list):
        return _scalar(value)
    return _written(value, lambda text: text, "=", ", ")


def json_text(value: Any) -> str:
    """`toString` of Jackson's nodes: JSON without blanks, with numbers as Java writes them."""
    return _written(value, lambda text: jsontext.encode(text).decode(), ":", ",")


def _written(value: Any, quoted: Callable[[str], str], between: str, separator: str) -> str:
    out: list[str] = []
    left: list[Any] = [value]  # values and, as `_Sign`, what stands between; no recursion, since payloads nest deep
    while left:
        here = left.pop()
        if isinstance(here, _Sign):
            out.append(here)
        elif isinstance(here, str):
            out.append(quoted(here))
        elif isinstance(here, dict):
            parts = [part for key in here for part in (_Sign(separator), _Sign(quoted(key) + between), here[key])]
            left.extend([_Sign("}"), *reversed(parts[1:]), _Sign("{")])
        elif isinstance(here, list):
            parts = [part for element in here for part in (_Sign(separator), element)]
            left.extend([_Sign("]"), *reversed(parts[1:]), _Sign("[")])
        else:
            out.append(_scalar(here))
    return "".join(out)


class _Sign(str):
    """What stands between values."""

    __slots__ = ()


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return double_text(value) if isinstance(value, float) else str(value)
