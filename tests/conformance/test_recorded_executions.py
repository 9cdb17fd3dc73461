"""Executions recorded against AWS, run again in the interpreter alone with virtual time."""

import json
import re
from collections import deque
from typing import Any

import pytest

from maprun.interpreter import ExecutionHead
from maprun.language import compile_machine
from tests.conformance.differences import differences
from tests.conformance.folder import recorded_cases
from tests.conformance.host import START_MS, Host, Store, shown

EXIT_POINTS_AT_RUN_STARTED_SINCE = "2024-11"
"""Until then MapStateExited of a distributed Map pointed at MapRunSucceeded; we do as AWS does now."""

CASES = recorded_cases()
AWS_STALLS = {"test_max_concurrency_path_negative"}
"""AWS's own execution never left its first event here; ours goes on to fail with States.Runtime."""
ENDS = ("TaskFailed", "TaskSucceeded", "LambdaFunctionFailed", "LambdaFunctionSucceeded")


def replay(case: dict[str, Any], *, restore: bool = False) -> list[dict[str, Any]]:
    """The events of a recorded execution, made here."""
    machine = compile_machine(json.dumps(case["definition"]).encode(), case["type"])
    recorded = deque(
        (event["type"], details)
        for event in case["expected_events"]
        if event["type"] in ENDS
        for key, details in event.items()
        if key.endswith("Details")
    )
    name = "case"
    arn = f"arn:aws:states:us-east-1:123456789012:execution:case:{name}"
    machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:case"
    role = "arn:aws:iam::123456789012:role/case"
    head = ExecutionHead(arn, name, machine_arn, "case", role, START_MS, json.dumps(case["input"]).encode())
    events, _ = Host(machine, Store(case["objects"]), recorded, restore=restore).run(head)
    return shown(events)


def as_now(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The recorded events as AWS would make them today."""
    expected: list[dict[str, Any]] = case["expected_events"]
    if case["validated"] >= EXIT_POINTS_AT_RUN_STARTED_SINCE:
        return expected
    shifted = []
    for event in expected:
        previous = expected[event["previousEventId"] - 1] if event["previousEventId"] else None
        if event["type"] == "MapStateExited" and previous is not None and previous["type"] == "MapRunSucceeded":
            shifted.append({**event, "previousEventId": previous["previousEventId"]})
        else:
            shifted.append(event)
    return shifted


def with_stand_ins(case: dict[str, Any], made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Our events with two stand-ins of the records that the comparison doesn't know.

    They are a date that AWS writes as a number, and the ARN of a Map Run without angle brackets.
    """
    text = json.dumps(made)
    if "list_objects_v2" in case["case"]:
        text = re.sub(r'(LastModified\\*":) ?[\d.]+', r'\1\\"<date>\\"', text)
    if '"map_run_arn"' in json.dumps(case["expected_events"]):
        text = re.sub(r'("mapRunArn": )"[^"]+"', r'\1"map_run_arn"', text)
    loaded: list[dict[str, Any]] = json.loads(text)
    return loaded


@pytest.mark.parametrize("case", CASES, ids=[case["case"].split("::")[-1] for case in CASES])
def test_history_is_as_aws_recorded_it(case: dict[str, Any]) -> None:
    """The history of each recorded execution is AWS's, event by event; stopping and restoring changes nothing."""
    made = replay(case)
    compared = made[:1] if case["case"].split("::")[-1] in AWS_STALLS else with_stand_ins(case, made)
    assert list(differences(as_now(case), compared)) == []
    assert replay(case, restore=True) == made
