"""AWS's intrinsic functions `States.*`, with their limits (facts, section 3.6)."""

import base64
import binascii
import hashlib
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from maprun.language import jsontext
from maprun.language.errors import StatesError
from maprun.language.javatext import map_text
from maprun.language.scope import Scope

TEXT_LENGTH_MAX = 10_000
RANGE_ITEMS_MAX = 1_000
INT_MAX = 2**31 - 1
_HALF = 0.5
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_PLACEHOLDER = re.compile(r"\\(.)|(\{\})|([{}])", re.DOTALL)

Args = Sequence[Any]


class FunctionError(ValueError):
    """An intrinsic refuses its arguments; the text says why."""


class Intrinsic(NamedTuple):
    """One function: how many arguments it takes (at most None = any number) and what it does."""

    call: Callable[[Args, Scope], Any]
    args_min: int
    args_max: int | None


def _kind(value: Any, kinds: type | tuple[type, ...], what: str) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise FunctionError(f"{what} was expected, but was: {jsontext.encode(value).decode()[:200]}")
    return value


def _array(value: Any) -> list[Any]:
    checked: list[Any] = _kind(value, list, "An array")
    return checked


def _text(value: Any) -> str:
    checked: str = _kind(value, str, "A string")
    return checked


def _int(value: Any) -> int:
    """The nearest 32-bit integer, a half towards the greater one, as Java's Math.round: 2.5 is 3, -1.5 is -1."""
    number = _kind(value, (int, float), "A number")
    below = math.floor(number)
    whole: int = below + (number - below >= _HALF)
    if not -INT_MAX - 1 <= whole <= INT_MAX:
        raise FunctionError(f"{whole} is outside of the range of a 32-bit integer")
    return whole


