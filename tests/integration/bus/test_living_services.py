"""Real services while their broker loses its disks, or another process takes their name."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from maprun.bus import making
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import Outgoing
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from tests.integration.bus.broker import Broker
from tests.integration.bus.test_mark import last_words, start
from tests.integration.tracker.process import free_port

pytestmark = pytest.mark.integration
SERVICES = ("scheduler", "item_reader", "child_runner", "maprun_tracker")
END_SECONDS_MAX = 60.0
READY = "partitions_given"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that a test may wipe."""
    with contextlib.closing(Broker(tmp_path_factory.mktemp("broker") / "state")) as broker:
        broker.start()
        yield broker


async def fill(settings: Settings, records: int) -> None:
    """Makes the topics, and puts records that say nothing on each partition that is read from a kept position."""
    await making.make_topics(settings, Limits())
    host = KafkaHost(settings, Limits())
    try:
        await host.start()
        port = host.port()
        for topic in ("home", "item-asks", "execution-requests"):
            await port.send([Outgoing(topic, partition, b"?") for partition in range(2) for _ in range(records)])
    finally:
        await host.close()


STARTS_MAX = 12
"""No more producer ids than so many were in use before the wipe."""


def started(service: str, settings: Settings, folder: Path, name: str = "") -> tuple["subprocess.Popen[bytes]", Path]:
    """A service that has its partitions, or answers."""
    log = folder / f"{service}{name}.log"
    api = f"http://127.0.0.1:{free_port()}"
    process = start(service, msgspec.structs.replace(settings, instance=service, api=api), log)
    until = time.monotonic() + END_SECONDS_MAX
    while time.monotonic() < until and process.poll() is None:
        said = log.read_text()
        if READY in said or "home_taken" in said:
            return process, log
        time.sleep(0.1)
    process.kill()
    raise AssertionError(log.read_text()[-3000:])


def test_a_wiped_broker_ends_every_living_service_with_78(broker: Broker, tmp_path: Path) -> None:
    """Also when its topics are made again at once and the new logs are already longer than what was read of the old."""
    mine = Settings(kafka=broker.address, homes=2, lanes=2, state_dir=tmp_path / "state", instance="filler")
    asyncio.run(fill(mine, 20))
    living = {service: started(service, mine, tmp_path) for service in SERVICES}
    time.sleep(2)  # each commits what it read
    broker.kill()
    shutil.rmtree(broker.data)
    broker.start()
    asyncio.run(fill(mine, 200))
    try:
        for service, (process, log) in living.items():
            assert process.wait(END_SECONDS_MAX) == 78, (service, log.read_text()[-3000:])
            said = last_words(log)
            assert "made anew: the records are lost" in said, said
            assert said.count("\n") == 0, said
            assert "--begin-anew" in said
    finally:
        for process, _ in living.values():
            process.kill()
    for service in SERVICES:
        well, log = went_on(service, mine, tmp_path)
        assert well, log.read_text()[-3000:]


def went_on(service: str, settings: Settings, folder: Path) -> tuple[bool, Path]:
    """Whether a service that is started again ends well when it is told to.

    A wiped broker gives producer ids out anew, and one who lived may have written under the same before it ended: the
    broker then refuses the first record, the process ends with 70, and its supervisor starts it under another id.
    """
    log = folder / "none.log"
    for number in range(STARTS_MAX):
        log = folder / f"{service}-again-{number}.log"
        ended = 70
        try:
            process, _ = started(service, settings, folder, f"-again-{number}")
            process.terminate()
            ended = process.wait(END_SECONDS_MAX)
        except AssertionError:  # it ended before it was ready
            pass
        # It may have been told to end while it was ending by itself: then the signal's own code is what comes out.
        if ended not in {70, -signal.SIGTERM} or "OutOfOrderSequenceNumber" not in log.read_text():
            return ended == 0, log
    return False, log


def test_of_two_processes_of_one_name_one_goes_on_and_a_crash_is_no_second_process(
    broker: Broker, tmp_path: Path
) -> None:
    """Killed with -9 and started again it has its partitions; a second one beside it ends the first with 78."""
    mine = Settings(kafka=broker.address, homes=2, lanes=2, state_dir=tmp_path / "state")
    asyncio.run(making.make_topics(mine, Limits()))
    killed, _ = started("item_reader", mine, tmp_path)
    killed.kill()
    killed.wait()
    first, log = started("item_reader", mine, tmp_path, "-first")
    second, other_log = started("item_reader", mine, tmp_path, "-second")
    try:
        assert first.wait(END_SECONDS_MAX) == 78
        said = last_words(log)
        assert "another item-reader calls itself item_reader since" in said, said
        assert f"process {second.pid} on host" in said, said
        time.sleep(2)
        assert second.poll() is None
    finally:
        second.terminate()
        assert second.wait(END_SECONDS_MAX) == 0, other_log.read_text()[-3000:]
