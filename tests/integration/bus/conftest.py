"""One broker for all tests of this folder, with the registry's topics on it."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from maprun.bus import making
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from tests.integration.bus.broker import running_kafka


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a cluster that runs. MAPRUN_TEST_KAFKA names one that runs already, made with the defaults."""
    given = os.environ.get("MAPRUN_TEST_KAFKA", "")
    if given:
        yield _made(given)
        return
    with running_kafka(tmp_path_factory.mktemp("broker") / "state") as address:
        yield _made(address)


def _made(address: str) -> Settings:
    settings = Settings(kafka=address, instance="tests-0")
    asyncio.run(making.make_topics(settings, Limits()))
    return settings