def equal(a: Any, b: Any) -> bool:
    """JSON equality: true is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return bool(a == b)


def _partition(args: Args, _scope: Scope) -> Any:
    array, size = _array(args[0]), _int(args[1])
    if size <= 0:
        raise FunctionError("The chunk size must be a positive integer")
    return [array[at : at + size] for at in range(0, len(array), size)]


def _contains(args: Args, _scope: Scope) -> Any:
    return any(equal(args[1], value) for value in _array(args[0]))


def _range(args: Args, _scope: Scope) -> Any:
    first, last, step = map(_int, args)
    if step == 0:
        raise FunctionError("The step must not be 0")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > RANGE_ITEMS_MAX:
        raise FunctionError(f"The range would hold more than {RANGE_ITEMS_MAX} items")
    return list(numbers)


def _get_item(args: Args, _scope: Scope) -> Any:
    array, place = _array(args[0]), _int(args[1])
    if not 0 <= place < len(array):
        raise FunctionError(f"Index {place} is out of bounds for an array of length {len(array)}")
    return array[place]


def _unique(args: Args, _scope: Scope) -> Any:
    seen: set[bytes] = set()
    kept = []
    for value in _array(args[0]):
        text = jsontext.encode(value)
        if text not in seen:
            seen.add(text)
            kept.append(value)
    return kept


def _bounded(value: Any) -> str:
    text = _text(value)
    if len(text) > TEXT_LENGTH_MAX:
        raise FunctionError(f"The string is longer than {TEXT_LENGTH_MAX} characters")
    return text


def _base64_encode(args: Args, _scope: Scope) -> Any:
    return base64.b64encode(_bounded(args[0]).encode()).decode()


def _base64_decode(args: Args, _scope: Scope) -> Any:
    try:
        return base64.b64decode(_bounded(args[0]).encode(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise FunctionError(f"The string is not valid Base64: {error}") from error


def _hash(args: Args, _scope: Scope) -> Any:
    data = args[0] if isinstance(args[0], str) else jsontext.encode(args[0]).decode()
    algorithm = _HASHES.get(_text(args[1]))
    if algorithm is None:
        raise FunctionError(f"The algorithm must be one of {list(_HASHES)}")
    return hashlib.new(algorithm, _bounded(data).encode(), usedforsecurity=False).hexdigest()


def _merge(args: Args, _scope: Scope) -> Any:
    first, second, deep = args
    if deep is not False:
        raise FunctionError("Only the shallow merging mode is supported: the third argument must be false")
    return {**_kind(first, dict, "An object"), **_kind(second, dict, "An object")}


def _to_json(args: Args, _scope: Scope) -> Any:
    text = _text(args[0])
    if not text.strip():
        return None
    try:
        return jsontext.decode(text.encode())
    except (StatesError, UnicodeEncodeError) as error:
        raise FunctionError("The string is not valid JSON") from error


def _random(args: Args, scope: Scope) -> Any:
    first, last = _int(args[0]), _int(args[1])
    if last <= first:
        raise FunctionError("The end must be greater than the start")
    seed = f"{_int(args[2])}".encode() if len(args) > 2 else scope.draw()  # noqa: PLR2004 - the optional seed
    chance = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "big")
    return first + chance % (last - first)


def _add(args: Args, _scope: Scope) -> Any:
    return _int(_int(args[0]) + _int(args[1]))


def _split(args: Args, _scope: Scope) -> Any:
    text, signs = _text(args[0]), _text(args[1])
    parts = re.split("|".join(map(re.escape, signs)), text) if signs else [text]
    return [part for part in parts if part]


def _uuid(_args: Args, scope: Scope) -> Any:
    digits = scope.draw().hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def format_text(template: str, values: Args) -> str:
    """`States.Format`: each `{}` is the next value, objects and arrays as Java prints them (recorded: `{a=1, b=[]}`).

    A brace or quote behind a backslash is itself.
    """
    rest = list(values)
    out: list[str] = []
    end = 0
    for found in _PLACEHOLDER.finditer(template):
        out.append(template[end : found.start()])
        end = found.end()
        escaped, placeholder, brace = found.groups()
        if escaped is not None:
            out.append(escaped if escaped in "{}'\\" else "\\" + escaped)
        elif placeholder:
            if not rest:
                raise FunctionError("There are more placeholders than arguments")
            out.append(map_text(rest.pop(0)))
        else:
            raise FunctionError(f"'{brace}' must be escaped or be part of a placeholder")
    if rest:
        raise FunctionError("There are more arguments than placeholders")
    return "".join([*out, template[end:]])


FUNCTIONS: dict[str, Intrinsic] = {
    "States.Array": Intrinsic(lambda args, _: list(args), 0, None),
    "States.ArrayPartition": Intrinsic(_partition, 2, 2),
    "States.ArrayContains": Intrinsic(_contains, 2, 2),
    "States.ArrayRange": Intrinsic(_range, 3, 3),
    "States.ArrayGetItem": Intrinsic(_get_item, 2, 2),
    "States.ArrayLength": Intrinsic(lambda args, _: len(_array(args[0])), 1, 1),
    "States.ArrayUnique": Intrinsic(_unique, 1, 1),
    "States.Base64Encode": Intrinsic(_base64_encode, 1, 1),
    "States.Base64Decode": Intrinsic(_base64_decode, 1, 1),
    "States.Hash": Intrinsic(_hash, 2, 2),
    "States.JsonMerge": Intrinsic(_merge, 3, 3),
    "States.StringToJson": Intrinsic(_to_json, 1, 1),
    "States.JsonToString": Intrinsic(lambda args, _: jsontext.encode(args[0]).decode(), 1, 1),
    "States.MathRandom": Intrinsic(_random, 2, 3),
    "States.MathAdd": Intrinsic(_add, 2, 2),
    "States.StringSplit": Intrinsic(_split, 2, 2),
    "States.UUID": Intrinsic(_uuid, 0, 0),
    "States.Format": Intrinsic(lambda args, _: format_text(_text(args[0]), args[1:]), 1, None),
}
