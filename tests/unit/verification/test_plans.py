"""What a Map Run began with, told again from its execution's history."""

import json
from typing import Any

import pytest

from maprun.interpreter import ExecutionHead
from maprun.language import compile_machine
from maprun.verification import UnknownPlanError, begun_of, plan_of

RUN = "arn:aws:states:us-east-1:123456789012:mapRun:m/L:7f2c1d3e-0000-4000-8000-000000000000"
Json = dict[str, Any]


def history(*events: tuple[str, int, Json]) -> list[Json]:
    """Events by (type, previous id, details), numbered from 1, a second apart."""
    return [
        {"id": n, "type": kind, "previousEventId": before, "timestamp": 1_700_000_000.25 + n, **details}
        for n, (kind, before, details) in enumerate(events, 1)
    ]


def entered(name: str, text: str = "{}") -> Json:
    """Details of a state that was entered."""
    return {"stateEnteredEventDetails": {"name": name, "input": text}}


def exited(name: str, **assigned: object) -> Json:
    """Details of a state that was left."""
    told = {name: json.dumps(value) for name, value in assigned.items()}
    return {"stateExitedEventDetails": {"name": name, "assignedVariables": told}}


STARTED = {"mapRunStartedEventDetails": {"mapRunArn": RUN}}
BEFORE: tuple[tuple[str, int, Json], ...] = (
    ("ExecutionStarted", 0, {}),
    ("PassStateEntered", 0, entered("A")),
    ("PassStateExited", 2, exited("A", day=1, rows=[2])),
    ("ParallelStateEntered", 3, entered("P")),
    ("ParallelStateStarted", 4, {}),
    ("PassStateEntered", 5, entered("Within")),
    ("PassStateExited", 6, exited("Within", day="of the branch alone")),
    ("ParallelStateSucceeded", 7, {}),
    ("ParallelStateExited", 8, exited("P", day=3)),
)


def test_input_variables_and_attempts_are_told_by_history() -> None:
    """The newest assignment counts, a branch's own does not; each attempt before is a retry."""
    events = history(
        *BEFORE,
        ("MapStateEntered", 9, entered("M", '{"a":1}')),
        ("MapStateStarted", 10, {}),
        ("MapRunStarted", 11, {"mapRunStartedEventDetails": {"mapRunArn": "another"}}),
        ("MapRunFailed", 12, {}),
        ("MapStateStarted", 13, {}),
        ("MapRunStarted", 14, STARTED),
    )
    begun = begun_of(events, RUN)
    assert (begun.state, begun.input, begun.retry_count) == ("M", b'{"a":1}', 1)
    assert begun.variables == {"day": 3, "rows": [2]}
    assert begun.entered_ms == 1_700_000_010_250


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ((("ExecutionStarted", 0, {}),), "does not tell of"),
        ((("MapStateStarted", 0, {}), ("MapRunStarted", 1, STARTED)), "how its Map state was entered"),
        (
            (
                ("MapIterationStarted", 0, {}),
                ("MapStateEntered", 1, entered("M")),
                ("MapStateStarted", 2, {}),
                ("MapRunStarted", 3, STARTED),
            ),
            "an iteration of an inline Map",
        ),
    ],
)
def test_what_history_does_not_tell_is_said(events: tuple[tuple[str, int, Json], ...], said: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UnknownPlanError, match=said):
        begun_of(history(*events), RUN)


def test_the_state_makes_its_plan_again() -> None:
    """Paths into input, context and variables come out as they did; a state that is none is said to be none."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    child = {"ProcessorConfig": config, "StartAt": "C", "States": {"C": {"Type": "Succeed"}}}
    reader = {"Bucket.$": "$.bucket", "Prefix.$": "States.Format('{}/{}', $$.Execution.Name, $day)"}
    state = {
        "Type": "Map",
        "ItemProcessor": child,
        "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": reader},
        "End": True,
    }
    parallel = {"Type": "Parallel", "Branches": [{"StartAt": "M", "States": {"M": state}}], "End": True}
    machine = compile_machine(json.dumps({"StartAt": "P", "States": {"P": parallel}}).encode())
    events = history(
        *BEFORE,
        ("MapStateEntered", 9, entered("M", '{"bucket":"b"}')),
        ("MapStateStarted", 10, {}),
        ("MapRunStarted", 11, STARTED),
    )
    head = ExecutionHead("arn", "night", "m", "m", "r", 0, b"{}")
    plan = plan_of(machine, head, begun_of(events, RUN))
    assert plan.reader is not None
    assert (plan.reader.bucket, plan.reader.prefix) == ("b", "night/3")
    gone = history(("MapStateEntered", 0, entered("Gone")), ("MapRunStarted", 1, STARTED))
    with pytest.raises(UnknownPlanError, match="no state 'Gone'"):
        plan_of(machine, head, begun_of(gone, RUN))
