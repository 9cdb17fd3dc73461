"""Who waits for a home's fold: until it has passed an offset, or until it says something under a key."""

import heapq
from typing import Any, Protocol

import msgspec


class Waiter(Protocol):
    """What hears of it: a mailbox."""

    def put(self, item: Any) -> None:
        """Adds what was said; never blocks."""
        ...


class Passed(msgspec.Struct, frozen=True):
    """The fold has passed the offset that was waited for."""


class GivenUp(msgspec.Struct, frozen=True):
    """The owner that folded has ended: whoever owns the home now may be asked."""


class Waits:
    """The waits for one home, as one owner folds it. A wait hears each thing said once, in order."""

    def __init__(self) -> None:
        self._by_key: dict[str, list[Waiter]] = {}
        self._by_offset: list[tuple[int, int, Waiter]] = []
        self._begun = 0  # waits for offsets so far: of one offset the earlier one is heard first
        self._over = False

    # ------------------------------------------------------------------ who waits

    def begin(self, key: str, waiter: Waiter) -> None:
        """Hears what is said under a key from now on, until `end`; at once that the owner has ended, if it has."""
        self._by_key.setdefault(key, []).append(waiter)
        if self._over:
            waiter.put(GivenUp())

    def end(self, key: str, waiter: Waiter) -> None:
        """Hears nothing more."""
        waiters = self._by_key[key]
        waiters.remove(waiter)
        if not waiters:
            del self._by_key[key]

    def until(self, offset: int, waiter: Waiter) -> None:
        """Hears once that the fold has passed an offset, which it has not yet."""
        if self._over:
            waiter.put(GivenUp())
        else:
            self._begun += 1
            heapq.heappush(self._by_offset, (offset, self._begun, waiter))

    # ------------------------------------------------------------------ what the fold says

    def say(self, key: str, what: object) -> None:
        """To everybody who waits under this key."""
        for waiter in self._by_key.get(key, ()):
            waiter.put(what)

    def passed(self, offset: int) -> None:
        """The fold is through with the record at this offset."""
        while self._by_offset and self._by_offset[0][0] <= offset:
            heapq.heappop(self._by_offset)[2].put(Passed())

    def give_up(self) -> None:
        """The owner has ended."""
        self._over = True
        for waiters in self._by_key.values():
            for waiter in waiters:
                waiter.put(GivenUp())
        for _, _, waiter in self._by_offset:
            waiter.put(GivenUp())
        self._by_offset.clear()
