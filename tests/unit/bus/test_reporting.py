"""A process reports how it is doing: regularly, and at once when that changes."""

import asyncio
from collections.abc import Callable

import msgspec
from aiokafka.errors import KafkaConnectionError

from maprun.bus.reporting import LOOK_SECONDS, REPORT_SECONDS, Doing, Producer, Reporting
from maprun.runtime.settings import Settings
from schemas.reports import ProcessReported

SETTINGS = Settings(instance="one", prefix="p.")


class FakeProducer:
    """Keeps what is sent; while it is `broken` it refuses."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.sent: list[ProcessReported] = []
        self.came = asyncio.Event()
        self.tried = asyncio.Event()
        self.stopped = 0

    async def start(self) -> None:
        """Connects."""

    async def send_and_wait(self, topic: str, value: bytes, key: bytes, partition: int) -> None:
        """Takes it."""
        self.tried.set()
        if self.broken:
            raise KafkaConnectionError("broken")
        assert (topic, key, partition) == ("p.process-reports", b"scheduler/one", 0)
        self.sent.append(msgspec.msgpack.decode(value, type=ProcessReported))
        self.came.set()

    async def stop(self) -> None:
        """Disconnects."""
        self.stopped += 1


def test_a_change_is_reported_at_once() -> None:
    """Partitions that were given, or a trouble that came, are known before the next report would be due."""
    assert LOOK_SECONDS < REPORT_SECONDS / 4

    async def play() -> FakeProducer:
        producer, doing = FakeProducer(), [Doing("not connected")]
        reporting = Reporting(SETTINGS, "scheduler", lambda: doing[0], _made(producer))
        running = asyncio.create_task(reporting.run())
        await producer.came.wait()
        producer.came.clear()
        doing[0] = Doing("", {"home": (0, 2)}, {"home": 3}, lambda: {"openMapRuns": 1})
        await producer.came.wait()
        running.cancel()
        await reporting.close()
        return producer

    producer = asyncio.run(play())
    first, second, last = producer.sent
    assert (first.trouble, first.owns) == ("not connected", {})
    assert (second.trouble, second.owns, second.behind) == ("", {"home": (0, 2)}, {"home": 3})
    assert (second.figures, second.stopped, second.instance) == ({"openMapRuns": 1}, False, "one")
    assert (last.stopped, last.owns, producer.stopped) == (True, {}, 1)


def test_a_report_that_cannot_be_sent_ends_nothing() -> None:
    """Kafka is away, or the topic: the process goes on, and reports again once it can."""

    async def play() -> FakeProducer:
        producer, doing = FakeProducer(broken=True), [Doing("one")]
        reporting = Reporting(SETTINGS, "scheduler", lambda: doing[0], _made(producer))
        running = asyncio.create_task(reporting.run())
        await producer.tried.wait()
        producer.broken, doing[0] = False, Doing("two")
        await producer.came.wait()
        assert not running.done()
        running.cancel()
        producer.broken = True
        await reporting.close()
        return producer

    producer = asyncio.run(play())
    assert [report.trouble for report in producer.sent] == ["two"]
    assert producer.stopped == 1


def _made(producer: FakeProducer) -> Callable[[Settings], Producer]:
    def make(_settings: Settings) -> Producer:
        return producer

    return make
