"""The parts of a lane, each alone: none of them needs a lane, a log or a run that is open."""

import msgspec
import pytest

from schemas.effects import TaskRequested, TaskSucceeded
from schemas.lanes import ChildAdopted, ChildAdvanced, ItemFrame, Positions, RunOver
from services.child_runner.held_frames import HeldFrames
from services.child_runner.journal_draft import JournalDraft
from services.child_runner.limits import LaneLimits
from services.child_runner.memory_budget import BudgetShare, MemoryBudget
from services.child_runner.task_calls import TaskCalls, TaskStart, TaskStop

LIMITS = LaneLimits(journal_linger_seconds=1.0, journal_facts_max=2)
RUN = ("r", 0)


def start(position: int) -> TaskStart:
    """A call to be made for the child at a position."""
    request = TaskRequested(f"t{position}", "resource", b"{}")
    return TaskStart(RUN, position, request, "key")


def fact(position: int) -> ChildAdvanced:
    """A Task of the child at a position answered."""
    return ChildAdvanced(*RUN, position, 1, TaskSucceeded("t", b"{}"))


# ---------------------------------------------------------------------- memory


def test_a_lane_that_goes_gives_back_what_it_took_and_no_more() -> None:
    """Two lanes share a budget: what one took comes back whole when it goes, what the other took stays."""
    budget = MemoryBudget(10)
    one, other = BudgetShare(budget), BudgetShare(budget)
    one.take(6)
    one.take(3)
    other.take(1)
    before = budget.full
    one.give_back(6)
    assert (before, budget.full) == (True, False)
    one.give_all_back()
    one.give_all_back()
    assert (one.used, other.used, budget.used) == (0, 1, 1)


# ---------------------------------------------------------------------- calls of Tasks


def test_calls_are_made_in_order_a_few_at_a_time() -> None:
    """So many at once as are asked for; the others wait their turn."""
    calls = TaskCalls(0.2)
    for position in range(5):
        calls.start(start(position))
    assert [call.position for call in calls.take_starts(3)] == [0, 1, 2]
    assert calls.waiting
    assert [call.position for call in calls.take_starts(3)] == [3, 4]
    assert not calls.waiting


def test_calls_that_are_put_off_come_again_after_a_while() -> None:
    """The first refusal sets the time; what is refused meanwhile comes with it, and nothing is lost."""
    calls = TaskCalls(0.5)
    calls.put_off(0.5)
    assert calls.retry_in_seconds(0.5) is None
    calls.start(start(0))
    calls.put_off(1.0)
    calls.start(start(1))
    calls.put_off(1.25)
    assert calls.retry_in_seconds(1.25) == pytest.approx(0.25)
    calls.try_again(1.25)
    assert not calls.waiting
    calls.try_again(1.5)
    assert [call.position for call in calls.take_starts(9)] == [0, 1]
    assert calls.retry_in_seconds(1.5) is None


def test_stops_are_handed_over_once() -> None:
    """A call is given up once."""
    calls = TaskCalls(0.5)
    calls.stop(TaskStop(RUN, 0, "t0"))
    assert calls.take_stops() == [TaskStop(RUN, 0, "t0")]
    assert calls.take_stops() == []


# ---------------------------------------------------------------------- the journal's draft


def test_facts_wait_for_company_unless_a_child_waits_for_one() -> None:
    """The oldest fact sets the time; an urgent one makes the record due at once."""
    draft = JournalDraft(7, (3, 2), LIMITS)
    assert draft.due_in_seconds(9.0, 0) is None
    draft.advance(fact(0), 1.0, urgent=False)
    draft.finish(RUN, (5, 1), 1.5)
    assert draft.due_in_seconds(1.5, 0) == pytest.approx(0.5)
    draft.advance(fact(1), 1.6, urgent=True)
    assert draft.due_in_seconds(1.6, 0) == 0.0
    assert len(draft.take(4, 2)) == 1
    assert draft.due_in_seconds(9.0, 0) is None
    draft.advance(fact(1), 3.0, urgent=False)
    assert draft.due_in_seconds(3.0, 0) == pytest.approx(1.0)


