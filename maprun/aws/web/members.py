"""Headers and members of queries as Tasks write them: one value or an array of them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from multidict import CIMultiDict

Pairs = list[tuple[str, str]]
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")


class MemberError(ValueError):
    """A member that can't be sent; the message says which and why."""


def header_fault(name: str, value: str) -> str:
    """Why a header can't be sent; empty if it can."""
    if not _HEADER_NAME.fullmatch(name):
        return f"{name!r} is no name of a header"
    if not _HEADER_VALUE.fullmatch(value):
        return f"the value of the header {name!r} has a line's end or another control character"
    return ""


def headers_of(given: Mapping[str, Any], reserved: Iterable[str], prefixes: tuple[str, ...]) -> CIMultiDict[str]:
    """The headers of a Task. Raises MemberError, also for one that is reserved, by its name or its prefix."""
    headers: CIMultiDict[str] = CIMultiDict()
    kept = frozenset(reserved)
    for name, value in pairs_of(given, "Headers"):
        if name.lower() in kept or name.lower().startswith(prefixes):
            raise MemberError(f"The 'Headers' field contains unsupported values: {name}")
        if wrong := header_fault(name, value):
            raise MemberError(f"The 'Headers' field can't be sent: {wrong}")
        headers.add(name, value)
    return headers


def pairs_of(given: Mapping[str, Any], field: str) -> Pairs:
    """Name and value, a pair for each value of an array; null is none. Raises MemberError."""
    return [
        (name, _text(each, f"{field}.{name}"))
        for name, value in given.items()
        for each in (value if isinstance(value, list) else [value])
        if each is not None
    ]


def _text(value: Any, place: str) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise MemberError(f"The value for the field '{place}' must be a text, a number, a boolean or an array")


def encoded(pairs: Iterable[tuple[str, str]]) -> str:
    """The pairs as a query or a form, each text percent-encoded."""
    return "&".join(f"{escaped(name)}={escaped(value)}" for name, value in pairs)


def escaped(text: str) -> str:
    """A text percent-encoded but for letters, digits and `-._~`."""
    return quote(text, safe="-._~", errors="replace")


def form(body: Mapping[str, Any], array_format: str) -> str:
    """A body as `application/x-www-form-urlencoded`: members of objects as `outer[inner]`, arrays in their format."""
    return "&".join(_form_members("", body, array_format))


def _form_members(name: str, value: Any, array_format: str) -> Iterator[str]:
    match value:
        case None:
            yield f"{escaped(name)}="
        case Mapping():
            for key, each in value.items():
                yield from _form_members(f"{name}[{key}]" if name else str(key), each, array_format)
        case list() if array_format == "COMMAS":
            yield f"{escaped(name)}={','.join(escaped(_text(each, name)) for each in value)}"
        case list():
            for index, each in enumerate(value):
                ending = {"REPEAT": "", "BRACKETS": "[]"}.get(array_format, f"[{index}]")
                yield from _form_members(f"{name}{ending}", each, array_format)
        case _:
            yield f"{escaped(name)}={escaped(_text(value, name))}"
