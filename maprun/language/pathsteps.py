"""The steps a path is made of, and how a path is written in messages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

Predicate = Callable[[Any, Any], bool]
"""(candidate `@`, root `$`) → kept. Raises PathError."""


@dataclass(frozen=True, slots=True)
class Names:
    """Members by name: `.a`, `['a']`; several names make one object of those that are there, `['a','b']`."""

    names: tuple[str, ...]
    definite: ClassVar[bool] = True

    def __str__(self) -> str:
        return "[" + ", ".join(f"'{name}'" for name in self.names) + "]"


@dataclass(frozen=True, slots=True)
class Index:
    """The element at a number; where there is none it is null."""

    place: int
    definite: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"[{self.place}]"


@dataclass(frozen=True, slots=True)
class FromEnd:
    """The element at the array's length plus a number: `[(@.length-1)]` is the last one."""

    offset: int
    definite: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"[@.size(){self.offset}]"


@dataclass(frozen=True, slots=True)
class Indexes:
    """The elements at several numbers."""

    places: tuple[int, ...]
    definite: ClassVar[bool] = False

    def __str__(self) -> str:
        return "[" + ",".join(map(str, self.places)) + "]"


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements from a number on and up to another; a side not given is open."""

    first: int | None
    last: int | None
    definite: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"[{'' if self.first is None else self.first}:{'' if self.last is None else self.last}]"


@dataclass(frozen=True, slots=True)
class Wild:
    """All members or elements."""

    definite: ClassVar[bool] = False

    def __str__(self) -> str:
        return "[*]"


@dataclass(frozen=True, slots=True)
class Filter:
    """The elements that a condition keeps, or the object itself if it keeps that."""

    keeps: Predicate
    definite: ClassVar[bool] = False

    def __str__(self) -> str:
        return "[?]"


@dataclass(frozen=True, slots=True)
class Scan:
    """`..`: here and everywhere below; the next step is taken from each of these places."""

    definite: ClassVar[bool] = False

    def __str__(self) -> str:
        return ".."


@dataclass(frozen=True, slots=True)
class Stay:
    """A `$` behind the first step: it leads to where one is already, and messages count from there."""

    definite: ClassVar[bool] = True

    def __str__(self) -> str:
        return "$"


Step = Names | Index | FromEnd | Indexes | Slice | Wild | Filter | Scan | Stay


def is_definite(steps: Sequence[Step]) -> bool:
    """True if the steps lead to one place at most."""
    return all(step.definite for step in steps)
