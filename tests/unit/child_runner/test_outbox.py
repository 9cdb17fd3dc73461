"""Outcome frames: every outcome in exactly one frame, cut by count and bytes, readable slot by slot."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.ledger import accept, tally
from schemas.effects import TaskSucceeded
from schemas.home import PAGE_SLOTS, ChildrenEnded
from schemas.pages import Pages
from schemas.ranges import ranges_of
from services.child_runner.limits import LaneLimits
from services.child_runner.outbox import Outbox
from tests.unit.child_runner.driver import TASK, Driver, opened

positions = st.lists(st.integers(0, 400), unique=True, max_size=200)


@given(positions, st.integers(1, 90), st.integers(1, 2000))
def test_every_outcome_is_in_one_frame(some: list[int], children_max: int, bytes_max: int) -> None:
    """Frames keep their limits, hold each outcome once, and give each slot its own entry back."""
    box, pages = Outbox("r", 0), Pages()
    for p in some:
        box.add(p, 1 + p % 4, 1 + p % 2, msgspec.msgpack.encode([f"history of {p}"]), 0.0, p)
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


@given(positions, st.data())
def test_a_redriven_frame_says_indexes_and_afterlives(some: list[int], data: st.DataObject) -> None:
    """From generation 1 on each slot tells the child's index, and what a redrive needs of it, if it needs anything."""
    box, pages = Outbox("r", 2), Pages()
    indexes = data.draw(st.permutations(range(1000, 1000 + len(some))))
    left = {p: (p % 3, b"remains" * (p % 2)) for p in some}
    for p, index in zip(some, indexes, strict=True):
        box.add(p, 2, 1, msgspec.msgpack.encode([p]), 0.0, index)
        box.keep_for_redrive(p, *left[p])
    seen = {}
    for frame in box.frames(3, 7, 50, 1 << 20, pages):
        slots = [p for f, c in zip(frame.ranges[::2], frame.ranges[1::2], strict=True) for p in range(f, f + c)]
        named = [i for f, c in zip(frame.indexes[::2], frame.indexes[1::2], strict=True) for i in range(f, f + c)]
        afterlives = pages.unpack_afterlives(frame.afterlives)
        for slot, (p, index) in enumerate(zip(slots, named, strict=True)):
            life = afterlives.get(slot)
            seen[p] = (index, (0, b"") if life is None else (life.redrive_count, life.remains))
    assert seen == {p: (index, left[p]) for p, index in zip(some, indexes, strict=True)}


@pytest.mark.parametrize(
    ("queued", "soon"),
    [
        (0, True),  # nothing waits: who gives out items must hear of it
        (100, True),  # items for a tenth of the time
        (2_000, False),  # plenty
    ],
)
def test_outcomes_wait_longer_while_items_last(queued: int, *, soon: bool) -> None:
    """A lane with items for a while says outcomes in few large frames; one that runs out of them says so at once."""
    driver = Driver(LaneLimits(journal_linger_seconds=1e9, progress_seconds=1e9))
    driver.signal(opened({"A": TASK}, quota=40, kind="EXPRESS"))
    driver.items(0, [b"1"] * (40 + queued))
    said_after_ms = 0
    for passed_ms in range(0, 300, 10):
        if passed_ms <= 10:
            for start in driver.starts[:10]:  # ten end in the first moment, and ten a little later
                driver.outcome(start, TaskSucceeded(start.request.ref, b"1"))
        driver.turn(0.01)
        if driver.answers:
            said_after_ms = passed_ms + 10
            break
    assert said_after_ms in (range(20, 41) if soon else range(200, 221))
