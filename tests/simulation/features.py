"""What is drawn for an execution beside its first run: redrives, Map Runs in children, live changes, retries."""

import random

import msgspec

from tests.simulation.plays import Nest, Play, Redrive, Update
from tests.simulation.store import CALLS

NEST_SHARE, RETRY_SHARE, UPDATE_SHARE, REDRIVE_SHARE = 0.2, 0.12, 0.25, 0.5
"""Of the executions. What isn't drawn leaves a seed as it was before there was such a feature."""
BREAKS_SHARE = 0.1
CALLBACKS_SHARE, STARTS_SHARE, JOBS_SHARE, ACTIVITIES_SHARE, HEARTBEATS_TIMEOUT_SECONDS = 0.3, 0.3, 0.3, 0.35, 4
UNFORESEEN = (KeyError, ValueError, TypeError, ZeroDivisionError)
LONG_CAUSE_SHARE, BURST_SHARE, PAD_SHARE = 0.2, 0.4, 0.15
LONG_ITERATIONS, LONG_ITEMS_MAX, LONG_TIMEOUT_SECONDS = 90, 6, 60
OUTER_ITEMS_MAX = 12
"""Children that hold a Map Run each."""


def break_outside(play: Play, r: random.Random) -> None:
    """Draws a store or a source that raises what nobody foresaw: that run alone may fail of it."""
    if play.writer and not play.store_missing and r.random() < BREAKS_SHARE:
        play.store_raises = (r.choice(CALLS if play.kinds else ("manifest", "abort")), r.choice(UNFORESEEN))
        play.store_missing = play.store_raises[0] != "abort"
    if r.random() < BREAKS_SHARE / 2:
        play.source_raises = (r.choice(["open", "read", "close"]), r.choice(UNFORESEEN))


def enrich(play: Play, r: random.Random, fault_seconds: float) -> None:
    """Draws what a play has of these features."""
    if r.random() < NEST_SHARE:
        _nest(play, r)
    if r.random() < RETRY_SHARE:
        play.retries = r.choice([1, 1, 2])
    if r.random() < UPDATE_SHARE:
        play.updates = tuple(_update(r, fault_seconds) for _ in range(r.choice([1, 2, 4])))
    if r.random() < REDRIVE_SHARE:
        _redrives(play, r)


def enlarge(play: Play, r: random.Random) -> None:
    """Draws long causes and large inputs: what must be cut, or refused, before it is sent.

    A history that is cut has no past to go on from, so what is redriven has none of them.
    """
    if play.work in {"task", "chain"} and not play.redrives and r.random() < LONG_CAUSE_SHARE:
        play.bad_chars, play.flaky_chars = r.choice([(2_500, 0), (2_500, 0), (2_500, 4_000)])
        if r.random() < BURST_SHARE:
            play.kinds = tuple(r.choices(["ok", "bad"], (1, 5), k=r.randint(20, 40)))
            play.concurrency, play.batch, play.stop_at, play.changes_at = 0, 0, None, None
            play.child_type, play.work, play.tolerance = "STANDARD", "task", (None, 100.0)
    if play.selector and play.nest is None and not play.batch and r.random() < PAD_SHARE:
        play.pad_bytes = r.choice([4_000, 13_000])


def lengthen(play: Play, r: random.Random) -> None:
    """Draws work that takes longer than a session: an inline Map in the execution or its children.

    A history that is cut has no past to go on from, so what is redriven has none in its children.
    """
    play.kinds = play.kinds[:LONG_ITEMS_MAX]
    play.timeout_seconds = LONG_TIMEOUT_SECONDS  # who works all the time hears late how a call ended
    if play.nest is not None:
        play.nest = msgspec.structs.replace(play.nest, kinds=play.nest.kinds[:LONG_ITEMS_MAX])
    if r.random() < 0.5:
        play.long_root = LONG_ITERATIONS
    if play.nest is None and not play.redrives and (not play.long_root or r.random() < 0.5):
        play.long_child = LONG_ITERATIONS


def call_back(play: Play, r: random.Random) -> None:
    """Draws Tasks that wait for callbacks, which no EXPRESS child may have."""
    express = play.child_type == "EXPRESS" or (play.nest is not None and play.nest.child_type == "EXPRESS")
    if r.random() < CALLBACKS_SHARE and play.work != "pass" and not express:
        play.callbacks = True
        play.heartbeats = r.random() < 0.4 and play.timeout_seconds > HEARTBEATS_TIMEOUT_SECONDS


