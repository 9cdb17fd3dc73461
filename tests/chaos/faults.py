"""What goes wrong in mid-run: one cell of the matrix each, struck so often while a Map Run goes on."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

import msgspec

from tests.chaos import scenes
from tests.chaos.driver import Fault, killing
from tests.chaos.poison import from_the_beginning, poison
from tests.chaos.scenes import PREFIX, Scene, environment_of
from tests.integration.aws.weed import free_ports
from tests.integration.system.stack import PARTS_TO_KILL, ROOT

SERVICES = tuple(part for part in PARTS_TO_KILL if part != "kafka")
PAUSE_SECONDS = (15.0, 25.0)  # a group gives a member up that is silent for 8 s
CUT_SECONDS = (5.0, 40.0)
DOWN_SECONDS = 60.0
JOIN_SECONDS = (8.0, 12.0)
CLOCKS = (3_600, -3_600, 0, -86_400, 0)  # seconds ahead
CLOCK_SECONDS = 10.0
READY_SECONDS_MAX = 90.0
_FULL_SECONDS = 15.0
_BALLAST_BYTES = 1 << 20

Draw = random.Random


class Cell(msgspec.Struct, frozen=True):
    """One row of the matrix: where it is played, how often it strikes unless told, and the faults."""

    name: str
    told: str
    scene: Callable[[Path], AbstractContextManager[Scene]]
    rounds: int
    faults: Callable[[Scene, int, Draw], list[Fault]]


def _killed(scene: Scene, rounds: int, chance: Draw) -> list[Fault]:
    return killing(scene.stack, rounds, chance)


def _broker_killed(scene: Scene, rounds: int, _: Draw) -> list[Fault]:
    return [Fault("kafka", lambda: scene.stack.kill("kafka"))] * rounds


def _paused(scene: Scene, rounds: int, chance: Draw) -> list[Fault]:
    """A process that stands still for longer than its group waits, and goes on as if nothing were."""

    def pause(part: str) -> None:
        pid = scene.stack.pids()[part]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    return [Fault(part, lambda part=part: pause(part)) for part in _in_turns(PARTS_TO_KILL, rounds, chance)]  # type: ignore[misc]


def _all_down(scene: Scene, rounds: int, _: Draw) -> list[Fault]:
    def down() -> None:
        scene.stack.down()
        time.sleep(DOWN_SECONDS)
        scene.stack.up(scene.parts)

    return [Fault("everything", down)] * rounds


def _rolling(scene: Scene, rounds: int, _: Draw) -> list[Fault]:
    """Each service is asked to end, and the next one when it is ready again."""

    def restart() -> None:
        for part in SERVICES:
            pid = scene.stack.pids()[part]
            os.kill(pid, signal.SIGTERM)
            _until_ready(scene, part, pid)

    return [Fault("rolling restart", restart)] * rounds


def _until_ready(scene: Scene, part: str, old: int) -> None:
    until = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < until:
        [now] = [each for each in scene.stack.status()["parts"] if each["name"] == part]
        if now["state"] == "ready" and now["pid"] not in {0, old}:
            return
        time.sleep(0.1)
    raise AssertionError(f"{part} was not ready again within {READY_SECONDS_MAX:.0f} s")


def _storm(scene: Scene, rounds: int, chance: Draw) -> list[Fault]:
    """One more child-runner comes and goes: in good order, or killed."""

    def join(number: int) -> None:
        environment = environment_of(scene.stack.pids()["child-runner-0"])
        environment |= {"MAPRUN_INSTANCE": f"storm-{number}", "MAPRUN_HTTP_PORT": str(free_ports(1)[0])}
        with (scene.stack.folder / "log" / "storm.log").open("ab") as log:
            member = subprocess.Popen(
                [sys.executable, "-m", "services.child_runner"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        time.sleep(chance.uniform(*JOIN_SECONDS))
        member.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        member.wait(READY_SECONDS_MAX)

    return [Fault("one more child-runner", lambda n=n: join(n)) for n in range(rounds)]  # type: ignore[misc]


def _network(scene: Scene, rounds: int, chance: Draw) -> list[Fault]:
    relay = scene.relay
    assert relay is not None, "the scene has one"

    def trouble(begin: Callable[[], None]) -> None:
        begin()
        time.sleep(chance.uniform(*CUT_SECONDS))
        relay.mend()

    cut = Fault("network cut", lambda: trouble(relay.cut))
    silence = Fault("network silent", lambda: trouble(relay.silence))
    return [(cut, silence)[number % 2] for number in range(rounds)]


def _disk_full(scene: Scene, rounds: int, _: Draw) -> list[Fault]:
    disk, broker = scene.disk, scene.broker
    assert disk is not None, "the scene has one"
    assert broker is not None, "the scene has one"

    def fill() -> None:
        ballast = disk / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(b"x" * _BALLAST_BYTES)
                file.flush()
        time.sleep(_FULL_SECONDS)
        ballast.unlink()
        if not broker.runs():
            broker.start()

    return [Fault("disk full", fill)] * rounds


def _clocks(scene: Scene, rounds: int, _: Draw) -> list[Fault]:
    clock = scene.clock
    assert clock is not None, "the scene has one"

    def jump(to: int) -> None:
        new = clock.with_suffix(".new")
        new.write_text(f"{to}\n")
        new.replace(clock)
        time.sleep(CLOCK_SECONDS)

    return [Fault(f"clocks {to:+} s", partial(jump, to)) for to in (CLOCKS * rounds)[:rounds]]


def _poisoned(scene: Scene, rounds: int, chance: Draw) -> list[Fault]:
    def write() -> None:
        scene.faults["records"] += asyncio.run(poison(scene.stack.kafka, PREFIX, chance))

    return [Fault("poison", write)] * rounds


def _twice(scene: Scene, rounds: int, _: Draw) -> list[Fault]:
    """Everything that Kafka still has is delivered again: every group's position is put to its beginning."""

    def again() -> None:
        scene.stack.down()
        scene.stack.up("kafka")
        scene.faults["positions"] += asyncio.run(from_the_beginning(scene.stack.kafka, PREFIX))
        scene.stack.down()
        scene.stack.up(scene.parts)

    return [Fault("all again", again)] * rounds


