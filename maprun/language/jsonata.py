"""JSONata states: expressions between `{%` and `%}`, each read once, with AWS's functions, errors and limits.

What an expression gives, or that it fails, follows from its text and its values alone: its work is counted, and what
would never end ends by that count. The engine's clock is a last resort far behind (decision 16).
Compiled expressions keep a cell for the evaluation in progress: one machine must not be stepped by two threads at once.
"""

import math
from collections.abc import Callable
from typing import Any

import jsonatapy

from maprun.language import jsontext
from maprun.language.errors import StatesError
from maprun.language.jsonata_functions import (
    SEQUENCE_LENGTH_MAX,
    SIGNATURES,
    UNDEFINED,
    functions,
)
from maprun.language.jsonata_guards import MARK, WRAP, Guarded, guarded
from maprun.language.jsonata_parse import Node, TooDeepError, nodes_of, parse
from maprun.language.jsonata_tokens import MESSAGES, JsonataSyntaxError
from maprun.language.jsonata_words import words
from maprun.language.jsonata_work import GUARDS, Evaluation
from maprun.language.scope import Evaluate, Scope
from maprun.language.timestamps import parse_timestamp_ms
from schemas.quotas import SECONDS_MAX

EVALUATION_MS_MAX = 5_000
"""A clock's, where counting did not end the work first: it keeps a process alive, and is reached by nothing useful."""
STACK_DEPTH_MAX = 300
"""Of the engine's levels, guards among them; on a stack of 1 MiB it goes as deep. AWS stops at 100 of its own."""
_ORDER = ("<", ">", "<=", ">=")
QUERY_ERROR = "States.QueryEvaluationError"


class BadExpressionError(ValueError):
    """A text between `{%` and `%}` that is no JSONata."""


def source_of(value: Any) -> str | None:
    """The expression in a string `{% … %}`; None for any other value, which then stands for itself."""
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}") and len(value) >= len("{%%}"):
        return value[2:-2].strip()
    return None


def mistyped(text: str) -> bool:
    """True for a string that begins or ends like an expression and is none: `{% 1`, `1 %}`, ` {% 1 %}`, `{% 1 %} `.

    Brackets within a text, `x {% 1 %} y`, are text, even with nothing but a blank on both sides (recorded on AWS).
    """
    return source_of(text) is None and (text.startswith("{%") or text.endswith("%}"))


def read(source: str) -> tuple[Node, Guarded, Any]:
    """The tree of an expression, its text with guards, and the engine for it. Raises BadExpressionError."""
    try:
        tree = parse(source)
    except (JsonataSyntaxError, TooDeepError) as error:
        raise BadExpressionError(str(error)) from error
    found = guarded(source, tree)
    try:
        return tree, found, _compiled(found.text)
    except ValueError as error:
        raise BadExpressionError(_syntax_words(str(error))) from error


