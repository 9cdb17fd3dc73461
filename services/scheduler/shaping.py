"""Where result records are made of outcome frames: in the scheduler itself, or in processes beside it.

Making them is half of a scheduler's work, and needs nothing but a run's shape and a frame: any process makes the same
bytes. So one that is lost is begun anew, and asked again.
"""

import asyncio
import contextlib
import itertools
import sys
from collections.abc import Awaitable, Generator, Sequence
from typing import Any, Protocol

import msgspec

from maprun.mapruns.results.shaping import ResultShape, Shaped
from maprun.runtime import logs
from schemas.arns import Names
from schemas.home import ChildrenEnded
from services.scheduler import shaper

Chosen = list[tuple[int, int, int]]
PROGRAM = (sys.executable, "-m", "services.scheduler.shaper")
TRIES = 3
"""Of one frame: a process that is killed each time by the same one is not killed for ever."""


class ShaperLostError(Exception):
    """A process that makes result records ended, again and again, at the same frame."""


class Shaping(Protocol):
    """Makes result records."""

    def begin(self, shape: ResultShape, frame: ChildrenEnded, slots: Chosen) -> Awaitable[Shaped]:
        """The records of these slots of a frame, once they are awaited; many may be begun before."""
        ...

    async def close(self) -> None:
        """Ends what it began."""
        ...


def shaping_of(names: Names, processes: int) -> Shaping:
    """In so many processes beside this one; 0 = here."""
    return ShapingBeside(names, processes) if processes else ShapingHere(names)


class _There:
    """What is there already, for who may await it or not."""

    def __init__(self, records: Shaped) -> None:
        self._records = records

    def __await__(self) -> Generator[Any, None, Shaped]:
        yield from ()
        return self._records


class ShapingHere:
    """Made at once."""

    def __init__(self, names: Names) -> None:
        self._shapers = shaper.Shapers(names)

    def begin(self, shape: ResultShape, frame: ChildrenEnded, slots: Chosen) -> Awaitable[Shaped]:
        """The records."""
        return _There(self._shapers.of(shape).shape(frame, slots))

    async def close(self) -> None:
        """Nothing was begun."""


class ShapingBeside:
    """Made in other processes, frame by frame in turn. Make and use it within one event loop; `close` at the end.

    Where none can be begun (no memory, no more processes allowed) records are made here: slower, but made.
    """

    def __init__(self, names: Names, processes: int, program: Sequence[str] = PROGRAM) -> None:
        command = [*program, names.region, names.account]
        self._processes = itertools.cycle([_Process(command) for _ in range(processes)])
        self._all = [next(self._processes) for _ in range(processes)]
        self._here = ShapingHere(names)
        self._log = logs.logger("shaping")

    def begin(self, shape: ResultShape, frame: ChildrenEnded, slots: Chosen) -> Awaitable[Shaped]:
        """The records, as soon as a process has made them. Raises ShaperLostError, and what shaping raised."""
        begun = asyncio.ensure_future(self._shaped(shape, frame, slots))
        begun.add_done_callback(_seen)
        return begun

    async def _shaped(self, shape: ResultShape, frame: ChildrenEnded, slots: Chosen) -> Shaped:
        try:
            return await next(self._processes).shaped(shape, frame, slots)
        except OSError as trouble:
            self._log.warning("shaper_not_begun", trouble=str(trouble))
            return await self._here.begin(shape, frame, slots)

    @property
    def pids(self) -> list[int]:
        """Of the processes that run."""
        return [process.running.pid for process in self._all if process.running is not None]

    async def close(self) -> None:
        """Ends the processes."""
        for process in self._all:
            await process.close()


def _seen(begun: "asyncio.Future[Shaped]") -> None:
    if not begun.cancelled():
        begun.exception()  # an export that was given up awaits it no more


class _Process:
    """One process, begun when it is first needed, and again when it was lost."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[shaper.Answer]] = {}
        self.running: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    async def shaped(self, shape: ResultShape, frame: ChildrenEnded, slots: Chosen) -> Shaped:
        for _ in range(TRIES):
            number = next(self._numbers)
            process = await self._there()
            assert process.stdin is not None
            answer = self._waiting[number] = asyncio.get_running_loop().create_future()
            if not process.stdin.is_closing():  # else it has just ended, and `_read` is about to say so
                with contextlib.suppress(ConnectionError):
                    process.stdin.write(shaper.framed(shaper.Request(number, shape, frame, slots)))
                    await process.stdin.drain()
            try:
                answered = await answer
            except ConnectionError:
                continue
            finally:
                self._waiting.pop(number, None)
            if answered.error:
                raise ValueError(answered.error)
            records: Shaped = answered.records
            return records
        raise ShaperLostError(f"the process that makes result records ended {TRIES} times at the same frame")

    async def _there(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self.running is None:
                self.running = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=shaper.READ_BYTES,
                )
                self._reading = asyncio.create_task(self._read(self.running))
            return self.running

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while True:
                length = shaper.LENGTH.unpack(await process.stdout.readexactly(shaper.LENGTH.size))[0]
                answered = shaper.decode_answer(await process.stdout.readexactly(length))
                waiting = self._waiting.get(answered.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answered)
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            pass
        self.running = None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        waiting_now = list(self._waiting.values())
        for waiting in waiting_now:
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the process is gone"))

    async def close(self) -> None:
        """Its input ends, so it does."""
        process = self.running
        if process is not None and process.stdin is not None:
            process.stdin.close()
        if self._reading is not None:
            await self._reading
