"""A process reports how it is doing: regularly, and at once when that changes."""

import asyncio
from collections.abc import Sequence
from typing import Any

from maprun.bus.port import BusError, Outgoing
from maprun.bus.reporting import LOOK_SECONDS, REPORT_SECONDS, Doing, Reporting
from maprun.runtime.settings import Settings
from schemas import topics
from schemas.reports import ProcessReported
from schemas.wire import Decoder


class FakeSender:
    """Keeps what is sent; `broken` makes it refuse."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.second = asyncio.Event()
        self.broken = False

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Takes it."""
        if self.broken:
            raise BusError("broken")
        self.sent += messages
        if len(self.sent) > 1:
            self.second.set()
        return [0] * len(messages)

    @property
    def reports(self) -> list[ProcessReported]:
        """What was said."""
        return [Decoder(ProcessReported).decode(each.value or b"") for each in self.sent]


def test_a_change_is_reported_at_once() -> None:
    """Partitions that were given, or a trouble that came, are known before the next report would be due."""
    assert LOOK_SECONDS < REPORT_SECONDS / 4
    sender: Any = FakeSender()
    doing = [Doing("not connected")]

    async def play() -> None:
        reporting = Reporting(Settings(instance="one"), "scheduler", lambda: doing[0])
        running = asyncio.create_task(reporting.run(sender))
        await asyncio.sleep(0.05)
        doing[0] = Doing("", {"home": (0, 2)}, {"home": 3}, lambda: {"openMapRuns": 1})
        await sender.second.wait()
        running.cancel()
        await reporting.stopped(sender)

    asyncio.run(asyncio.wait_for(play(), 4 * LOOK_SECONDS + 5))
    first, second, last = sender.reports
    assert (first.trouble, first.owns) == ("not connected", {})
    assert (second.trouble, second.owns, second.behind) == ("", {"home": (0, 2)}, {"home": 3})
    assert (second.figures, second.stopped, second.instance) == ({"openMapRuns": 1}, False, "one")
    assert (last.stopped, last.owns) == (True, {})
    assert {(each.topic, each.key) for each in sender.sent} == {(topics.PROCESS_REPORTS.name, b"scheduler/one")}


def test_a_process_that_cannot_report_its_end_ends_all_the_same() -> None:
    """Kafka is gone: the last report is left out."""
    sender: Any = FakeSender()
    sender.broken = True
    asyncio.run(_stopped(sender))
    assert sender.sent == []


async def _stopped(sender: Any) -> None:
    await Reporting(Settings(instance="one"), "scheduler", Doing).stopped(sender)
