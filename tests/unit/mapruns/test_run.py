"""One Map Run in the fold: quotas, credit, windows, tolerance, closing; in tables a row is a case, its result last."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.limits import MapRunLimits
from maprun.mapruns.run import (
    Run,
    Tally,
    Verdict,
    children_ended,
    close,
    items_read,
    next_windows,
    prefetch,
    split_quota,
)
from maprun.mapruns.speed import Speed
from maprun.mapruns.verdicts import all_answered, item_counts, judge
from schemas.home import FAILED, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT, ItemsRead
from schemas.plan import ItemReaderPlan, MapRunPlan
from tests.unit.mapruns.programs import frame

LIMITS = MapRunLimits(prefetch_items_first=8, prefetch_items_max=16, window_items_first=4, window_items_max=10)


def make_run(**over: Any) -> Run:
    """A run on three lanes, five children at once."""
    plan = over.pop("plan", None) or MapRunPlan("Map", "L", "STANDARD", items=b"[]")
    given_: dict[str, Any] = {
        "run": "run",
        "arn": "arn",
        "label": "L",
        "root_arn": "root",
        "execution_arn": "root",
        "ref": "ref",
        "plan": plan,
        "definition": b"",
        "machine_arn": "m",
        "machine_name": "m",
        "role_arn": "r",
        "started_ms": 0,
        "started_offset": 0,
        "concurrency": 5,
        "lanes": (0, 1, 2),
        "quotas": (2, 2, 1),
    }
    return Run(**(given_ | over))


@given(st.integers(1, 20_000), st.integers(1, 64), st.integers(0, 1 << 31))
def test_quotas_sum_to_the_concurrency_exactly(concurrency: int, lanes: int, shift: int) -> None:
    """Whatever the numbers: distinct lanes, none without quota, an even split, and the sum is MaxConcurrency."""
    used, quotas = split_quota(concurrency, lanes, shift)
    assert sum(quotas) == concurrency
    assert min(quotas) >= 1
    assert max(quotas) - min(quotas) <= 1
    assert len(set(used)) == len(used) == len(quotas) <= lanes
    assert all(0 <= lane < lanes for lane in used)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=30))
def test_a_lane_never_owes_more_than_its_quota_and_prefetch(steps: list[tuple[int, int]]) -> None:
    """Windows are contiguous from where the last ended; asked minus answered stays within quota + prefetch."""
    run = make_run()
    asked = 0
    for lane, count in [(0, 0), *steps]:
        run.answered_of[lane] = min(run.asked_of.get(lane, 0), run.answered_of.get(lane, 0) + count)
        for first, size, _ in next_windows(run, LIMITS):
            assert first == asked
            assert size >= 1
            asked += size
        assert run.asked == asked
        for number, quota in zip(run.lanes, run.quotas, strict=True):
            assert 0 <= run.outstanding(number) <= quota + prefetch(run, LIMITS)


def test_the_first_windows_reach_every_lane_at_once() -> None:
    """The first ask begins with each lane's quota or a small window, so that few items use all of MaxConcurrency."""
    assert next_windows(make_run(), LIMITS)[:3] == [(0, 2, 0), (2, 2, 1), (4, 1, 2)]
    wide = next_windows(make_run(quotas=(50, 50, 50), concurrency=150), LIMITS)
    assert [count for _, count, _ in wide[:3]] == [4, 4, 4]


@given(st.integers(1, 16), st.integers(1, 40_000), st.integers(8, 64))
def test_as_many_items_as_may_run_at_once_all_do(lanes: int, concurrency: int, first: int) -> None:
    """The first positions fill every lane's quota to the last before one of them is asked for ahead."""
    used, quotas = split_quota(concurrency, lanes, 0)
    run = make_run(lanes=used, quotas=quotas, concurrency=concurrency)
    limits = MapRunLimits(window_items_first=first, windows_per_ask_max=10_000)
    filled = dict.fromkeys(used, 0)
    for start, count, lane in next_windows(run, limits):
        if start < concurrency:
            assert start + count <= concurrency
            filled[lane] += count
    assert filled == dict(zip(used, quotas, strict=True))


