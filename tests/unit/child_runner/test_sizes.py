"""Whatever a lane writes fits a record, whatever texts it holds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maprun.interpreter.outcomes import bounded
from maprun.runtime.limits import Limits
from schemas.effects import Happening, MapRunFailed, MapRunSucceeded, TaskFailed, TaskSucceeded, TimerFired
from schemas.home import FAILED, REJECTED
from schemas.lanes import ChildAdopted, ChildAdvanced, LaneAdvanced, Positions, RunOver
from schemas.pages import Pages
from schemas.wire import encode
from services.child_runner.journal import LaneMemory
from services.child_runner.journal_pieces import cut
from services.child_runner.limits import limits_of
from services.child_runner.outbox import Outbox

BYTES_MAX, FACT_BYTES_MAX, HEAD_BYTES = 4_000, 3_000, 200
texts = st.one_of(st.text(max_size=400), st.integers(0, 700).map("\u20ac".__mul__))
outcomes: st.SearchStrategy[Happening | None] = st.one_of(
    st.none(),
    st.builds(TaskFailed, texts, texts, texts),
    st.builds(TaskSucceeded, texts, st.binary(max_size=2_000)),
    st.builds(MapRunFailed, texts, texts, texts),
    st.builds(MapRunSucceeded, texts, st.binary(max_size=2_000)),
    st.builds(TimerFired, texts),
)
advanced = st.builds(ChildAdvanced, st.just("r"), st.just(0), st.integers(0, 9), st.integers(0, 2**45), outcomes)
adopted = st.builds(
    ChildAdopted, st.just("r"), st.just(0), st.integers(20, 2**40), st.binary(max_size=2_000), st.just(1), st.just(1)
)
ranges = st.lists(st.integers(0, 2**50), max_size=600).map(lambda some: tuple(n for first in some for n in (first, 1)))


@given(
    st.lists(advanced, max_size=30),
    st.lists(adopted, max_size=10),
    ranges,
    st.lists(texts, max_size=40),
)
def test_pieces_of_the_journal_fit_and_leave_nothing_out(
    facts: list[ChildAdvanced], children: list[ChildAdopted], done: tuple[int, ...], over: list[str]
) -> None:
    """Every piece is as large as it may be at most, by its real bytes; together they hold every fact once, in order."""
    ended = tuple(RunOver(text, 1) for text in over)
    record = LaneAdvanced(3, 9, 9, (Positions("q", 0, done),), tuple(facts), tuple(children), (), ended)
    pieces = cut(record, (1, 1), BYTES_MAX, 500)
    for piece in pieces:
        largest = max([0, *(len(encode(fact)) for fact in (*piece.advanced, *piece.adopted, *piece.over))])
        assert len(encode(piece)) <= max(BYTES_MAX, largest) + HEAD_BYTES
    assert [fact for piece in pieces for fact in piece.advanced] == facts
    assert [fact for piece in pieces for fact in piece.adopted] == children
    assert [n for piece in pieces for positions in piece.finished for n in positions.ranges] == list(done)
    assert [run for piece in pieces for run in piece.over] == list(ended)


@given(st.lists(advanced, max_size=40), ranges)
def test_pieces_of_a_snapshot_fit(facts: list[ChildAdvanced], done: tuple[int, ...]) -> None:
    """Causes count as outputs do: no piece of a snapshot is larger than a record may be."""
    memory = LaneMemory()
    memory.apply(0, LaneAdvanced(-1, 0, 0, (Positions("q", 0, done),), tuple(facts)))
    for piece in memory.snapshot(BYTES_MAX):
        largest = max([0, *(len(encode(fact)) for fact in piece.past)])
        assert len(encode(piece)) <= max(BYTES_MAX, largest) + HEAD_BYTES


def test_four_hundred_failures_with_long_causes_fit() -> None:
    """400 Tasks that fail at once with 32,768 characters each are journaled in records far below the limit."""
    facts = tuple(ChildAdvanced("r", 0, n, 1, TaskFailed("t", "Boom", "\u20ac" * 32_768)) for n in range(400))
    limits = limits_of(262_144, Limits().value_bytes_max)
    pieces = cut(LaneAdvanced(0, 1, 1, (), facts), (0, 0), limits.journal_bytes_max, limits.journal_facts_max)
    assert max(len(encode(piece)) for piece in pieces) <= limits.journal_bytes_max + HEAD_BYTES


@given(st.lists(st.tuples(st.integers(1, 6), st.binary(max_size=9_000), st.binary(max_size=300)), max_size=30))
def test_frames_of_outcomes_fit(entries: list[tuple[int, bytes, bytes]]) -> None:
    """However little entries can be compressed, a frame takes what it may and one outcome more."""
    box, pages = Outbox("r", 1), Pages()
    for position, (status, entry, remains) in enumerate(entries):
        box.add(position, status, 1, msgspec.msgpack.encode([entry]), 0.0, position)
        box.keep_for_redrive(position, 1, remains if status == FAILED else b"")
        if status == REJECTED:
            box.error = ("E", "c" * 900)
    for frame in box.frames(0, 0, 500, 5_000, pages):
        assert len(encode(frame)) <= 5_000 + 9_300 + 900 + 50 * len(frame.statuses) + HEAD_BYTES


@pytest.mark.parametrize("record_bytes_max", [2 << 20, 8 << 20, 10 << 20, 64 << 20])
def test_limits_follow_from_the_largest_record(record_bytes_max: int) -> None:
    """Whatever a cluster lets a record be, a frame, a journal record and a plan are below it."""
    process = Limits(record_bytes_max=record_bytes_max)
    limits = limits_of(262_144, process.value_bytes_max)
    assert limits.frame_bytes_max + limits.entry_bytes_max + (256 << 10) < record_bytes_max
    assert limits.journal_bytes_max + limits.outcome_bytes_max < record_bytes_max
    assert process.plan_bytes_max + process.request_bytes_max < record_bytes_max
    assert process.plan_bytes_max > 3 * process.payload_bytes_max


@given(outcomes.filter(lambda happening: happening is not None), st.integers(0, 1_500))
def test_an_answer_that_is_too_large_is_a_failure(happening: Happening, bytes_max: int) -> None:
    """An output above the limit fails its state in AWS's words; error and cause have AWS's lengths; the ref stays."""
    known = bounded(happening, "S", bytes_max)
    assert getattr(known, "ref", "") == getattr(happening, "ref", "")
    if len(getattr(happening, "output", b"")) > bytes_max:
        assert isinstance(known, TaskFailed | MapRunFailed)
        assert known.error == "States.DataLimitExceeded"
        assert known.cause.startswith("The state/task 'S' returned a result with a size exceeding")
    if isinstance(known, TaskFailed | MapRunFailed):
        assert len(known.error) <= 256
        assert len(known.cause) <= 32_768
