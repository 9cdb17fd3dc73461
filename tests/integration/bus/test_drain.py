"""What owners have begun beside them may end before their partitions are given up; nothing begins meanwhile."""

import asyncio
import time

import msgspec
import pytest

from maprun.bus.kafka import KafkaHost, Owned
from maprun.bus.port import Mailbox, Port
from maprun.runtime.limits import check
from maprun.runtime.settings import Settings
from tests.integration.bus.hosting import SHORT, new_group

pytestmark = pytest.mark.integration
DRAIN_SECONDS = 1.0
LONG_CALLS = check(msgspec.structs.replace(SHORT, calls_seconds=30.0, stop_seconds_max=50.0))


@pytest.mark.parametrize(
    ("call_seconds", "coroutine", "heard"), [(0.5, True, True), (0.5, False, True), (30.0, True, False)]
)
def test_a_call_under_way_is_waited_for(settings: Settings, call_seconds: float, coroutine: bool, heard: bool) -> None:
    """A process that is told to stop hears what comes back in time, with its lease let go; it waits no longer."""
    said: list[str] = []
    begun = asyncio.Event()

    async def call(port: Port, mailbox: Mailbox) -> None:
        begun.set()
        await port.sleep(call_seconds)
        mailbox.put(port.lease_ok())

    async def own(port: Port, partition: int) -> None:
        mailbox = port.mailbox()
        if partition == 0 and coroutine:
            port.spawn(call(port, mailbox))
        elif partition == 0:
            port.busy_while(lambda: not said)
            asyncio.get_running_loop().call_later(call_seconds, lambda: mailbox.put(port.lease_ok()))
            begun.set()
        said.extend(f"came back, lease {lease}" for lease in await mailbox.get(None))
        await port.sleep(1_000)

    async def run() -> float:
        host = KafkaHost(
            msgspec.structs.replace(settings, instance="drains"),
            SHORT,
            [Owned("items", new_group(), own, DRAIN_SECONDS)],
        )
        await host.start()
        stop = asyncio.Event()
        serving = asyncio.create_task(host.run(stop))
        await asyncio.wait_for(begun.wait(), 20)
        stop.set()
        await serving
        began = time.monotonic()
        await host.close()
        return time.monotonic() - began

    took = asyncio.run(run())
    assert said == (["came back, lease False"] if heard else [])
    assert heard or took < call_seconds / 2


def test_a_long_stop_holds_no_rebalance_up(settings: Settings) -> None:
    """While one waits for its calls another joins and is served at once; the first starts nothing and takes nothing."""
    group, begun, taken, over = new_group(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    owned_by: dict[str, list[int]] = {"stops": [], "joins": []}
    leases: list[bool] = []

    def host(instance: str) -> KafkaHost:
        async def call(port: Port) -> None:
            begun.set()
            while not over.is_set():
                await port.sleep(0.05)
            leases.append(port.lease_ok())

        async def own(port: Port, partition: int) -> None:
            owned_by[instance].append(partition)
            if instance == "stops":
                port.spawn(call(port))
            else:
                taken.set()
            await port.sleep(1_000)

        return KafkaHost(
            msgspec.structs.replace(settings, instance=instance),
            LONG_CALLS,
            [Owned("items", group, own, DRAIN_SECONDS)],
        )

    async def served(serving: KafkaHost, until: asyncio.Event) -> None:
        stop = asyncio.Event()
        run = asyncio.create_task(serving.run(stop))
        await asyncio.wait_for(until.wait(), 20)
        stop.set()
        await run

    async def run() -> None:
        stops, joins = (host(instance) for instance in owned_by)
        await stops.start()
        await served(stops, begun)
        had = list(owned_by["stops"])
        closing = asyncio.create_task(stops.close())
        await joins.start()
        await served(joins, taken)
        assert not closing.done()
        assert owned_by["stops"] == had
        over.set()
        await closing
        await joins.close()

    asyncio.run(run())
    assert owned_by["joins"]
    assert leases
    assert not any(leases)
