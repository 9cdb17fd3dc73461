"""The life of one owner: started, started again when Kafka was away, ended with its partition."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from maprun.bus.limits import BusLimits
from maprun.bus.port import BusError, LostOwnershipError
from maprun.runtime import clock, logs
from maprun.runtime.process import SetupError


class ClosablePort(Protocol):
    """What the keeper of an owner needs of its port."""

    def on_failure(self, fail: Callable[[BaseException], None]) -> None:
        """Whom to tell when something beside the owner fails."""
        ...

    def close(self) -> None:
        """Ends everything that was begun through the port."""
        ...


P = TypeVar("P", bound=ClosablePort)


class Owner:
    """One coroutine over one port. A retriable BusError starts it again on a new port after a pause that doubles.

    Any other exception is a bug: `on_broken` is told, and the process ends. So it does when the coroutine returns,
    for a partition without its owner would stand still unseen. So does one whose owner fails of the same record again
    and again.
    """

    def __init__(
        self,
        name: str,
        new_port: Callable[[], P],
        work: Callable[[P], Coroutine[Any, Any, None]],
        own: BusLimits,
        on_broken: Callable[[BaseException], None],
    ) -> None:
        self.name = name
        self.running = False
        self.task: asyncio.Task[None] | None = None

        def begin() -> "_Attempt":
            return _Attempt(new_port(), work)

        self._begin = begin
        self._own = own
        self._on_broken = on_broken
        self._cancelled = False

    def start(self) -> None:
        """Starts it."""
        self.task = asyncio.get_running_loop().create_task(self._keep(), name=self.name)
        self.task.add_done_callback(_look_at)

    def cancel(self) -> None:
        """Ends it at its next await."""
        self._cancelled = True
        if self.task is not None:
            self.task.cancel()

    async def _keep(self) -> None:
        pause = self._own.owner_retry_seconds
        while not self._cancelled:
            self.running, began = True, clock.monotonic_seconds()
            attempt = self._begin()
            try:
                await attempt.run()
            except LostOwnershipError:
                return
            except SetupError as error:
                self._on_broken(error)  # a person must act: one line says it all, where the process ends
                raise
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                if not isinstance(error, BusError) or not error.retriable:
                    logs.logger("bus").error("owner_failed", owner=self.name, exc_info=error)
                    self._on_broken(error)
                    raise
                logs.logger("bus").warning("owner_starts_again", owner=self.name, error=str(error), seconds=pause)
            finally:
                self.running = False
                attempt.port.close()
            if clock.monotonic_seconds() - began > self._own.owner_retry_seconds_max:
                pause = self._own.owner_retry_seconds
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._own.owner_retry_seconds_max)


def _look_at(task: "asyncio.Task[None]") -> None:
    """Takes the task's exception, which was logged where it arose."""
    if not task.cancelled():
        task.exception()


class _Attempt:
    """One run of the coroutine, which also ends when something beside it fails."""

    def __init__(self, port: P, work: Callable[[P], Coroutine[Any, Any, None]]) -> None:
        self.port: ClosablePort = port

        def begin() -> Coroutine[Any, Any, None]:
            return work(port)

        self._work = begin
        self._failure: BaseException | None = None
        self._task: asyncio.Task[Any] | None = None
        port.on_failure(self._failed)

    async def run(self) -> None:
        """Runs to the first failure, which is raised."""
        self._task = asyncio.current_task()
        try:
            await self._work()
        except asyncio.CancelledError:
            if self._failure is None:
                raise
            if self._task is not None:
                self._task.uncancel()
        if self._failure is not None:
            raise self._failure
        raise AssertionError("an owner ends only by being cancelled")

    def _failed(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            if self._task is not None:
                self._task.cancel()
