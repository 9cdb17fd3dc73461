"""The mark on a real broker: what is somebody else's is not touched, what is made anew is noticed by everybody."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from maprun.bus import making
from maprun.bus.kafka import KafkaHost, Owned
from maprun.bus.names import NameTakenError
from maprun.bus.port import Outgoing, Port
from maprun.bus.topics import TopicsDifferError
from maprun.runtime.limits import Limits
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings, to_environment
from schemas.topics import TOPICS
from tests.integration.bus import strangers
from tests.integration.bus.broker import ROOT

pytestmark = pytest.mark.integration
SERVICES = ("scheduler", "item_reader", "child_runner", "maprun_tracker")
END_SECONDS_MAX = 40.0
TOPIC = "item-asks"
MAKER = """
import asyncio, os
from maprun.bus.making import make_topics
from maprun.runtime import limits, settings
loaded = settings.load(os.environ)
asyncio.run(make_topics(loaded, limits.limits_of(loaded)))
"""


def under(settings: Settings, prefix: str, **changed: object) -> Settings:
    """Settings of another maprun on the same Kafka, small."""
    return msgspec.structs.replace(settings, prefix=prefix, homes=2, lanes=2, **changed)


@contextlib.asynccontextmanager
async def hosted(settings: Settings, *owned: Owned, service: str = "") -> AsyncIterator[KafkaHost]:
    """A host that has started."""
    host = KafkaHost(settings, Limits(), owned, service=service)
    try:
        await host.start()
        yield host
    finally:
        await host.close()


async def end_of(host: KafkaHost) -> str:
    """What ends a running host."""
    with pytest.raises(SetupError) as raised:
        await asyncio.wait_for(host.run(asyncio.Event()), END_SECONDS_MAX)
    return str(raised.value)


def start(service: str, settings: Settings, log: Path) -> "subprocess.Popen[bytes]":
    """A real service."""
    environment = {**os.environ, **to_environment(settings), "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with log.open("ab") as output:
        argv = [sys.executable, "-m", f"services.{service}"]
        return subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=output, stderr=output)


def last_words(log: Path) -> str:
    """The lines of a log that are no events; a traceback would be among them."""
    return "\n".join(line for line in log.read_text().splitlines() if not line.startswith("{"))


def test_a_strangers_topics_of_our_names_are_left_alone(settings: Settings) -> None:
    """Full of records they are refused by the maker and by a service, and stay as they are, byte for byte."""
    mine = under(settings, "strange.")
    names = {"strange.items": 2, "strange.machines": 3, "strange.rejected-requests": 1}

    async def test() -> None:
        await strangers.make(settings.kafka, names, 40)
        before = await strangers.read(settings.kafka, *names)
        for begin_anew in (False, True):
            there = "strange.rejected-requests, strange.items, strange.machines are there"
            with pytest.raises(TopicsDifferError, match=there):
                await making.make_topics(mine, Limits(), begin_anew=begin_anew)
        with pytest.raises(TopicsDifferError, match=r"strange.items.*MAPRUN_PREFIX"):
            async with hosted(mine):
                pass
        assert await strangers.read(settings.kafka, *names) == before

    asyncio.run(test())


def test_adopted_are_topics_without_records_alone(settings: Settings) -> None:
    """What an operator made for maprun is taken when asked to; one that holds a record is refused then too."""
    mine = under(settings, "adopt.")

    async def test() -> None:
        await strangers.make(settings.kafka, {"adopt.items": 2, "adopt.lane-journal": 2}, 0, {})
        await strangers.make(settings.kafka, {"adopt.home": 2}, 1)
        with pytest.raises(TopicsDifferError, match=r"topic adopt.home is there already"):
            await making.make_topics(mine, Limits(), adopt=True)
        await strangers.delete(settings.kafka, "adopt.home")
        made = (await making.make_topics(mine, Limits(), adopt=True)).topics
        assert set(made) == {f"adopt.{topic.name}" for topic in TOPICS} - {
            "adopt.items",
            "adopt.lane-journal",
            "adopt.cluster",
        }
        async with hosted(mine):
            pass

    asyncio.run(test())


def test_a_maker_killed_anywhere_is_followed_by_one_that_ends_well(settings: Settings) -> None:
    """Killed after 0.5 s, 0.55 s … again and again, it leaves nothing that the next one does not know as its own."""
    mine = under(settings, "killed.")
    environment = {**os.environ, **to_environment(mine)}
    argv = [sys.executable, "-c", MAKER]
    for step in range(12):
        maker = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        time.sleep(0.5 + step * 0.05)
        maker.kill()
        maker.wait()
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

    async def test() -> None:
        async with hosted(mine):
            pass

    asyncio.run(test())


def test_makers_at_once_make_one_cluster(settings: Settings) -> None:
    """Three of them on an empty prefix end well, and name the same topics."""
    mine = under(settings, "at-once.")

    async def test() -> set[str]:
        made = await asyncio.gather(*(making.make_topics(mine, Limits()) for _ in range(3)))
        names = [name for each in made for name in each.topics]
        assert sorted(names) == sorted(f"at-once.{topic.name}" for topic in TOPICS if topic.name != "cluster")
        clusters = set()
        for _ in range(2):
            async with hosted(mine) as host:
                clusters.add(host.connection.cluster)
        return clusters

    assert len(asyncio.run(test())) == 1


def test_a_topic_made_anew_ends_who_lives_and_who_starts_until_begun_anew(settings: Settings) -> None:
    """Then everything works again, and a position that was committed before counts no more."""
    mine = under(settings, "anew.")
    seen: list[int] = []

    async def own(port: Port, partition: int) -> None:
        if partition == 0:
            seen.append(await port.committed(TOPIC, 0))
            [offset] = await port.send([Outgoing(TOPIC, 0, b"x")])
            port.commit(TOPIC, 0, offset + 41)
        await port.sleep(1_000)

    async def served(seconds: float) -> None:
        async with hosted(mine, Owned(TOPIC, "g", own)) as host:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(host.run(asyncio.Event()), seconds)

    async def test() -> None:
        await making.make_topics(mine, Limits())
        await served(5.0)
        async with hosted(mine) as host:
            running = asyncio.create_task(end_of(host))
            await strangers.delete(settings.kafka, "anew.items")
            await strangers.make(settings.kafka, {"anew.items": 2}, 100)
            assert "anew.items was deleted and made anew" in await running
        with pytest.raises(TopicsDifferError, match=r"anew.items was deleted and made anew.*--begin-anew"):
            async with hosted(mine):
                pass
        with pytest.raises(TopicsDifferError, match=r"anew.items was deleted and made anew"):
            await making.make_topics(mine, Limits())
        before = await strangers.read(settings.kafka, "anew.items")
        with pytest.raises(TopicsDifferError, match=r"anew.items is not what maprun made"):
            await making.make_topics(mine, Limits(), begin_anew=True)
        assert await strangers.read(settings.kafka, "anew.items") == before
        await strangers.delete(settings.kafka, "anew.items")
        made = await making.make_topics(mine, Limits(), begin_anew=True)
        assert set(made.topics) == {f"anew.{topic.name}" for topic in TOPICS if topic.name != "cluster"}
        await served(5.0)

    asyncio.run(test())
    assert seen == [0, 0]


def test_a_topic_of_no_worth_is_made_again_and_one_of_worth_is_not(settings: Settings) -> None:
    """The tracker's changelog comes back by the maker; home does not."""
    mine = under(settings, "worth.")

    async def test() -> None:
        await making.make_topics(mine, Limits())
        await strangers.delete(settings.kafka, "worth.maprun-tracker-state-changelog")
        with pytest.raises(TopicsDifferError, match=r"changelog is not there: run `maprun topics apply`"):
            async with hosted(mine):
                pass
        made = await making.make_topics(mine, Limits())
        assert made.topics == ["worth.maprun-tracker-state-changelog"]
        async with hosted(mine) as host:
            running = asyncio.create_task(end_of(host))
            await strangers.delete(settings.kafka, "worth.home")
            assert "worth.home is gone, and the records with it" in await running
        with pytest.raises(TopicsDifferError, match=r"worth.home is gone"):
            await making.make_topics(mine, Limits())

    asyncio.run(test())


