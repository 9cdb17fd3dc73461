"""Event shapes against AWS's own API model, as botocore carries it."""

from typing import Any

import botocore.session
import pytest

from schemas.history import (
    SHAPES,
    EventType,
    HistoryEvent,
    child_cause,
    child_error,
    child_input,
    child_output,
    child_start_ms,
    child_stop_ms,
    event_to_api,
)

MODEL: Any = botocore.session.get_session().get_service_model("stepfunctions")


def test_every_type_of_the_api_is_there_and_no_other() -> None:
    """62 types, each with one number."""
    numbers = [value for name, value in vars(EventType).items() if name.isupper()]
    assert sorted(numbers) == sorted(SHAPES)
    assert {name for name, _ in SHAPES.values()} == set(MODEL.shape_for("HistoryEventType").enum)


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_details_have_the_members_of_the_api(kind: int) -> None:
    """What an event shows is what boto3 reads: the details' member and its members exist in the model."""
    fields = SHAPES[kind][1][1]
    values: tuple[Any, ...] = tuple({"index": 1, "length": 1, "redriveCount": 1}.get(field, "1") for field in fields)
    if "assignedVariables" in fields:
        values = (*values[:-1], {"v": "1"})
    shown = event_to_api(HistoryEvent(kind, 3, 1_500, values), 4)
    members = MODEL.shape_for("HistoryEvent").members
    assert (shown["timestamp"], shown["id"], shown["previousEventId"]) == (1.5, 4, 3)
    for name, value in shown.items():
        assert name in members
        if isinstance(value, dict):
            assert set(value) <= set(members[name].members)


def test_a_childs_events_tell_how_it_went() -> None:
    """Input, output, error, cause and times, read from its first and last event."""
    begun = HistoryEvent(EventType.EXECUTION_STARTED, 0, 5, (b"1", "role"))
    well = [begun, HistoryEvent(EventType.EXECUTION_SUCCEEDED, 1, 9, (b"2",))]
    badly = [begun, HistoryEvent(EventType.EXECUTION_FAILED, 1, 9, ("E", "C"))]
    bare = [begun, HistoryEvent(EventType.EXECUTION_ABORTED, 0, 9)]
    assert (child_input(well), child_output(well), child_error(well), child_cause(well)) == (b"1", b"2", None, None)
    assert (child_output(badly), child_error(badly), child_cause(badly)) == (None, "E", "C")
    assert (child_output(bare), child_error(bare), child_cause(bare)) == (None, None, None)
    assert (child_start_ms(well), child_stop_ms(well)) == (5, 9)
