"""Histories of EXPRESS root executions: whole or not at all, the newest within their room, shown page by page."""

import json

import pytest

from schemas.express import ExpressHistoryAsked
from schemas.history import EventType, HistoryEvent
from services.child_runner.express_histories import HISTORY_BYTES, ExpressHistories
from tests.unit.child_runner.test_express import NOW_MS, PASS, WAIT, frame, lane, requested, worked

ROOM = 100_000
BEGUN, DONE = EventType.EXECUTION_STARTED, EventType.EXECUTION_SUCCEEDED
PASSED = [BEGUN, EventType.PASS_STATE_ENTERED, EventType.PASS_STATE_EXITED, DONE]
WAITED = [BEGUN, EventType.WAIT_STATE_ENTERED, EventType.WAIT_STATE_EXITED, DONE]


def events(first_id: int, count: int, text: str = "") -> list[HistoryEvent]:
    """Events that say their ids."""
    return [HistoryEvent(EventType.PASS_STATE_ENTERED, n, n, (text,)) for n in range(first_id, first_id + count)]


def asked(arn: str, first: int = 0, count: int = 100, *, reverse: bool = False) -> ExpressHistoryAsked:
    """A question."""
    return ExpressHistoryAsked("a", 1, 7, arn, first, count, reverse)


def ids(histories: ExpressHistories, arn: str, first: int = 0, count: int = 100, *, reverse: bool = False) -> list[int]:
    """The events that are shown."""
    shown = histories.shown(asked(arn, first, count, reverse=reverse), 3, 1 << 20)
    return [event.previous_id for event in shown.events]


def test_pages_from_either_end() -> None:
    """Any ids are found, however the history came in pieces; past its end there is nothing."""
    histories = ExpressHistories(ROOM)
    for first_id, count in ((1, 2), (3, 1), (4, 5), (9, 2)):
        histories.grew("x", first_id, events(first_id, count))
    assert ids(histories, "x") == list(range(1, 11))
    assert ids(histories, "x", 3, 4) == [3, 4, 5, 6]
    assert ids(histories, "x", count=3, reverse=True) == [10, 9, 8]
    assert ids(histories, "x", 7, 100, reverse=True) == [7, 6, 5, 4, 3, 2, 1]
    assert ids(histories, "x", 10, 5) == [10]
    assert ids(histories, "x", 11) == []
    assert histories.shown(asked("x", 11), 3, 1).total == 10


def test_an_answer_is_cut_by_bytes_and_never_empty() -> None:
    """One event at least is shown, however large it is."""
    histories = ExpressHistories(ROOM)
    histories.grew("x", 1, events(1, 4, "x" * 1_000))
    assert len(histories.shown(asked("x"), 0, 10).events) == 1
    assert len(histories.shown(asked("x"), 0, 2_500).events) == 2


def test_what_nobody_knows() -> None:
    """An execution that is not known has no events, and the answer says which lane says so."""
    shown = ExpressHistories(ROOM).shown(asked("x"), 3, 1 << 20)
    assert (shown.asker, shown.call, shown.lane, shown.total, shown.events) == ("a", 7, 3, 0, ())


def test_the_newest_stay_within_the_room() -> None:
    """What grew last stays, and what is forgotten does not come back with its later events."""
    piece = len("x" * 3_000)
    histories = ExpressHistories(4 * (piece + HISTORY_BYTES + 100))
    for name in "abcd":
        histories.grew(name, 1, events(1, 1, "x" * piece))
    histories.grew("a", 2, events(2, 1))
    histories.grew("e", 1, events(1, 1, "x" * piece))
    histories.grew("b", 2, events(2, 1))
    assert [name for name in "abcde" if ids(histories, name)] == ["a", "c", "d", "e"]
    assert ids(histories, "a") == [1, 2]


def test_one_history_takes_no_more_than_its_share() -> None:
    """A history that outgrows a quarter of the room is forgotten, and the others are not."""
    histories = ExpressHistories(ROOM)
    histories.grew("small", 1, events(1, 1))
    histories.grew("large", 1, events(1, 10, "x" * 2_000))
    assert ids(histories, "large", count=1) == [1]
    histories.grew("large", 11, events(11, 10, "x" * 2_000))
    histories.grew("large", 21, events(21, 1))
    assert ids(histories, "large") == []
    assert ids(histories, "small") == [1]


def test_an_execution_that_begins_again_has_a_new_history() -> None:
    """The events of its earlier try are not mixed in, nor do they take room."""
    histories = ExpressHistories(ROOM)
    for _ in range(1_000):
        histories.grew("x", 1, events(1, 3, "x" * 1_000))
    histories.grew("y", 1, events(1, 1))
    assert ids(histories, "x") == [1, 2, 3]
    assert ids(histories, "y") == [1]


def test_without_room_nothing_is_kept() -> None:
    """MAPRUN_EXPRESS_HISTORY_BYTES_MAX=0 switches it off."""
    histories = ExpressHistories(0)
    histories.grew("x", 1, events(1, 3))
    assert ids(histories, "x") == []


def test_executions_are_shown_while_they_run_and_after() -> None:
    """What ended at once, what waits, and what went on later: all events in order."""
    histories = ExpressHistories(ROOM)
    executions = lane(histories=histories)
    requested(executions, 0, frame(1, machine=PASS))
    requested(executions, 1, frame(0, machine=WAIT, name="w"))
    worked(executions)
    assert _types(histories, "arn:n:0") == PASSED
    assert _types(histories, "arn:w:0") == WAITED[:2]
    worked(executions, NOW_MS + 60_000)
    assert _types(histories, "arn:w:0") == WAITED


def test_a_lane_that_is_given_up_keeps_what_has_ended() -> None:
    """What still runs begins again elsewhere: its history here would stand still."""
    histories = ExpressHistories(ROOM)
    executions = lane(histories=histories)
    requested(executions, 0, frame(0, machine=PASS))
    requested(executions, 1, frame(0, machine=WAIT, name="w"))
    worked(executions)
    executions.give_up()
    assert _types(histories, "arn:n:0") == PASSED
    assert _types(histories, "arn:w:0") == []


def test_questions_hold_no_position_up() -> None:
    """A question is taken once, and a successor needs not read it again."""
    executions = lane()
    requested(executions, 0, frame(0, machine=PASS))
    executions.requested(1, asked("arn:n:0"), NOW_MS, 0.0)
    worked(executions)
    assert executions.take_questions() == [asked("arn:n:0")]
    assert executions.take_questions() == []
    assert executions.position == 2


@pytest.mark.parametrize("name", ["n", "w"])
def test_payloads_are_whole(name: str) -> None:
    """The input stands in the first event as it was given."""
    histories = ExpressHistories(ROOM)
    executions = lane(histories=histories)
    requested(executions, 0, frame(0, machine=PASS if name == "n" else WAIT, name=name))
    worked(executions)
    shown = histories.shown(asked(f"arn:{name}:0", count=1), 0, 1 << 20)
    assert json.loads(shown.events[0].details[0]) == {"n": 0}


def _types(histories: ExpressHistories, arn: str) -> list[int]:
    return [event.type for event in histories.shown(asked(arn), 0, 1 << 20).events]
