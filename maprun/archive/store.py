"""The keyed store that an archive fills: rows in the order of their keys, written several at once or not at all."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Protocol

Row = tuple[bytes, bytes]


class Store(Protocol):
    """Rows by key. Nothing in it is kept nowhere else: a store that was lost is filled again."""

    def get(self, key: bytes) -> bytes | None:
        """The row under a key."""
        ...

    def first(self, prefix: bytes, at: bytes) -> Row | None:
        """The row with the lowest key that begins with `prefix` and is not below `at`."""
        ...

    def scan(self, first: bytes, end: bytes) -> Iterator[Row]:
        """The rows with keys in [first, end), ascending. Nothing may be written meanwhile."""
        ...

    def scan_back(self, first: bytes, end: bytes) -> Iterator[Row]:
        """The same, descending."""
        ...

    def write(self, rows: Iterable[Row], deleted: Iterable[bytes] = ()) -> None:
        """Deletes rows and puts others, all of it or, if the process is killed, nothing."""
        ...

    def clear(self, first: bytes, end: bytes) -> None:
        """Deletes all rows with keys in [first, end)."""
        ...


class MemoryStore:
    """Rows in memory, for those who have no disk."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        """The row under a key."""
        return self._rows.get(key)

    def first(self, prefix: bytes, at: bytes) -> Row | None:
        """The row with the lowest key that begins with `prefix` and is not below `at`."""
        place = bisect_left(self._keys, at)
        if place == len(self._keys) or not self._keys[place].startswith(prefix):
            return None
        return self._keys[place], self._rows[self._keys[place]]

    def scan(self, first: bytes, end: bytes) -> Iterator[Row]:
        """The rows with keys in [first, end), ascending."""
        return ((key, self._rows[key]) for key in self._between(first, end))

    def scan_back(self, first: bytes, end: bytes) -> Iterator[Row]:
        """The same, descending."""
        return ((key, self._rows[key]) for key in reversed(self._between(first, end)))

    def write(self, rows: Iterable[Row], deleted: Iterable[bytes] = ()) -> None:
        """Deletes rows and puts others."""
        for key in deleted:
            if self._rows.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
        for key, row in rows:
            if key not in self._rows:
                insort(self._keys, key)
            self._rows[key] = row

    def clear(self, first: bytes, end: bytes) -> None:
        """Deletes all rows with keys in [first, end)."""
        self.write((), self._between(first, end))

    def copy(self) -> "MemoryStore":
        """Another one with the same rows."""
        other = MemoryStore()
        other._rows, other._keys = dict(self._rows), list(self._keys)
        return other

    def _between(self, first: bytes, end: bytes) -> list[bytes]:
        return self._keys[bisect_left(self._keys, first) : bisect_left(self._keys, end)]
