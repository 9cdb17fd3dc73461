"""Outcome frames: every outcome in exactly one frame, cut by count and bytes, readable slot by slot."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.ledger import accept, tally
from schemas.home import PAGE_SLOTS, ChildrenEnded
from schemas.pages import Pages
from services.child_runner.outbox import Outbox, ranges_of

positions = st.lists(st.integers(0, 400), unique=True, max_size=200)


@given(positions)
def test_ranges_name_the_positions(some: list[int]) -> None:
    """Flat ranges of ascending positions hold these positions and no others, in as few ranges as can be."""
    flat = ranges_of(sorted(some))
    assert sorted(some) == [p for f, c in zip(flat[::2], flat[1::2], strict=True) for p in range(f, f + c)]
    assert flat == Intervals(flat).flat()


@given(positions, st.integers(1, 90), st.integers(1, 2000))
def test_every_outcome_is_in_one_frame(some: list[int], children_max: int, bytes_max: int) -> None:
    """Frames keep their limits, hold each outcome once, and give each slot its own entry back."""
    box, pages = Outbox("r", 0), Pages()
    for p in some:
        box.add(p, 1 + p % 4, 1 + p % 2, msgspec.msgpack.encode([f"history of {p}"]), 0.0)
    frames = box.frames(3, 7, children_max, bytes_max, pages)
    assert not box.outcomes
    seen: dict[int, tuple[int, str]] = {}
    for frame in frames:
        assert 0 < len(frame.statuses) <= children_max
        slots = [p for f, c in zip(frame.ranges[::2], frame.ranges[1::2], strict=True) for p in range(f, f + c)]
        assert len(slots) == len(frame.statuses)
        for slot, p in enumerate(slots):
            entry = pages.unpack(frame.pages[slot // PAGE_SLOTS])[slot % PAGE_SLOTS]
            seen[p] = (frame.statuses[slot], msgspec.msgpack.decode(entry)[0])
    assert seen == {p: (1 + p % 4, f"history of {p}") for p in some}


@given(st.lists(positions, max_size=6), st.integers(0, 400))
def test_first_answer_counts(answers: list[list[int]], asked: int) -> None:
    """However often and in whatever frames a position is answered, it is counted once; unasked ones never."""
    answered = Intervals()
    counted = 0
    for some in answers:
        flat = ranges_of(sorted(some))
        frame = ChildrenEnded("r", 0, 0, flat, bytes([1] * len(some)), (), (), 0)
        pieces = accept(answered, asked, flat)
        counted += tally(frame, pieces).get(1, (0, 0))[0]
    assert set(answered) == {p for some in answers for p in some if p < asked}
    assert counted == len(answered)
