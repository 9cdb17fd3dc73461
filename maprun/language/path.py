"""JSONPath in AWS's dialect (Jayway's): parsed and compiled once to a function of the root value.

A definite path without brackets becomes a loop over its keys; anything else is evaluated step by step. A definite path
that leads nowhere raises PathNotFoundError with Jayway's words; an indefinite one answers with an empty list.
"""

from collections.abc import Callable
from typing import Any

from maprun.language.pathfilter import parse_filter
from maprun.language.pathsteps import Filter, Function, Index, Names, Scan, Slice, Step, Wild
from maprun.language.pathwalk import call_function, read_definite, read_indefinite

Read = Callable[[Any], Any]
"""The value of a path below a root value."""

_FUNCTIONS = {"length", "min", "max", "avg", "sum", "stddev", "keys", "concat"}


class PathSyntaxError(ValueError):
    """The text is no path."""


class Path:
    """A compiled path below `$`: `read(root)` gives its value."""

    __slots__ = ("definite", "function", "read", "reference", "steps", "text")

    def __init__(self, text: str) -> None:
        """`text` begins at the root sign, such as `$.a[0]`. Raises PathSyntaxError."""
        self.text = text
        steps = _parse(text)
        self.function: Function | None = None
        if steps and isinstance(steps[-1], Function):
            self.function = steps.pop()  # type: ignore[assignment]
        self.steps = tuple(steps)
        self.definite = all(step.definite for step in steps)
        self.reference = self.function is None and all(
            isinstance(step, Names | Index) and step.definite for step in steps
        )
        self.read = self._compile()

    def _compile(self) -> Read:
        steps = self.steps
        if self.function is not None:
            function = self.function
            read = (
                (lambda root: read_definite(steps, root))
                if self.definite
                else lambda root: read_indefinite(steps, root)
            )
            return lambda root: call_function(function, read(root))
        if not steps:
            return _root
        if not self.definite:
            return lambda root: read_indefinite(steps, root)
        if all(isinstance(step, Names) for step in steps):
            keys = tuple(step.names[0] for step in steps if isinstance(step, Names))
            return _key(keys[0], steps) if len(keys) == 1 else _keys(keys, steps)
        return lambda root: read_definite(steps, root)


def _root(root: Any) -> Any:
    return root


def _key(key: str, steps: tuple[Step, ...]) -> Read:
    def read(root: Any) -> Any:
        try:
            return root[key]
        except (KeyError, TypeError):
            return read_definite(steps, root)  # says why

    return read


def _keys(keys: tuple[str, ...], steps: tuple[Step, ...]) -> Read:
    def read(root: Any) -> Any:
        value = root
        try:
            for key in keys:
                value = value[key]
        except (KeyError, TypeError):
            return read_definite(steps, root)
        return value

    return read


def _parse(text: str) -> list[Step]:
    """The steps after the root sign."""
    steps: list[Step] = []
    at, end = 1, len(text)
    while at < end:
        char = text[at]
        if char == "[":
            step, at = _bracket(text, at)
        elif char == ".":
            if text.startswith("..", at):
                at += 2
                if at >= end or text[at] == ".":
                    raise PathSyntaxError(text)
                steps.append(Scan())
                step, at = _bracket(text, at) if text[at] == "[" else _name(text, at)
            elif at + 1 < end and text[at + 1] != "[":
                step, at = _name(text, at + 1)
            else:
                raise PathSyntaxError(text)
        else:
            raise PathSyntaxError(text)
        if steps and isinstance(steps[-1], Function):
            raise PathSyntaxError(text)
        steps.append(step)
    return steps


def _name(text: str, at: int) -> tuple[Step, int]:
    if text[at] == "*":
        return Wild(), at + 1
    start, end = at, len(text)
    while at < end and text[at] not in ".[(":
        if text[at] in " ])'\"":
            raise PathSyntaxError(text)
        at += 1
    name = text[start:at]
    if at < end and text[at] == "(":
        if name not in _FUNCTIONS or text[at:] != "()":
            raise PathSyntaxError(text)
        return Function(name), end
    if not name:
        raise PathSyntaxError(text)
    return Names((name,)), at


def _bracket(text: str, at: int) -> tuple[Step, int]:
    at = _skip(text, at + 1)
    if at >= len(text):
        raise PathSyntaxError(text)
    char = text[at]
    if char in "'\"":
        return _quoted(text, at)
    if char == "?":
        predicate, at = parse_filter(text, at + 1)
        return Filter(predicate), _close(text, at)
    if char == "*":
        return Wild(), _close(text, at + 1)
    close = text.find("]", at)
    if close < 0:
        raise PathSyntaxError(text)
    inner = text[at:close].strip()
    try:
        if ":" in inner:
            first, last = inner.split(":")
            return Slice(_int(first), _int(last)), close + 1
        return Index(tuple(int(part) for part in inner.split(","))), close + 1
    except ValueError as error:
        raise PathSyntaxError(text) from error


def _int(text: str) -> int | None:
    return int(text) if text.strip() else None


def _quoted(text: str, at: int) -> tuple[Step, int]:
    names: list[str] = []
    while True:
        quote, at = text[at], at + 1
        name: list[str] = []
        while at < len(text) and text[at] != quote:
            if text[at] == "\\" and at + 1 < len(text) and text[at + 1] == quote == "'":
                at += 1  # recorded: a backslash before anything but the single quote stands for itself
            name.append(text[at])
            at += 1
        names.append("".join(name))
        at = _skip(text, at + 1)
        if at < len(text) and text[at] == ",":
            at = _skip(text, at + 1)
            if at < len(text) and text[at] in "'\"":
                continue
            raise PathSyntaxError(text)
        return Names(tuple(names)), _close(text, at)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] == " ":
        at += 1
    return at


def _close(text: str, at: int) -> int:
    at = _skip(text, at)
    if at >= len(text) or text[at] != "]":
        raise PathSyntaxError(text)
    return at + 1
