"""Timers by due time, of homes and lanes alike; those that were cancelled take no memory for long."""

import heapq
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=tuple[Any, ...])
_HEAP_SLACK = 1_000


class Timers(Generic[K]):
    """Timers by key. Setting one again moves it; each fires once. Keys must be comparable with each other."""

    def __init__(self) -> None:
        self._due: dict[K, int] = {}
        self._heap: list[tuple[int, K]] = []

    def __len__(self) -> int:
        return len(self._due)

    @property
    def entries(self) -> int:
        """Entries in memory, with those of timers that were cancelled or moved."""
        return len(self._heap)

    def set(self, key: K, due_ms: int) -> None:
        """Fires `key` once `due_ms` (epoch milliseconds) has passed."""
        self._due[key] = due_ms
        heapq.heappush(self._heap, (due_ms, key))

    def cancel(self, key: K) -> None:
        """Forgets a timer; one that is not set is left alone."""
        if self._due.pop(key, None) is not None and len(self._heap) > 2 * len(self._due) + _HEAP_SLACK:
            # cancelled timeouts may lie years ahead: without this the heap would keep them all
            self._heap = [(due, key) for key, due in self._due.items()]
            heapq.heapify(self._heap)

    def take_due(self, now_ms: int) -> list[K]:
        """The timers whose time has passed, in order; they are set no longer."""
        fired: list[K] = []
        while self._heap and self._heap[0][0] <= now_ms:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                fired.append(key)
        return fired

    def next_ms(self) -> int | None:
        """When the next one may be due, at the earliest."""
        return self._heap[0][0] if self._heap else None
