"""Tokens of JSONata 2.0.6 and its syntax errors, in the reference implementation's codes and words.

Sources: docs.jsonata.org (version 2.0.0), and the reference implementation 2.0.6, of which the order of the checks
and every message are kept: AWS shows the same ones.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

BLANKS = " \t\n\r\v"
_TWO_SIGNS = ("..", ":=", "!=", ">=", "<=", "**", "~>")
_SIGNS = frozenset(".[]{}(),@#;:?+-*/%|=<>^&!~")
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[Ee][-+]?[0-9]+)?")
_HEX = re.compile(r"[0-9a-fA-F]{1,4}")
_NAME = re.compile(r"[^ \t\n\r\v.\[\]{}(),@#;:?+\-*/%|=<>^&!~]*")

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


@dataclass(frozen=True, slots=True)
class Token:
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
        self._skip()
        start = self.at
        if start >= len(source):
            return Token("(end)", "(end)", start, start)
        sign = source[start]
        if sign == "/" and not infix:
            return self._pattern()
        for text in (source[start : start + 2], sign):
            if text in _TWO_SIGNS or text in _SIGNS:
                return self._token("operator", text, start + len(text))
        if sign in "\"'":
            return self._string(sign)
        if number := _NUMBER.match(source, start):
            return self._number(number.group())
        if sign == "`":
            end = source.find("`", start + 1)
            if end < 0:
                raise JsonataSyntaxError("S0105")
            return self._token("name", source[start + 1 : end], end + 1)
        return self._word()

    def _token(self, kind: str, value: Any, end: int) -> Token:
        start, self.at = self.at, end
        return Token(kind, value, start, end)

    def _skip(self) -> None:
        source = self.source
        while self.at < len(source):
            if source[self.at] in BLANKS:
                self.at += 1
            elif source.startswith("/*", self.at):
                end = source.find("*/", self.at + 2)
                if end < 0:
                    raise JsonataSyntaxError("S0106")
                self.at = end + 2
            else:
                return

    def _number(self, text: str) -> Token:
        value = float(text)
        if math.isinf(value):
            raise JsonataSyntaxError("S0102", token=text)
        return self._token("number", value, self.at + len(text))

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

    def _word(self) -> Token:
        found = _NAME.match(self.source, self.at)
        assert found is not None
        text, end = found.group(), found.end()
        if text.startswith("$"):
            return self._token("variable", text[1:], end)
        if text in ("or", "in", "and"):
            return self._token("operator", text, end)
        if text in _WORDS:
            return self._token("value", _WORDS[text], end)
        return self._token("name", text, end)


def _escaped(source: str, at: int) -> bool:
    back = at
    while source[back - 1] == "\\":
        back -= 1
    return (at - back) % 2 == 1
