"""Topics made on a real broker, once, and compared at every start."""

import asyncio

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from maprun.bus import making
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import BusError
from maprun.bus.topics import TopicsDifferError
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings

pytestmark = pytest.mark.integration


def test_made_again_nothing_changes(settings: Settings) -> None:
    """The second call makes none; so do two at once."""

    async def twice() -> list[making.Made]:
        return list(
            await asyncio.gather(making.make_topics(settings, Limits()), making.make_topics(settings, Limits()))
        )

    assert [made.topics for made in asyncio.run(twice())] == [[], []]


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
    """A clock that somebody changed is put right, an operator's retention stays, and its smaller records are told."""
    topic = ConfigResourceType.TOPIC, "maprun.rejected-requests"

    async def test() -> dict[str, str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()

        async def settled(**expected: str) -> dict[str, str]:
            """The broker shows altered settings a moment after it took them."""
            shown: dict[str, str] = {}
            for _ in range(100):
                [answer] = await admin.describe_configs([ConfigResource(*topic)])
                shown = {entry[0].replace(".", "_"): entry[1] for entry in answer.resources[0][4]}
                if expected.items() <= shown.items():
                    break
                await asyncio.sleep(0.1)
            return shown

        try:
            small = {"max.message.bytes": "1000000"}
            await admin.alter_configs([ConfigResource(*topic, small)])
            await settled(max_message_bytes="1000000")
            with pytest.raises(
                SetupError, match=r"maprun.rejected-requests \(1000000\) is below MAPRUN_RECORD_BYTES_MAX"
            ):
                await making.make_topics(settings, Limits())
            other = {"message.timestamp.type": "LogAppendTime", "retention.ms": "7200000"}
            await admin.alter_configs([ConfigResource(*topic, other)])
            await settled(retention_ms="7200000")
            assert (await making.make_topics(settings, Limits())).topics == []
            return await settled(message_timestamp_type="CreateTime", max_message_bytes=str(10 << 20))
        finally:
            await admin.close()

    now = asyncio.run(test())
    assert (now["message_timestamp_type"], now["retention_ms"]) == ("CreateTime", "7200000")
    assert now["max_message_bytes"] == str(Limits().record_bytes_max)


def test_other_counts_are_refused(settings: Settings) -> None:
    """Neither does a service start on a cluster of another size, nor are its topics touched."""
    other = msgspec.structs.replace(settings, lanes=settings.lanes + 1)

    async def start() -> None:
        host = KafkaHost(other, Limits())
        try:
            await host.start()
        finally:
            await host.close()

    said = rf"MAPRUN_LANES is {other.lanes}, but the topics under 'maprun.' .* made with {settings.lanes}"
    with pytest.raises(TopicsDifferError, match=said):
        asyncio.run(start())
    with pytest.raises(TopicsDifferError, match=said):
        asyncio.run(making.make_topics(other, Limits()))


def test_no_broker_is_a_bus_error() -> None:
    """Topics can't be made where nobody listens."""
    with pytest.raises(BusError):
        asyncio.run(making.make_topics(Settings(kafka="127.0.0.1:1"), Limits()))
