"""Topics made on a real broker, once, and compared at every start."""

import asyncio

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from maprun.bus import cluster
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import BusError
from maprun.bus.topics import TopicsDifferError
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

pytestmark = pytest.mark.integration


def test_made_again_nothing_changes(settings: Settings) -> None:
    """The second call makes none; so do two at once."""

    async def twice() -> list[list[str]]:
        return list(
            await asyncio.gather(cluster.make_topics(settings, Limits()), cluster.make_topics(settings, Limits()))
        )

    assert asyncio.run(twice()) == [[], []]


def test_the_broker_took_the_settings(settings: Settings) -> None:
    """Broker timestamps, compaction and the record limit stand on the cluster."""

    async def described(topic: str) -> dict[str, str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()
        try:
            [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
            return {entry[0]: entry[1] for entry in answer.resources[0][4]}
        finally:
            await admin.close()

    home, snapshots = asyncio.run(described("maprun.home")), asyncio.run(described("maprun.home-snapshots"))
    assert home["message.timestamp.type"] == "LogAppendTime"
    assert home["max.message.bytes"] == str(Limits().record_bytes_max)
    assert (home["cleanup.policy"], snapshots["cleanup.policy"]) == ("delete", "compact")


def test_a_topic_of_other_settings_is_mended(settings: Settings) -> None:
    """A record limit or a clock of an older version is brought in line; an operator's retention stays."""

    async def test() -> dict[str, str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()
        topic = ConfigResourceType.TOPIC, "maprun.answers"

        async def settled() -> dict[str, str]:
            """The broker shows altered settings a moment after it took them."""
            shown: dict[str, str] = {}
            for _ in range(100):
                [answer] = await admin.describe_configs([ConfigResource(*topic)])
                shown = {entry[0]: entry[1] for entry in answer.resources[0][4]}
                if shown["max.message.bytes"] == str(Limits().record_bytes_max) and shown["retention.ms"] == "7200000":
                    break
                await asyncio.sleep(0.1)
            return shown

        try:
            old = {"max.message.bytes": "1000000", "retention.ms": "7200000"}
            await admin.alter_configs([ConfigResource(*topic, old)])
            assert await cluster.make_topics(settings, Limits()) == []
            return await settled()
        finally:
            await admin.close()

    now = asyncio.run(test())
    assert (now["max.message.bytes"], now["retention.ms"]) == (str(Limits().record_bytes_max), "7200000")


def test_other_counts_are_refused(settings: Settings) -> None:
    """Neither does a service start on a cluster of another size, nor are its topics touched."""
    other = msgspec.structs.replace(settings, lanes=settings.lanes + 1)

    async def start() -> None:
        host = KafkaHost(other, Limits())
        try:
            await host.start()
        finally:
            await host.close()

    with pytest.raises(TopicsDifferError, match=rf"items has {settings.lanes} partitions.*MAPRUN_LANES"):
        asyncio.run(start())
    with pytest.raises(TopicsDifferError, match="lane-journal"):
        asyncio.run(cluster.make_topics(other, Limits()))


def test_no_broker_is_a_bus_error() -> None:
    """Topics can't be made where nobody listens."""
    with pytest.raises(BusError):
        asyncio.run(cluster.make_topics(Settings(kafka="127.0.0.1:1"), Limits()))
