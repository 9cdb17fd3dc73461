"""The rules of JSONPath Choice states, compiled to functions (facts, section 3.8)."""

from collections.abc import Callable, Mapping
from typing import Any

from maprun.language.errors import PathError, runtime_error
from maprun.language.expression import Expression
from maprun.language.model import Test
from maprun.language.scope import Scope
from maprun.language.timestamps import parse_timestamp

Compare = Callable[[Any, Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _utf16(text: str) -> bytes:
    """Java's order of strings: by UTF-16 code unit."""
    return text.encode("utf-16-be", "surrogatepass")


def _ordered(order: Callable[[Any, Any], bool]) -> dict[str, Compare]:
    def strings(a: Any, b: Any) -> bool:
        return isinstance(a, str) and isinstance(b, str) and order(_utf16(a), _utf16(b))

    def numbers(a: Any, b: Any) -> bool:
        return _is_number(a) and _is_number(b) and order(a, b)

    def moments(a: Any, b: Any) -> bool:
        first, second = parse_timestamp(a), parse_timestamp(b)
        return first is not None and second is not None and order(first, second)

    return {"String": strings, "Numeric": numbers, "Timestamp": moments}


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda a, b: a == b,
    "LessThan": lambda a, b: a < b,
    "GreaterThan": lambda a, b: a > b,
    "LessThanEquals": lambda a, b: a <= b,
    "GreaterThanEquals": lambda a, b: a >= b,
}
COMPARISONS: dict[str, Compare] = {
    f"{kind}{suffix}": compare for suffix, order in _ORDERS.items() for kind, compare in _ordered(order).items()
}
COMPARISONS["BooleanEquals"] = lambda a, b: isinstance(a, bool) and isinstance(b, bool) and a is b
TYPE_TESTS: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": _is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: parse_timestamp(value) is not None,
}
OPERATORS = frozenset(
    [*COMPARISONS, *(f"{name}Path" for name in COMPARISONS), *TYPE_TESTS, "IsPresent", "StringMatches"]
)


def compile_rule(rule: Mapping[str, Any]) -> Test:
    """The test of one rule, And, Or and Not included. Raises PathSyntaxError, KeyError or ValueError."""
    if "And" in rule:
        tests = [compile_rule(inner) for inner in rule["And"]]
        return lambda root, scope: all(test(root, scope) for test in tests)
    if "Or" in rule:
        tests = [compile_rule(inner) for inner in rule["Or"]]
        return lambda root, scope: any(test(root, scope) for test in tests)
    if "Not" in rule:
        negated = compile_rule(rule["Not"])
        return lambda root, scope: not negated(root, scope)
    variable = Expression(rule["Variable"])
    operator = next((key for key in rule if key in OPERATORS), "")
    operand = rule[operator] if operator else None
    if operator == "IsPresent":
        wanted = bool(operand)
        found = variable.found
        return lambda root, scope: found(root, scope) is wanted
    read = _reader(variable)
    if operator in TYPE_TESTS:
        return _type_test(read, TYPE_TESTS[operator], wanted=bool(operand))
    if operator == "StringMatches":
        return _string_matches(read, str(operand))
    if operator.endswith("Path"):
        return _against_path(read, COMPARISONS[operator[:-4]], _reader(Expression(str(operand))))
    return _against(read, COMPARISONS[operator], operand)


def _reader(expression: Expression) -> Callable[[Any, Scope], Any]:
    evaluate, text, of_input = expression.evaluate, expression.text, expression.kind == "input"

    def read(root: Any, scope: Scope) -> Any:
        if root is None and of_input:  # measured: the path of the whole input, `$`, fails too
            raise runtime_error("Unable to apply Path transformation to null or empty input.")
        try:
            return evaluate(root, scope)
        except PathError as missing:
            cause = f"Invalid path '{text}': The choice state's condition path references an invalid value."
            raise runtime_error(cause) from missing

    return read


def _against(read: Callable[[Any, Scope], Any], compare: Compare, operand: Any) -> Test:
    return lambda root, scope: compare(read(root, scope), operand)


def _against_path(read: Callable[[Any, Scope], Any], compare: Compare, operand: Callable[[Any, Scope], Any]) -> Test:
    return lambda root, scope: compare(read(root, scope), operand(root, scope))


def _type_test(read: Callable[[Any, Scope], Any], test: Callable[[Any], bool], *, wanted: bool) -> Test:
    return lambda root, scope: test(read(root, scope)) is wanted


def _string_matches(read: Callable[[Any, Scope], Any], pattern: str) -> Test:
    pieces = _pieces(pattern)

    def test(root: Any, scope: Scope) -> bool:
        value = read(root, scope)
        return isinstance(value, str) and _matches(pieces, value)

    return test


def _pieces(pattern: str) -> tuple[str, ...]:
    """The literal texts between the wildcards; a backslash makes the next sign literal."""
    pieces, current, at = [], "", 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern) and pattern[at + 1] in "*\\":
            current, at = current + pattern[at + 1], at + 1
        elif char == "*":
            pieces.append(current)
            current = ""
        else:
            current += char
        at += 1
    return (*pieces, current)


def _matches(pieces: tuple[str, ...], text: str) -> bool:
    """Linear in the text: each literal is looked for from the left, so no pattern can hang a lane."""
    if len(pieces) == 1:
        return text == pieces[0]
    first, last = pieces[0], pieces[-1]
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in pieces[1:-1]:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True
