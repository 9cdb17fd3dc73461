"""The queue in front of a coroutine, and how much of it came from which feed."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any


class KafkaMailbox:
    """A queue in front of one coroutine. Costs a list append to put, and a future only when a getter finds nothing."""

    __slots__ = ("_items", "_loop", "_on_taken", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: list[Any] = []
        self._waiter: asyncio.Future[None] | None = None
        self._on_taken: list[Callable[[], None]] = []

    def put(self, item: Any) -> None:
        """Adds an item."""
        self._items.append(item)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def deliver(self, items: Sequence[Any], on_taken: Callable[[], None] | None) -> None:
        """Adds a feed's records; `on_taken` is called once, when the coroutine has taken them."""
        self._items.extend(items)
        if on_taken is not None:
            self._on_taken.append(on_taken)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def get(self, wait_seconds: float | None) -> list[Any]:
        """All items that wait; waits for the first one at most so long (None: without end)."""
        if not self._items:
            if wait_seconds is not None and wait_seconds <= 0:
                await asyncio.sleep(0)
            else:
                await self._wait(wait_seconds)
        items, self._items = self._items, []
        if self._on_taken:
            called, self._on_taken = self._on_taken, []
            for on_taken in called:
                on_taken()
        return items

    async def _wait(self, wait_seconds: float | None) -> None:
        assert self._waiter is None, "one coroutine gets from a mailbox"
        waiter = self._waiter = self._loop.create_future()
        timer = None if wait_seconds is None else self._loop.call_later(wait_seconds, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
