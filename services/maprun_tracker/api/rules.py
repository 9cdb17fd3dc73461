"""Constraints on members, checked as AWS's front end does: all at once, in one ValidationException."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from maprun.requests.checks import Refusal


class Text(msgspec.Struct, frozen=True):
    """A string of `least` to `most` characters. The value of a secret one is not repeated in messages."""

    least: int
    most: int
    required: bool = False
    secret: bool = False
    pattern: str = ""


class Number(msgspec.Struct, frozen=True):
    """A number from `least` to `most`."""

    least: int
    most: int
    required: bool = False


class Choice(msgspec.Struct, frozen=True):
    """One of some words, in the order that AWS's message has them."""

    words: tuple[str, ...]
    required: bool = False


class Members(msgspec.Struct, frozen=True):
    """A structure whose members have rules of their own."""

    rules: "Mapping[str, Rule]"
    required: bool = False


class Each(msgspec.Struct, frozen=True):
    """A list whose elements all follow one rule."""

    rule: "Rule"
    required: bool = False


Rule = Text | Number | Choice | Members | Each


def check(value: msgspec.Struct, rules: Mapping[str, Rule]) -> None:
    """Checks all members that have a rule. Raises Refusal (ValidationException)."""
    wrong = list(_wrong_members(value, rules, ""))
    if wrong:
        noun = "error" if len(wrong) == 1 else "errors"
        raise Refusal("ValidationException", f"{len(wrong)} validation {noun} detected: {'; '.join(wrong)}")


def _wrong_members(value: msgspec.Struct, rules: Mapping[str, Rule], path: str) -> Iterator[str]:
    for member, rule in rules.items():
        yield from _wrong_below(path + camel(member), getattr(value, member), rule)


def _wrong_below(path: str, value: Any, rule: Rule) -> Iterator[str]:
    """What is wrong with a value and with all below it. AWS counts a list's elements from 1."""
    if value is not None and isinstance(rule, Members):
        yield from _wrong_members(value, rule.rules, f"{path}.")
    elif value is not None and isinstance(rule, Each):
        for at, element in enumerate(value, 1):
            yield from _wrong_below(f"{path}.{at}.member", element, rule.rule)
    elif text := _wrong(path, value, rule):
        yield text


def _wrong(member: str, value: str | float | None, rule: Rule) -> str:
    if value is None:
        return _failed(member, "null", "Member must not be null") if rule.required else ""
    match rule:
        case Text(least, most, _, secret, pattern):
            assert isinstance(value, str)
            shown = "" if secret else f"'{value}'"
            if len(value) > most:
                return _failed(member, shown, f"Member must have length less than or equal to {most}")
            if len(value) < least:
                return _failed(member, shown, f"Member must have length greater than or equal to {least}")
            if pattern and not re.fullmatch(pattern, value):
                return _failed(member, shown, f"Member must satisfy regular expression pattern: {pattern}")
        case Number(least, most):
            assert isinstance(value, int | float)
            if value > most:
                return _failed(member, f"'{value}'", f"Member must have value less than or equal to {most}")
            if value < least:
                return _failed(member, f"'{value}'", f"Member must have value greater than or equal to {least}")
        case Choice(words):
            if value not in words:
                return _failed(member, f"'{value}'", f"Member must satisfy enum value set: [{', '.join(words)}]")
    return ""


def _failed(member: str, shown: str, constraint: str) -> str:
    value = f"Value {shown}" if shown else "Value"
    return f"{value} at '{member}' failed to satisfy constraint: {constraint}"


def camel(member: str) -> str:
    """A member's name on the wire."""
    first, *rest = member.split("_")
    return first + "".join(map(str.capitalize, rest))
