"""Work in slices: a generator yields where its host may do something else for a moment, and returns what came of it."""

from collections.abc import Callable, Generator
from typing import Protocol, TypeVar

T = TypeVar("T")
Slices = Generator[None, None, T]
Spent = Callable[[], bool]
"""Asked between two pieces of work: True when the present slice is used up."""


def never_spent() -> bool:
    """For a host that has nothing else to do."""
    return False


class Pace(Protocol):
    """How a host divides its time into slices (maprun.runtime.pace)."""

    def begin(self) -> None:
        """An await came back: a new slice begins."""
        ...

    def spent(self) -> bool:
        """True once the slice is used up."""
        ...


class NoPace:
    """One slice without end."""

    def begin(self) -> None:
        """Nothing is counted."""

    def spent(self) -> bool:
        """Never."""
        return False


def drained(slices: Slices[T]) -> T:
    """All of it at once."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            result: T = end.value
            return result
