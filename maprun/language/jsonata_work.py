"""The work of one evaluation, counted in turns and bytes: what the guards in an expression's text report."""

from collections.abc import Callable
from typing import Any

from maprun.language import jsontext
from maprun.language.errors import StatesError
from maprun.language.jsonata_functions import MEMORY, SEQUENCE_LENGTH_MAX, TEXT_LENGTH_MAX, TIMEOUT, JsonataError
from maprun.language.jsonata_guards import FIRST, HELD, JOINED, LAST, PAIRS, SPENT
from maprun.language.jsonata_loops import COMPARED, EACH, TURNS
from maprun.language.scope import Scope

WORK_MAX = 300_000
"""Turns in one evaluation: calls of its own functions and turns of inner loops. That is 0.7 s on one core of a small
machine; AWS ends an evaluation after a second, and was seen to do 200,000 calls in one."""
RANGE_NUMBERS_A_TURN = 8
HELD_BYTES_MAX = 16 * 1024 * 1024
"""Of JSON, all values together that an evaluation puts into others again and again; AWS holds some 7 MB at a time."""
VALUE_BYTES_MAX = 2 * 1024 * 1024
"""Of JSON, one such array or object: eight payloads. In memory it is some thirty times as large."""
PAIRS_A_TURN = 256
"""Of elements that `$distinct` compares."""
TEXT_A_TURN = 4_096
"""Characters joined by `&` that cost as much as one turn."""


class Evaluation:
    """What the host functions of one expression share while it is evaluated."""

    __slots__ = ("firsts", "held_bytes", "scope", "spent")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.spent = 0
        self.held_bytes = 0
        self.firsts: list[Any] = []

    def spend(self, turns: int = 1) -> None:
        """Counts turns. Raises JsonataError, as all of these do, where it becomes too much."""
        self.spent += turns
        if self.spent > WORK_MAX:
            raise JsonataError(TIMEOUT)

    def joined(self, text: Any = None) -> Any:
        """Counts a text that `&` made, and gives it."""
        if isinstance(text, str):
            if len(text) > TEXT_LENGTH_MAX:
                raise JsonataError(MEMORY)
            self.spend(len(text) // TEXT_A_TURN)
            self.hold(len(text))
        return text

    def pairs(self, count: Any = None) -> None:
        """Counts the pairs of so many elements."""
        if isinstance(count, int | float):
            self.spend(int(count) ** 2 // PAIRS_A_TURN)

    def hold(self, size: int, turns: int = 1) -> None:
        """Counts bytes that each of so many turns holds."""
        self.held_bytes += size * turns
        if self.held_bytes > HELD_BYTES_MAX:
            raise JsonataError(MEMORY)

    def held(self, value: Any = None, turns: int = 1) -> None:
        """Counts the bytes of a value that is put into another one."""
        if isinstance(value, str):
            self.hold(len(value), turns)
        elif isinstance(value, list | dict):
            try:
                size = len(jsontext.encode(value))
            except StatesError as error:  # it nests too deep
                raise JsonataError(MEMORY) from error
            if size > VALUE_BYTES_MAX:
                raise JsonataError(MEMORY)
            self.hold(size, turns)

    def each(self, count: Any = None, *values: Any) -> None:
        """Counts the bytes of values that each of so many turns holds."""
        turns = _number(count)
        for value in values if turns else ():
            self.held(value, turns)

    def turns(self, count: Any = None, *values: Any) -> None:
        """Counts the turns of `$map` and the like: half of them, for the engine evaluates the elements twice a call."""
        turns = (_number(count) + 1) // 2
        self.spend(turns + 1)
        self.each(turns, *values)

    def compared(self, count: Any = None, *values: Any) -> None:
        """Counts the comparisons of so many elements."""
        self.spend(_number(count) * _number(count).bit_length())
        self.each(count, *values)

    def first(self, first: Any = None) -> None:
        """Keeps the first number of a range."""
        self.firsts.append(first)

    def last(self, last: Any = None) -> None:
        """Counts the numbers of a range."""
        first = self.firsts.pop() if self.firsts else None
        if isinstance(first, int | float) and isinstance(last, int | float) and last - first < SEQUENCE_LENGTH_MAX:
            self.spend(int(max(last - first, 0)) // RANGE_NUMBERS_A_TURN)


def _number(count: Any) -> int:
    return int(count) if isinstance(count, int | float) else 0


GUARDS: dict[str, Callable[..., Any]] = {
    JOINED: Evaluation.joined,
    SPENT: Evaluation.spend,
    FIRST: Evaluation.first,
    HELD: Evaluation.held,
    PAIRS: Evaluation.pairs,
    LAST: Evaluation.last,
    TURNS: Evaluation.turns,
    COMPARED: Evaluation.compared,
    EACH: Evaluation.each,
}
