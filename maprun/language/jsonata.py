"""JSONata states: expressions between `{%` and `%}` compiled once, with AWS's functions, errors and limits.

The engine knows a time limit, a stack limit and a length limit, so that no expression hangs a lane. `$now`, `$millis`,
`$random` and `$uuid` answer from the state's scope (rule R3): the same visit of a state sees the same time and chance.
Compiled expressions keep a cell for the scope in use, so one machine must not be stepped by two threads at once.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import jsonatapy

from maprun.language import jsontext
from maprun.language.errors import StatesError
from maprun.language.functions import INT_MAX
from maprun.language.jsonata_texts import GUARD, guarded
from maprun.language.scope import Evaluate, Scope
from maprun.language.timestamps import format_timestamp, parse_timestamp_ms

EVALUATION_MS_MAX = 1_000
SECONDS_MAX = 99_999_999
STACK_DEPTH_MAX = 200
SEQUENCE_LENGTH_MAX = 131_072
"""No payload of 262,144 bytes holds an array of more elements; it also bounds memory on the way."""
RANGE_ITEMS_MAX = SEQUENCE_LENGTH_MAX
PAD_LENGTH_MAX = 262_144
TEXT_LENGTH_MAX = 4 * 1024 * 1024
"""Of what `&` makes; sixteen times a payload."""
ROMAN_MAX = 1_000_000
_ROMAN_PICTURE = re.compile(r"formatInteger.*['\"][iI]", re.DOTALL)
QUERY_ERROR = "States.QueryEvaluationError"
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}

_CODE = re.compile(r"^[A-Z]\d{4}: ")
"""AWS's diagnostics leave out the engine's code."""


class BadExpressionError(ValueError):
    """A text between `{%` and `%}` that is no JSONata."""


def source_of(value: Any) -> str | None:
    """The expression in a string `{% … %}`; None for any other value, which then stands for itself."""
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}") and len(value) >= len("{%%}"):
        return value[2:-2].strip()
    return None


class Query:
    """One compiled expression and the field it stands in."""

    __slots__ = ("_engine", "_scope", "_wants_context", "field", "source")

    def __init__(self, source: str, field: str) -> None:
        """Raises BadExpressionError."""
        self.source = source
        self.field = field
        self._wants_context = "context" in source or "$states" in source.replace("$states.", "")
        self._scope: Scope | None = None
        text = guarded(source)
        try:
            self._engine = _compiled(text)
        except ValueError as error:
            if text == source:
                raise BadExpressionError(_CODE.sub("", str(error).removeprefix("Parse error: "))) from error
            try:
                self._engine = _compiled(source)  # the words about what was written
            except ValueError as written:
                raise BadExpressionError(_CODE.sub("", str(written).removeprefix("Parse error: "))) from written
        if text != source:
            self._engine.register(GUARD, _bounded_text)
        for name, function in self._functions().items():
            if f"${name}" in source:
                self._engine.register_override(name, function)
        if _ROMAN_PICTURE.search(source):
            self._engine.register_override("formatInteger", _format_integer)

    def _functions(self) -> dict[str, Callable[..., Any]]:
        return {
            "now": lambda *picture: _now(self._in_use().now_ms, *picture),
            "millis": lambda *_: self._in_use().now_ms,
            "random": self._random,
            "uuid": self._uuid,
            "pad": _pad,
            "eval": _no_eval,
            "partition": _partition,
            "range": _range,
            "hash": _hash,
            "parse": _parse,
        }

    def _in_use(self) -> Scope:
        assert self._scope is not None
        return self._scope

    def _random(self, *seed: Any) -> float:
        drawn = jsontext.encode(seed[0]) if seed else self._in_use().draw()
        return int.from_bytes(hashlib.blake2b(drawn, digest_size=8).digest(), "big") / 2**64

    def _uuid(self) -> str:
        digits = self._in_use().draw().hex()
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    def __call__(self, root: Any, scope: Scope) -> Any:
        """The value. `root` holds `$states`' members input, result and errorOutput. Raises StatesError."""
        states = {**root, "context": scope.context} if self._wants_context else root
        bindings = {**scope.variables, "states": states} if scope.variables else {"states": states}
        before, self._scope = self._scope, scope
        try:
            text = self._engine.evaluate_json_or_none(None, bindings)
            unsupported = text == '""' and self._engine.evaluate(None, bindings) is None
        except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
            raise self.failed(f"threw an error during evaluation. {_words(error)}") from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # a bug in the engine ends the state, not the process
                raise
            raise self.failed("threw an error during evaluation. The expression engine failed.") from error
        finally:
            self._scope = before
        if text is None:
            raise self.failed("returned nothing (undefined).")
        if unsupported:
            raise self.failed("returned an unsupported result type.")
        try:
            return jsontext.decode(text.encode("utf-8", "replace"))
        except StatesError as error:  # it nests too deep to be a payload
            raise self.failed("returned an unsupported result type.") from error

    def failed(self, what: str) -> StatesError:
        """The error of this expression in AWS's words."""
        cause = f"The JSONata expression '{self.source}' specified for the field '{self.field}' {what}"
        return StatesError(QUERY_ERROR, cause, self.field)


