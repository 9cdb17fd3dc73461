"""Families of scenarios, each of which meets one mechanism again and again.

What a family puts together an ordinary seed draws by chance: it takes thousands of them to meet the mechanism once.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from maprun.mapruns.limits import MapRunLimits
from tests.simulation.plays import Play, Redrive, Update

if TYPE_CHECKING:
    from tests.simulation.scenario import Scenario

BURST_CAUSE_CHARS = 5_000
"""Of four such causes no record can be made."""
FLAKY_CAUSE_CHARS = 6_000
SMALL_LIMITS = MapRunLimits(
    prefetch_items_max=6,
    prefetch_items_min=2,
    prefetch_items_first=4,
    window_items_max=5,
    window_items_first=2,
    windows_per_ask_max=3,
)


def _plain(scenario: "Scenario", work: str) -> Play:
    """The first play alone, with nothing drawn but what its family says."""
    play = scenario.plays[0]
    del scenario.plays[1:]
    play.child_type, play.work, play.source, play.batch = "STANDARD", work, "object", 0
    play.tolerance, play.timeout_seconds, play.again_at = (None, 100.0), 20, None
    play.stop_at = play.changes_at = play.untimely_at = play.store_raises = play.source_raises = play.nest = None
    play.writer = play.store_missing = play.after = False
    play.redrives, play.updates, play.retries = (), (), 0
    play.bad_chars = play.flaky_chars = play.pad_bytes = play.long_root = play.long_child = 0
    play.callbacks = play.heartbeats = play.starts = play.activities = False
    play.jobs = ""
    scenario.state_seconds = 0.0
    return play


def _bursts(scenario: "Scenario", r: random.Random) -> None:
    """Children of one lane fail together, each with a long cause: what is said of them must be cut to fit records."""
    play = _plain(scenario, "task")
    scenario.lanes, scenario.small, scenario.limits = 1, False, MapRunLimits()
    play.kinds = tuple(r.choices(["ok", "bad"], (1, 8), k=r.randint(20, 40)))
    play.bad_chars, play.concurrency = BURST_CAUSE_CHARS, 0


def _histories(scenario: "Scenario", r: random.Random) -> None:
    """Tasks that fail again and again, each time with a long cause: their child's history fits no record."""
    play = _plain(scenario, "task")
    play.kinds = ("flaky",) * r.randint(12, 20)
    play.flaky_chars, play.concurrency = FLAKY_CAUSE_CHARS, r.randint(2, 5)


def _uploads(scenario: "Scenario", r: random.Random) -> None:
    """Many small result files, opened while their exporters are killed and overtaken, over a store that is slow."""
    play = _plain(scenario, "task")
    scenario.storm, scenario.homes, scenario.processes = "scheduler", 1, 3
    scenario.fault_seconds, scenario.faults_per_second = 40.0, 0.7
    scenario.small, scenario.create_seconds, scenario.slow_share = True, 12.0, 0.5
    play.kinds = tuple(r.choices(["ok", "bad"], (2, 1), k=r.randint(20, 40)))
    play.concurrency, play.writer = r.randint(2, 4), True


