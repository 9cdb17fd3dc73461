"""A redrive of chosen children: they alone run again, others stand as they were, a later redrive has them all."""

from typing import Any

import msgspec
import pytest

from maprun.mapruns.fold.outputs import RootChanged
from maprun.mapruns.redrives import CHANGED, LostChild, chosen_of
from maprun.mapruns.run import Run
from maprun.mapruns.verdicts import item_counts
from schemas.asks import ItemsRequested
from schemas.effects import REDRIVEN_IN_PART
from schemas.home import (
    ABORTED,
    FAILED,
    RETURNED,
    SUCCEEDED,
    TIMED_OUT,
    ChosenChildren,
    ItemsRead,
    RedriveRequested,
)
from tests.unit.mapruns.folding import Folding, answers, sent, statuses
from tests.unit.mapruns.programs import frame
from tests.unit.mapruns.test_redrive import failed_run, redrivable

ENDS = [SUCCEEDED, FAILED, RETURNED, TIMED_OUT, ABORTED, FAILED, SUCCEEDED]


def choice(folding: Folding, arn: str, run: str, *indexes: int, offset: int | None = None) -> ChosenChildren:
    """What a request says of these children, all of which ended in the frame at an offset (the last record's)."""
    at = folding.state.offset if offset is None else offset
    return chosen_of(kept(folding, arn, run), [LostChild(i, ENDS[i % len(ENDS)], at, 1) for i in indexes])


def kept(folding: Folding, arn: str, run: str) -> Run:
    """A run that is over."""
    return redrivable(folding, arn).kept[run]


def shown(run: Run) -> dict[str, int]:
    """The counts of children that are not zero."""
    return {name: n for name, n in item_counts(run, 0, 0)[1].items() if n}


def test_the_chosen_children_alone_run_again() -> None:
    """What is asked for holds them and nothing behind them; the counts of all others stay as they were."""
    folding = Folding()
    arn, run = failed_run(folding, ENDS)
    [ask] = sent(folding.put(RedriveRequested("r", arn, choice(folding, arn, run, 1, 3))), ItemsRequested)
    assert [(stage.lost, stage.skip, stage.count) for stage in ask.stages] == [(True, 0, 2)]
    assert sum(ask.windows[1::3]) == 2
    now = folding.state.runs[run]
    assert shown(now) == {"total": 7, "succeeded": 2, "failed": 1, "aborted": 1, "pendingRedrive": 2, "pending": 1}
    folding.put(ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(FAILED, 1, 1, TIMED_OUT, 1, 1)))
    outputs = folding.put(frame(run, 0, [0, 1], [SUCCEEDED, SUCCEEDED], generation=1, indexes=(1, 1, 3, 1)))
    assert statuses(outputs) == ["FAILED"]
    [changed] = [output for output in outputs if isinstance(output, RootChanged) and output.root.status == "FAILED"]
    assert changed.root.error == REDRIVEN_IN_PART
    assert (changed.root.cause or "").startswith("Only the 2 child executions that were chosen have run again.")
    assert shown(kept(folding, arn, run)) == {
        "total": 7,
        "resultsWritten": 7,
        "succeeded": 4,
        "failed": 1,
        "aborted": 1,
        "pending": 1,
    }


def test_a_later_redrive_runs_all_that_is_left() -> None:
    """Chosen children that failed again come first, then those that were not chosen, then those never started."""
    folding = Folding()
    arn, run = failed_run(folding, ENDS)
    folding.put(RedriveRequested("r", arn, choice(folding, arn, run, 1, 3)))
    folding.put(ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(FAILED, 1, 1, TIMED_OUT, 1, 1)))
    folding.put(frame(run, 0, [0, 1], [SUCCEEDED, FAILED], generation=1, indexes=(1, 1, 3, 1)))
    folding.put(RedriveRequested("r2", arn))
    now = folding.state.runs[run]
    stages = [(s.generation, s.lost, s.skip, s.count, len(s.cuts)) for s in now.stages]
    assert stages == [(1, True, 0, 1, 0), (0, True, 0, 2, 1), (0, False, 0, 1, 0)]
    assert shown(now) == {"total": 7, "succeeded": 3, "pendingRedrive": 3, "pending": 1}
    assert now.total == 4


