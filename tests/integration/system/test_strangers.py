"""Two maprun on one Kafka that is somebody else's too: each works by itself, and nothing of others is touched."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bus import strangers
from tests.integration.system.running import PASS, map_definition, output_of, run
from tests.integration.system.stack import ROOT, Stack

pytestmark = pytest.mark.integration
NAMES = {"items": 8, "machines": 4, "rejected-requests": 3}
ITEMS = 300
SERVICES = "topics,scheduler,item-reader,child-runner,maprun-tracker"
TRIM_SECONDS_MAX = 240.0


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack under a prefix of its own."""
    stack = Stack(Path(tmp_path_factory.mktemp("one")), MAPRUN_PREFIX="one.")
    stack.up()
    yield stack
    stack.down()


def _trimmed(kafka: str, name: str) -> bool:
    return any(asyncio.run(strangers.begins(kafka, name)).values())


def test_topics_of_others_stay_as_they_are_byte_for_byte(one: Stack, tmp_path: Path) -> None:
    """`items`, `machines`, `rejected-requests` of a stranger, also under the default prefix, beside runs of two maprun.

    Records, offsets and settings are the same afterwards, when both have deleted items of their own; and a maprun under
    the default prefix is refused.
    """
    counts = {prefix + name: count for prefix in ("", "maprun.") for name, count in NAMES.items()}
    asyncio.run(strangers.make(one.kafka, counts, 200))
    before = asyncio.run(strangers.read(one.kafka, *counts))
    shared = {name: one.environ[name] for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_LAMBDA")}
    # A list of brokers, as of a cluster.
    two = Stack(tmp_path, 2, MAPRUN_PREFIX="two.", MAPRUN_KAFKA=f"{one.kafka},{one.kafka}", **shared)
    two.up(SERVICES)
    try:
        for stack in (one, two):
            sfn = stack.client("stepfunctions")
            assert len(output_of(run(sfn, map_definition(PASS), list(range(ITEMS))))) == ITEMS
            assert len(sfn.list_state_machines()["stateMachines"]) == 1
        until = time.monotonic() + TRIM_SECONDS_MAX
        while not (_trimmed(one.kafka, "one.items") and _trimmed(one.kafka, "two.items")):
            assert time.monotonic() < until
            time.sleep(1)
    finally:
        two.down()
    argv = [sys.executable, "-m", "maprun.cli", "topics", "apply"]
    environment = {**one.environ, "MAPRUN_PREFIX": "maprun."}
    refused = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 78
    assert "maprun.rejected-requests, maprun.items, maprun.machines are there already" in refused.stderr
    assert asyncio.run(strangers.read(one.kafka, *counts)) == before


def test_the_launcher_gives_up_on_what_only_a_person_can_mend(one: Stack, tmp_path: Path) -> None:
    """Other lanes than the cluster was made with: it says what the part said, and starts it no more."""
    other = Stack(tmp_path, 3, MAPRUN_PREFIX="one.", MAPRUN_KAFKA=one.kafka, MAPRUN_LANES="9")
    done = other.launcher("up", "--detach", "--parts", "scheduler")
    assert done.returncode == 1
    assert "scheduler ended with exit code 78, so it is not started again: scheduler: MAPRUN_LANES is 9" in done.stderr
    assert done.stderr.count("MAPRUN_LANES is 9") == 1
