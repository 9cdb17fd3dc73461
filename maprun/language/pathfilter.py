"""Filters of JSONPath, `[?(@.price < 10 && @.name)]`, compiled to a predicate."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from maprun.language.errors import PathNotFoundError
from maprun.language.pathsteps import Predicate
from maprun.language.pattern import whole_match

if TYPE_CHECKING:
    from maprun.language.path import Path

Operand = Callable[[Any, Any], Any]
"""(candidate, root) → value, or `NOWHERE`."""

NOWHERE = object()
_OPERATOR = re.compile(
    r"\s*(==|!=|<=|>=|<|>|=~|(?:in|nin|subsetof|anyof|noneof|contains|size|empty)\b)\s*", re.IGNORECASE
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None}
DEPTH_MAX = 50


def parse_filter(text: str, at: int) -> tuple[Predicate, int]:
    """Parses the parenthesised condition at `at`; gives it and where it ends. Raises PathSyntaxError."""
    parser = _Parser(text, at)
    parser.expect("(")
    keeps = parser.either()
    parser.expect(")")
    return keeps, parser.at


class _Parser:
    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.depth = 0

    def fail(self) -> Exception:
        from maprun.language.path import PathSyntaxError

        return PathSyntaxError(self.text)

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def take(self, sign: str) -> bool:
        self.skip()
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.fail()

    def either(self) -> Predicate:
        left = self.both()
        while self.take("||"):
            left = _or(left, self.both())
        return left

    def both(self) -> Predicate:
        left = self.one()
        while self.take("&&"):
            left = _and(left, self.one())
        return left

    def one(self) -> Predicate:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.fail()
        self.skip()
        if self.text.startswith("!", self.at) and not self.text.startswith("!=", self.at):
            self.at += 1
            keeps = _not(self.one())
        elif self.take("("):
            keeps = self.either()
            self.expect(")")
        else:
            keeps = self.comparison()
        self.depth -= 1
        return keeps

    def comparison(self) -> Predicate:
        left = self.operand()
        found = _OPERATOR.match(self.text, self.at)
        if found is None:
            return lambda candidate, root: left(candidate, root) is not NOWHERE
        self.at = found.end()
        operator = found.group(1).lower()
        if operator == "=~":
            return _matches(left, self.pattern())
        return _compare(operator, left, self.operand())

    def operand(self) -> Operand:
        self.skip()
        text, at = self.text, self.at
        if at >= len(text):
            raise self.fail()
        if text[at] in "@$":
            return self.path()
        if text[at] in "'\"":
            value = self.string(text[at])
            return lambda _c, _r: value
        if text[at] == "[":
            return self.array()
        if number := _NUMBER.match(text, at):
            self.at = number.end()
            shown = number.group()
            amount = float(shown) if any(sign in shown for sign in ".eE") else int(shown)
            return lambda _c, _r: amount
        for word, meaning in _WORDS.items():
            if text.startswith(word, at):
                self.at += len(word)
                return lambda _c, _r: meaning
        raise self.fail()

    def array(self) -> Operand:
        self.expect("[")
        members: list[Operand] = []
        while not self.take("]"):
            members.append(self.operand())
            self.take(",")
        return lambda candidate, root: [member(candidate, root) for member in members]

    def string(self, quote: str) -> str:
        at, out = self.at + 1, []
        while at < len(self.text) and self.text[at] != quote:
            if self.text[at] == "\\" and at + 1 < len(self.text):
                at += 1
            out.append(self.text[at])
            at += 1
        if at >= len(self.text):
            raise self.fail()
        self.at = at + 1
        return "".join(out)

    def pattern(self) -> Callable[[str], bool]:
        self.skip()
        end = self.text.find("/", self.at + 1)
        if not self.text.startswith("/", self.at) or end < 0:
            raise self.fail()
        source, self.at = self.text[self.at + 1 : end], end + 1
        try:
            return whole_match(source, ignore_case=self.take("i"))
        except ValueError as error:
            raise self.fail() from error

    def path(self) -> Operand:
        from maprun.language.path import Path

        start, depth, text = self.at, 0, self.text
        at = start + 1
        while at < len(text):
            char = text[at]
            if char == "[":
                depth += 1
            elif char == "]":
                if depth == 0:
                    break
                depth -= 1
            elif depth == 0 and (char in " )=!<>&|," or (char == "(" and not text.startswith("()", at))):
                break
            elif char == "(" and depth == 0:
                at += 1
            at += 1
        self.at = at
        path = Path("$" + text[start + 1 : at])
        from_root = text[start] == "$"
        return _reader(path, from_root=from_root)


def _reader(path: "Path", *, from_root: bool) -> Operand:
    def read(candidate: Any, root: Any) -> Any:
        try:
            return path.read(root if from_root else candidate)
        except PathNotFoundError:
            return NOWHERE

    return read


def _or(left: Predicate, right: Predicate) -> Predicate:
    return lambda candidate, root: left(candidate, root) or right(candidate, root)


def _and(left: Predicate, right: Predicate) -> Predicate:
    return lambda candidate, root: left(candidate, root) and right(candidate, root)


def _not(inner: Predicate) -> Predicate:
    return lambda candidate, root: not inner(candidate, root)


def _matches(left: Operand, pattern: Callable[[str], bool]) -> Predicate:
    def keeps(candidate: Any, root: Any) -> bool:
        value = left(candidate, root)
        return isinstance(value, str) and pattern(value)

    return keeps


def _compare(operator: str, left: Operand, right: Operand) -> Predicate:
    test = _TESTS[operator]

    def keeps(candidate: Any, root: Any) -> bool:
        a, b = left(candidate, root), right(candidate, root)
        if a is NOWHERE or b is NOWHERE:
            return operator == "!=" and a is not b
        try:
            return bool(test(a, b))
        except TypeError:
            return False  # values of kinds that have no order

    return keeps


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(a: Any, b: Any) -> bool:
        alike = (isinstance(a, str) and isinstance(b, str)) or (
            isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool) | isinstance(b, bool)
        )
        return alike and test(a, b)

    return ordered


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _same,
    "!=": lambda a, b: not _same(a, b),
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
    "in": lambda a, b: isinstance(b, list) and any(_same(a, x) for x in b),
    "nin": lambda a, b: isinstance(b, list) and not any(_same(a, x) for x in b),
    "contains": lambda a, b: b in a if isinstance(a, str | list) else False,
    "subsetof": lambda a, b: all(any(_same(x, y) for y in b) for x in a),
    "anyof": lambda a, b: any(any(_same(x, y) for y in b) for x in a),
    "noneof": lambda a, b: not any(any(_same(x, y) for y in b) for x in a),
    "size": lambda a, b: len(a) == b,
    "empty": lambda a, b: (not a) == b,
}