def test_a_run_succeeds_when_what_is_left_is_tolerated() -> None:
    """Failures that were not chosen count against the tolerance once the chosen ones are answered."""
    for tolerated, ended in ((2, ["FAILED"]), (3, ["SUCCEEDED"])):
        folding = Folding()
        arn, run = failed_run(folding, [FAILED] * 4, tolerated_failure_count=2)
        chosen = chosen_of(kept(folding, arn, run), [LostChild(2, FAILED, folding.state.offset, 1)])
        folding.put(RedriveRequested("r", arn, chosen))
        now = folding.state.runs[run]
        now.plan = msgspec.structs.replace(now.plan, tolerated_failure_count=tolerated)
        folding.put(ItemsRead(run, 1, 0, 1, 1, 1, b"", redriven=(FAILED, 1, 1)))
        assert statuses(folding.put(frame(run, 0, [0], [SUCCEEDED], generation=1, indexes=(2, 1)))) == ended


def test_a_source_that_was_not_read_to_its_end_is_left_alone() -> None:
    """Nothing is asked for behind the chosen children; the next redrive goes on where the source was left."""
    folding = Folding()
    arn, run = failed_run(folding, [FAILED, FAILED])
    root = redrivable(folding, arn)
    root.kept[run].source_over, root.kept[run].total = False, None
    chosen = chosen_of(root.kept[run], [LostChild(0, FAILED, folding.state.offset, 1)])
    [ask] = sent(folding.put(RedriveRequested("r", arn, chosen)), ItemsRequested)
    assert sum(ask.windows[1::3]) == 1
    folding.put(ItemsRead(run, 1, 0, 1, 1, 1, b"", redriven=(FAILED, 1, 1)))
    assert statuses(folding.put(frame(run, 0, [0], [SUCCEEDED], generation=1, indexes=(0, 1)))) == ["FAILED"]
    folding.put(RedriveRequested("r2", arn))
    assert folding.state.runs[run].total is None


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 1},
        {"of_stages": (3,)},
        {"of_stages": (4, 0)},
        {"of_stages": (0, 1)},
        {"of_stages": (0, 0), "tallies": ()},
        {"tallies": (FAILED, 3, 3)},
        {"tallies": (FAILED, 1, 3, TIMED_OUT, 1, 1)},
        {"run": "another"},
    ],
)
def test_what_does_not_fit_the_run_is_refused(change: dict[str, Any]) -> None:
    """A choice of a run that has changed since, or never was so, changes nothing."""
    folding = Folding()
    arn, run = failed_run(folding, ENDS)
    chosen = msgspec.structs.replace(choice(folding, arn, run, 1, 3), **change)
    [answer] = answers(folding.put(RedriveRequested("r", arn, chosen)))
    assert (answer.error, answer.message) == ("ValidationException", CHANGED)
    assert not folding.state.runs
    [answer] = answers(folding.put(RedriveRequested("r2", arn)))
    assert not answer.error


def test_only_children_that_were_lost_can_be_chosen() -> None:
    """One that succeeded, never started, or ended in another generation is none."""
    folding = Folding()
    arn, run = failed_run(folding, ENDS)
    with pytest.raises(LookupError):
        choice(folding, arn, run, 1, offset=0)
    last = folding.state.offset
    folding.put(RedriveRequested("r", arn, choice(folding, arn, run, 1, 3)))
    folding.put(ItemsRead(run, 1, 0, 2, 2, 2, b"", redriven=(FAILED, 1, 1, TIMED_OUT, 1, 1)))
    folding.put(frame(run, 0, [0, 1], [FAILED, TIMED_OUT], generation=1, indexes=(1, 1, 3, 1)))
    with pytest.raises(LookupError):
        choice(folding, arn, run, 1, offset=last)
    assert choice(folding, arn, run, 1, 3).of_stages == (2, 0, 0)
    assert choice(folding, arn, run, 4, offset=last).of_stages == (0, 1, 0)
