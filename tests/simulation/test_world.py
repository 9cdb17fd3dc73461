"""The simulated world itself: deterministic, and hard enough that a naive owner doubles records in it."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from maprun.bus.port import Outgoing, Port
from tests.simulation.faults import inject
from tests.simulation.groups import Group
from tests.simulation.process import Process
from tests.simulation.world import World

Own = Callable[[Port, int], Coroutine[Any, Any, None]]


async def count_naively(port: Port, partition: int) -> None:
    """Copies records from `in` to `out` and trusts the group's position alone."""
    mailbox = port.mailbox()
    position = await port.committed("in", partition)
    port.feed("in", partition, position, mailbox)
    while True:
        for record in await mailbox.get(None):
            await port.send([Outgoing("out", partition, record.value)])
            port.commit("in", partition, record.offset + 1)


async def fill(port: Port, partition: int) -> None:
    """Writes forty numbered records, then rests; begins again where the log says it was."""
    while (end := await port.end_offset("in", partition)) < 40:
        await port.send([Outgoing("in", partition, b"%d" % end)])
        await port.sleep(0.5)


def build(seed: int, *, faults: bool = True) -> World:
    """Two services with three processes each over one topic of two partitions."""
    world = World(seed, keep_trace=True)
    copies = Group(world, "copies", "in", 2, lambda port, p: [count_naively(port, p)])
    fills = Group(world, "fills", "seed", 2, lambda port, p: [fill(port, p)])
    for i in range(3):
        Process(world, [copies], f"copy-{i}")
        Process(world, [fills], f"fill-{i}")
    if faults:
        inject(world, [copies, fills], seconds=30)
    else:
        world.calm = True
    world.run(80)
    assert not world.violations, world.violations
    return world


def values(world: World, topic: str) -> list[list[bytes | None]]:
    """The values in both partitions."""
    return [[record.value for record in world.log(topic, p).slice(0, 1 << 30)] for p in (0, 1)]


def test_without_faults_everything_is_copied_once_in_order() -> None:
    """A calm world loses nothing and doubles nothing."""
    world = build(1, faults=False)
    assert values(world, "out") == values(world, "in")
    assert all(len(part) == 40 for part in values(world, "in"))


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    """Every event of a world follows from its seed."""
    assert build(seed).trace_hash == build(seed).trace_hash


def test_faults_make_naive_owners_double_but_never_lose() -> None:
    """At-least-once holds for who commits behind finished work; exactly-once does not."""
    doubled = 0
    for seed in range(20):
        world = build(seed)
        for came, went in zip(values(world, "in"), values(world, "out"), strict=True):
            assert set(came) == set(went)
            doubled += len(went) > len(came)
    assert doubled > 5
