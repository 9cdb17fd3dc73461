"""Topics made on a real broker, once, and compared at every start."""

import asyncio
import time

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner, Result

from maprun.bus import making, planning
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import BusError
from maprun.bus.topics import TopicsDifferError
from maprun.cli import main
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings, to_environment
from schemas.topics import TOPICS

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


def test_a_plan_says_what_is_to_do_and_changes_nothing(settings: Settings) -> None:
    """Before topics are there, when they are, and when somebody changed them; `check` answers by its exit code."""
    mine = msgspec.structs.replace(settings, prefix="planned.", homes=2, lanes=2)
    environment = to_environment(mine)

    def planned() -> planning.Plan:
        return asyncio.run(planning.plan_topics(mine, Limits()))

    def checked() -> Result:
        return CliRunner().invoke(main, ("topics", "check"), env=environment)

    async def alter(**config: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()
        new = {name.replace("_", "."): value for name, value in config.items()}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "planned.home", new)])
        await admin.close()

    for _ in range(2):
        first = planned()
        assert not first.settled
        assert {topic.there for topic in first.topics} == {False}
    assert checked().exit_code == 1
    assert CliRunner().invoke(main, ("topics", "apply"), env=environment).exit_code == 0
    assert planned().settled
    assert checked().exit_code == 0
    config = next(topic.config for topic in planned().topics if topic.name == "planned.home")
    asyncio.run(alter(**{**config, "retention.ms": "8000", "message.timestamp.type": "CreateTime"}))
    until = time.monotonic() + 20
    while planned().settled:  # the broker shows altered settings a moment after it took them
        assert time.monotonic() < until
    [home] = [topic for topic in planned().topics if topic.differences]
    assert {(each.setting, each.action) for each in home.differences} == {
        ("retention.ms", "kept"),
        ("message.timestamp.type", "mended"),
    }
    said = checked()
    assert said.exit_code == 1
    assert "MAPRUN_RETENTION_DAYS asks for" in said.stderr
    other = msgspec.structs.replace(mine, lanes=3, retention_days=1.0)
    refused = asyncio.run(planning.plan_topics(other, Limits()))
    assert "MAPRUN_LANES is 3" in refused.stops
    assert refused.changes == ("MAPRUN_RETENTION_DAYS of all services is set from 90.0 to 1.0",)
    assert CliRunner().invoke(main, ("topics", "apply"), env={**environment, "MAPRUN_LANES": "3"}).exit_code == 78


def test_records_are_flushed_when_that_is_asked_and_it_is_never_taken_back(settings: Settings) -> None:
    """Topics of before get `flush.messages=1`; asked for no more, it stays, with a word."""
    mine = msgspec.structs.replace(settings, prefix="flushed.", homes=2, lanes=2, replicas=-1)
    asyncio.run(making.make_topics(mine, Limits()))
    disk = msgspec.structs.replace(mine, durability="disk")
    mended = asyncio.run(making.make_topics(disk, Limits())).mended
    assert mended == sorted(f"flushed.{topic.name}" for topic in TOPICS if not topic.replaceable)
    until = time.monotonic() + 20
    while not (now := asyncio.run(planning.plan_topics(disk, Limits()))).settled:
        assert time.monotonic() < until
    again = asyncio.run(making.make_topics(mine, Limits()))
    assert (again.mended, now.warnings) == ([], ())
    assert "flush.messages=1" in again.warnings[0]


def test_no_broker_is_a_bus_error() -> None:
    """Topics can't be made where nobody listens."""
    with pytest.raises(BusError):
        asyncio.run(making.make_topics(Settings(kafka="127.0.0.1:1"), Limits()))
