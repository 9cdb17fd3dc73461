"""The fault plan of a seed: kills, pauses with late zombies, processes cut off from their group, rebalances."""

from collections.abc import Sequence

from services.maprun_tracker.topology import CHANGELOG
from tests.simulation.groups import SESSION_SECONDS, Group
from tests.simulation.process import Process
from tests.simulation.world import World


def inject(world: World, groups: Sequence[Group], seconds: float, per_second: float = 1.0) -> None:
    """Draws faults until `seconds` have passed; then lets everybody go on and the world is calm."""
    when = world.random.random() * 0.5
    while when < seconds:
        world.at(when, _fault, world, groups)
        when += world.random.expovariate(per_second)
    world.at(seconds, _calm, world, groups)


def _processes(groups: Sequence[Group]) -> list[Process]:
    found: list[Process] = []
    for group in groups:
        found += [process for process in group.members if process.alive and process not in found]
    return found


def _fault(world: World, groups: Sequence[Group]) -> None:
    chance = world.random.random()
    processes = _processes(groups)
    if not processes:
        return
    group = world.random.choice([groups[0], *groups])  # lanes have the most to lose
    process = world.random.choice([p for p in processes if group in p.groups] or processes)
    if chance < 0.25:
        process.kill()
    elif chance < 0.5:
        _pause(world, process)
    elif chance < 0.75:
        _isolate(world, process)
    elif chance < 0.95:
        world.random.choice(groups).rebalance()
    else:
        for log in world.logs.values():
            if log.topic in {"machines", "home-snapshots", CHANGELOG}:
                log.compact()


def _outage_seconds(world: World) -> float:
    """Mostly short; often just about, or well past, the session."""
    chance = world.random.random()
    if chance < 0.4:
        return world.random.random() * 2
    return SESSION_SECONDS * (0.6 + world.random.random() * 1.4)


def _pause(world: World, process: Process) -> None:
    if not process.paused:
        process.pause()
        world.after(_outage_seconds(world), process.resume)


def _isolate(world: World, process: Process) -> None:
    if not process.isolated:
        process.isolate()
        world.after(_outage_seconds(world), process.reconnect)


def _calm(world: World, groups: Sequence[Group]) -> None:
    """From now on nothing fails."""
    world.calm = True
    world.note("calm")
    for process in _processes(groups):
        if process.isolated:
            process.reconnect()
        process.resume()
    for group in groups:
        group.settle()
