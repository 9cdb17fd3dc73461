"""The functions AWS adds to JSONata, and those of JSONata's own that AWS changes or that need a limit here.

`$now`, `$millis`, `$random` and `$uuid` answer from the state's scope (rule R3). A function takes its arguments as the
expression gives them, UNDEFINED apart from null, and gives UNDEFINED for nothing. What it can't take is refused by its
signature, in JSONata's words; every failure is a JsonataError, so that no words of Python's reach a cause.
Sources: AWS's guide (transforming-data) and what others measured of it with TestState.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

import jsonatapy

from maprun.language.depth import json_depth_ok
from maprun.language.jsontext import DEPTH_MAX
from maprun.language.scope import Scope
from maprun.language.timestamps import format_timestamp

SEQUENCE_LENGTH_MAX = 873_782
"""AWS makes a sequence of so many numbers and no longer one."""
PAD_LENGTH_MAX = 262_144
TEXT_LENGTH_MAX = 4 * 1024 * 1024
"""Of what `&` makes: AWS makes a text of so many characters and none of twice as many."""
ROMAN_MAX = 1_000_000
MEMORY = "Expression evaluation memory limit exceeded: Check for excessive memory usage"
TIMEOUT = "Expression evaluation timeout: Check for infinite loop"
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/_-]")
_LONG_MAX = 2**63 - 1
_LONG_MIN = -(2**63)


class JsonataError(ValueError):
    """What went wrong, in JSONata's words with their code ("D3137: …"), or in AWS's own without one."""


class _Undefined:
    """The type of UNDEFINED."""


UNDEFINED = _Undefined()
"""Nothing: an argument that leads nowhere, or a function without a result."""
Function = Callable[..., Any]


SIGNATURES = {
    "now": "s?s?",
    "millis": "",
    "random": "n?",
    "uuid": "",
    "partition": "xn?",
    "range": "nnn?",
    "hash": "ss?",
    "parse": "s?",
    "pad": "sns?",
    "formatInteger": "ns",
    "base64decode": "s?",
    "eval": "x?x?",
}
"""By name, one sign a parameter (s text, n number, x any), `?` after an optional one."""


def functions(scope: Callable[[], Scope]) -> dict[str, Function]:
    """The functions by name, each behind its signature; `scope` gives the scope of the evaluation in progress."""
    bare: dict[str, Function] = {
        "now": lambda *form: _now(scope().now_ms, *form),
        "millis": lambda: scope().now_ms,
        "random": lambda seed=UNDEFINED: _random(scope(), seed),
        "uuid": lambda: _uuid(scope()),
        "partition": _partition,
        "range": _range,
        "hash": _hash,
        "parse": _parse,
        "pad": _pad,
        "formatInteger": _format_integer,
        "base64decode": _base64decode,
        "eval": _eval,
    }
    return {name: _checked(name, function) for name, function in bare.items()}


def parameters(name: str) -> list[tuple[str, bool]]:
    """(kind, whether it may be left out) of each parameter of a function."""
    signature = SIGNATURES[name]
    return [(sign, signature[at + 1 : at + 2] == "?") for at, sign in enumerate(signature) if sign != "?"]


def _checked(name: str, function: Function) -> Function:
    """The function behind its signature. Raises JsonataError with T0410, as the reference does."""
    wanted = parameters(name)

    def call(*given: Any) -> Any:
        for at, (sign, optional) in enumerate(wanted):
            missing = at >= len(given)
            if (missing and not optional) or (not missing and not _fits(given[at], sign)):
                raise _mismatch(name, at + 1)
        if len(given) > len(wanted):
            raise _mismatch(name, len(wanted) + 1)
        return function(*given)

    return call


def _mismatch(name: str, index: int) -> JsonataError:
    return JsonataError(f'T0410: Argument {index} of function "{name}" does not match function signature')


def _fits(value: Any, sign: str) -> bool:
    if value is UNDEFINED or sign == "x":
        return True
    if sign == "s":
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(number: float) -> int:
    """A number cut towards zero to a long, as Java casts."""
    if math.isnan(number):
        return 0
    if math.isinf(number):
        return _LONG_MAX if number > 0 else _LONG_MIN
    return min(max(int(number), _LONG_MIN), _LONG_MAX)


def _random(scope: Scope, seed: Any) -> float:
    """Chance of the scope, or java.util.Random's first nextDouble of a seed."""
    if seed is UNDEFINED:
        return (int.from_bytes(scope.draw()[:8], "big") >> 11) / 2**53
    state = (_whole(seed) ^ 0x5DEECE66D) & (2**48 - 1)
    drawn = []
    for bits in (26, 27):
        state = (state * 0x5DEECE66D + 0xB) & (2**48 - 1)
        drawn.append(state >> (48 - bits))
    return ((drawn[0] << 27) + drawn[1]) / 2**53