def test_a_log_of_older_rules_is_folded_by_them() -> None:
    """Before the rules that fill quotas first, a window passed a quota while other lanes had room."""
    run = make_run(lanes=(0, 1), quotas=(700, 700), concurrency=1_400)
    windows = next_windows(run, MapRunLimits(rules=0, prefetch_items_first=300))
    assert [count for _, count, _ in windows] == [32, 32, 500, 500, 468, 468]
    assert next_windows(make_run(lanes=(0, 1), quotas=(700, 700), concurrency=1_400), MapRunLimits())[4:6] == [
        (1_064, 168, 0),
        (1_232, 168, 1),
    ]


def test_a_small_quota_is_asked_for_little() -> None:
    """Items stay on their lane, so what a lane may hold beyond its quota follows the quota: the tail stays short."""
    limits = MapRunLimits(prefetch_items_first=256, prefetch_items_min=8)
    run = make_run(quotas=(2, 2, 1))
    next_windows(run, limits)
    assert run.asked_of == {0: 2 + 16, 1: 2 + 16, 2: 1 + 8}


def test_little_room_is_not_asked_for() -> None:
    """A lane with little room free is left alone; with a quarter of it, or half its prefetch, it is asked for all."""
    run = make_run(lanes=(0,), quotas=(8,), concurrency=8)
    next_windows(run, LIMITS)
    run.answered_of[0] = 3
    assert next_windows(run, LIMITS) == []
    run.answered_of[0] = 4
    assert sum(count for _, count, _ in next_windows(run, LIMITS)) == 4


@given(st.integers(1, 20_000), st.integers(0, 30_000))
def test_a_quota_never_waits_for_items(quota: int, answered: int) -> None:
    """However large a quota and however small its prefetch: once a lane was asked for, it owes at least its quota."""
    run = make_run(lanes=(0,), quotas=(quota,), concurrency=quota)
    limits = MapRunLimits(windows_per_ask_max=1_000)
    next_windows(run, limits)
    run.answered_of[0] = min(answered, run.asked)
    next_windows(run, limits)
    assert run.outstanding(0) >= quota


@pytest.mark.parametrize(
    ("over", "asks"),
    [
        ({}, True),
        ({"total": 100, "asked": 100}, False),
        ({"phase": "queued"}, False),
        ({"phase": "closing"}, False),
        ({"phase": "writing"}, False),
    ],
)
def test_nothing_is_asked_once_the_end_is_known_or_near(over: dict[str, Any], asks: bool) -> None:
    """A run asks only while it is open, and never past the total."""
    assert bool(next_windows(make_run(**over), LIMITS)) is asks


def test_nothing_is_read_of_an_object_before_its_version_is_pinned() -> None:
    """An object's items are asked for once SourceOpened said which version they are of; a listing's at once."""
    reader = ItemReaderPlan("arn:aws:states:::s3:getObject", "b", "k", input_type="CSV")
    listing = ItemReaderPlan("arn:aws:states:::s3:listObjectsV2", "b")
    run = make_run(plan=MapRunPlan("Map", "L", "STANDARD", reader=reader))
    assert next_windows(run, LIMITS) == []
    run.pin = b"etag"
    assert next_windows(run, LIMITS)
    assert next_windows(make_run(plan=MapRunPlan("Map", "L", "STANDARD", reader=listing)), LIMITS)


def _read(first: int, count: int, **over: Any) -> ItemsRead:
    counts = {"first": first, "count": count, "items": count, "item_bytes": 10 * count}
    given_: dict[str, Any] = {"run": "run", "generation": 0} | counts
    return ItemsRead(**(given_ | {"checkpoint": b"c%d" % (first + count)} | over))


