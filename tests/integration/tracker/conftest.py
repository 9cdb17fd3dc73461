"""One broker for the tests of this folder, one decider and one tracker for each of its modules.

The decider ends with its module: its thread draws from `random`, which Hypothesis takes for the doing of whatever
property is tried in this process then.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from maprun.bus import making
from maprun.bus.port import Outgoing, Port
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas import topics
from schemas.wire import Fact, encode
from tests.integration.bus.broker import running_kafka
from tests.integration.tracker.decider import deciding
from tests.integration.tracker.process import TrackerProcess, free_port


class Decider(threading.Thread):
    """The decider on a loop of its own; `write` puts records on a home, as runners and readers would."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._port: Port | None = None
        self.up = threading.Event()

    def run(self) -> None:
        """The thread."""
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with deciding(self._settings) as port:
            self._port = port
            self.up.set()
            await self._over.wait()

    def write(self, home: int, *records: Fact) -> list[int]:
        """Puts records on a home; their offsets."""
        assert self._port is not None
        out = [Outgoing(topics.HOME.name, home, encode(record)) for record in records]
        return asyncio.run_coroutine_threadsafe(self._port.send(out), self._loop).result(30)

    def end(self) -> None:
        """Ends the thread."""
        self._loop.call_soon_threadsafe(self._over.set)
        self.join(30)
        self._loop.close()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a cluster that runs."""
    folder = tmp_path_factory.mktemp("tracker")
    with running_kafka(folder / "state") as address:
        settings = Settings(kafka=address, instance="decider", state_dir=folder / "tracker")
        asyncio.run(making.make_topics(settings, Limits()))
        yield settings


@pytest.fixture(scope="module")
def decider(settings: Settings) -> Iterator[Decider]:
    """The decider."""
    thread = Decider(settings)
    thread.start()
    assert thread.up.wait(30)
    yield thread
    thread.end()


def tracker_settings(settings: Settings, number: int) -> Settings:
    """Settings of one tracker process."""
    return msgspec.structs.replace(settings, api=f"http://127.0.0.1:{free_port()}", instance=f"tracker-{number}")


@pytest.fixture(scope="module")
def tracker(settings: Settings, decider: Decider) -> Iterator[TrackerProcess]:
    """One tracker process; kept up by the tests that kill it."""
    assert decider.up.is_set()
    process = TrackerProcess(tracker_settings(settings, 0), Path(settings.state_dir).with_suffix(".log"))
    process.start()
    process.ready()
    yield process
    assert process.stop() == 0
