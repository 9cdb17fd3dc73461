"""What a seed plays: machines and their sizes, faults, requests by two doors, stops, redrives, changes."""

import random

import msgspec

from maprun.mapruns.limits import MapRunLimits
from tests.simulation import families
from tests.simulation.definitions import definition
from tests.simulation.families import SMALL_LIMITS
from tests.simulation.features import (
    ask_workers,
    break_outside,
    call_back,
    choose,
    enlarge,
    enrich,
    lengthen,
    start_jobs,
    start_others,
)
from tests.simulation.plays import Door, Play, Source

WRITER_SHARE = 0.4
LEFTOVERS_SHARE = 0.2
OWN_ETAGS_SHARE = 0.3
QUEUE_SHARE, QUEUE_PLAYS = 0.15, 3
"""Seeds in which one Map Run at a time is open on each home, and how many executions want to begin."""
REQUEST_PARTITIONS = 2
LONG_SHARE, STATE_SECONDS = 0.08, 0.09
"""Seeds in which work takes its time, and how long a state takes there."""
CHOOSE_EVERY, CHOOSE_AT = 10, 7
"""Of each so many seeds one redrives chosen children, where it redrives."""
STORM_EVERY = 4
"""Each so many seeds is a storm over one service."""
STORMS = ("child-runner", "child-runner", "scheduler", "child-runner", "item-reader", "maprun-tracker")


