"""Kafka's jars, fetched once for the checkout and not once a broker.

`MAPRUN_TEST_KAFKA_VERSION=3.9.2` in the environment has every test, bench and chaos run use that Kafka instead of the
one that the local stack fetches.
"""

import os
import shutil
import subprocess
from pathlib import Path

from maprun.local.kafka import FILES

ROOT = Path(__file__).resolve().parents[2]
VERSION = "MAPRUN_TEST_KAFKA_VERSION"
_COMPLETE = ".complete"


def jars() -> Path:
    """Where the jars of the Kafka that tests use are, or will be once a broker is started."""
    version = os.environ.get(VERSION)
    if not version:
        return ROOT / ".maprun" / "kafka" / "libs"
    folder = ROOT / ".maprun" / "kafkas" / version
    if not (folder / _COMPLETE).exists():
        _fetch(version, folder)
    return folder


def share_jars(state: Path) -> None:
    """Has a state folder use the checkout's jars: whoever starts a broker first fetches them for all."""
    mine = state / "kafka" / "libs"
    if not mine.exists():
        shared = jars()
        shared.mkdir(parents=True, exist_ok=True)
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.symlink_to(shared)


def _fetch(version: str, folder: Path) -> None:
    """Copies the jars of another version than the local stack's by Maven, by the stack's own pom."""
    maven = shutil.which("mvn")
    assert maven is not None, "Maven fetches Kafka"
    asked = ("--quiet", "--batch-mode", "--file", str(FILES / "pom.xml"), f"-Dkafka.version={version}")
    copy = ("dependency:copy-dependencies", f"-DoutputDirectory={folder}")
    done = subprocess.run([maven, *asked, *copy], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"Kafka {version} can't be fetched: {done.stdout}{done.stderr}"
    (folder / _COMPLETE).touch()
