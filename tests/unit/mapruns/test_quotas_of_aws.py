"""The numbers of AWS that bound Map Runs, and the counts that say what was written."""

import pytest

from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import RunChanged
from maprun.mapruns.limits import MapRunLimits
from maprun.mapruns.verdicts import item_counts
from schemas.home import FAILED, RETURNED, SUCCEEDED, ItemsRead, RedriveRequested, SourceEnded
from schemas.lanes import RunOpened
from tests.unit.mapruns.folding import Folding, sent, status_event, statuses
from tests.unit.mapruns.programs import HOMES, LANES, NAMES, Programs, frame, plan


@pytest.mark.parametrize(("written", "at_once"), [(0, 10_000), (1, 1), (40, 40), (100_000, 100_000)])
def test_no_max_concurrency_is_ten_thousand(written: int, at_once: int) -> None:
    """MaxConcurrency 0 runs 10,000 children at once; any other number is that number, past AWS's 10,000 too."""
    folding = Folding()
    _, outputs = folding.started(["map", plan(max_concurrency=written)])
    assert sum(opened.quota for opened in sent(outputs, RunOpened)) == at_once


def test_the_limits_are_those_of_aws() -> None:
    """Open runs, redrives, events, payload, days to redrive, days kept, and the longest execution (service-quotas)."""
    limits, day_ms = MapRunLimits(), 24 * 3_600_000
    assert (limits.open_runs_max, limits.redrives_max, limits.events_max) == (1_000, 1_000, 25_000)
    assert limits.result_bytes_max == 262_144
    assert (limits.redrivable_ms, limits.retention_ms, limits.execution_ms) == (14 * day_ms, 90 * day_ms, 365 * day_ms)


def failed(folding: Folding) -> tuple[str, str]:
    """(root ARN, run) of a run of which one child succeeded, one failed, and one never started."""
    asked, _ = folding.started(["map", plan()])
    run = next(iter(folding.state.runs))
    folding.put(ItemsRead(run, 0, 0, 3, 3, 30, b""), SourceEnded(run, 0, 3))
    folding.put(frame(run, 0, [0, 1, 2], [SUCCEEDED, FAILED, RETURNED]))
    return asked.arn, run


def test_a_run_is_redriven_so_often_and_no_more() -> None:
    """Past the maximum a redrive fails with States.Runtime and runs nothing."""
    folding = Folding()
    folding.home = Home(folding.state, Programs(), NAMES, HOMES, LANES, MapRunLimits(redrives_max=2))
    arn, run = failed(folding)
    for generation in (1, 2):
        folding.put(RedriveRequested(f"r{generation}", arn), ItemsRead(run, generation, 0, 2, 2, 20, b""))
        folding.put(frame(run, 0, [0, 1], [FAILED, RETURNED], generation=generation, indexes=(1, 2)))
    outputs = folding.put(RedriveRequested("r3", arn))
    assert statuses(outputs) == ["RUNNING", "FAILED"]
    assert status_event(outputs)["detail"]["error"] == "States.Runtime"


def test_results_written_are_all_of_a_run_that_is_over() -> None:
    """0 while it runs, then every item, pending ones too and without a writer; 0 again while it is redriven."""
    folding = Folding()
    shown: list[tuple[str, int]] = []

    def watched(record: object) -> None:
        changed = [output.run for output in folding.put(record) if isinstance(output, RunChanged)]
        shown.extend((run.phase, item_counts(run, 0, 0)[0]["resultsWritten"]) for run in changed)

    asked, _ = folding.started(["map", plan()])
    run = next(iter(folding.state.runs))
    watched(ItemsRead(run, 0, 0, 3, 3, 30, b""))
    watched(SourceEnded(run, 0, 3))
    watched(frame(run, 0, [0, 1, 2], [SUCCEEDED, FAILED, RETURNED]))
    watched(RedriveRequested("r", asked.arn))
    assert shown[0] == ("open", 0)
    assert ("closed", 3) in shown
    assert shown[-1] == ("open", 0)
