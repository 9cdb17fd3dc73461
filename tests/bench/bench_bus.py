"""What the bus costs: CPU for each record sent and fed, throughput, latency. Needs a broker: MAPRUN_KAFKA."""

import os
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop

from maprun.bus import making
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import Outgoing, Port
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings, load

TOPIC = "items"


async def _measured(name: str, count: int, size: int, work: Callable[[], Awaitable[None]]) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    await work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{name:44} {count:7} x {size:7} B  {count / wall:9.0f}/s {count * size / wall / 1e6:7.1f} MB/s"
        f"  {cpu / count * 1e6:8.1f} us CPU each"
    )


async def _sends(port: Port, count: int, size: int, at_once: int) -> int:
    """Sends and then feeds them back, each measured alone; the first offset."""
    value, start = os.urandom(size), await port.end_offset(TOPIC, 0)

    async def send() -> None:
        for _ in range(0, count, at_once):
            await port.send([Outgoing(TOPIC, 0, value)] * at_once)

    async def feed() -> None:
        mailbox, got = port.mailbox(), 0
        feed = port.feed(TOPIC, 0, start, mailbox)
        while got < count:
            got += len(await mailbox.get(None))
        feed.close()

    await _measured(f"send, {at_once} at once", count, size, send)
    await _measured("feed", count, size, feed)
    return start


async def _latency(port: Port, count: int) -> None:
    """From send to mailbox and from send to acknowledgement, one record at a time, beside quiet feeds."""
    mailbox = port.mailbox()
    for partition in range(8):
        port.feed("lane-journal", partition, await port.end_offset("lane-journal", partition), mailbox)
    await port.sleep(1.5)
    there: list[float] = []
    known: list[float] = []
    for n in range(count):
        began = time.perf_counter()
        await port.send([Outgoing("lane-journal", n % 8, b"x" * 200)])
        known.append(time.perf_counter() - began)
        await mailbox.get(None)
        there.append(time.perf_counter() - began)
        await port.sleep(0.02 * (n % 5))
    for name, took in (("acknowledged", sorted(known)), ("read back", sorted(there))):
        print(f"{name:20} p50 {took[count // 2] * 1e3:.2f} ms  p99 {took[count * 99 // 100] * 1e3:.2f} ms")


async def main() -> None:
    """Prints the figures."""
    settings: Settings = load({**os.environ, "MAPRUN_INSTANCE": "bench-0"})
    await making.make_topics(settings, Limits())
    host = KafkaHost(settings, Limits())
    await host.start()
    port = host.port()
    await _sends(port, 400, 30_000, 1)
    await _sends(port, 2_000, 30_000, 20)
    await _sends(port, 300, 500_000, 4)
    await _sends(port, 100_000, 300, 500)
    await _latency(port, 200)
    cpu = time.process_time()
    for partition in range(8):
        port.feed(TOPIC, partition, await port.end_offset(TOPIC, partition), port.mailbox())
    await port.sleep(5)
    print(f"16 quiet feeds: {(time.process_time() - cpu) / 5 * 100:.2f} % of a CPU")
    await host.close()


if __name__ == "__main__":
    uvloop.run(main())
    sys.exit(0)
