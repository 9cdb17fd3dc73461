"""The fold of home under any story: deterministic, restartable anywhere, with its invariants held."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.mapruns.fold.outputs import (
    EntriesAccepted,
    Output,
)
from maprun.mapruns.fold.state import decode_state, encode_state
from schemas.effects import TaskFailed, TaskSucceeded
from schemas.home import (
    RETURNED,
    ItemsRead,
    LaneProgress,
    ParentTaskEnded,
    ResultFileOpened,
    ResultPartWritten,
    ResultsFailed,
    ResultsWritten,
    SourceEnded,
    SourceFailed,
    SourceOpened,
    StopRequested,
    TimerDue,
)
from schemas.lanes import QuotaChanged
from schemas.plan import ResultWriterPlan
from tests.unit.mapruns.folding import Folding, sent, statuses
from tests.unit.mapruns.programs import Programs, frame, plan, request

WRITER = ResultWriterPlan(bucket="b", prefix="p")


def _story() -> list[Any]:
    """Records of two executions with runs, one after the other, some of them nonsense."""
    folding = Folding()
    a = folding.run_of(["map", plan(writer=WRITER, tolerated_failure_percentage=50.0)], ["task"], name="a")
    b = folding.run_of(["map", plan(tolerated_failure_count=1)], ["wait", 1], name="b")
    c = request("c", [["task"], ["task"]])
    arns = [folding.state.runs[a].root_arn, folding.state.runs[b].root_arn, c.arn]
    records: list[Any] = [
        request("a", [["map", plan(writer=WRITER, tolerated_failure_percentage=50.0)], ["task"]]),
        request("b", [["map", plan(tolerated_failure_count=1)], ["wait", 1]]),
        c,
    ]
    for run in (a, b):
        records += [ItemsRead(run, 0, first, 4, 4, 40, b"c%d" % first) for first in (0, 4)]
        records += [SourceEnded(run, 0, total) for total in (0, 8)]
        records += [
            frame(run, lane, [p], [s]) for lane, p, s in [(0, 0, 1), (1, 1, 1), (2, 2, 1), (0, 3, 2), (1, 4, 1)]
        ]
        records += [frame(run, 0, [5, 6, 7]), frame(run, 1, [3, 4, 5], [RETURNED] * 3), frame(run, 0, [900])]
        records += [SourceFailed(run, 0, "E", "c"), LaneProgress(run, 0, 0, (0, 2)), SourceOpened(run, 0, b"p")]
        records += [ResultFileOpened(run, 0, "SUCCEEDED", 0, "u"), ResultPartWritten(run, 0, "SUCCEEDED", 0, 0, "e", 3)]
        records += [ResultsWritten(run, 0, "b", "k"), ResultsFailed(run, 0, "E", "c"), frame("no-run", 0, [1])]
    for arn in arns:
        records += [StopRequested(f"s-{arn}", arn), TimerDue(arn, "step-1")]
        records += [ParentTaskEnded(arn, TaskSucceeded(f"step-{n}", b"1")) for n in (0, 1)]
        records.append(ParentTaskEnded(arn, TaskFailed("step-1", "E", "c")))
    return records


STORY = _story()
WEIGHTED = st.lists(st.integers(0, len(STORY) - 1), max_size=60)


def _encoded(outputs: list[Output]) -> bytes:
    """Outputs as bytes, for comparison."""
    return msgspec.msgpack.encode([(type(o).__name__, o) for o in outputs], enc_hook=lambda intervals: intervals.flat())


@given(WEIGHTED, st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_any_story_folds_alike_and_may_stop_anywhere(picks: list[int], stop: int) -> None:
    """A fold stored and read back anywhere goes on with the same outputs; an offset folded again changes nothing."""
    one, two = Folding(), Folding()
    order = [0, 1, *picks]
    for i, pick in enumerate(order):
        first = one.put(STORY[pick])
        if i == stop:
            two = Folding(decode_state(encode_state(two.state, Programs()), Programs()))
            two.now = one.now - 10
        assert _encoded(two.put(STORY[pick])) == _encoded(first)
        assert one.home.apply(one.state.offset, one.now, STORY[pick]) == []
    assert encode_state(one.state, Programs()) == encode_state(two.state, Programs())


@given(WEIGHTED)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_the_invariants_hold(picks: list[int]) -> None:
    """No entry twice, counts equal answers, asked >= read, credit within bounds, ended runs and roots gone together."""
    folding = Folding()
    accepted: set[tuple[str, int]] = set()
    ended: list[str] = []
    for pick in [0, 1, *picks]:
        outputs = folding.put(STORY[pick])
        ended += [s for s in statuses(outputs) if s != "RUNNING"]
        for output in outputs:
            if isinstance(output, EntriesAccepted):
                new = {(output.run, p.position + i) for p in output.pieces for i in range(p.count)}
                assert not new & accepted
                accepted |= new
        for run in folding.state.runs.values():
            assert run.read <= run.asked
            assert sum(t.children for t in run.counts.values()) == len(run.answered)
            assert {p for r, p in accepted if r == run.run} == set(run.answered)
            assert run.root_arn in folding.state.roots
            assert run.phase != "closed"
        assert not sent(outputs, QuotaChanged)
    assert len(ended) + sum(r.status == "RUNNING" for r in folding.state.roots.values()) <= 3
