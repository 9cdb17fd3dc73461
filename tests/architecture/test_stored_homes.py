"""Whatever a version that may be upgraded from has stored of a home goes on here."""

import pytest

from maprun.mapruns.fold.state import FOLD_VERSION, FOLD_VERSIONS_READ
from tests.architecture import stored_homes
from tests.architecture.stored_homes import PROGRAMS, Story

EXPECTED = {
    "waits": ("SUCCEEDED", {"a": [1, 2]}),
    "calls": ("SUCCEEDED", {"a": 1, "call": {"got": {"x": [1]}}}),
    "branches": ("SUCCEEDED", [{}, {"b": 2}]),
    "iterations": ("SUCCEEDED", [1, 2, 3]),
    "variables": ("SUCCEEDED", {"twice": 42}),
    "runs": ("SUCCEEDED", [0, 1, 2]),
    "fails": ("FAILED", ("E", "c")),
}


def test_the_newest_version_is_read_and_written() -> None:
    """A fold reads what it writes itself, and the bytes of each version that it reads are kept."""
    assert max(FOLD_VERSIONS_READ) == FOLD_VERSION
    kept = {int(file.stem.rpartition("v")[2]) for file in stored_homes.FOLDER.glob("home.v*.zst")}
    assert kept >= set(FOLD_VERSIONS_READ), "run python -m tests.architecture.stored_homes"


def test_the_story_ends_as_it_should() -> None:
    """Told in one go, every execution of the story ends as its definition says."""
    story = Story()
    story.begin()
    story.go_on()
    assert story.ended == EXPECTED
    assert set(EXPECTED) == set(PROGRAMS)


@pytest.mark.parametrize("version", FOLD_VERSIONS_READ)
def test_a_stored_home_goes_on_to_the_same_ends(version: int) -> None:
    """A home that an earlier version stored in the midst of its executions ends them as one never stored."""
    story = stored_homes.load(version)
    story.go_on()
    assert {name: end for name, end in EXPECTED.items() if name in story.ended} == story.ended
    assert set(story.ended) == set(EXPECTED)


def test_machines_and_answers_are_stored() -> None:
    """A home that is taken over knows its machines, versions and aliases, and what it answered to requests."""
    state = stored_homes.load(FOLD_VERSION).home.state
    version, machine = sorted(state.machines.values(), key=lambda machine: not machine.version)
    assert (machine.arn, machine.spec.definition) == (stored_homes.NAMES.machine("m"), PROGRAMS["waits"][0])
    assert (version.arn, version.description) == (f"{machine.arn}:1", "first")
    assert (machine.versions, [alias.routes for alias in machine.aliases]) == ((1,), [(1, 100)])
    assert list(state.answered) == ["make", "alias"]
