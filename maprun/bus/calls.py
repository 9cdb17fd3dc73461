"""Blocking work in threads: so many at once, but one that takes long gives its place to another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Calls:
    """Threads for `Port.call`.

    Work that waits for somebody outside (a store that hangs, a pause before a call is made again) would otherwise hold
    the places of all others: after `patience_seconds` it counts no more, and another begins beside it.
    """

    def __init__(self, at_once: int, threads_max: int, patience_seconds: float) -> None:
        assert at_once <= threads_max, "each place needs a thread"
        self._places = asyncio.Semaphore(at_once)
        self._patience_seconds = patience_seconds
        self._threads = ThreadPoolExecutor(threads_max, thread_name_prefix="call")

    async def run(self, work: Callable[[], T]) -> T:
        """What the work gives, or raises."""
        loop = asyncio.get_running_loop()
        await self._places.acquire()
        held = True

        def leave() -> None:
            nonlocal held
            if held:
                held = False
                self._places.release()

        timer = loop.call_later(self._patience_seconds, leave)
        try:
            return await loop.run_in_executor(self._threads, work)
        finally:
            timer.cancel()
            leave()

    def close(self) -> None:
        """What is under way ends unheard, what waits never begins."""
        self._threads.shutdown(wait=False, cancel_futures=True)