def _stages(scenario: "Scenario", r: random.Random) -> None:
    """Many children fail; each redrive but the last is stopped before all of them had their turn."""
    play = _plain(scenario, "task")
    scenario.small, scenario.limits = True, SMALL_LIMITS
    play.kinds = tuple(r.choices(["ok", "bad"], (1, 4), k=r.randint(15, 30)))
    play.concurrency, play.tolerance = r.randint(1, 3), (play.kinds.count("bad") * 2 // 3, None)
    stops = (r.uniform(0.2, 1.0), r.uniform(0.2, 1.0), None)
    play.redrives = tuple(Redrive(wait_seconds=0.0, repaired=1.0, twice_after=None, stop_after=stop) for stop in stops)


def _repeats(scenario: "Scenario", r: random.Random) -> None:
    """A redrive fails again at once; its request comes a second time before the next redrive is asked for."""
    play = _plain(scenario, "task")
    play.kinds = tuple(r.choices(["ok", "bad"], (1, 1), k=r.randint(2, 6)))
    play.tolerance = (0, None)
    again = Redrive(wait_seconds=0.0, repaired=0.0, twice_after=r.uniform(2.0, 6.0), stop_after=None)
    last = Redrive(wait_seconds=8.0, repaired=1.0, twice_after=None, stop_after=None)
    play.redrives = (again, last)


def _zombies(scenario: "Scenario", r: random.Random) -> None:
    """Trackers stop in the midst of a flush and go on once others own their homes: their rows come late."""
    play = _plain(scenario, "task")
    scenario.storm, scenario.homes, scenario.processes = "maprun-tracker", 1, 3
    scenario.fault_seconds, scenario.faults_per_second = 40.0, 0.1
    scenario.stall_share, scenario.stall_seconds = 0.3, (9.0, 16.0)
    play.kinds, play.concurrency = ("ok",) * r.randint(8, 20), r.randint(1, 3)


def _debts(scenario: "Scenario", r: random.Random) -> None:
    """MaxConcurrency falls below the number of lanes while all of them owe answers, and rises again."""
    play = _plain(scenario, "task")
    scenario.lanes, scenario.slow_share = r.choice([3, 4]), 0.6
    play.kinds = ("ok",) * r.randint(25, 50)
    play.concurrency = r.randint(6, 9)
    starts = [play.at + r.random() * 2 + 3 * n for n in range(4)]
    play.updates = tuple(
        Update(
            at=at,
            concurrency=(r.choice([1, 2]), 8)[n % 2],
            tolerated_count=None,
            tolerated_percentage=None,
        )
        for n, at in enumerate(starts)
    )


def _queues(scenario: "Scenario", r: random.Random) -> None:
    """One execution at a time may be open on a home, and many are asked for by the topic: each has its turn."""
    first = _plain(scenario, "task")
    scenario.limits = msgspec.structs.replace(scenario.limits, open_executions_max=1)
    first.source, first.redrives = "state", ()
    scenario.plays = [
        msgspec.structs.replace(
            first,
            name=f"q{number}",
            machine=f"q{number % 2}",
            kinds=tuple(r.choices(["ok", "flaky"], (4, 1), k=r.randint(0, 6))),
            door="topic",
            again_door="topic",
            at=0.2 + r.random(),
            again_at=r.random() * 6 if r.random() < 0.3 else None,
        )
        for number in range(r.randint(3, 6))
    ]


def _other_limits(scenario: "Scenario", r: random.Random) -> None:
    """The same, and in the midst of it all services are stopped and started with other limits."""
    _queues(scenario, r)
    bounds = r.sample([0, 1, 2 * scenario.homes], 2)
    scenario.limits, scenario.limits_later = [
        msgspec.structs.replace(scenario.limits, open_executions_max=bound, open_runs_max=r.choice([1, 1_000]))
        for bound in bounds
    ]
    scenario.limits_change_at = r.uniform(0.5, 6.0)


FAMILIES: dict[str, Callable[["Scenario", random.Random], None]] = {
    "bursts": _bursts,
    "histories": _histories,
    "uploads": _uploads,
    "stages": _stages,
    "repeats": _repeats,
    "zombies": _zombies,
    "debts": _debts,
}
FAMILY_EVERY = 8
"""Each so many seeds are of a family, in turn; each second time so many are QUEUES, each fourth time OTHER_LIMITS."""
QUEUES, OTHER_LIMITS = "queues", "other limits"


def family_of(seed: int) -> str:
    """The family that a seed belongs to; "" = none."""
    turn, place = divmod(seed, FAMILY_EVERY)
    if place == 3 and turn % 2:
        return QUEUES
    if place == 5 and turn % 4 == 1:
        return OTHER_LIMITS
    return list(FAMILIES)[turn % len(FAMILIES)] if place == 1 else ""


def settle(scenario: "Scenario", seed: int) -> None:
    """Makes of what was drawn what the seed's family says."""
    scenario.family = family_of(seed)
    if scenario.family:
        {**FAMILIES, QUEUES: _queues, OTHER_LIMITS: _other_limits}[scenario.family](
            scenario, random.Random(f"family-{seed}")
        )