def _uuid(scope: Scope) -> str:
    digits = scope.draw().hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _now(now_ms: int, picture: Any = UNDEFINED, timezone: Any = UNDEFINED) -> Any:
    """`$now()`, or in the form of a picture and a timezone such as "+0100"."""
    if picture is UNDEFINED:
        return format_timestamp(now_ms)
    plain = timezone is UNDEFINED
    source = "$fromMillis($at, $picture)" if plain else "$fromMillis($at, $picture, $timezone)"
    given = {"at": now_ms, "picture": picture, "timezone": None if plain else timezone}
    return jsonatapy.compile(source).evaluate(None, given)


def _partition(array: Any, size: Any = UNDEFINED) -> Any:
    if array is UNDEFINED:
        return UNDEFINED
    if not isinstance(array, list):
        raise JsonataError('T0412: Argument 1 of function "partition" must be an array of undefined')
    if size is UNDEFINED:
        return [array]
    whole = _whole(size)
    if whole < 0:
        raise JsonataError("D3137: Second argument must be zero or greater")
    if whole == 0 or not array:
        return UNDEFINED
    return [array[at : at + whole] for at in range(0, len(array), whole)]


def _range(first: Any, last: Any, step: Any = UNDEFINED) -> Any:
    if UNDEFINED in (first, last, step):
        return UNDEFINED
    start, end, by = _whole(first), _whole(last), _whole(step)
    count = (end - start) // by + 1 if by else 0
    if count > SEQUENCE_LENGTH_MAX:
        raise JsonataError(MEMORY)
    if count < 1:
        return UNDEFINED
    return start if count == 1 else [start + at * by for at in range(count)]


def _hash(data: Any, algorithm: Any = None) -> Any:
    if data is UNDEFINED or algorithm is None:
        return UNDEFINED
    if algorithm not in _HASHES:
        said = "null" if algorithm is UNDEFINED else algorithm
        raise JsonataError(f"D3137: Hash algorithm '{said}' must be one of [{', '.join(_HASHES)}]")
    return hashlib.new(_HASHES[algorithm], data.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _parse(text: Any = UNDEFINED) -> Any:
    if text is UNDEFINED:
        return UNDEFINED
    try:
        if not json_depth_ok(text.encode("utf-8", "replace"), DEPTH_MAX):
            raise JsonataError("D3137: Invalid JSON")
        return json.loads(
            text, parse_int=_integer, parse_float=_float, parse_constant=_no_json, object_pairs_hook=_distinct
        )
    except ValueError as error:
        raise JsonataError("D3137: Invalid JSON") from error


def _integer(text: str) -> int | float:
    """A whole number stays exact while a long holds it."""
    fits = len(text) <= len(str(_LONG_MIN)) and _LONG_MIN <= int(text) <= _LONG_MAX
    return int(text) if fits else _float(text)


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _no_json(text: str) -> Any:
    raise ValueError(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name is given twice")
    return members


def _pad(text: Any, width: Any, sign: Any = " ") -> Any:
    """`$pad` with a limit: the engine's own took 38 s for a width of 10^9."""
    if text is UNDEFINED:
        return UNDEFINED
    wide, sign = 0 if width is UNDEFINED else _whole(width), " " if sign in (UNDEFINED, "") else sign
    if abs(wide) > PAD_LENGTH_MAX:
        raise JsonataError(MEMORY)
    missing = abs(wide) - len(text)
    if missing <= 0:
        return text
    padding = (sign * (missing // len(sign) + 1))[:missing]
    return text + padding if wide > 0 else padding + text


def _format_integer(number: Any, picture: Any) -> Any:
    """`$formatInteger` with a limit: the length of Roman numerals grows with the number itself."""
    if UNDEFINED in (number, picture):
        return UNDEFINED
    if picture[:1] in ("i", "I") and abs(number) > ROMAN_MAX:
        raise JsonataError(f"D3130: Roman numerals are written up to {ROMAN_MAX}")
    given = {"number": number, "picture": picture}
    return jsonatapy.compile("$formatInteger($number, $picture)").evaluate(None, given)


def _base64decode(text: Any = UNDEFINED) -> Any:
    """Signs outside the alphabet are passed over, what follows `=` is left; bytes that are no UTF-8 are characters."""
    if text is UNDEFINED:
        return UNDEFINED
    digits = _NO_BASE64.sub("", text.partition("=")[0]).replace("-", "+").replace("_", "/")
    digits = digits[:-1] if len(digits) % 4 == 1 else digits
    data = base64.b64decode(digits + "=" * (-len(digits) % 4))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _eval(*_: Any) -> Any:
    """AWS has no `$eval`."""
    raise JsonataError("T1006: Attempted to invoke a non-function")
