"""How long children stayed in their states, by their histories."""

import pytest

from schemas.history import EventType as E
from schemas.history import HistoryEvent
from services.maprun_tracker.api.states import Visit, visits_of


def event(kind: int, previous: int, at_ms: int, name: str = "") -> HistoryEvent:
    """An event of a state, or of an execution."""
    return HistoryEvent(kind, previous, at_ms, (name, b"1"))


BEGUN = event(E.EXECUTION_STARTED, 0, 0)


@pytest.mark.parametrize(
    ("events", "visits"),
    [
        (
            [event(E.PASS_STATE_ENTERED, 0, 10, "A"), event(E.PASS_STATE_EXITED, 2, 15, "A")],
            [Visit("A", "Pass", 5, True)],
        ),
        (
            [
                event(E.TASK_STATE_ENTERED, 0, 10, "A"),
                event(E.TASK_FAILED, 2, 40, "e"),
                event(E.EXECUTION_FAILED, 3, 50),
            ],
            [Visit("A", "Task", 40, False)],
        ),
        (
            [event(E.FAIL_STATE_ENTERED, 0, 10, "F"), event(E.EXECUTION_FAILED, 2, 10)],
            [Visit("F", "Fail", 0, True)],
        ),
        (
            [
                event(E.MAP_STATE_ENTERED, 0, 0, "M"),
                event(E.WAIT_STATE_ENTERED, 2, 10, "W"),
                event(E.WAIT_STATE_ENTERED, 2, 20, "W"),
                event(E.WAIT_STATE_EXITED, 3, 30, "W"),
                event(E.WAIT_STATE_EXITED, 4, 50, "W"),
                event(E.MAP_STATE_EXITED, 6, 60, "M"),
            ],
            [Visit("W", "Wait", 20, True), Visit("W", "Wait", 30, True), Visit("M", "Map", 60, True)],
        ),
    ],
    ids=["passed", "failed in a Task", "a Fail state", "iterations side by side"],
)
def test_a_stay_goes_from_entry_to_exit_or_to_the_end(events: list[HistoryEvent], visits: list[Visit]) -> None:
    """A state that the execution ended in is told apart, but for Fail, which has no exit."""
    assert list(visits_of([BEGUN, *events])) == visits
