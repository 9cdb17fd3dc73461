"""A message that fits no record is refused: the execution fails, and no Map Run of it waits for ever."""

from schemas.home import OutputRefused, RedriveRequested, StopRequested
from tests.unit.mapruns.folding import Folding
from tests.unit.mapruns.programs import plan


def test_what_is_refused_of_a_stopped_execution_lets_its_run_close() -> None:
    """What fits no record is never sent: a run that it asked for items closes, also of a stopped execution."""
    folding = Folding()
    asked, _ = folding.started(["map", plan()])
    folding.put(StopRequested("s", asked.arn))
    assert folding.state.runs, "it waits for what it asked the reader for"
    folding.put(OutputRefused(asked.arn, "States.DataLimitExceeded", "too large"))
    assert not folding.state.runs
    assert not folding.state.roots
    assert folding.state.ended[asked.arn].status == "ABORTED"


def test_what_is_refused_of_an_execution_that_was_redriven_meanwhile_lets_its_run_close() -> None:
    """Its run was closing already, waiting for items that nobody was asked for, and the redrive for its end."""
    folding = Folding()
    asked, _ = folding.started(["map", plan()])
    folding.put(StopRequested("s", asked.arn))
    folding.put(RedriveRequested("r", asked.arn))
    assert folding.state.roots[asked.arn].status == "RUNNING"
    folding.put(OutputRefused(asked.arn, "States.DataLimitExceeded", "too large"))
    assert not folding.state.runs
    assert not folding.state.roots
    assert folding.state.ended[asked.arn].status == "FAILED"
