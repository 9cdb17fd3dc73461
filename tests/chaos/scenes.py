"""Stacks for faults that a whole local stack has no hand for: a broker behind a relay, on a small disk, odd clocks."""

import contextlib
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.chaos.relay import Relay
from tests.integration.aws.weed import FaultyProxy, running_weed
from tests.integration.bus.broker import Broker
from tests.integration.system.stack import Stack

CLOCK = Path(__file__).with_name("clock.c")
SERVICES = "functions,topics,scheduler,item-reader,child-runner,maprun-tracker"
PREFIX = "maprun."
DISK_MIB = 1024
_SHARE_REFUSED, _SHARE_CUT, _SHARE_LATE = 0.2, 0.1, 0.1
_LATE_SECONDS = 3.0


class Scene(msgspec.Struct):
    """A stack that is up, and what a fault may lay hand on beside its processes."""

    stack: Stack
    parts: str = ""  # which the launcher started; empty = all
    relay: Relay | None = None
    broker: Broker | None = None
    disk: Path | None = None  # that the broker has for itself
    clock: Path | None = None  # what it says is added to the services' clocks
    faults: Counter[str] = msgspec.field(default_factory=Counter)


@contextlib.contextmanager
def whole(folder: Path) -> Iterator[Scene]:
    """The local stack as it is."""
    with _up(Scene(Stack(folder / "stack"))) as scene:
        yield scene


@contextlib.contextmanager
def relayed(folder: Path) -> Iterator[Scene]:
    """The broker is reached through a relay by all services."""
    relay = Relay()
    with _broker(folder, f"advertised.listeners=PLAINTEXT://127.0.0.1:{relay.port}\n") as broker:
        relay.target_port = broker.port
        stack = Stack(folder / "stack", MAPRUN_KAFKA=f"127.0.0.1:{relay.port}")
        try:
            with _up(Scene(stack, f"seaweedfs,{SERVICES}", relay=relay, broker=broker)) as scene:
                yield scene
        finally:
            relay.close()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Scene]:
    """The broker has a disk of its own, which can be filled. Mounting one needs root."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)], check=True)
    try:
        with _broker(disk) as broker:
            stack = Stack(folder / "stack", MAPRUN_KAFKA=broker.address)
            with _up(Scene(stack, f"seaweedfs,{SERVICES}", broker=broker, disk=disk)) as scene:
                yield scene
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@contextlib.contextmanager
def odd_clocks(folder: Path) -> Iterator[Scene]:
    """The services' wall clocks may be set while they run; broker and S3 keep the right time. It takes a C compiler."""
    library, clock = folder / "clock.so", folder / "clock"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, CLOCK], check=True)
    clock.write_text("0\n")
    data = folder / "weed" / "data"
    data.mkdir(parents=True)
    with _broker(folder / "broker") as broker, running_weed(data) as s3:
        environment = {
            "MAPRUN_KAFKA": broker.address,
            "AWS_ENDPOINT_URL_S3": s3,
            "LD_PRELOAD": str(library),
            "MAPRUN_TEST_CLOCK": str(clock),
        }
        stack = Stack(folder / "stack", None, **environment)
        stack.s3_endpoint = s3
        with _up(Scene(stack, SERVICES, broker=broker, clock=clock)) as scene:
            yield scene


@contextlib.contextmanager
def poor_s3(folder: Path) -> Iterator[Scene]:
    """Of the services' requests to S3 some are refused with 503, some answers are cut off, some come late."""
    data = folder / "weed" / "data"
    data.mkdir(parents=True)
    chance, faults = random.Random(1), Counter[str]()

    def fault(_number: int, _head: bytes) -> str | int | None:
        drawn = chance.random()
        faults["requests"] += 1
        if drawn < _SHARE_REFUSED:
            faults["503"] += 1
            return "503"
        if drawn < _SHARE_REFUSED + _SHARE_CUT:
            faults["cut off"] += 1
            return chance.randrange(1, 1 << 16)
        if drawn < _SHARE_REFUSED + _SHARE_CUT + _SHARE_LATE:
            faults["late"] += 1
            time.sleep(_LATE_SECONDS)
        return None

    with running_weed(data) as s3:
        proxy = FaultyProxy(int(s3.rpartition(":")[2]), fault)
        stack = Stack(folder / "stack", AWS_ENDPOINT_URL_S3=proxy.endpoint)
        stack.s3_endpoint = s3
        try:
            with _up(Scene(stack, f"kafka,{SERVICES}", faults=faults)) as scene:
                yield scene
        finally:
            proxy.close()


@contextlib.contextmanager
def _broker(folder: Path, settings: str = "") -> Iterator[Broker]:
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker(folder, settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.close()


@contextlib.contextmanager
def _up(scene: Scene) -> Iterator[Scene]:
    scene.stack.folder.mkdir(parents=True, exist_ok=True)
    scene.stack.up(scene.parts)
    try:
        yield scene
    finally:
        scene.stack.down()


def environment_of(pid: int) -> dict[str, str]:
    """What a process was started with."""
    given = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {
        os.fsdecode(name): os.fsdecode(value) for name, _, value in (each.partition(b"=") for each in given) if name
    }
