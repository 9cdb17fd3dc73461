"""The children a redrive runs again, found in the outcome frames of earlier generations."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from maprun.mapruns.child_sets import ChildSet
from maprun.mapruns.results.stages import Slots, StagedChild, StageLedger, children
from schemas.asks import RedriveStage, StageCut
from schemas.home import ABORTED, FAILED, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT, ChildrenEnded
from schemas.pages import Pages
from tests.unit.mapruns.generations import EVERY, RUN, Child, of_kind, outcome, stage

STATUSES = (SUCCEEDED, FAILED, TIMED_OUT, ABORTED, RETURNED, REJECTED)


@st.composite
def generations(draw: st.DrawFn) -> tuple[list[ChildrenEnded], list[Child]]:
    """Frames of one generation with answers told twice, and the first answers in log order."""
    number = draw(st.integers(0, 2))
    size = draw(st.integers(0, 200))
    shift = draw(st.integers(0, 1000)) if number else 0
    indexes = draw(st.permutations(range(size))) if number and size < 40 else list(range(size))
    frames, first, told = [], [], set[int]()
    for _ in range(draw(st.integers(0, 5))):
        positions = draw(st.lists(st.integers(0, size - 1), unique=True, max_size=150)) if size else []
        if draw(st.booleans()):
            positions.sort()
        answers = {}
        for position in positions:
            status = draw(st.sampled_from(STATUSES))
            redrives = draw(st.integers(0, 2)) if status in {FAILED, SUCCEEDED} else 0
            child = Child(
                indexes[position] + shift, status, redrives, draw(st.integers(1, 3)), b"r" if status == FAILED else b""
            )
            answers[position] = child
            if position not in told:
                told.add(position)
                first.append(child)
        if answers:
            frames.append(outcome(number, answers))
    return frames, first


def read(frames: list[ChildrenEnded], which: RedriveStage) -> list[StagedChild]:
    """Everything a stage finds."""
    ledger, pages = StageLedger(RUN, which), Pages()
    return [child for frame in frames for child in children(frame, ledger.take(frame), pages)]


def told(child: Child) -> StagedChild:
    """The child as a stage must give it."""
    return StagedChild(
        child.index, child.items, child.status, child.redrive_count, msgspec.Raw(child.entry), child.remains
    )


@given(generations(), st.booleans(), st.integers(0, 30), st.integers(0, 60))
def test_a_stage_finds_the_first_answers_of_its_kind_in_log_order(
    generation: tuple[list[ChildrenEnded], list[Child]], lost: bool, skip: int, count: int
) -> None:
    """Any frames, any cut: each child once, as its first answer says; `skip` and `count` cut that list and no other."""
    frames, first = generation
    number = frames[0].generation if frames else 0
    expected = [told(child) for child in of_kind(first, lost=lost)]
    assert read(frames, stage(number, lost=lost)) == expected
    assert read(frames, stage(number, lost=lost, skip=skip, count=count)) == expected[skip : skip + count]
    assert read([*frames, *frames], stage(number, lost=lost)) == expected  # seen again it adds nothing


CUTS = st.lists(st.tuples(st.integers(0, 9), st.frozensets(st.integers(0, 60)), st.booleans()), max_size=3)


@given(generations(), st.booleans(), CUTS, st.integers(0, 30), st.integers(0, 60))
def test_each_cut_leaves_some_of_those_before_it(
    generation: tuple[list[ChildrenEnded], list[Child]],
    lost: bool,
    cuts: list[tuple[int, frozenset[int], bool]],
    skip: int,
    count: int,
) -> None:
    """A cut passes over its first ones and leaves those inside or outside of its set, whatever frames they stand in."""
    frames, first = generation
    number = frames[0].generation if frames else 0
    expected = of_kind(first, lost=lost)
    for passed, members, inside in cuts:
        expected = [child for child in expected[passed:] if (child.index in members) == inside]
    made = tuple(StageCut(n, ChildSet((m, 1) for m in members).encode(), inside) for n, members, inside in cuts)
    which = msgspec.structs.replace(stage(number, lost=lost, skip=skip, count=count), cuts=made)
    assert read([*frames, *frames], which) == [told(child) for child in expected[skip : skip + count]]


@given(generations(), st.booleans(), st.integers(0, 30), st.integers(0, 60))
def test_ranks_count_the_children_of_a_stage(
    generation: tuple[list[ChildrenEnded], list[Child]], lost: bool, skip: int, count: int
) -> None:
    """Ranks are 0, 1, 2 … over all frames; the ledger says how many it found and when it is done."""
    frames, first = generation
    number = frames[0].generation if frames else 0
    ledger = StageLedger(RUN, stage(number, lost=lost, skip=skip, count=count))
    slots = [run for frame in frames for run in ledger.take(frame)]
    assert [run.rank + i for run in slots for i in range(run.count)] == list(range(ledger.found))
    assert ledger.found == len(of_kind(first, lost=lost)[skip : skip + count])
    assert ledger.complete == (ledger.found == count)


@given(generations())
def test_those_that_succeeded_are_found_too(generation: tuple[list[ChildrenEnded], list[Child]]) -> None:
    """The successes of a generation, by the same rule."""
    frames, first = generation
    number = frames[0].generation if frames else 0
    ledger, pages = StageLedger.succeeded(RUN, stage(number, lost=False)), Pages()
    found = [child for frame in frames for child in children(frame, ledger.take(frame), pages)]
    assert found == [told(child) for child in first if child.status == SUCCEEDED]


def test_positions_that_were_never_asked_for_do_not_count() -> None:
    """The fold's rule: an answer at or past `asked` is none."""
    frame = outcome(0, {n: Child(n, FAILED) for n in range(5)})
    stage_ = RedriveStage(0, 0, 9, 3, True, 0, EVERY)
    assert StageLedger(RUN, stage_).take(frame) == [Slots(0, 0, 0, 3)]


def test_frames_of_others_are_passed_over() -> None:
    """Home holds other runs and other generations: their frames neither count nor answer a position."""
    ledger = StageLedger(RUN, stage(1, lost=True))
    assert ledger.take(outcome(0, {0: Child(0, FAILED)})) == []
    assert ledger.take(outcome(1, {0: Child(7, FAILED)}, run="another")) == []
    assert ledger.take(outcome(1, {0: Child(7, FAILED)})) == [Slots(0, 0, 7, 1)]


def test_only_pages_that_hold_one_are_unpacked() -> None:
    """Of a thousand successes with one failure among them one page is read: damage elsewhere goes unnoticed."""
    frame = outcome(0, {n: Child(n, FAILED if n == 700 else SUCCEEDED) for n in range(1_000)})
    pages = tuple(page if i == 700 // 64 else b"damaged" for i, page in enumerate(frame.pages))
    damaged = msgspec.structs.replace(frame, pages=pages)
    assert [child.index for child in read([damaged], stage(0, lost=True))] == [700]
