"""Has a process say on `process-reports` how it is doing: every few seconds, and at once when that changes."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from maprun.bus.port import BusError, Outgoing
from maprun.bus.sender import Sender
from maprun.runtime import clock, logs
from maprun.runtime.settings import Settings
from schemas.reports import ProcessReported
from schemas.topics import PROCESS_REPORTS
from schemas.wire import encode

REPORT_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.5


class Doing(msgspec.Struct, frozen=True):
    """What a process sees of itself; `owns` and `behind` by topic. `figures` are counted when a report is written."""

    trouble: str = ""
    owns: Mapping[str, tuple[int, ...]] = {}
    behind: Mapping[str, int] = {}
    figures: Callable[[], Mapping[str, int]] = dict


class Reporting:
    """Reports of one process. `look` says how it is doing at present."""

    def __init__(self, settings: Settings, service: str, look: Callable[[], Doing]) -> None:
        self._service = service
        self._instance = settings.instance
        self._look = look
        self._started_ms = clock.wall_ms()

    async def run(self, sender: Sender) -> None:
        """Reports until it is cancelled. Raises BusError when nothing can be sent any more."""
        said, said_seconds = Doing(), -REPORT_SECONDS
        while True:
            doing, now = self._look(), clock.monotonic_seconds()
            changed = (doing.trouble, doing.owns) != (said.trouble, said.owns)
            if changed or now - said_seconds >= REPORT_SECONDS:
                said, said_seconds = doing, now
                await sender.send([self._outgoing(doing)])
            await asyncio.sleep(LOOK_SECONDS)

    async def stopped(self, sender: Sender) -> None:
        """The last report: the process ends in good order. One that can't send it any more is seen to be silent."""
        try:
            await sender.send([self._outgoing(Doing(), stopped=True)])
        except BusError as error:
            logs.logger("bus").warning("last_report_not_sent", error=str(error))

    def _outgoing(self, doing: Doing, *, stopped: bool = False) -> Outgoing:
        report = ProcessReported(
            self._service,
            self._instance,
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
        return Outgoing(PROCESS_REPORTS.name, 0, encode(report), f"{self._service}/{self._instance}".encode())
