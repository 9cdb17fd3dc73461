"""Result files of a redrive: its own answers, the successes no file holds yet, and everybody it did not reach."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.results.export import RunExport, unreached, unwritten
from maprun.mapruns.run import Run, Tally, Verdict
from schemas.arns import parse_child_name
from schemas.asks import RedriveStage
from schemas.home import ABORTED, FAILED, RETURNED, SUCCEEDED, TIMED_OUT, ChildrenEnded
from schemas.plan import MapRunPlan, ResultWriterPlan
from tests.unit.mapruns.generations import RUN, Child, of_kind, outcome
from tests.unit.mapruns.programs import take, take_earlier
from tests.unit.mapruns.test_run import make_run

FAILED_AT_ONCE = Verdict("FAILED", "States.Runtime", "no")


def made(stages: tuple[RedriveStage, ...], child_type: Any = "STANDARD", **over: Any) -> Run:
    """A run in its first redrive, all of whose children are answered."""
    plan = MapRunPlan("Map", "L", child_type, writer=ResultWriterPlan("b", "p", **over.pop("writer", {})))
    given_ = {"run": RUN, "plan": plan, "generation": 1, "stages": stages, "phase": "writing"}
    return make_run(**(given_ | over))


def exported(run: Run, home: list[ChildrenEnded], now: list[ChildrenEnded]) -> dict[str, list[Any]]:
    """The records by file, from the frames of earlier generations on home and those of this one."""
    export = RunExport(run, 10**9, 10**9)
    parts = []
    for stretch in unwritten(run):
        parts += [part for frame in home for part in take_earlier(export, stretch, frame)]
        assert stretch.complete
    parts += [part for frame in now for part in take(export, frame, 10**6)]
    run.answered = export.answered
    for stretch in unreached(run):
        parts += [part for frame in home for part in take_earlier(export, stretch, frame)]
        assert stretch.complete
    files = {}
    for part in parts + export.finish(run):
        assert (part.part, part.last) == (0, True)
        files[part.status] = json.loads(part.body)
    return files


def indexes(records: list[Any]) -> list[int]:
    """Which children these records are of."""
    named = [parse_child_name(record["Name"]) for record in records]
    return [child.index for child in named if child is not None]


def staged(children: list[Child]) -> tuple[RedriveStage, ...]:
    """The stages that the ends of generation 0 make."""
    return tuple(
        RedriveStage(0, 0, 99, 10**6, lost, 0, len(of_kind(children, lost=lost)))
        for lost in (True, False)
        if of_kind(children, lost=lost)
    )


def test_a_redriven_childs_record() -> None:
    """RedriveCount is the child's, StartDate its first start, StopDate its last end; the folder is told elsewhere."""
    home = [outcome(0, {0: Child(0, FAILED), 1: Child(1, TIMED_OUT)})]
    now = [outcome(1, {0: Child(0, SUCCEEDED, 1), 1: Child(1, FAILED, 1)})]
    files = exported(made(staged([Child(0, FAILED), Child(1, TIMED_OUT)])), home, now)
    [ok], [failed] = files["SUCCEEDED"], files["FAILED"]
    shown = ("RedriveCount", "StartDate", "StopDate", "Status", "RedriveStatus")
    assert [ok[name] for name in shown] == [
        1,
        "2026-09-23T22:58:06.000Z",
        "2026-09-23T22:59:06.007Z",
        "SUCCEEDED",
        "NOT_REDRIVABLE",
    ]
    assert [failed[name] for name in shown] == [
        1,
        "2026-09-23T22:58:06.001Z",
        "2026-09-23T22:59:06.007Z",
        "FAILED",
        "REDRIVABLE_BY_MAP_RUN",
    ]
    assert list(ok) == sorted(ok)
    assert list(failed) == sorted(failed)


def test_what_a_redrive_did_not_reach_stands_in_its_files_unchanged() -> None:
    """FAILED and PENDING hold every child that is unsuccessful or never started after the redrive, as it was."""
    children = [
        Child(0, FAILED),
        Child(1),
        Child(2, ABORTED, 0),
        Child(3, FAILED),
        Child(4, RETURNED),
        Child(5, RETURNED),
    ]
    run = made(staged(children), verdict=FAILED_AT_ONCE)
    files = exported(run, [outcome(0, dict(enumerate(children)))], [outcome(1, {1: Child(2, FAILED, 1)})])
    assert indexes(files["FAILED"]) == [2, 0, 3]
    assert [record["RedriveCount"] for record in files["FAILED"]] == [1, 0, 0]
    assert [record["Input"] for record in files["PENDING"]] == ['{"i":4}', '{"i":5}']
    assert "SUCCEEDED" not in files


