"""Pieces of snapshots, and the pace of snapshots."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.limits import SchedulerLimits
from services.scheduler.snapshot_pieces import SnapshotPace, SnapshotSearch, cut_snapshot, lost_before, snapshot_key


@given(st.binary(max_size=3_000), st.integers(1, 500), st.randoms(use_true_random=False))
def test_a_snapshot_is_whole_or_not_there(state: bytes, size: int, chance: random.Random) -> None:
    """All pieces in any order give the state back; with one missing an older whole snapshot is the newest."""
    new, old = cut_snapshot(3, 20, 1, state, size), cut_snapshot(3, 10, 1, b"older", size)
    pieces = [*new, *old]
    chance.shuffle(pieces)
    search = SnapshotSearch(3, (1,))
    for piece in pieces:
        assert len(piece.body) <= size
        search.add(piece)
    found = search.newest()
    assert found is not None
    assert (found.offset, found.state, found.chunks) == (20, state, len(new))
    search.drop(found)
    lost = chance.choice(new)
    for piece in new:
        if piece is not lost:
            search.add(piece)
    found = search.newest()
    assert found is not None
    assert (found.offset, found.state) == (10, b"older")


def test_pieces_of_another_rule_home_or_state_are_not_mixed_in() -> None:
    """Another fold version or home doesn't count; two states of one offset are never put together."""
    search = SnapshotSearch(0, (2,))
    ours, theirs = cut_snapshot(0, 5, 2, b"a" * 900, 9), cut_snapshot(0, 5, 2, bytes(range(256)), 150)
    for piece in [*cut_snapshot(0, 9, 1, b"x", 9), *cut_snapshot(1, 9, 2, b"x", 9), ours[0], theirs[1]]:
        search.add(piece)
    assert search.newest() is None
    assert snapshot_key(0, 5, 2, 1) == b"0|5|2|1"


def test_the_newest_snapshot_counts_whichever_version_wrote_it() -> None:
    """Of the versions that are read the furthest wins, and of one offset the newer version's."""
    search = SnapshotSearch(0, (2, 3))
    for offset, version in ((5, 3), (7, 2), (7, 1), (9, 4)):
        for piece in cut_snapshot(0, offset, version, f"{offset} by {version}".encode(), 9):
            search.add(piece)
    found = search.newest()
    assert found is not None
    assert (found.offset, found.version, found.state) == (7, 2, b"7 by 2")
    for piece in cut_snapshot(0, 7, 3, b"7 by 3", 9):
        search.add(piece)
    found = search.newest()
    assert found is not None
    assert found.version == 3
    search.drop(found)
    found = search.newest()
    assert found is not None
    assert found.version == 2


@pytest.mark.parametrize(
    ("folded", "start", "lost"),
    [(-1, 0, False), (-1, 1, True), (9, 0, False), (9, 10, False), (9, 11, True), (99, 10, False)],
)
def test_a_home_is_not_folded_without_its_beginning(folded: int, start: int, *, lost: bool) -> None:
    """Records that home no longer holds are known from a snapshot that reaches them, or the owner refuses."""
    assert bool(lost_before(2, folded, start)) == lost


LIMITS = SchedulerLimits(
    snapshot_log_bytes=1_000,
    snapshot_log_records=10,
    snapshot_size_factor=4,
    snapshot_quiet_seconds=3,
    snapshot_quiet_log_share=0.5,
    snapshot_quiet_seconds_max=300,
)


@pytest.mark.parametrize(
    ("size", "records", "folded", "quiet", "since", "due"),
    [
        (0, 0, 0, 100.0, 1_000.0, False),  # nothing new
        (0, 9, 999, 0.0, 0.0, False),
        (0, 1, 1_000, 0.0, 0.0, True),
        (0, 10, 10, 0.0, 0.0, True),
        (1_000, 10, 3_999, 0.0, 0.0, False),  # a large state waits for its size
        (1_000, 10, 4_000, 0.0, 0.0, True),
        (0, 1, 10, 2.9, 2.9, False),
        (0, 1, 10, 3.0, 3.0, True),  # quiet
        (1_000, 1, 499, 3.0, 3.0, False),
        (1_000, 1, 500, 3.0, 3.0, True),
        (1_000, 1, 10, 3.0, 300.0, True),
    ],
)
def test_when_a_snapshot_is_due(size: int, records: int, folded: int, quiet: float, since: float, due: bool) -> None:
    """By what was folded, by how large the last one was, by how long nothing came."""
    pace = SnapshotPace(LIMITS, 0.0)
    pace.written(50.0, size)
    pace.folded(records, folded)
    assert pace.due(50.0 + since, quiet) is due
