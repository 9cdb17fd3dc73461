"""A request that comes again: it has its first answer, and is not carried out again, whatever happened in between."""

import msgspec

from maprun.mapruns.fold.repeats import ANSWER_KEPT_MS, ANSWERS_KEPT
from schemas.home import MapRunUpdateRequested, RedriveRequested, StopRequested
from schemas.machines import MachineRequested, MachineSpec
from tests.unit.mapruns.folding import Folding, answers
from tests.unit.mapruns.programs import NAMES, plan


def test_a_stop_that_comes_again_does_not_stop_what_was_redriven_since() -> None:
    """An execution is stopped and redriven; the late second attempt of the stop has the first one's answer."""
    folding = Folding()
    asked, _ = folding.started(["wait", 60])
    first = answers(folding.put(StopRequested("s", asked.arn)))
    folding.put(RedriveRequested("r", asked.arn))
    assert folding.state.roots[asked.arn].status == "RUNNING"
    again = folding.put(StopRequested("s", asked.arn))
    assert again == first
    assert folding.state.roots[asked.arn].status == "RUNNING"


def test_an_update_that_comes_again_does_not_undo_a_later_one() -> None:
    """MaxConcurrency is 2, then 5, and stays so when the first request comes again."""
    folding = Folding()
    run = folding.run_of(["map", plan(max_concurrency=1)])
    first = answers(folding.put(MapRunUpdateRequested("a", run, max_concurrency=2)))
    folding.put(MapRunUpdateRequested("b", run, max_concurrency=5))
    again = folding.put(MapRunUpdateRequested("a", run, max_concurrency=2))
    assert again == first
    assert folding.state.runs[run].plan.max_concurrency == 5


def test_an_answer_is_kept_for_fifteen_minutes() -> None:
    """In log time; the same request is a new one then."""
    folding = Folding()
    asked, _ = folding.started(["wait", 60])
    [first] = answers(folding.put(StopRequested("s", asked.arn + "-none")))
    folding.now = first.answered_ms + ANSWER_KEPT_MS - 10
    [again] = answers(folding.put(StopRequested("s", asked.arn + "-none")))
    assert again.answered_ms == first.answered_ms
    [new] = answers(folding.put(StopRequested("s", asked.arn + "-none")))
    assert new == msgspec.structs.replace(first, answered_ms=folding.now)


def test_so_many_answers_are_kept() -> None:
    """Past the bound the oldest one goes."""
    folding = Folding()
    for n in range(ANSWERS_KEPT + 1):
        folding.put(StopRequested(str(n), "arn"))
    assert len(folding.state.answered) == ANSWERS_KEPT
    assert "0" not in folding.state.answered
    assert "1" in folding.state.answered


def test_requests_of_several_kinds_are_kept_side_by_side() -> None:
    """One memory, in the order of home: what is oldest is forgotten first."""
    folding = Folding()
    folding.put(MachineRequested("m", "create", NAMES.machine("m"), "m", MachineSpec(b"{}", "r")))
    folding.put(StopRequested("s", "arn"))
    assert list(folding.state.answered) == ["m", "s"]
