"""The host's side of the workers: calls to the least loaded, new ones for what dies or hangs, answers for the lost."""

import asyncio
import collections
import contextlib
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import msgspec

from maprun.local.children import end_with_parent
from maprun.local.functions import answers, frames
from maprun.local.functions.frames import UNHANDLED, Call, Outcome
from maprun.local.functions.worker import SLOT
from maprun.runtime import clock, logs

TICK_SECONDS = 0.1  # how exactly a time-out is kept
STARTS_MAX_AT_ONCE = (
    5  # workers that die in a row before the first answer: the folder's code, or the machine, is broken
)


class PoolLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much runs at once."""

    workers: int = 2
    threads_max: int = 128  # calls at once in one worker
    waiting_calls_max: int = 20_000  # past the workers; then the host answers as a throttled Lambda does
    timeout_seconds: float = 60.0


class ThrottledError(Exception):
    """Too many calls wait: TooManyRequestsException."""


class Waiting:
    """One call on its way: what to run, and where its outcome goes."""

    __slots__ = ("_done", "call", "deadline", "is_over")

    def __init__(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self.call = call
        self.deadline = 0.0  # monotonic, from when a worker has it
        self.is_over = False  # answered, or given up
        self._done = done

    def end(self, outcome: Outcome) -> None:
        """Gives the caller its outcome; a later one counts no more."""
        if not self.is_over:
            self.is_over = True
            self._done(outcome)

    def give_up(self) -> None:
        """Nobody waits for the outcome any more: what has not begun is not run."""
        self.is_over = True


class _Worker(asyncio.Protocol):
    """One worker process and its calls."""

    def __init__(self, pool: "Pool", limits: PoolLimits, folder: Path) -> None:
        self._pool = pool
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self.calls: dict[int, Waiting] = {}  # in the order in which they were sent
        self.retired = False
        self._numbers = 0
        self._folder = folder
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._slots_bytes = limits.threads_max * SLOT.size

    async def start(self) -> None:
        """Starts the process and connects to it."""
        ours, theirs = socket.socketpair()
        slots_fd = os.memfd_create("maprun-function-slots")
        os.ftruncate(slots_fd, self._slots_bytes)
        self._slots = mmap.mmap(slots_fd, self._slots_bytes)
        module = "maprun.local.functions.worker"
        numbers = (str(theirs.fileno()), str(slots_fd), str(self._limits.threads_max))
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *numbers, str(self._folder)],
            pass_fds=(theirs.fileno(), slots_fd),
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - the host has no other threads
        )
        theirs.close()
        os.close(slots_fd)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
        self._transport = transport

    def send(self, waiting: Waiting) -> None:
        """Gives it a call. Sends of one turn of the loop go out as one write."""
        self._numbers += 1
        waiting.call = msgspec.structs.replace(waiting.call, number=self._numbers)
        waiting.deadline = clock.monotonic_seconds() + self._limits.timeout_seconds
        self.calls[self._numbers] = waiting
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(frames.framed(waiting.call))

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Answers of the worker."""
        self._buffer += data
        for message in frames.split(self._buffer):
            outcome = frames.outcome_decoder.decode(message)
            waiting = self.calls.pop(outcome.number, None)
            if waiting is not None:
                waiting.end(outcome)
        self._pool.after_answers(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process is gone."""
        del exc
        begun = {SLOT.unpack_from(self._slots, at)[0] for at in range(0, self._slots_bytes, SLOT.size)}
        self._slots.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        status = self.process.wait()
        words = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        again = []
        for number, waiting in self.calls.items():
            if number in begun:
                _answer(waiting, answers.exited(waiting.call.request_id, words))
            else:
                again.append(waiting)
        self.calls.clear()
        self._pool.after_death(self, again, words)

    def expire(self, now: float) -> None:
        """Answers calls that took too long. Their threads can't be stopped, so the process takes no more calls."""
        for waiting in list(self.calls.values()):
            if waiting.deadline > now:
                break
            if not waiting.is_over:
                _answer(waiting, answers.timed_out(waiting.call.request_id, self._limits.timeout_seconds))
            self._pool.retire(self)
        if self.retired and all(waiting.is_over for waiting in self.calls.values()):
            self.kill()

    def kill(self) -> None:
        """Ends the process; `connection_lost` follows."""
        self.process.kill()


class Pool:
    """All workers of a host. `invoke` runs a call somewhere and answers its outcome."""

    def __init__(self, limits: PoolLimits, folder: Path) -> None:
        self._limits = limits
        self._folder = folder
        self._workers: list[_Worker] = []
        self._retired: list[_Worker] = []
        self._queue: collections.deque[Waiting] = collections.deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._deaths_in_a_row = 0
        self._log = logs.logger("functions")
        self._closing = False

    async def start(self) -> None:
        """Starts the workers."""
        await asyncio.gather(*(self._add() for _ in range(self._limits.workers)))
        self._spawn(self._watch())

    def submit(self, call: Call, done: Callable[[Outcome], None]) -> Waiting:
        """Runs one call and hands its outcome to `done`. Raises ThrottledError when too many wait already."""
        waiting = Waiting(call, done)
        worker = self._least_loaded()
        if worker is not None:
            worker.send(waiting)
        elif len(self._queue) < self._limits.waiting_calls_max:
            self._queue.append(waiting)
        else:
            raise ThrottledError
        return waiting

    @property
    def is_full(self) -> bool:
        """True when the host should read no more calls until some have ended."""
        return len(self._queue) >= self._limits.waiting_calls_max // 2

    def problem(self) -> str:
        """Why calls can't be run now, or nothing."""
        return "" if self._workers else "no worker process is up"

    def after_answers(self, worker: _Worker) -> None:
        """A worker has room again."""
        self._deaths_in_a_row = 0
        while self._queue and not worker.retired and len(worker.calls) < self._limits.threads_max:
            self._send_next(worker)

    def after_death(self, worker: _Worker, again: list[Waiting], words: str) -> None:
        """A worker died: its calls that had not begun go to others, and a new one is started in its place."""
        was_serving = worker in self._workers
        self._forget(worker)
        self._queue.extendleft(reversed(again))
        if self._closing:
            return
        if was_serving:
            self._deaths_in_a_row += 1
            self._log.warning("function_worker_died", status=words, calls_given_to_others=len(again))
            self._spawn(self._replace())
        self._drain()

    def retire(self, worker: _Worker) -> None:
        """No more calls for this one; another is started in its place."""
        if not worker.retired:
            worker.retired = True
            self._workers.remove(worker)
            self._retired.append(worker)
            self._spawn(self._replace())

    async def close(self) -> None:
        """Ends all workers, whatever they do."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        for worker in [*self._workers, *self._retired]:
            worker.kill()
            worker.process.wait()

    async def _replace(self) -> None:
        """A new worker; later and later when they die in a row."""
        if self._deaths_in_a_row > STARTS_MAX_AT_ONCE:
            await asyncio.sleep(min(5.0, 0.1 * 2 ** (self._deaths_in_a_row - STARTS_MAX_AT_ONCE)))
        await self._add()
        self._drain()

    async def _add(self) -> None:
        worker = _Worker(self, self._limits, self._folder)
        await worker.start()
        self._workers.append(worker)

    def _drain(self) -> None:
        """Gives waiting calls to whoever has room."""
        while self._queue and (worker := self._least_loaded()) is not None:
            self._send_next(worker)

    def _send_next(self, worker: _Worker) -> None:
        """Gives a worker the first call that somebody still waits for, if there is one."""
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.is_over:
                worker.send(waiting)
                return

    def _least_loaded(self) -> _Worker | None:
        """The worker with the fewest calls, if it has room."""
        best = min(self._workers, key=_load, default=None)
        return best if best is not None and len(best.calls) < self._limits.threads_max else None

    def _forget(self, worker: _Worker) -> None:
        for workers in (self._workers, self._retired):
            if worker in workers:
                workers.remove(worker)

    async def _watch(self) -> None:
        """Keeps the deadlines."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = clock.monotonic_seconds()
            for worker in [*self._workers, *self._retired]:
                worker.expire(now)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _load(worker: _Worker) -> int:
    return len(worker.calls)


def _answer(waiting: Waiting, body: bytes) -> None:
    """Gives the caller an error in place of the handler's answer."""
    waiting.end(Outcome(waiting.call.number, UNHANDLED, body))
