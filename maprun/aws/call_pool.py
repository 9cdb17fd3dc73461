"""Blocking calls in threads: each destination has its own queue, so that one that does not answer keeps nobody else."""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Job:
    """One call. `gone` is set when nobody waits for its result any more: then it may end early."""

    def __init__(self, work: Callable[[threading.Event], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.gone = threading.Event()
        self._work = work
        self._loop = loop
        self.result: asyncio.Future[Any] = loop.create_future()

    def run(self) -> None:
        """Makes the call and tells who waits. What it raises is raised there."""
        value: Any = None
        error: BaseException | None = None
        try:
            value = self._work(self.gone)
        except BaseException as raised:  # noqa: BLE001 - it is the waiter's, and raised in its coroutine
            error = raised
        if not self._loop.is_closed():  # else the process ends, and nobody is left to hear
            self._loop.call_soon_threadsafe(self._tell, value, error)

    def _tell(self, value: Any, error: BaseException | None) -> None:
        if self.result.done():
            return
        if error is not None:
            self.result.set_exception(error)
        else:
            self.result.set_result(value)


class CallPool:
    """Runs calls, so many at once for each destination and so many in all. Use it within one event loop.

    Threads are made when they are needed and end with the queue they serve. A destination without a thread gets one
    even at the bound of all: what hangs elsewhere never keeps it from its first call. So there are `threads_max` and
    one more for each destination at most.
    """

    def __init__(self, threads_each_max: int = 64, threads_max: int = 512) -> None:
        self._each_max = threads_each_max
        self._max = threads_max
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, deque[Job]] = defaultdict(deque)
        self._running: defaultdict[str, int] = defaultdict(int)
        self._closed = False

    async def run(self, destination: str, work: Callable[[threading.Event], T]) -> T:
        """The result of `work(gone)` in a thread. Cancelled while it waits, it never begins; later, `gone` is set."""
        job = Job(work, asyncio.get_running_loop())
        try:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the pool is closed")
                self._waiting[destination].append(job)
                self._widen(destination)
            return await job.result  # type: ignore[no-any-return]
        finally:
            job.gone.set()

    def close(self) -> None:
        """Takes no more calls and drops those that wait; the threads of the others end with them."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def _widen(self, destination: str) -> None:
        """Gives a destination one more thread if it may have one. Under the lock."""
        running = self._running[destination]
        in_all = sum(self._running.values())
        if running < self._each_max and (in_all < self._max or not running):
            threading.Thread(target=self._serve, args=(destination,), name=f"call {destination}", daemon=True).start()
            self._running[destination] += 1

    def _serve(self, destination: str) -> None:
        """One thread: calls of its destination until none waits."""
        while True:
            with self._lock:
                job = self._next(destination)
                if job is None:
                    self._end(destination)
                    return
            job.run()

    def _next(self, destination: str) -> Job | None:
        queue = self._waiting[destination]
        while queue:
            job = queue.popleft()
            if not job.gone.is_set():
                return job
        return None

    def _end(self, destination: str) -> None:
        """A thread ends: its place goes to whoever waits at the bound of all. Under the lock."""
        self._running[destination] -= 1
        if not self._running[destination]:
            del self._running[destination], self._waiting[destination]
        for other in [name for name, queue in self._waiting.items() if queue]:
            self._widen(other)