def start_others(play: Play, r: random.Random) -> None:
    """Draws Tasks that start executions, which no EXPRESS child may wait for."""
    express = play.child_type == "EXPRESS" or (play.nest is not None and play.nest.child_type == "EXPRESS")
    play.starts = r.random() < STARTS_SHARE and play.work != "pass" and not express and not play.callbacks


def start_jobs(play: Play, r: random.Random) -> None:
    """Draws Tasks that start jobs, which no EXPRESS child may wait for."""
    express = play.child_type == "EXPRESS" or (play.nest is not None and play.nest.child_type == "EXPRESS")
    if r.random() < JOBS_SHARE and play.work != "pass" and not express and not play.callbacks and not play.starts:
        play.jobs = r.choice(["once", "repeatable"])


def ask_workers(play: Play, r: random.Random) -> None:
    """Draws Tasks that a worker of an activity does, which no EXPRESS child may have."""
    express = play.child_type == "EXPRESS" or (play.nest is not None and play.nest.child_type == "EXPRESS")
    other = play.callbacks or play.starts or play.jobs or play.bad_chars or play.flaky_chars
    if r.random() < ACTIVITIES_SHARE and play.work != "pass" and not express and not other:
        play.activities = True
        play.heartbeats = r.random() < 0.4 and play.timeout_seconds > HEARTBEATS_TIMEOUT_SECONDS


def _nest(play: Play, r: random.Random) -> None:
    if play.source == "listing":
        play.source = "object"
    play.work, play.child_type, play.batch, play.changes_at = "nested", "STANDARD", 0, None
    play.kinds = play.kinds[:OUTER_ITEMS_MAX]
    work = r.choice(["pass", "task", "task"])
    weights = r.choice([(1, 0, 0, 0), (12, 1, 1, 0), (12, 0, 2, 1), (6, 2, 1, 0)]) if work != "pass" else (1, 0, 0, 0)
    play.nest = Nest(
        kinds=tuple(
            tuple(r.choices(["ok", "bad", "flaky", "hang"], weights, k=r.choice([0, 1, 2, 4, 7]))) for _ in play.kinds
        ),
        child_type=r.choice(["STANDARD", "STANDARD", "EXPRESS"]),
        work=work,
        concurrency=r.choice([0, 1, 2, 5]),
        first=r.random() < 0.3,
        parallel=r.random() < 0.3,
        catch=r.random() < 0.25,
    )


def _update(r: random.Random, fault_seconds: float) -> Update:
    """Concurrency most of all; a tolerance that grows, or one that is passed already."""
    return Update(
        at=0.4 + r.random() * (fault_seconds * 0.5 + 3),
        concurrency=r.choice([None, 1, 1, 2, 3, r.randint(1, 20), 0]),
        tolerated_count=r.choice([None, None, None, 0, r.randint(1, 30)]),
        tolerated_percentage=r.choice([None, None, None, 0.0, r.random() * 100]),
    )


def choose(play: Play, r: random.Random) -> None:
    """Redrives of some of a Map Run's lost children; mostly the last one is of all that is left."""
    if play.untimely_at is not None:  # by which the run may have changed since the children were chosen
        return
    last = len(play.redrives) - 1
    play.redrives = tuple(
        msgspec.structs.replace(redrive, chosen=r.choice([0.2, 0.5, 1.0]) if n < last or r.random() < 0.4 else 0.0)
        for n, redrive in enumerate(play.redrives)
    )


def _redrives(play: Play, r: random.Random) -> None:
    """Redrives, and mostly a reason for them.

    The source stays as it is: what a redrive makes of one that changed in the midst is a known gap (decision 10).
    """
    play.changes_at = None
    play.redrives = tuple(
        Redrive(
            wait_seconds=r.choice([0.0, 0.0, r.random() * 0.5, r.random() * 5]),
            repaired=r.choice([0.0, 0.4, 0.8, 1.0, 1.0]),
            twice_after=r.random() * 3 if r.random() < 0.25 else None,
            stop_after=r.random() * 6 if r.random() < 0.15 else None,
        )
        for _ in range(r.choice([1, 1, 2, 3]))
    )
    if r.random() < 0.15:
        play.untimely_at = r.random() * 12
    if r.random() < 0.25:
        return
    if play.work != "pass":
        weights = (8, 2, 1, 0.3)
        play.kinds = tuple(r.choices(["ok", "bad", "flaky", "hang"], weights, k=max(3, len(play.kinds))))
        if play.nest is not None:
            _nest(play, r)
        play.tolerance = r.choice([(None, None), (None, None), (0, None), (2, None), (None, 20.0)])
    if play.stop_at is None and r.random() < (0.9 if play.work == "pass" else 0.25):
        play.stop_at = play.at + r.random() * 6
    if play.writer and r.random() < 0.15:
        play.store_missing = True
