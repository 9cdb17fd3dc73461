"""Limits of Map Runs in the fold: live change of MaxConcurrency and tolerances, quotas that move, open runs at once."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.quotas import change_concurrency, settle
from maprun.mapruns.run import lanes_owing, lanes_without_quota_owe, next_windows
from schemas.asks import ItemsRequested
from schemas.home import FAILED, SUCCEEDED, ItemsRead, LimitsTaken, MapRunUpdateRequested, SourceEnded, StopRequested
from schemas.lanes import QuotaChanged, RunOpened
from tests.unit.mapruns.folding import Folding, answers, sent, statuses
from tests.unit.mapruns.programs import HOMES, LANES, frame, plan
from tests.unit.mapruns.test_run import LIMITS, make_run


def test_more_concurrency_opens_more_lanes_and_raises_quotas() -> None:
    """From one at a time to seven: new lanes hear of the run before they hear of items, old ones of their quota."""
    folding = Folding()
    run = folding.run_of(["map", plan(max_concurrency=1)])
    [first] = folding.state.runs[run].lanes
    outputs = folding.put(MapRunUpdateRequested("u", run, max_concurrency=7))
    assert {opened.quota for opened in sent(outputs, RunOpened)} <= {2, 3}
    assert len(sent(outputs, RunOpened)) == LANES - 1
    assert [changed.quota for changed in sent(outputs, QuotaChanged)] in ([2], [3])
    assert sum(folding.state.runs[run].quotas) == 7
    assert sent(outputs, ItemsRequested)
    assert answers(outputs)[0].error == ""
    assert first in folding.state.runs[run].lanes


def test_less_concurrency_takes_quota_away_at_once() -> None:
    """From six to one: one lane keeps a unit; nothing is asked for until the others have answered."""
    folding = Folding()
    run = folding.run_of(["map", plan(max_concurrency=6)])
    state = folding.state.runs[run]
    folding.put(ItemsRead(run, 0, 0, state.asked, state.asked, state.asked, b""))
    outputs = folding.put(MapRunUpdateRequested("u", run, max_concurrency=1))
    assert sorted(changed.quota for changed in sent(outputs, QuotaChanged)) == [0, 0, 1]
    assert sum(state.quotas) == 1
    assert lanes_without_quota_owe(state)
    assert sent(outputs, ItemsRequested) == []


def test_a_unit_leaves_a_lane_that_was_asked_for_what_is_not_there() -> None:
    """From six to one the first lane keeps its unit; it owes nothing once the total is known, and the unit goes on."""
    folding = Folding()
    run = folding.run_of(["map", plan(max_concurrency=6)])
    state = folding.state.runs[run]
    first_round = {lane: (first, count) for first, count, lane in reversed(state.windows)}
    last = state.lanes[-1]
    end = sum(first_round[last])  # what is behind it isn't there
    folding.put(ItemsRead(run, 0, 0, end, end, end, b""))
    for lane in state.lanes[:-1]:
        first, count = first_round[lane]
        folding.put(frame(run, lane, list(range(first, first + count)), [SUCCEEDED] * count))
    folding.put(MapRunUpdateRequested("u", run, max_concurrency=1))
    assert state.quotas == (1, 0, 0)
    assert lanes_without_quota_owe(state)
    outputs = folding.put(SourceEnded(run, 0, end))
    assert state.quotas == (0, 0, 1)
    assert {changed.quota for changed in sent(outputs, QuotaChanged)} == {0, 1}


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 5), st.integers(1, 30)))), max_size=6),
)
def test_units_move_only_from_lanes_that_owe_nothing(first: int, story: list[tuple[int, list[Any]]]) -> None:
    """Quotas never sum to more than MaxConcurrency, no lane that owes loses its unit, and all is answered."""
    lanes = 6
    run = make_run(lanes=(), quotas=())
    change_concurrency(run, first, lanes)
    for concurrency, answered in story:
        change_concurrency(run, concurrency, lanes)
        assert sum(run.quotas) <= concurrency
        for lane, count in answered:
            next_windows(run, LIMITS)
            had = dict(zip(run.lanes, run.quotas, strict=True))
            if had.get(lane):
                run.answered_of[lane] = min(run.asked_of.get(lane, 0), run.answered_of.get(lane, 0) + count)
            before = {n for n in lanes_owing(run) if had[n]}
            if lanes_without_quota_owe(run):
                settle(run, lanes)
            now = dict(zip(run.lanes, run.quotas, strict=True))
            assert sum(now.values()) <= concurrency
            assert all(now[n] for n in before)
    for _ in range(lanes * 2):  # everybody with quota answers all: so everything is answered
        for lane, quota in zip(run.lanes, run.quotas, strict=True):
            if quota:
                run.answered_of[lane] = run.asked_of.get(lane, 0)
        settle(run, lanes)
    assert not lanes_without_quota_owe(run)
    assert sum(run.quotas) == run.concurrency


def test_a_tolerance_is_judged_as_soon_as_it_changes() -> None:
    """Two failures of four tolerated; lowered to one they fail the run at once."""
    folding = Folding()
    run = folding.run_of(["map", plan(tolerated_failure_count=4)])
    folding.put(ItemsRead(run, 0, 0, 4, 4, 4, b""), frame(run, 0, [0, 1], [FAILED, FAILED]))
    assert folding.state.runs[run].phase == "open"
    folding.put(MapRunUpdateRequested("u", run, tolerated_failure_count=1))
    assert folding.state.runs[run].phase == "closing"


def test_a_run_that_is_over_can_not_be_changed() -> None:
    """UpdateMapRun of what does not run is refused."""
    [answer] = answers(Folding().put(MapRunUpdateRequested("u", "run", max_concurrency=1)))
    assert answer.error == "ValidationException"


def queueing() -> Folding:
    """A fold on which one Map Run may be open."""
    folding = Folding()
    folding.put(LimitsTaken(open_map_runs_max=HOMES))
    return folding


def test_runs_past_the_limit_wait_their_turn() -> None:
    """The second run begins when the first is over; meanwhile it is started for its parent and asks for nothing."""
    folding = queueing()
    first = folding.run_of(["map", plan()], name="a")
    _, outputs = folding.started(["map", plan()], name="b")
    assert sent(outputs, RunOpened) == []
    assert [run.phase for run in folding.state.runs.values()] == ["open", "queued"]
    outputs = folding.put(ItemsRead(first, 0, 0, 0, 0, 0, b""), SourceEnded(first, 0, 0))
    assert sent(outputs, RunOpened)
    assert [run.phase for run in folding.state.runs.values()] == ["open"]
    assert folding.state.waiting == []


def test_runs_that_wait_begin_when_the_limit_is_raised() -> None:
    """At the record that says so on home."""
    folding = queueing()
    folding.run_of(["map", plan()], name="a")
    folding.started(["map", plan()], name="b")
    assert sent(folding.put(LimitsTaken(open_map_runs_max=2 * HOMES)), RunOpened)
    assert [run.phase for run in folding.state.runs.values()] == ["open", "open"]


def test_a_waiting_run_is_stopped_without_having_begun() -> None:
    """StopExecution ends a queued run; its place in the queue is free."""
    folding = queueing()
    folding.run_of(["map", plan()], name="a")
    asked, _ = folding.started(["map", plan()], name="b")
    outputs = folding.put(StopRequested("s", asked.arn))
    assert statuses(outputs) == ["ABORTED"]
    assert folding.state.waiting == []
    assert len(folding.state.runs) == 1