class Scenario(msgspec.Struct):
    """Everything a seed draws before it begins."""

    homes: int
    lanes: int
    processes: int  # of each service
    fault_seconds: float
    faults_per_second: float
    storm: str  # the service that alone is hit by faults; "" = all
    slow_share: float  # of Task attempts
    small: bool  # small limits everywhere
    limits: MapRunLimits
    plays: list[Play]
    garbage: list[tuple[float, str]]  # (when, topic)
    leftovers: bool = False  # records of a process that outlived its broker's disks
    own_etags: bool = False  # the result store's ETags say nothing about bytes
    state_seconds: float = 0.0  # what each state of an execution costs
    stall_share: float = 0.02  # of what a tracker writes, behind which it stops
    stall_seconds: tuple[float, float] = (1.0, 13.0)  # and for how long
    create_seconds: float = 0.0  # that the beginning of an upload takes at most, beside what each call takes
    family: str = ""  # the mechanism that this scenario meets again and again
    limits_later: MapRunLimits | None = None  # with which all services are started again
    limits_change_at: float = 0.0
    plans_bounded: bool = True  # else a Map Run that is too large is asked for, and its message has no record


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    r = random.Random(f"scenario-{seed}")
    storm = STORMS[seed // STORM_EVERY % len(STORMS)] if seed % STORM_EVERY == 0 else ""
    scenario = _storm(r, storm) if storm else _usual(r)
    scenario.leftovers = random.Random(f"leftovers-{seed}").random() < LEFTOVERS_SHARE
    later = random.Random(f"features-{seed}")
    if later.random() < QUEUE_SHARE and not storm:
        while len(scenario.plays) < QUEUE_PLAYS:
            scenario.plays.append(_play(later, len(scenario.plays), scenario.fault_seconds))
        scenario.limits = msgspec.structs.replace(scenario.limits, open_runs_max=1)
    sizes = random.Random(f"sizes-{seed}")
    long = sizes.random() < LONG_SHARE
    scenario.state_seconds = STATE_SECONDS if long else 0.0
    scenario.plans_bounded = sizes.random() < 0.5
    starting = random.Random(f"starts-{seed}")
    waiting = random.Random(f"callbacks-{seed}")
    working = random.Random(f"jobs-{seed}")
    asking = random.Random(f"activities-{seed}")
    breaking = random.Random(f"breaking-{seed}")
    scenario.own_etags = breaking.random() < OWN_ETAGS_SHARE
    for play in scenario.plays:
        enrich(play, later, scenario.fault_seconds)
        if not storm:
            break_outside(play, breaking)
        (lengthen if long else enlarge)(play, sizes)
        if not long:  # there a record costs as much as a state, and clients that ask again would ask for ever
            call_back(play, waiting)
            start_others(play, starting)
            start_jobs(play, working)
            ask_workers(play, asking)
    families.settle(scenario, seed)
    if seed % CHOOSE_EVERY == CHOOSE_AT:
        choosing = random.Random(f"choosing-{seed}")
        for play in scenario.plays:
            choose(play, choosing)
    for play in scenario.plays:
        items = b'"items":[' + b",".join(play.items) + b"]" if play.source == "state" else b'"items":[]'
        pads = b'"pads":["%s"]' % (b"x" * play.pad_bytes)
        play.input = b"{" + items + b"," + pads + b"}" if play.pad_bytes or play.source == "state" else b"{}"
        play.definition = msgspec.json.encode(definition(play))
    return scenario


def _usual(r: random.Random) -> Scenario:
    """Anything at all."""
    lanes = r.choice([1, 2, 3, 4])
    fault_seconds = r.choice([0.0, 5.0, 10.0, 20.0, 40.0])
    plays = [_play(r, n, fault_seconds) for n in range(r.choice([1, 1, 1, 2]))]
    topics = ["home", "items", "lane-signals", "execution-requests", "lane-journal"]
    garbage = [(r.random() * (fault_seconds + 1), r.choice(topics)) for _ in range(r.choice([0, 0, 1, 3]))]
    small = r.random() < 0.6
    return Scenario(
        homes=r.choice([1, 2]),
        lanes=lanes,
        processes=r.choice([2, 2, 3]),
        fault_seconds=fault_seconds,
        faults_per_second=r.choice([0.3, 0.7, 1.5, 3.0]),
        storm="",
        slow_share=0.2,
        small=small,
        limits=SMALL_LIMITS if small else MapRunLimits(),
        plays=plays,
        garbage=garbage,
    )


def _storm(r: random.Random, service: str) -> Scenario:
    """One service is hit again and again, with the work on it that has the most to lose."""
    play = _play(r, 0, 30.0)
    play.kinds = tuple(r.choices(["ok", "flaky"], (1, 1), k=r.randint(6, 25)))
    play.work, play.wait_seconds = r.choice([("task", 0), ("chain", 1), ("chain", 4)])
    play.child_type = "STANDARD"
    play.concurrency = r.randint(2, 9)
    play.tolerance = (None, 100.0)
    play.batch, play.timeout_seconds = 0, 20
    play.stop_at = play.changes_at = play.again_at = None
    play.writer, play.store_missing = service == "scheduler", False
    play.source = {"item-reader": "listing"}.get(service, "object")  # type: ignore[assignment]
    play.before, play.after = service == "scheduler", False
    small = r.random() < 0.5
    return Scenario(
        homes=1,
        lanes=r.choice([1, 2]),
        processes=3,
        fault_seconds=30.0,
        faults_per_second=r.choice([0.5, 0.9]),
        storm=service,
        slow_share=0.5,
        small=small,
        limits=SMALL_LIMITS if small else MapRunLimits(),
        plays=[play],
        garbage=[],
    )


def _play(r: random.Random, n: int, fault_seconds: float) -> Play:
    count = r.choice([0, 1, 2, r.randint(3, 12), r.randint(3, 30), r.randint(20, 60)])
    work = r.choice(["pass", "task", "task", "chain", "chain"])
    weights = r.choice([(1, 0, 0, 0), (12, 1, 1, 0), (12, 0, 2, 1), (6, 3, 1, 0)]) if work != "pass" else (1, 0, 0, 0)
    kinds = tuple(r.choices(["ok", "bad", "flaky", "hang"], weights, k=count))
    tolerance = r.choice(
        [(None, None), (None, None), (0, None), (3, None), (None, 20.0), (None, 100.0), (100, 0.0), (5, 50.0)]
    )
    source: Source = r.choice(["object", "object", "listing", "state"])
    batch = r.choice([0, 0, 0, 3])
    again_at = r.random() * 6 if r.random() < 0.2 else None
    again_door: Door = r.choice(["home", "topic"])
    writer = r.random() < WRITER_SHARE
    selector = r.random() < 0.5
    child_type = r.choice(["STANDARD", "STANDARD", "EXPRESS"])
    concurrency = r.choice([1, 2, 3, r.randint(4, 20), 0])
    name = f"e{n}"
    play = Play(
        name=name,
        machine=f"m{n}",
        definition=b"",
        input=b"",
        door=r.choice(["home", "home", "topic"]),
        at=0.2 + r.random() * (2 if fault_seconds else 0.1),
        again_at=again_at,
        again_door=again_door,
        stop_at=0.5 + r.random() * 8 if r.random() < 0.15 else None,
        source=source,
        kinds=kinds,
        child_type=child_type,
        work=work,
        timeout_seconds=r.choice([4, 20]),
        wait_seconds=1,
        concurrency=concurrency,
        tolerance=tolerance,
        batch=batch,
        writer=writer,
        store_missing=writer and r.random() < 0.05,
        selector=selector,
        changes_at=0.3 + r.random() * 4 if source != "state" and r.random() < 0.1 else None,
        before=False,
        after=False,
    )
    play.before = r.random() < 0.3
    play.after = r.random() < 0.3
    return play
