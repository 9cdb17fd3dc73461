"""Tokens of JSONata 2.0.6 and its syntax errors, in the reference implementation's codes and words.

Sources: docs.jsonata.org (version 2.0.0), and the reference implementation 2.0.6, of which the order of the checks
and every message are kept: AWS shows the same ones.
"""

import json
import math
import re
from typing import Any

import msgspec

BLANKS = " \t\n\r\v"
_WORDS = {"true": True, "false": False, "null": None}
_NAMED_OPERATORS = frozenset(("or", "in", "and"))
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"[0-9a-fA-F]{1,4}")
_IN_NAME = r" \t\n\r\v.\[\]{}(),@#;:?+\-*/%|=<>^&!~"
_BLANKS = re.compile(rf"[{BLANKS}]*")
_TOKEN = re.compile(
    rf"""\$(?P<variable>[^{_IN_NAME}]*)
    |(?P<name>[^{_IN_NAME}$"'`0-9][^{_IN_NAME}]*)
    |(?P<operator>\.\.|:=|!=|>=|<=|\*\*|~>|[.\[\]{{}}(),@\#;:?+\-*%|=<>^&!~])
    |(?P<quoted>"[^"\\]*"|'[^'\\]*')
    |(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[Ee][-+]?[0-9]+)?)""",
    re.VERBOSE,
)
"""What one look tells; a slash, a text with escapes and a name in backquotes need more."""

MESSAGES = {
    "S0101": "String literal must be terminated by a matching quote",
    "S0102": "Number out of range: {token}",
    "S0103": "Unsupported escape sequence: \\{token}",
    "S0104": "The escape sequence \\u must be followed by 4 hex digits",
    "S0105": "Quoted property name must be terminated with a backquote (`)",
    "S0106": "Comment has no closing tag",
    "S0201": "Syntax error: {token}",
    "S0202": "Expected {value}, got {token}",
    "S0203": "Expected {value} before end of expression",
    "S0204": "Unknown operator: {token}",
    "S0207": "Unexpected end of expression",
    "S0208": "Parameter {value} of function definition must be a variable name (start with $)",
    "S0209": "A predicate cannot follow a grouping expression in a step",
    "S0210": "Each step can only have one grouping expression",
    "S0211": "The symbol {token} cannot be used as a unary operator",
    "S0212": "The left side of := must be a variable name (start with $)",
    "S0213": "The literal value {value} cannot be used as a step within a path expression",
    "S0214": "The right side of {token} must be a variable name (start with $)",
    "S0215": "A context variable binding must precede any predicates on a step",
    "S0216": "A context variable binding must precede the 'order-by' clause on a step",
    "S0217": "The object representing the 'parent' cannot be derived from this expression",
    "S0301": "Empty regular expressions are not allowed",
    "S0302": "No terminating / in regular expression",
    "S0401": "Type parameters can only be applied to functions and arrays",
    "S0402": "Choice groups containing parameterized types are not supported",
}


class JsonataSyntaxError(ValueError):
    """A text that is no JSONata. `str()` is the reference's message, without its code, as AWS shows it."""

    def __init__(self, code: str, *, token: Any = None, value: Any = None) -> None:
        super().__init__(MESSAGES[code].format(token=shown(token), value=shown(value)))
        self.code = code


def shown(value: Any) -> str:
    """A token or value in a message: as JSON, as the reference writes it."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, ensure_ascii=False)


class Token(msgspec.Struct, frozen=True, eq=False, gc=False):
    """`kind` is name, variable, operator, string, number, value, regex or (end); `start` and `end` are places."""

    kind: str
    value: Any
    start: int
    end: int


class Tokenizer:
    """Gives one token after the other."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def next(self, *, infix: bool = False) -> Token:
        """The next token; after an operand (`infix`) a slash divides, else it begins a pattern."""
        source = self.source
        start = self.at
        if source[start : start + 1] in BLANKS:
            start = self._skip(start)
        found = _TOKEN.match(source, start)
        if found is None:
            return self._rare(start, infix=infix)
        self.at = found.end()
        kind: Any = found.lastgroup
        text = found[kind]
        if kind == "quoted":
            return Token("string", text[1:-1], start, self.at)
        if kind == "number":
            value = float(text)
            if math.isinf(value):
                raise JsonataSyntaxError("S0102", token=text)
            return Token(kind, value, start, self.at)
        if kind == "name" and text in _NAMED_OPERATORS:
            return Token("operator", text, start, self.at)
        if kind == "name" and text in _WORDS:
            return Token("value", _WORDS[text], start, self.at)
        return Token(kind, text, start, self.at)

    def _rare(self, start: int, *, infix: bool) -> Token:
        """The end, what a slash begins, a text with escapes or without an end, a name in backquotes."""
        source, sign = self.source, self.source[start : start + 1]
        self.at = start
        if source.startswith("/*", start):
            self.at = self._skip(start)
            return self.next(infix=infix)
        if not sign:
            return Token("(end)", "(end)", start, start)
        if sign == "/":
            return self._token("operator", "/", start + 1) if infix else self._pattern()
        if sign == "`":
            end = source.find("`", start + 1)
            if end < 0:
                raise JsonataSyntaxError("S0105")
            return self._token("name", source[start + 1 : end], end + 1)
        return self._string(sign)

    def _token(self, kind: str, value: Any, end: int) -> Token:
        start, self.at = self.at, end
        return Token(kind, value, start, end)

    def _skip(self, at: int) -> int:
        """The place behind blanks and comments."""
        source = self.source
        while True:
            blanks = _BLANKS.match(source, at)
            assert blanks is not None
            at = blanks.end()
            if not source.startswith("/*", at):
                return at
            end = source.find("*/", at + 2)
            if end < 0:
                raise JsonataSyntaxError("S0106")
            at = end + 2

    def _string(self, quote: str) -> Token:
        source, at = self.source, self.at + 1
        out: list[str] = []
        while at < len(source):
            sign = source[at]
            if sign == quote:
                return self._token("string", "".join(out), at + 1)
            if sign == "\\":
                at += 1
                escaped = source[at : at + 1]
                if escaped in _ESCAPES:
                    out.append(_ESCAPES[escaped])
                elif escaped == "u":
                    digits = source[at + 1 : at + 5]
                    if not _HEX.fullmatch(digits):
                        raise JsonataSyntaxError("S0104")
                    out.append(chr(int(digits, 16)))
                    at += 4
                else:
                    raise JsonataSyntaxError("S0103", token=escaped)
            else:
                out.append(sign)
            at += 1
        raise JsonataSyntaxError("S0101")

    def _pattern(self) -> Token:
        source, at, depth = self.source, self.at + 1, 0
        while at < len(source):
            sign = source[at]
            if sign == "/" and depth == 0 and not _escaped(source, at):
                if at == self.at + 1:
                    raise JsonataSyntaxError("S0301")
                end = at + 1
                while source[end : end + 1] in ("i", "m"):
                    end += 1
                return self._token("regex", source[self.at : end], end)
            if source[at - 1] != "\\":
                depth += (sign in "([{") - (sign in ")]}")
            at += 1
        raise JsonataSyntaxError("S0302")


def _escaped(source: str, at: int) -> bool:
    back = at
    while source[back - 1] == "\\":
        back -= 1
    return (at - back) % 2 == 1
