"""What the checker forbids an owner to call, for its journal holds the result."""

from typing import Any

import pytest

from maprun.bus.port import Record
from schemas import topics
from schemas.effects import SubmissionBegan, TaskSucceeded
from schemas.lanes import ChildAdvanced, Claimed, LaneAdvanced
from schemas.wire import encode
from tests.simulation.truth import LaneTruth

RUN, REF = "run", "A#1.0"
TOLD = (RUN, 0, 4, REF)
BEGAN, ENDED = SubmissionBegan(REF), TaskSucceeded(REF, b"{}")


def advanced(epoch: int, happening: Any) -> LaneAdvanced:
    """A record of what happened to the one child."""
    return LaneAdvanced(epoch, 0, 0, advanced=(ChildAdvanced(RUN, 0, 4, 0, happening),))


def truth_of(*facts: Claimed | LaneAdvanced) -> LaneTruth:
    """What a journal of these records says."""
    truth = LaneTruth()
    for offset, fact in enumerate(facts):
        truth.apply(Record(topics.LANE_JOURNAL.name, 0, offset, 0, None, encode(fact)))
    return truth


@pytest.mark.parametrize("again", [False, True])
def test_an_attempt_that_waits_may_be_called(again: bool) -> None:
    """That it was about to be submitted is no result; nor is one under a claim that was overtaken."""
    truth = truth_of(Claimed("runner-1"), advanced(0, BEGAN), Claimed("runner-2"), advanced(0, ENDED))
    assert not truth.forbids(TOLD, "runner-2.0", again=again)


def test_a_start_may_be_made_again_by_who_has_not_read_the_newer_claim() -> None:
    """The result stands under a claim behind that of the owner who calls: only a start of an execution may be made."""
    truth = truth_of(Claimed("runner-2"), Claimed("runner-1"), advanced(1, ENDED))
    assert not truth.forbids(TOLD, "runner-2.1", again=True)
    assert truth.forbids(TOLD, "runner-2.1", again=False)


def test_nobody_calls_whose_claim_lies_behind_the_result() -> None:
    """Who wrote the result, or claimed the lane after it, has read it: no call is made again."""
    truth = truth_of(Claimed("runner-1"), advanced(0, ENDED), Claimed("runner-2"), advanced(2, ENDED))
    assert truth.forbids(TOLD, "runner-1.0", again=True)
    assert truth.forbids(TOLD, "runner-2.1", again=True)