def _compiled(source: str) -> Any:
    """The engine for one expression, with its limits. Raises ValueError."""
    return jsonatapy.compile(
        source,
        timeout=EVALUATION_MS_MAX,
        max_stack_depth=STACK_DEPTH_MAX,
        max_sequence_length=SEQUENCE_LENGTH_MAX,
    )


def _bounded_text(text: Any = None) -> Any:
    if isinstance(text, str) and len(text) > TEXT_LENGTH_MAX:
        raise ValueError(f"D3000: A string is longer than {TEXT_LENGTH_MAX} characters")
    return text


def _words(error: BaseException) -> str:
    """The engine's message in the words of the reference implementation, which end before the offender's name."""
    text = str(error)
    for known in ("T1006: Attempted to invoke a non-function",):
        if text.startswith(known):
            return known
    return text


def _pad(text: Any = None, width: Any = None, sign: Any = " ") -> Any:
    if text is None:
        return None
    if not isinstance(text, str) or isinstance(width, bool) or not isinstance(width, int | float):
        raise ValueError("T0410: Argument of function 'pad' does not match function signature")  # noqa: TRY004
    wide, sign = int(width), sign if isinstance(sign, str) and sign else " "
    if abs(wide) > PAD_LENGTH_MAX:
        raise ValueError(f"D3000: The padding is longer than {PAD_LENGTH_MAX} characters")
    missing = abs(wide) - len(text)
    if missing <= 0:
        return text
    padding = (sign * (missing // len(sign) + 1))[:missing]
    return text + padding if wide > 0 else padding + text


def _format_integer(number: Any = None, picture: Any = None) -> Any:
    """`$formatInteger` where Roman numerals may be asked for: their length grows with the number itself."""
    roman = isinstance(picture, str) and picture[:1] in ("i", "I")
    if roman and isinstance(number, int | float) and abs(number) > ROMAN_MAX:
        raise ValueError(f"D3130: Roman numerals are written up to {ROMAN_MAX}")
    given = {"number": number, "picture": picture}
    return jsonatapy.compile("$formatInteger($number, $picture)").evaluate(None, given)


def _now(now_ms: int, picture: Any = None, timezone: Any = None) -> Any:
    """`$now()`, or in the form of a picture and a timezone such as "+0100"."""
    if picture is None:
        return format_timestamp(now_ms)
    source = "$fromMillis($at, $picture)" if timezone is None else "$fromMillis($at, $picture, $timezone)"
    given = {"at": now_ms, "picture": picture, "timezone": timezone}
    return jsonatapy.compile(source).evaluate(None, given)


def _no_eval(*_: Any) -> Any:
    raise ValueError("T1006: Attempted to invoke a non-function")


def _partition(array: Any, size: Any) -> Any:
    if not isinstance(array, list) or isinstance(size, bool) or not isinstance(size, int | float) or size < 1:
        raise ValueError("$partition needs an array and a positive number")
    return [array[at : at + int(size)] for at in range(0, len(array), int(size))]


def _range(first: Any, last: Any, step: Any) -> Any:
    if any(isinstance(n, bool) or not isinstance(n, int | float) or abs(n) > INT_MAX for n in (first, last, step)):
        raise ValueError("$range needs three numbers")
    if step == 0 or (last - first) / step >= RANGE_ITEMS_MAX:
        raise ValueError(f"$range would be endless or hold more than {RANGE_ITEMS_MAX} items")
    count = int((last - first) // step) + 1
    return [first + at * step for at in range(max(count, 0))]


def _hash(data: Any, algorithm: Any) -> Any:
    name = _HASHES.get(algorithm) if isinstance(algorithm, str) else None
    if name is None or not isinstance(data, str):
        raise ValueError(f"$hash needs a string and one of {list(_HASHES)}")
    return hashlib.new(name, data.encode(), usedforsecurity=False).hexdigest()


def _parse(text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError("$parse needs a string")  # noqa: TRY004 - the engine turns ValueError into its own error
    try:
        return jsontext.decode(text.encode())
    except StatesError as error:
        raise ValueError(error.cause) from error


def compile_value(value: Any, field: str) -> Evaluate:
    """A JSON value in which strings may be expressions. Raises BadExpressionError."""
    source = source_of(value)
    if source is not None:
        return Query(source, field)
    if isinstance(value, dict):
        members = tuple((key, compile_value(inner, f"{field}/{key}")) for key, inner in value.items())
        if all(isinstance(inner, _Constant) for _, inner in members):
            return _Constant(value)
        return lambda root, scope: {key: evaluate(root, scope) for key, evaluate in members}
    if isinstance(value, list):
        elements = tuple(compile_value(inner, f"{field}[{at}]") for at, inner in enumerate(value))
        if all(isinstance(inner, _Constant) for inner in elements):
            return _Constant(value)
        return lambda root, scope: [evaluate(root, scope) for evaluate in elements]
    return _Constant(value)


class _Constant:
    """A value without expressions; nobody may change it in place."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, _root: Any, _scope: Scope) -> Any:
        return self.value


def kind_of(value: Any) -> str:
    """The JSON type of a value, as messages name it."""
    if value is None:
        return "null"
    names = {bool: "boolean", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")


def unexpected(source: str, field: str, expected: str, value: Any) -> StatesError:
    """An expression gave a value of the wrong type."""
    shown = jsontext.encode(value).decode()
    cause = (
        f"The JSONata expression '{source}' specified for the field '{field}' returned an unexpected result type. "
        f"Expected '{expected}', but was '{kind_of(value)}' for value: {shown}"
    )
    return StatesError(QUERY_ERROR, cause, field)


def compile_condition(condition: Any, field: str) -> Callable[[Any, Scope], bool]:
    """A rule's Condition: a boolean or an expression that gives one."""
    if isinstance(condition, bool):
        return lambda _root, _scope: condition
    source = source_of(condition)
    if source is None:
        raise BadExpressionError("Condition must be a boolean or a JSONata expression")
    query = Query(source, field)

    def test(root: Any, scope: Scope) -> bool:
        value = query(root, scope)
        if not isinstance(value, bool):
            raise unexpected(source, field, "boolean", value)
        return value

    return test


def compile_items(state: dict[str, Any], *, objects: bool) -> Evaluate:
    """Items: an array, or an expression that gives one (or an object, in a distributed Map)."""
    kinds: tuple[type, ...] = (list, dict) if objects else (list,)
    given = state.get("Items")
    if "Items" not in state:

        def from_input(root: Any, _scope: Scope) -> Any:
            value = root["input"]
            if not isinstance(value, kinds):
                shown = jsontext.encode(value).decode()
                raise StatesError(QUERY_ERROR, f"Map state input must be an array but was: {shown}")
            return value

        return from_input
    evaluate = compile_value(given, "Items")
    source = source_of(given) or ""

    def items(root: Any, scope: Scope) -> Any:
        value = evaluate(root, scope)
        if not isinstance(value, kinds):
            raise unexpected(source, "Items", "array", value)
        return value

    return items


def compile_wait(state: dict[str, Any]) -> Callable[[Any, Scope, int], int]:
    """Seconds or Timestamp of a Wait, each given or computed."""
    field = "Seconds" if "Seconds" in state else "Timestamp"
    evaluate, source = compile_value(state[field], field), source_of(state[field]) or str(state[field])

    def due_ms(root: Any, scope: Scope, now_ms: int) -> int:
        value = evaluate(root, scope)
        if field == "Seconds":
            whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
            if not whole or not 0 <= value <= SECONDS_MAX:
                raise unexpected(source, field, "number", value)
            return now_ms + int(value) * 1000
        due = parse_timestamp_ms(value)
        if due is None:
            raise unexpected(source, field, "timestamp", value)
        return due

    return due_ms