def test_more_partitions_end_who_lives_but_users_may_add_to_their_own_topic(settings: Settings) -> None:
    """`execution-requests` may grow under living processes and before their start; `home` may not."""
    mine = under(settings, "raised.")

    async def raised(name: str, count: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()
        try:
            await admin.create_partitions({name: NewPartitions(count)})
        finally:
            await admin.close()

    async def test() -> None:
        await making.make_topics(mine, Limits())
        async with hosted(mine) as host:
            running = asyncio.create_task(end_of(host))
            await raised("raised.execution-requests", 6)
            await asyncio.sleep(3)
            assert not running.done()
            async with hosted(mine):
                pass
            await raised("raised.home", 3)
            assert "raised.home has 3 partitions and was made with 2" in await running

    asyncio.run(test())


def test_of_two_hosts_of_one_name_the_older_ends(settings: Settings) -> None:
    """It says which process the other is; one of another service may have the name, and one that came after a crash."""
    mine = under(settings, "names.", instance="one")

    async def test() -> None:
        await making.make_topics(mine, Limits())
        async with hosted(mine, service="item-reader") as host, hosted(mine, service="child-runner") as beside:
            running = asyncio.create_task(end_of(host))
            other = asyncio.create_task(beside.run(asyncio.Event()))
            async with hosted(mine, service="item-reader") as newer:
                said = await running
                assert "another item-reader calls itself one since" in said
                assert f"process {os.getpid()} on host" in said
                assert not newer.healthy()
            assert not other.done()
            other.cancel()

    asyncio.run(test())
    assert issubclass(NameTakenError, SetupError)


def test_services_without_topics_end_with_78_and_one_line(settings: Settings, tmp_path: Path) -> None:
    """All four, with what to do and no traceback."""
    logs = {service: tmp_path / f"{service}.log" for service in SERVICES}
    mine = under(settings, "none.", state_dir=tmp_path, instance="me", api="http://127.0.0.1:1")
    processes = {service: start(service, mine, log) for service, log in logs.items() if service != "maprun_tracker"}
    codes = {service: process.wait(60) for service, process in processes.items()}
    assert codes == dict.fromkeys(codes, 78)
    for service in codes:
        said = last_words(logs[service])
        assert said.count("\n") == 0
        assert said.endswith("under the prefix 'none.': run `maprun topics apply`"), said


def test_a_refused_session_timeout_names_the_brokers_setting(settings: Settings, tmp_path: Path) -> None:
    """Above the broker's half an hour a service ends with 78."""
    mine = under(settings, "session.", state_dir=tmp_path, instance="me", session_timeout_seconds=2_000.0)
    asyncio.run(making.make_topics(mine, Limits()))
    log = tmp_path / "log"
    assert start("child_runner", mine, log).wait(60) == 78
    said = last_words(log)
    assert "MAPRUN_SESSION_TIMEOUT_SECONDS=2000" in said
    assert "group.max.session.timeout.ms" in said
