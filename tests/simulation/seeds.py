"""Runs seeds, one world each, in this process or in several."""

import gc
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from pathlib import Path

import msgspec

from tests.simulation import ending, express
from tests.simulation.house import House
from tests.simulation.mutations import MUTATIONS
from tests.simulation.scenario import draw
from tests.simulation.services import Interpreters
from tests.simulation.show import line

_CHUNK = 25
_RECORDED = Path(__file__).with_name("mutation_seeds.json")


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
        if not world.violations:
            world.violations += express.play(seed, house.mutation)
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


# ---------------------------------------------------------------------- what misses a mechanism


def recorded_seeds() -> dict[str, int]:
    """Mutation → the seed that was last found to miss what it switches off."""
    return msgspec.json.decode(_RECORDED.read_bytes(), type=dict[str, int])


def record_seeds(found: dict[str, int]) -> None:
    """Records these seeds instead of those before."""
    seeds = {name: seed for name, seed in sorted((recorded_seeds() | found).items()) if name in MUTATIONS}
    _RECORDED.write_bytes(msgspec.json.format(msgspec.json.encode(seeds), indent=2) + b"\n")


def first_break(mutation: str, seeds_max: int) -> tuple[int, Result | None, float]:
    """Seeds until one misses the mechanism and holds with it: (seeds tried, its result, seconds)."""
    began = time.perf_counter()
    tried = 0
    interpreters = Interpreters()
    for seed in islice(_likely(mutation), seeds_max):
        tried += 1
        result = play(seed, mutation, interpreters=interpreters)
        gc.collect(0)
        if result.violations and not play(seed, interpreters=interpreters).violations:
            return tried, result, time.perf_counter() - began
    return tried, None, time.perf_counter() - began


def _likely(mutation: str) -> Iterator[int]:
    """The recorded seed, and from there on those that are likely to miss the mechanism."""
    recorded = recorded_seeds().get(mutation, 0)
    yield recorded
    for seed in count(recorded + 1):
        if MUTATIONS[mutation].likely(draw(seed)):
            yield seed