@pytest.mark.parametrize(
    ("record", "over", "accepted"),
    [
        (_read(0, 5), {}, True),
        (_read(0, 0), {}, True),
        (_read(1, 4), {}, False),  # a gap
        (_read(0, 5, generation=1), {}, False),
        (_read(0, 1_000), {}, False),  # more than was asked for
        (_read(0, 5), {"phase": "closing"}, True),  # it may be published: its answers are waited for
        (_read(0, 5), {"phase": "closing", "source_broken": True}, False),
        (_read(0, 5), {"phase": "writing"}, False),
    ],
)
def test_items_read_counts_only_where_the_last_ended(record: ItemsRead, over: dict[str, Any], accepted: bool) -> None:
    """ItemsRead of another place, another generation, too much, or of a run that is answered changes nothing."""
    run = make_run()
    next_windows(run, LIMITS)
    for name, value in over.items():
        setattr(run, name, value)
    assert (items_read(run, record) is not None) is accepted
    assert run.read == (record.count if accepted else 0)


def test_items_read_says_which_lanes_its_positions_lie_on() -> None:
    """A cut across windows is told part by part; the rest of a window waits for the next cut."""
    run = make_run(quotas=(4, 4, 4), concurrency=12)
    assert next_windows(run, LIMITS)[:3] == [(0, 4, 0), (4, 4, 1), (8, 4, 2)]
    assert items_read(run, _read(0, 6)) == [(0, 4, 0), (4, 2, 1)]
    assert items_read(run, _read(0, 6)) is None
    assert items_read(run, _read(6, 3)) == [(6, 2, 1), (8, 1, 2)]
    assert (run.read, run.items_read, run.bytes_read, run.checkpoint) == (9, 9, 90, b"c9")


@pytest.mark.parametrize(
    ("count", "percentage", "failed", "items", "total_known", "exceeded"),
    [
        (None, None, 0, 100, True, False),
        (None, None, 1, 100, False, True),  # given neither, the first failure closes
        (5, None, 5, 100, False, False),
        (5, None, 6, 100, False, True),
        (0, None, 1, 100, False, True),
        (None, 10.0, 50, 100, False, False),  # not judged before the total is known
        (None, 10.0, 10, 100, True, False),
        (None, 10.0, 11, 100, True, True),
        (None, 0.5, 1, 199, True, True),
        (None, 0.5, 1, 200, True, False),
        (None, 100.0, 100, 100, True, False),
        (None, 0.0, 1, 100, False, True),
        (5, 10.0, 6, 100, False, True),  # either breach fails
        (20, 10.0, 11, 100, True, True),
        (20, 100.0, 21, 100, True, True),
    ],
)
def test_tolerance(
    count: int | None, percentage: float | None, failed: int, items: int, total_known: bool, exceeded: bool
) -> None:
    """Failed items against count and percentage, as AWS has it; a percentage needs the total."""
    plan = MapRunPlan("Map", "L", "STANDARD", tolerated_failure_count=count, tolerated_failure_percentage=percentage)
    run = make_run(plan=plan, items_read=items, total=items if total_known else None)
    run.counts[FAILED] = Tally(failed, failed)
    verdict = judge(run)
    assert (verdict is not None and verdict.error == "States.ExceedToleratedFailureThreshold") is exceeded


def test_timed_out_children_are_failures_and_items_are_what_counts() -> None:
    """Tolerance counts items: one timed-out batch of five exceeds a tolerated count of four."""
    run = make_run(plan=MapRunPlan("Map", "L", "STANDARD", tolerated_failure_count=4))
    next_windows(run, LIMITS)
    assert judge(run) is None
    children_ended(run, frame("run", 0, [0], [TIMED_OUT], items=(5,)))
    verdict = judge(run)
    assert verdict is not None
    assert verdict.status == "FAILED"


def test_an_input_that_cannot_be_built_fails_the_run_with_its_cause() -> None:
    """A REJECTED child fails the run whatever is tolerated, with the error its frame tells."""
    run = make_run(plan=MapRunPlan("Map", "L", "STANDARD", tolerated_failure_percentage=100.0))
    next_windows(run, LIMITS)
    told = frame("run", 0, [0], [REJECTED], error="States.Runtime", cause="no such path")
    children_ended(run, told)
    assert judge(run, told) == Verdict("FAILED", "States.Runtime", "no such path")