@pytest.mark.parametrize(
    ("verdict", "before", "answers", "writer", "expected"),
    [
        (FAILED_AT_ONCE, 3, {}, {}, []),
        (FAILED_AT_ONCE, 0, {}, {}, None),
        (Verdict("SUCCEEDED"), 3, {}, {}, None),
        (FAILED_AT_ONCE, 3, {0: Child(0, SUCCEEDED, 1)}, {"transformation": "COMPACT"}, [{"o": 0}]),
        (FAILED_AT_ONCE, 3, {}, {"transformation": "COMPACT", "output_type": "JSONL"}, None),
    ],
)
def test_a_redrive_that_fails_without_a_success_writes_an_empty_file_of_them(
    verdict: Verdict, before: int, answers: dict[int, Child], writer: dict[str, str], expected: list[Any] | None
) -> None:
    """As on AWS when there were successes before; a file of lines can't be empty, so there it is left out."""
    run = made((), verdict=verdict, succeeded_before=Tally(before, before), writer=writer)
    frames = [outcome(1, answers)] if answers else []
    export = RunExport(run, 10**9, 10**9)
    parts = [part for frame in frames for part in take(export, frame, 9)] + export.finish(run)
    bodies = [msgspec.json.decode(part.body) for part in parts if part.status == "SUCCEEDED"]
    assert bodies == ([] if expected is None else [expected])


def test_generation_0_never_has_an_empty_file() -> None:
    """A status with no member gets no file."""
    run = made((), generation=0, verdict=FAILED_AT_ONCE)
    assert RunExport(run, 10**9, 10**9).finish(run) == []


def test_successes_that_no_file_holds_are_written_by_the_next_redrive() -> None:
    """Writing generation 0 failed: its successes come first in generation 1's file, then its own."""
    children = [Child(0), Child(1, FAILED), Child(2)]
    run = made(staged(children), unwritten=(RedriveStage(0, 0, 9, 9, False, 0, 2),))
    files = exported(run, [outcome(0, dict(enumerate(children)))], [outcome(1, {0: Child(1, SUCCEEDED, 1)})])
    assert indexes(files["SUCCEEDED"]) == [0, 2, 1]
    assert [record["RedriveCount"] for record in files["SUCCEEDED"]] == [0, 0, 1]


def test_an_express_childs_names_follow_its_index() -> None:
    """A redrive's positions are not indexes: ARN and name keep the index the child always had."""
    children = [Child(258, TIMED_OUT)]
    files = exported(made(staged(children), "EXPRESS"), [], [outcome(1, {0: Child(258, FAILED, 1)})])
    [record] = files["FAILED"]
    assert record["Name"] == "00000102-bbbb-3001-8ccc-dddddddddddd"
    assert record["ExecutionArn"].endswith(f"express:m/L:{record['Name']}:00000102-bbbb-4001-8ccc-dddddddddddd")


@given(st.lists(st.sampled_from([SUCCEEDED, FAILED, ABORTED, RETURNED]), max_size=60), st.data())
def test_every_unsuccessful_child_stands_in_the_files_once(statuses: list[int], data: st.DataObject) -> None:
    """Whatever a redrive reached, in whatever order: each child of its stages is in exactly one file, as it now is."""
    children = [Child(n, status) for n, status in enumerate(statuses)]
    again = of_kind(children, lost=True) + of_kind(children, lost=False)
    positions = data.draw(st.lists(st.integers(0, max(0, len(again) - 1)), unique=True)) if again else []
    ends = {p: Child(again[p].index, data.draw(st.sampled_from([SUCCEEDED, FAILED])), 1) for p in positions}
    cut = data.draw(st.integers(0, len(children)))
    home = [outcome(0, {c.index: c for c in part}) for part in (children[:cut], children[cut:]) if part]
    run = made(staged(children), answered=Intervals())
    files = exported(run, home, [outcome(1, {p: end}) for p, end in ends.items()])
    now = {child.index: child for child in again} | {end.index: end for end in ends.values()}
    for status, name in ((SUCCEEDED, "SUCCEEDED"), (FAILED, "FAILED")):
        expected = [i for i, c in now.items() if c.status in ({status, ABORTED} if status == FAILED else {status})]
        assert sorted(indexes(files.get(name, []))) == sorted(expected)
    pending = [f'{{"i":{i}}}' for i, child in now.items() if child.status == RETURNED]
    assert [record["Input"] for record in files.get("PENDING", [])] == pending