def test_what_a_child_waits_for_waits_for_company_that_is_sure_to_come() -> None:
    """With many calls under way it is due a little later than the oldest fact came; when a record is full, at once."""
    limits = LaneLimits(outcomes_linger_seconds=0.5, outcomes_company_calls=3, journal_facts_max=4)
    draft = JournalDraft(7, (3, 2), limits)
    draft.advance(fact(0), 1.0, urgent=True)
    assert draft.due_in_seconds(1.0, 2) == 0.0
    assert draft.due_in_seconds(1.2, 3) == pytest.approx(0.3)
    for position in range(1, 4):
        draft.advance(fact(position), 1.2, urgent=True)
    assert draft.due_in_seconds(1.2, 3) == 0.0


def test_only_the_last_piece_of_a_draft_moves_the_positions() -> None:
    """A successor that comes between two pieces reads the frames again from where it was said before."""
    draft = JournalDraft(7, (3, 2), LIMITS)
    for position in range(5):
        draft.advance(fact(position), 1.0, urgent=True)
    draft.finish(RUN, (8, 1), 1.0)
    draft.finish(RUN, (6, 2), 1.0)
    pieces = draft.take(9, 4)
    assert [(piece.epoch, piece.items, piece.signals) for piece in pieces] == [(7, 3, 2)] * 2 + [(7, 9, 4)]
    assert pieces[-1].finished == (Positions(*RUN, (6, 3)),)
    assert draft.written == (9, 4)


def test_a_closed_run_leaves_nothing_but_its_end_in_the_draft() -> None:
    """Facts, inputs and finished positions of it go; those of another generation stay."""
    draft = JournalDraft(7, (0, 0), LaneLimits())
    later = msgspec.structs.replace(fact(1), generation=1)
    for advanced in (fact(0), later):
        draft.advance(advanced, 0.0, urgent=False)
    draft.adopt(ChildAdopted(*RUN, 2, b"1", 1, 2), 0.0)
    draft.finish(RUN, (3, 1), 0.0)
    draft.run_over(RUN, 0.0)
    [record] = draft.take(1, 1)
    assert (record.advanced, record.adopted, record.finished) == ((later,), (), ())
    assert record.over == (RunOver(*RUN),)


# ---------------------------------------------------------------------- frames that can't be judged yet


def frame(run: str) -> ItemFrame:
    """One item of a run."""
    return ItemFrame(run, 0, 0, (b"1234",), "")


def test_frames_wait_in_order_behind_an_unknown_run() -> None:
    """One whose run is open waits behind one that can't be judged; its position is that of the first that waits."""
    held = HeldFrames()
    held.add(4, frame("unknown"))
    held.add(5, frame("open"))
    assert list(held.judged(lambda f: f.run == "open", 9)) == []
    assert held.asks_signals_end
    assert (held.first_offset(6), held.bytes) == (4, 8)


def test_a_run_that_the_signals_do_not_tell_of_is_closed() -> None:
    """Once the signals are read to their end its frames are handed over; those that came later need a later end."""
    held = HeldFrames()
    held.add(4, frame("unknown"))
    held.signals_end(10)
    held.add(5, frame("unknown"))
    assert list(held.judged(lambda _: False, 9)) == []
    assert [offset for offset, _ in held.judged(lambda _: False, 10)] == [4]
    assert held.asks_signals_end
    held.signals_end(11)
    assert [offset for offset, _ in held.judged(lambda _: False, 11)] == [5]
    assert held.first_offset(6) == 6


def test_an_unreadable_frame_waits_for_nothing() -> None:
    """Nothing can be said of it, so nothing is waited for."""
    held = HeldFrames()
    held.add(4, None)
    assert list(held.judged(lambda _: False, 0)) == [(4, None)]
