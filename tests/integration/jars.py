"""Kafka's jars, fetched once for the checkout and not once a broker.

`MAPRUN_TEST_KAFKA_VERSION=3.9.2` in the environment has every test, bench and chaos run use that Kafka instead of the
one that the local stack fetches.
"""

import os
from pathlib import Path

from maprun.local.kafka import COMPLETE, copy_jars

ROOT = Path(__file__).resolve().parents[2]
VERSION = "MAPRUN_TEST_KAFKA_VERSION"


def jars() -> Path:
    """Where the jars of the Kafka that tests use are, or will be once a broker is started."""
    version = os.environ.get(VERSION)
    if not version:
        return ROOT / ".maprun" / "kafka" / "libs"
    folder = ROOT / ".maprun" / "kafkas" / version
    if not (folder / COMPLETE).exists():
        copy_jars(folder, f"-Dkafka.version={version}")
    return folder


def share_jars(state: Path) -> None:
    """Has a state folder use the checkout's jars: whoever starts a broker first fetches them for all."""
    mine = state / "kafka" / "libs"
    if not mine.exists():
        shared = jars()
        shared.mkdir(parents=True, exist_ok=True)
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.symlink_to(shared)