class Query:
    """One expression and the field it stands in.

    It is read when it is evaluated first: most of a large definition's never are in one process, and all were read when
    the machine was made.
    """

    __slots__ = ("_computes", "_engine", "_running", "_wants_context", "field", "source")

    def __init__(self, source: str, field: str) -> None:
        self.source = source
        self.field = field
        self._wants_context = "context" in source or "$states" in source.replace("$states.", "")
        self._running: Evaluation | None = None
        self._computes = False
        self._engine: Any = None

    def _read(self) -> None:
        """Raises StatesError for what is no JSONata today; its machine was made by a release that took it."""
        try:
            _, found, engine = read(self.source)
        except BadExpressionError as error:
            raise self.failed(f"threw an error during evaluation: {error}") from error
        self._computes = found.computes
        for guard in found.guards:
            engine.register(guard, _counting(GUARDS[guard], self._now))
        called = [name for name in SIGNATURES if f"${name}" in self.source]
        hosts = functions(lambda: self._now().scope) if called else {}
        for name in called:
            engine.register_override(name, _bare(hosts[name]))
            if name in found.called:
                engine.register(name + MARK, _wrapped(hosts[name]))
        self._engine = engine

    def _now(self) -> Evaluation:
        assert self._running is not None
        return self._running

    def __call__(self, root: Any, scope: Scope) -> Any:
        """The value. `root` holds `$states`' members input, result and errorOutput. Raises StatesError."""
        if self._engine is None:
            self._read()
        states = {**root, "context": scope.context} if self._wants_context else root
        bindings = {**scope.variables, "states": states} if scope.variables else {"states": states}
        draws, before, self._running = scope.draws, self._running, Evaluation(scope)
        endless: Any = None
        try:
            text = self._engine.evaluate_json_or_none(None, bindings)
            if text is not None and (text == '""' or (self._computes and "null" in text)):
                scope.draws, self._running = draws, Evaluation(scope)
                endless = self._engine.evaluate(None, bindings)
        except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
            raise self.failed(f"threw an error during evaluation{_words(self.source, str(error))}") from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # a bug in the engine ends the state, not the process
                raise
            raise self.failed("threw an error during evaluation: The expression engine failed") from error
        finally:
            self._running = before
        if text is None:
            raise self.failed("returned nothing (undefined).")
        if text == '""' and endless is None:
            raise self.failed("returned an unsupported result type.")
        try:
            value = jsontext.decode(text.encode("utf-8", "replace"))
        except StatesError as error:  # it nests too deep to be a payload
            raise self.failed("returned an unsupported result type.") from error
        return value if endless is None else _with_endless(value, endless)

    def failed(self, what: str) -> StatesError:
        """The error of this expression in AWS's words."""
        cause = f"The JSONata expression '{self.source}' specified for the field '{self.field}' {what}"
        return StatesError(QUERY_ERROR, cause, self.field)


def _counting(guard: Callable[..., None], now: Callable[[], Evaluation]) -> Callable[..., Any]:
    """A guard as a function of the engine's; an argument that is undefined may be left out by it."""
    return lambda *given: guard(now(), *given)


def _words(source: str, message: str) -> str:
    """The engine's message in the reference's words, with the names of what the expression calls and compares."""
    nodes = list(nodes_of(parse(source)))
    called = [str(name) for node in nodes if (name := _name_called(node))]
    operators = [str(node.value) for node in nodes if node.kind == "binary" and node.value in _ORDER]
    return words(message, called, operators)


def _name_called(node: Node) -> str | None:
    if node.kind in ("call", "partial") and node.parts[0].kind == "variable":
        return str(node.parts[0].value)
    return None


def _with_endless(value: Any, endless: Any) -> Any:
    """The value with the numbers that JSON can't write, null in `value`, as the texts AWS writes for them."""
    if value is None and isinstance(endless, float):
        return "NaN" if math.isnan(endless) else "Infinity" if endless > 0 else "-Infinity"
    if isinstance(value, list):
        return [_with_endless(inner, other) for inner, other in zip(value, endless, strict=True)]
    if isinstance(value, dict):
        return {name: _with_endless(inner, endless[name]) for name, inner in value.items()}
    return value


def _wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose arguments and result come in objects, where what is undefined is absent."""

    def host(*given: Any) -> dict[str, Any]:
        arguments = [
            one.get(WRAP, UNDEFINED) if isinstance(one, dict) and one.keys() <= {WRAP} else one for one in given
        ]
        result = call(*arguments)
        return {} if result is UNDEFINED else {WRAP: result}

    return host


def _bare(call: Callable[..., Any]) -> Callable[..., Any]:
    """The function where an expression hands it on as a value: there the engine tells null and nothing not apart."""

    def host(*given: Any) -> Any:
        result = call(*(UNDEFINED if one is None else one for one in given))
        return None if result is UNDEFINED else result

    return host


def _compiled(source: str) -> Any:
    """The engine for one expression, with its limits. Raises ValueError."""
    return jsonatapy.compile(
        source,
        timeout=EVALUATION_MS_MAX,
        max_stack_depth=STACK_DEPTH_MAX,
        max_sequence_length=SEQUENCE_LENGTH_MAX,
    )


def _syntax_words(message: str) -> str:
    """What the engine refuses and the grammar does not, in the reference's words where it has a code for it."""
    text = message.removeprefix("Parse error: ")
    code, _, rest = text.partition(": ")
    fixed = MESSAGES.get(code, "")
    return fixed if fixed and "{" not in fixed else rest if code in MESSAGES else text


def compile_value(value: Any, field: str) -> Evaluate:
    """A JSON value in which strings may be expressions."""
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
