"""Has a process say on `process-reports` how it is doing: every few seconds, and at once when that changes.

By a producer of its own: nothing hangs on a report, so one that can't be sent ends nothing.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from maprun.bus.security import client_options
from maprun.runtime import clock, logs
from maprun.runtime.settings import Settings
from schemas.reports import ProcessReported
from schemas.topics import PROCESS_REPORTS
from schemas.wire import encode

REPORT_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.5
SEND_SECONDS_MAX: Final = 3.0
_SAID_AGAIN_SECONDS: Final = 60.0


class Doing(msgspec.Struct, frozen=True):
    """What a process sees of itself; `owns` and `behind` by topic. `figures` are counted when a report is written."""

    trouble: str = ""
    owns: Mapping[str, tuple[int, ...]] = {}
    behind: Mapping[str, int] = {}
    figures: Callable[[], Mapping[str, int]] = dict


class Producer(Protocol):
    """What sends reports."""

    def start(self) -> Awaitable[None]:
        """Connects."""
        ...

    def send_and_wait(self, topic: str, value: bytes, key: bytes, partition: int) -> Awaitable[Any]:
        """Sends one."""
        ...

    def stop(self) -> Awaitable[None]:
        """Disconnects."""
        ...


def producer_of(settings: Settings) -> Producer:
    """A producer that repeats nothing and keeps no order."""
    producer: Producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        **client_options(settings),
        client_id=f"{settings.prefix}{settings.instance}-reports",
        acks=1,
        request_timeout_ms=int(SEND_SECONDS_MAX * 1000),
    )
    return producer


class Reporting:
    """Reports of one process. `look` says how it is doing at present."""

    def __init__(
        self,
        settings: Settings,
        service: str,
        look: Callable[[], Doing],
        make: Callable[[Settings], Producer] = producer_of,
    ) -> None:
        self._settings = settings
        self._service = service
        self._look = look
        self._make = make
        self._producer: Producer | None = None
        self._started_ms = clock.wall_ms()
        self._said_seconds = -_SAID_AGAIN_SECONDS

    async def run(self) -> None:
        """Reports until it is cancelled."""
        told, told_seconds = Doing(), -REPORT_SECONDS
        while True:
            doing, now = self._look(), clock.monotonic_seconds()
            changed = (doing.trouble, doing.owns) != (told.trouble, told.owns)
            if changed or now - told_seconds >= REPORT_SECONDS:
                told, told_seconds = doing, now
                await self._try(doing)
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """The last report: the process ends in good order. One that can't send it any more is seen to be silent."""
        if self._producer is not None:
            await self._try(Doing(), stopped=True)
            await self._producer.stop()

    async def _try(self, doing: Doing, *, stopped: bool = False) -> None:
        try:
            await asyncio.wait_for(self._send(self._report(doing, stopped=stopped)), SEND_SECONDS_MAX)
        except (KafkaError, TimeoutError) as error:
            if clock.monotonic_seconds() - self._said_seconds > _SAID_AGAIN_SECONDS:
                self._said_seconds = clock.monotonic_seconds()
                logs.logger("bus").warning("report_not_sent", error=repr(error))

    async def _send(self, report: ProcessReported) -> None:
        if self._producer is None:
            producer = self._make(self._settings)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        topic, key = self._settings.prefix + PROCESS_REPORTS.name, f"{self._service}/{self._settings.instance}"
        await self._producer.send_and_wait(topic, encode(report), key.encode(), 0)

    def _report(self, doing: Doing, *, stopped: bool) -> ProcessReported:
        return ProcessReported(
            self._service,
            self._settings.instance,
            socket.gethostname(),
            os.getpid(),
            self._started_ms,
            doing.trouble,
            dict(doing.owns),
            dict(doing.behind),
            logs.ERRORS.within_hour(clock.monotonic_seconds()),
            dict(doing.figures()),
            stopped,
        )
