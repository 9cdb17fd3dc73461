"""Whatever a release stored of a lane, and of histories, goes on here and reads as it did."""

import json

import pytest

from schemas.home import FAILED, SUCCEEDED, ChildrenEnded
from schemas.lanes import LaneSnapshot
from services.child_runner.journal import decode_journal
from tests.architecture.stored_lanes import BREAKS, KINDS, Story, load, shown, versions
from tests.unit.child_runner.driver import RUN

OUTPUTS = {
    (0, 0): {"do": "Now", "n": 0},
    (0, 1): {"by": "Talk11"},
    (0, 3): {"by": "Talk11"},
    (0, 4): {"do": "Wait", "n": 4},
    (0, 5): "told",
    (0, 6): [{"do": "Both", "n": 6}, {"by": "Call"}],
    (0, 7): {"by": "Retry"},
    (0, 8): {"do": "Now", "n": 8},
    (0, 9): {"do": "Wait", "n": 9},
    (1, 0): {"by": "Break"},
}
"""By generation and position; the child that is missing failed and is redriven as the last one."""


def outputs(story: Story) -> dict[tuple[int, int], object]:
    """The outputs of the children that succeeded."""
    ended = {key: shown(answer)[-1] for key, answer in story.answers.items() if answer.status == SUCCEEDED}
    return {key: json.loads(last["executionSucceededEventDetails"]["output"]) for key, last in ended.items()}


@pytest.fixture(scope="module")
def whole() -> Story:
    """The story told in one go, by one owner, by today's code."""
    story = Story()
    story.begin()
    story.go_on()
    return story


def test_the_story_ends_as_it_should(whole: Story) -> None:
    """Every child ends as its definition says, some with histories in pages, and the one that failed is redriven."""
    assert outputs(whole) == OUTPUTS
    assert [key for key, answer in whole.answers.items() if answer.status == FAILED] == [(0, BREAKS)]
    assert [p for (_, p), answer in whole.answers.items() if answer.pages] == [
        p for p, kind in enumerate(KINDS) if kind == "Talk0"
    ]


@pytest.mark.parametrize("version", versions())
def test_a_stored_lane_goes_on_to_the_same_ends(version: int, whole: Story) -> None:
    """From a journal cut at its snapshot, a new owner ends each child once, with the events it would have had."""
    story = Story()
    story.restore(load(version))
    assert ("gone", 0) in story.lane.memory.over
    assert story.lane.memory.runs[RUN, 0].finished.flat() == (0, 3)
    story.go_on()
    assert outputs(story) == OUTPUTS
    assert sum(len(fact.statuses) for fact in story.home if isinstance(fact, ChildrenEnded)) == len(story.answers)
    assert {key: shown(answer) for key, answer in story.answers.items()} == {
        key: shown(answer) for key, answer in whole.answers.items()
    }


@pytest.mark.parametrize("version", versions())
def test_a_stored_history_reads_as_it_did(version: int) -> None:
    """What frames and pages tell of children that had ended is, event by event, what they told then."""
    kept = load(version)
    story = Story()
    story.restore(kept)
    assert {position: shown(story.answers[0, position]) for position in kept.told} == kept.told
    assert any(story.answers[0, position].pages for position in kept.told)


def test_a_version_is_kept() -> None:
    """Its journal begins with a snapshot that tells of children under way, and records follow."""
    assert versions(), "run python -m tests.architecture.stored_lanes"
    first, *others = map(decode_journal, load(versions()[-1]).journal)
    assert isinstance(first, LaneSnapshot)
    assert first.past
    assert others