@pytest.mark.parametrize(
    ("verdict", "total", "read", "answered", "over"),
    [
        (Verdict("SUCCEEDED"), 10, 10, 10, True),
        (Verdict("SUCCEEDED"), 10, 10, 9, False),
        (Verdict("FAILED", "E"), None, 6, 6, True),  # all that was published
        (Verdict("FAILED", "E"), None, 6, 5, False),
        (Verdict("FAILED", "E"), 10, 10, 6, False),
        (Verdict("ABORTED"), None, 0, 0, True),
    ],
)
def test_a_closing_run_is_over_when_nothing_published_is_owed(
    verdict: Verdict, total: int | None, read: int, answered: int, over: bool
) -> None:
    """Succeeded: all of the total. Otherwise: everything that was read."""
    run = make_run(verdict=verdict, total=total, read=read, phase="closing")
    run.answered.add(0, answered)
    assert all_answered(run) is over


def test_the_first_verdict_stands() -> None:
    """Only the order on home says which reason came first."""
    run = make_run()
    assert close(run, Verdict("FAILED", "first"))
    assert not close(run, Verdict("ABORTED"))
    assert run.verdict == Verdict("FAILED", "first")


def test_a_closed_generation_accepts_nothing() -> None:
    """Answers to a run whose answers are complete, or to another generation, don't count."""
    for over in ({"phase": "writing"}, {"phase": "closed"}, {"generation": 1}):
        run = make_run(asked=10, **over)
        assert children_ended(run, frame("run", 0, [0, 1])) == []
        assert run.counts == {}


@given(st.lists(st.sampled_from([SUCCEEDED, FAILED, TIMED_OUT, RETURNED]), max_size=20), st.integers(0, 30))
def test_described_counts_sum_to_the_total(statuses: list[int], running: int) -> None:
    """ItemCounts and executionCounts add up at every moment; returned children stay pending."""
    run = make_run(asked=30, read=25, items_read=25)
    if statuses:
        children_ended(run, frame("run", 0, list(range(len(statuses))), statuses))
    for counts in item_counts(run, running, running):
        parts = ("pending", "running", "succeeded", "failed", "timedOut", "aborted")
        assert sum(counts[part] for part in parts) == counts["total"] == 25
        assert min(counts.values()) >= 0
        assert counts["succeeded"] == statuses.count(SUCCEEDED)


@pytest.mark.parametrize(
    ("per_second", "item_bytes", "owed"),
    [
        (0, 60, 13 + 104),  # nothing known: rounds of the quota
        (200, 60, 13 + 104),  # slow: the same
        (8_000, 60, 13 + 1_000),  # fast: what the lane ends in a second
        (8_000, 250_000, 13 + 16),  # of large items no more than their bytes allow
        (800_000, 60, 13 + 8_000),  # however fast
    ],
)
def test_a_fast_lane_is_asked_for_what_it_ends_in_a_second(per_second: int, item_bytes: int, owed: int) -> None:
    """What waits on a lane is some rounds of its quota, or a second of its work if that is more; bounded by bytes."""
    limits = MapRunLimits(prefetch_items_min=8, windows_per_ask_max=10_000)
    run = make_run(lanes=tuple(range(8)), quotas=(13,) * 8, concurrency=104, read=100, bytes_read=100 * item_bytes)
    run.speed.per_second = per_second
    next_windows(run, limits)
    assert set(run.asked_of.values()) == {owed}


def test_windows_of_a_fast_run_are_large() -> None:
    """An ask of a thousand items for a lane is a few windows: each becomes a record."""
    run = make_run(lanes=(0,), quotas=(13,), concurrency=13, read=10_000, asked=10_000, bytes_read=600_000)
    run.asked_of[0] = run.answered_of[0] = 10_000
    run.speed.per_second = 1_000
    assert [count for _, count, _ in next_windows(run, MapRunLimits())] == [500, 500, 13]


def test_speed_is_that_of_the_last_stretch() -> None:
    """Speed counts what ended behind the first record, in stretches of at least the time that is given."""
    speed = Speed()
    said = []
    for children, now_ms in [(100, 5_000), (50, 5_100), (50, 5_250), (10, 5_300), (90, 5_450), (1, 65_450)]:
        speed.note(children, now_ms, 200)
        said.append(speed.per_second)
    assert said == [0, 0, 400, 400, 500, 0]
