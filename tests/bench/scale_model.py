"""How many children a second a stack makes on so many cores, by what each process does for a child.

A process runs Python on one core: what its main thread does for a child bounds it. The model takes the least of those
bounds and of what all cores make together; it knows no disk, no memory and no network.
"""

import random
import statistics

import msgspec

_DRAWS = 2_000
_SECOND_US = 1e6


class Costs(msgspec.Struct, frozen=True):
    """Microseconds of a core for one child, on one machine."""

    runner: float
    home: float  # the loop of the scheduler that folds a home: one for all children of a run
    shaping: float  # the making of result records: in that loop, or in processes beside it
    beside: float  # the rest of the scheduler, in other threads
    reader: float
    tracker: float
    kafka: float
    s3: float
    upload: float = 0.0  # wall time of a part on its way to S3, where a run's export waits for each before the next

    @property
    def total(self) -> float:
        """Of a child in all processes together."""
        scheduler = self.home + self.shaping + self.beside
        return self.runner + scheduler + self.reader + self.tracker + self.kafka + self.s3

    def times(self, factors: "Costs") -> "Costs":
        """The same work on another machine, part by part."""
        return Costs(
            *(a * b for a, b in zip(msgspec.structs.astuple(self), msgspec.structs.astuple(factors), strict=True))
        )


class Setup(msgspec.Struct, frozen=True):
    """So many processes of each service, and runs at once."""

    cores: int
    runners: int
    runs: int = 1
    schedulers: int = 1
    readers: int = 1
    trackers: int = 1
    shapers: int = 0  # beside each scheduler


def children_per_second(costs: Costs, setup: Setup) -> tuple[float, str]:
    """Of all runs together, and what bounds them. Runs fall on schedulers by chance: the mean of many falls."""
    chance = random.Random(1)
    falls = [max(_loads(setup.runs, setup.schedulers, chance)) for _ in range(_DRAWS if setup.schedulers > 1 else 1)]
    homes = statistics.mean(_of_homes(costs, setup, fullest) for fullest in falls)
    bounds = {
        "all cores": setup.cores * _SECOND_US / costs.total,
        "child-runners": setup.runners * _SECOND_US / costs.runner,
        "the home's loop": homes,
        "item-readers": min(setup.runs, setup.readers) * _SECOND_US / costs.reader,
        "trackers": min(setup.runs, setup.trackers) * _SECOND_US / costs.tracker,
    }
    if setup.shapers:
        shaped = statistics.mean(setup.runs / fullest for fullest in falls) * setup.shapers
        bounds["shapers"] = shaped * _SECOND_US / costs.shaping
    least = min(bounds, key=lambda name: bounds[name])
    return bounds[least], least


def _of_homes(costs: Costs, setup: Setup, fullest: int) -> float:
    """Runs of one size end with the fullest scheduler; while an export waits for S3, its loop serves others."""
    shaping = 0.0 if setup.shapers else costs.shaping
    a_child = max(fullest * (costs.home + shaping), shaping + costs.upload)
    return setup.runs * _SECOND_US / a_child


def _loads(runs: int, schedulers: int, chance: random.Random) -> list[int]:
    loads = [0] * schedulers
    for _ in range(runs):
        loads[chance.randrange(schedulers)] += 1
    return loads
