"""Sets of positions, and which entries of a frame count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.ledger import Piece, accept, tally
from schemas.home import FAILED, SUCCEEDED
from tests.unit.mapruns.programs import frame

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=12)


@given(RANGES, st.integers(0, 70), st.integers(0, 20))
def test_intervals_are_a_set(ranges: list[tuple[int, int]], first: int, count: int) -> None:
    """Membership, size, order, gaps and prefix are those of a plain set of the same positions."""
    intervals, model = Intervals(), set[int]()
    for start, length in ranges:
        intervals.add(start, length)
        model |= set(range(start, start + length))
    asked = set(range(first, first + count))
    assert list(intervals) == sorted(model)
    assert len(intervals) == len(model)
    assert (first in intervals) == (first in model)
    assert intervals.covers(first, count) == (asked <= model)
    assert intervals.overlaps(first, count) == bool(asked & model)
    assert {p for s, n in intervals.missing(first, count) for p in range(s, s + n)} == asked - model
    assert intervals.prefix() == next(p for p in range(100) if p not in model)
    assert Intervals(intervals.flat()) == intervals
    touching = [e for e, s in zip(intervals.ends, intervals.starts[1:], strict=False) if e >= s]
    assert touching == []


@given(st.lists(RANGES, max_size=6), st.integers(0, 60))
def test_each_position_is_accepted_once_and_none_past_what_was_asked(
    frames: list[list[tuple[int, int]]], asked: int
) -> None:
    """However frames overlap, repeat and overreach: the first answer to each position asked for counts, no other."""
    answered = Intervals()
    accepted: list[int] = []
    for ranges in frames:
        flat = [n for pair in ranges for n in pair]
        slots = [p for first, count in ranges for p in range(first, first + count)]
        for piece in accept(answered, asked, flat):
            assert slots[piece.slot : piece.slot + piece.count] == list(
                range(piece.position, piece.position + piece.count)
            )
            accepted += range(piece.position, piece.position + piece.count)
    wanted = {p for ranges in frames for first, count in ranges for p in range(first, first + count) if p < asked}
    assert sorted(accepted) == sorted(wanted)
    assert set(answered) == wanted


def test_the_same_frame_again_brings_nothing() -> None:
    """A redelivered ChildrenEnded has no accepted entry."""
    answered = Intervals()
    assert accept(answered, 10, (2, 3, 7, 1)) == [Piece(0, 2, 3), Piece(3, 7, 1)]
    assert accept(answered, 10, (2, 3, 7, 1)) == []


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ((), {SUCCEEDED: (2, 2), FAILED: (1, 1)}),
        ((5, 6, 7, 8), {SUCCEEDED: (2, 13), FAILED: (1, 7)}),
    ],
)
def test_counts_are_of_accepted_slots_only(items: tuple[int, ...], expected: dict[int, tuple[int, int]]) -> None:
    """Children and items of slots that don't count are not counted; without item counts each child has one."""
    told = frame("run", 0, [0, 1, 2, 3], [SUCCEEDED, SUCCEEDED, FAILED, SUCCEEDED], items=items)
    pieces = [Piece(0, 0, 1), Piece(2, 2, 2)]
    assert tally(told, pieces) == expected
