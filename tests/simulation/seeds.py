"""Runs seeds, one world each, in this process or in several."""

import gc
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice

import msgspec

from tests.simulation import ending
from tests.simulation.house import House
from tests.simulation.mutations import MUTATIONS
from tests.simulation.scenario import draw
from tests.simulation.services import Interpreters
from tests.simulation.show import line

_CHUNK = 25


class Result(msgspec.Struct, frozen=True):
    """What came of one seed."""

    seed: int
    violations: tuple[str, ...]
    trace_hash: str
    virtual_seconds: float
    events: int
    children: int
    trace: tuple[str, ...] = ()


def play(
    seed: int, mutation: str = "none", *, keep_trace: bool = False, interpreters: Interpreters | None = None
) -> Result:
    """One seed from beginning to end."""
    house = House(seed, draw(seed), interpreters or Interpreters(), MUTATIONS[mutation], keep_trace=keep_trace)
    world = house.world
    try:
        with house.mutation.in_force():
            house.run()
        ending.check(house)
    except Exception:  # noqa: BLE001 - a service's code, or the checker's, broke: the seed tells
        world.violated(traceback.format_exc())
    house.bury()
    children = sum(len(g.accepted) for book in house.judge.books.values() for g in book.generations)
    trace = tuple(line(*entry) for entry in world.trace or ())
    return Result(seed, tuple(world.violations), world.trace_hash, world.now, world.events, children, trace)


def play_many(seeds: Iterable[int], mutation: str = "none") -> list[Result]:
    """Several seeds in this process, with machines compiled once."""
    interpreters = Interpreters()
    results = []
    for seed in seeds:
        results.append(play(seed, mutation, interpreters=interpreters))
        gc.collect(0)
    return results


def play_all(seeds: Sequence[int], mutation: str, jobs: int) -> Iterator[Result]:
    """Many seeds in several processes, in order."""
    chunks = [seeds[i : i + _CHUNK] for i in range(0, len(seeds), _CHUNK)]
    if jobs <= 1:
        for chunk in chunks:
            yield from play_many(chunk, mutation)
        return
    with ProcessPoolExecutor(jobs) as pool:
        pending = [pool.submit(play_many, chunk, mutation) for chunk in chunks]
        for future in pending:
            yield from future.result()


def first_break(mutation: str, first: int, seeds_max: int, jobs: int) -> tuple[int, Result | None, float]:
    """Seeds until one shows that a mechanism is missing: (seeds tried, its result, seconds)."""
    began = time.perf_counter()
    tried = 0
    is_likely = MUTATIONS[mutation].likely
    drawn = ((seed, draw(seed)) for seed in count(first))
    likely = (seed for seed, scenario in drawn if is_likely(scenario.storm, scenario.plays))
    for _ in range(0, seeds_max, _CHUNK * jobs):
        for result in play_all(list(islice(likely, _CHUNK * jobs)), mutation, jobs):
            tried += 1
            if result.violations:
                return tried, result, time.perf_counter() - began
    return tried, None, time.perf_counter() - began
