"""All processes of all functions: a group for each function's version, and what bounds them together."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from maprun.local.functions.catalog import Function
from maprun.local.functions.frames import Call, Outcome
from maprun.local.functions.group import Group, GroupLimits
from maprun.local.functions.process_environment import environment_of
from maprun.local.functions.python_worker import PythonWorker
from maprun.local.functions.runtime_worker import RuntimeWorker
from maprun.local.functions.workers import Owner, Waiting, Worker
from maprun.runtime import clock

TICK_SECONDS = 0.1  # how exactly a time-out is kept
QUEUED_MAX = 100_000  # calls past the processes: beyond, the host answers as a throttled Lambda does
QUEUED_BYTES_MAX = 512 << 20
LOG_BYTES_MAX = 32 << 20  # a longer log of a function becomes `<name>.log.1` when its next process starts


class ThrottledError(Exception):
    """Too many calls wait: TooManyRequestsException."""


class Pool:
    """The groups of a host."""

    def __init__(self, limits: GroupLimits, environ: Mapping[str, str], region: str, log_dir: Path) -> None:
        self._limits = limits
        self._environ = environ
        self._region = region
        self.log_dir = log_dir
        self._groups: dict[tuple[str, str], Group] = {}
        self._leaving: list[Group] = []  # of functions whose files have changed
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to keep deadlines."""
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    def submit(self, function: Function, call: Call, done: Callable[[Outcome], None]) -> Waiting:
        """Runs one call and hands its outcome to `done`. Raises ThrottledError when too many wait already."""
        group = self._groups.get(function.key)
        if group is None or group.function.stamp != function.stamp:
            group = self._new_group(function)
        elif group.queued and self._over(QUEUED_MAX, QUEUED_BYTES_MAX):
            raise ThrottledError
        waiting = Waiting(call, done)
        group.submit(waiting)
        return waiting

    def seconds_max(self, function: Function) -> float:
        """How long a call of it may take."""
        return function.configuration.timeout or self._limits.timeout_seconds

    @property
    def is_full(self) -> bool:
        """True when the host should read no more calls until some have ended."""
        return self._over(QUEUED_MAX // 2, QUEUED_BYTES_MAX // 2)

    def _over(self, calls: int, size: int) -> bool:
        groups = self._groups.values()
        return sum(group.queued for group in groups) >= calls or sum(group.queued_bytes for group in groups) >= size

    def _new_group(self, function: Function) -> Group:
        is_python = not function.configuration.command
        group = Group(function, self._limits.workers if is_python else self._limits.runtimes, self._process)
        older = self._groups.get(function.key)
        self._groups[function.key] = group
        if older is not None:
            self._leaving.append(older)
            older.replace_with(group)
        return group

    def _process(self, group: Group) -> Worker:
        """A new process for a group."""
        owner: Owner = group
        function = group.function
        seconds_max = self.seconds_max(function)
        environment = environment_of(function, self._environ, self._region)
        log = self._log(function)
        if function.configuration.command:
            return RuntimeWorker(owner, function, seconds_max, environment, log)
        threads_max = function.configuration.threads or self._limits.threads_max
        return PythonWorker(owner, function, seconds_max, threads_max, environment, log)

    def _log(self, function: Function) -> BinaryIO:
        """The function's log, to write at its end."""
        path = self.log_dir / f"{function.name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab", buffering=0)

    async def _watch(self) -> None:
        """Keeps the deadlines, and ends what is idle."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = clock.monotonic_seconds()
            for group in [*self._groups.values(), *self._leaving]:
                group.look(now, self._limits.idle_seconds)
            self._leaving = [group for group in self._leaving if not group.is_idle]

    async def close(self) -> None:
        """Ends all processes, whatever they do."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        for group in [*self._groups.values(), *self._leaving]:
            await group.close()
