"""Blocking calls in threads: each destination has its own queue, so that one that does not answer keeps nobody else."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
IDLE_MAX = 8  # threads of one destination that wait for its next call,
IDLE_SECONDS = 5.0  # for so long


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


class _Line:
    """The calls of one destination, and the threads that make them."""

    def __init__(self, lock: threading.Lock) -> None:
        self.waiting: deque[Job] = deque()
        self.busy = 0
        self.idle = 0
        self.called = 0  # of the idle ones, those that were woken and have not looked yet
        self.news = threading.Condition(lock)

    def next(self) -> Job | None:
        """The first call that somebody still waits for."""
        while self.waiting:
            job = self.waiting.popleft()
            if not job.gone.is_set():
                return job
        return None


class CallPool:
    """Runs calls, so many at once for each destination and so many in all. Use it within one event loop.

    Threads are made when they are needed; a few of each destination stay for some seconds. A destination that makes no
    call may make one even at the bound of all: what hangs elsewhere never keeps it from its first. So `threads_max`
    calls run, and one more for each destination at most.
    """

    def __init__(self, threads_each_max: int = 64, threads_max: int = 512) -> None:
        self._each_max = threads_each_max
        self._max = threads_max
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}
        self._busy = 0
        self._closed = False

    async def run(self, destination: str, work: Callable[[threading.Event], T]) -> T:
        """The result of `work(gone)` in a thread. Cancelled while it waits, it never begins; later, `gone` is set."""
        job = Job(work, asyncio.get_running_loop())
        try:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the pool is closed")
                line = self._lines.get(destination)
                if line is None:
                    line = self._lines[destination] = _Line(self._lock)
                line.waiting.append(job)
                self._serve_soon(line)
            return await job.result  # type: ignore[no-any-return]
        finally:
            job.gone.set()

    def close(self) -> None:
        """Takes no more calls and drops those that wait; the threads of the others end with them."""
        with self._lock:
            self._closed = True
            for line in self._lines.values():
                line.waiting.clear()
                line.news.notify_all()

    def _may(self, line: _Line) -> bool:
        return line.busy < self._each_max and (self._busy < self._max or not line.busy)

    def _serve_soon(self, line: _Line) -> None:
        """Finds a thread for a call that waits, if there may be one; else a busy one comes to it. Under the lock."""
        if line.idle > line.called:
            line.called += 1
            line.news.notify()
        elif self._may(line):
            threading.Thread(target=self._serve, args=(line,), name="blocking call", daemon=True).start()
            self._begin(line)

    def _begin(self, line: _Line) -> None:
        line.busy += 1
        self._busy += 1

    def _serve(self, line: _Line) -> None:
        """One thread: calls of its destination, until none has come for some time."""
        while True:
            with self._lock:
                job = self._take(line)
            if job is None:
                return
            job.run()

    def _take(self, line: _Line) -> Job | None:
        """The next call for a busy thread, None if it is to end. Under the lock, which it lets go of while it waits."""
        while (job := line.next()) is None:
            line.busy -= 1
            self._busy -= 1
            for other in self._lines.values():
                if other.waiting:
                    self._serve_soon(other)  # at the bound of all it had to wait for this place
            if line.idle >= IDLE_MAX or self._closed:
                return None
            line.idle += 1
            woken = line.news.wait(IDLE_SECONDS)
            line.idle -= 1
            # A thread may be woken as its time runs out: then too many count as called, and a new one is made instead.
            line.called = min(line.called - woken, line.idle)
            if not line.waiting or not self._may(line):
                return None
            self._begin(line)
        return job
