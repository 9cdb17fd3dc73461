"""What a broker loses when its machine loses power: what was not written to its disk, which is a choice."""

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest

from maprun.bus import making
from maprun.bus.administration import administering
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import Outgoing
from maprun.bus.topics import partitions_of
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.topics import CLUSTER, TOPICS
from tests.integration.bus.broker import Broker
from tests.integration.loop_disk import LoopDisk, why_not

pytestmark = pytest.mark.integration
RECORDS = 5
Ends = dict[tuple[str, int], int]


async def written(settings: Settings) -> Ends:
    """Makes topics, writes records on each partition whose records are read again, and has them acknowledged."""
    host = KafkaHost(settings, Limits())
    ends: Ends = {}
    try:
        await host.start()
        for topic in TOPICS:
            if topic is not CLUSTER and not topic.replaceable:
                for partition in range(partitions_of(topic, settings)):
                    new = [Outgoing(topic.name, partition, b"x" * 1_000, b"k%d" % n) for n in range(RECORDS)]
                    ends[topic.name, partition] = (await host.port().send(new))[-1] + 1
    finally:
        await host.close()
    return ends


async def found(settings: Settings, ends: Ends) -> Ends:
    """Where the same partitions end now."""
    async with administering(settings, Limits()) as administration:
        await administration.client.set_topics([settings.prefix + name for name, _ in ends])
        return {at: await administration.fetcher.end_offset(*at) for at in ends}


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_records_that_are_to_be_on_disk_outlive_a_cut_and_others_do_not(tmp_path: Path) -> None:
    """Two maprun on one broker: the power goes as soon as all records are acknowledged."""
    broker = Broker(tmp_path / "state")
    memory = Settings(kafka=broker.address, prefix="memory.", homes=2, lanes=2, instance="tests")
    disk = msgspec.structs.replace(memory, prefix="disk.", durability="disk")
    with contextlib.closing(LoopDisk(tmp_path / "disk", broker.data)) as drive, contextlib.closing(broker):
        broker.start()
        for settings in (memory, disk):
            asyncio.run(making.make_topics(settings, Limits()))
        drive.sync()  # the broker, and topics, have been there for a while
        acknowledged = {settings: asyncio.run(written(settings)) for settings in (memory, disk)}
        drive.cut_power()
        broker.kill()
        drive.power_on()
        broker.start()
        assert asyncio.run(found(disk, acknowledged[disk])) == acknowledged[disk]
        kept = asyncio.run(found(memory, acknowledged[memory]))
        assert sum(kept.values()) < sum(acknowledged[memory].values())