def _s3(_scene: Scene, rounds: int, _: Draw) -> list[Fault]:
    return [Fault("S3 as it is", lambda: None)] * rounds


def _in_turns(parts: tuple[str, ...], rounds: int, chance: Draw) -> list[str]:
    order: list[str] = []
    while len(order) < rounds:
        order += chance.sample(parts, len(parts))
    return order[:rounds]


CELLS = {
    cell.name: cell
    for cell in (
        Cell("kill", "`kill -9` of each service and of Kafka, in turns", scenes.whole, 10, _killed),
        Cell("broker", "`kill -9` of the one broker", scenes.whole, 10, _broker_killed),
        Cell("pause", "SIGSTOP of each service and of Kafka for 15 to 25 s", scenes.whole, 5, _paused),
        Cell("down", "everything stopped for 60 s", scenes.whole, 1, _all_down),
        Cell("rolling", "each service restarted, one after the other", scenes.whole, 5, _rolling),
        Cell(
            "storm",
            "a child-runner joins and leaves after 8 to 12 s, killed every other time",
            scenes.whole,
            10,
            _storm,
        ),
        Cell(
            "network", "services cut off from Kafka, or nothing passed on, for 5 to 40 s", scenes.relayed, 6, _network
        ),
        Cell("disk", "no byte free on Kafka's disk for 15 s", scenes.small_disk, 3, _disk_full),
        Cell("s3", "of requests to S3 20 % answered 503, 10 % cut off, 10 % 3 s late", scenes.poor_s3, 1, _s3),
        Cell("clocks", "services' clocks an hour ahead, an hour back, a day back", scenes.odd_clocks, 5, _clocks),
        Cell("twice", "every group's position put to the beginning", scenes.whole, 1, _twice),
        Cell("poison", "records that nobody of maprun writes, in every partition", scenes.whole, 3, _poisoned),
    )
}
