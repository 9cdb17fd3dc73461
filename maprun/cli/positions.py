"""Where something stands in a file: from the pointer of a finding to its line and column, in JSON and in YAML."""

import bisect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from maprun.cli.documents import looks_like_json, yaml_loader

_TOKEN = re.compile(r'(?P<sign>[{}\[\]:,])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<atom>[^\s{}\[\]:,"]+)')
_LAST_PART = re.compile(r"(?:/[^/\[]*|\[\d+\])$")
_LEFT_OPEN = re.compile(r"\$\{[^}\n]*\}")
_INDENT = re.compile(r" *")


class Place(NamedTuple):
    """A line and a column, from 1, as editors count them."""

    line: int
    column: int


class Places:
    """The places of everything in a document, by pointers such as `/States/X/Choices[0]/Next`.

    A member stands where its name does, an element of a list where its value begins.
    """

    def __init__(self, found: dict[str, Place]) -> None:
        self._found = found

    def __contains__(self, pointer: str) -> bool:
        return pointer in self._found

    def of(self, pointer: str) -> Place:
        """The place of a pointer, or of the nearest thing around it that has one."""
        while pointer not in self._found:
            shorter = _LAST_PART.sub("", pointer)
            if shorter == pointer:
                return self._found.get("", Place(1, 1))
            pointer = shorter
        return self._found[pointer]


def places_of(text: str, path: Path) -> Places:
    """The places in a file that can be decoded. A definition within it as a block of text has its own below it."""
    text = _LEFT_OPEN.sub(lambda match: "x" * len(match[0]), text)  # a text may be YAML only once they are filled in
    if looks_like_json(text, path):
        return Places(_json_places(text))
    return Places(dict(_yaml_places(text)))


def _json_places(text: str) -> dict[str, Place]:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found: dict[str, Place] = {}
    for pointer, offset in _json_offsets(text):
        line = bisect.bisect_right(starts, offset)
        found.setdefault(pointer, Place(line, offset - starts[line - 1] + 1))
    return found


class _Open:
    """An object or list whose end has not come yet. `name` points to the member whose value comes next."""

    def __init__(self, sign: str, pointer: str) -> None:
        self.sign = sign
        self.pointer = pointer
        self.count = 0
        self.name: str | None = None

    def next_value(self) -> str:
        """The pointer of the value that comes next."""
        return f"{self.pointer}[{self.count}]" if self.sign == "[" else self.name or self.pointer


def _json_offsets(text: str) -> Iterator[tuple[str, int]]:
    """(pointer, offset) of every member's name and of every value."""
    levels: list[_Open] = []
    for token in _TOKEN.finditer(text):
        sign, top = token["sign"], levels[-1] if levels else None
        if sign is None and top is not None and top.sign == "{" and top.name is None and token["text"]:
            top.name = f"{top.pointer}/{json.loads(token['text'], strict=False)}"
            yield top.name, token.start()
        elif sign is None or sign in "{[":
            pointer = top.next_value() if top is not None else ""
            yield pointer, token.start()
            if sign is not None:
                levels.append(_Open(sign, pointer))
        elif sign in "}]" and levels:
            levels.pop()
        elif sign == "," and top is not None:
            top.count += 1
            top.name = None


def _yaml_places(text: str) -> Iterator[tuple[str, Place]]:
    lines = text.split("\n")
    root: Any = yaml.compose(text, yaml_loader())
    waiting: list[tuple[str, Any]] = [("", root)]
    yield "", _start(root)
    while waiting:
        pointer, node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = f"{pointer}/{key.value}"
                yield inner, _start(key)
                waiting.append((inner, value))
        elif isinstance(node, yaml.SequenceNode):
            for at, value in enumerate(node.value):
                yield f"{pointer}[{at}]", _start(value)
                waiting.append((f"{pointer}[{at}]", value))
        elif isinstance(node, yaml.ScalarNode) and node.style == "|":
            first = node.start_mark.line + 1
            indent = _INDENT.match(lines[first] if first < len(lines) else "")
            assert indent is not None
            for inner, place in _json_places(node.value).items():
                if inner:
                    yield pointer + inner, Place(first + place.line, indent.end() + place.column)


def _start(node: Any) -> Place:
    mark = node.start_mark
    return Place(mark.line + 1, mark.column + 1)
