"""The steps a path is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

Predicate = Callable[[Any, Any], bool]
"""(candidate `@`, root `$`) → kept."""


@dataclass(frozen=True, slots=True)
class Names:
    """Members by name: `.a`, `['a']`, `['a','b']`."""

    names: tuple[str, ...]

    @property
    def definite(self) -> bool:
        """One name leads to one place."""
        return len(self.names) == 1

    def __str__(self) -> str:
        return "[" + ",".join(f"'{name}'" for name in self.names) + "]"


@dataclass(frozen=True, slots=True)
class Index:
    """Elements by number; a negative number counts from the end."""

    places: tuple[int, ...]

    @property
    def definite(self) -> bool:
        """One number leads to one place."""
        return len(self.places) == 1

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
    """Elements that a condition keeps."""

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
class Function:
    """A function of the values found: `.length()`."""

    name: str
    definite: ClassVar[bool] = True

    def __str__(self) -> str:
        return f".{self.name}()"


Step = Names | Index | Slice | Wild | Filter | Scan | Function
