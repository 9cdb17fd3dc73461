"""Histories of children through unmodified boto3: of any length, whole after a redrive, forwards and backwards."""

import json
import time
from typing import Any

import pytest

from tests.integration.system.running import Json, ended, map_definition, map_run_of
from tests.integration.system.stack import ROLE

pytestmark = pytest.mark.integration
PASSES, TEXT = 80, "x" * 200_000
MIB = 1 << 20


def events_of(sfn: Any, arn: str, **members: Any) -> list[Json]:
    """All events of an execution."""
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=arn, maxResults=1000, **members)
    return [event for page in pages for event in page["events"]]


def test_a_history_of_any_length_is_shown_and_redriven(sfn: Any) -> None:
    """A child passes 200 KB through eighty states and fails: 30 MiB of events; its redrive adds to them."""
    child: Json = {f"P{n}": {"Type": "Pass", "Next": f"P{n + 1}"} for n in range(PASSES)}
    child[f"P{PASSES}"] = {"Type": "Fail", "Error": "Enough", "Cause": "it was long"}
    made = sfn.create_state_machine(name="long-history", definition=map_definition(child), roleArn=ROLE)
    given = json.dumps([{"text": TEXT}])
    root = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input=given)["executionArn"]
    assert ended(sfn, root)["status"] == "FAILED"
    [row] = sfn.list_executions(mapRunArn=map_run_of(sfn, root)["mapRunArn"])["executions"]
    assert row["status"] == "FAILED"
    events = events_of(sfn, row["executionArn"])
    assert sum(len(json.dumps(event, default=str)) for event in events) > 30 * MIB
    assert [event["id"] for event in events] == list(range(1, 2 * PASSES + 4))
    assert json.loads(events[2 * PASSES]["stateExitedEventDetails"]["output"]) == {"text": TEXT}
    assert events[-1]["executionFailedEventDetails"] == {"error": "Enough", "cause": "it was long"}
    described = sfn.describe_execution(executionArn=row["executionArn"])
    assert (described["error"], json.loads(described["input"])) == ("Enough", {"text": TEXT})
    sfn.redrive_execution(executionArn=root)
    assert ended(sfn, root)["status"] == "FAILED"
    again = events_of(sfn, row["executionArn"])
    assert again[: len(events)] == events
    assert [event["type"] for event in again[len(events) :]] == ["ExecutionRedriven", "ExecutionFailed"]
    assert events_of(sfn, row["executionArn"], reverseOrder=True) == again[::-1]


def test_a_child_that_runs_shows_its_input_and_events(sfn: Any) -> None:
    """While a STANDARD child waits, DescribeExecution has its input and GetExecutionHistory what happened so far."""
    child: Json = {
        "P": {"Type": "Pass", "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 8, "Next": "Q"},
        "Q": {"Type": "Pass", "End": True},
    }
    made = sfn.create_state_machine(name="running-history", definition=map_definition(child), roleArn=ROLE)
    given = json.dumps([{"n": 7}])
    root = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input=given)["executionArn"]
    deadline = time.monotonic() + 8
    rows: list[Json] = []
    while not rows:
        assert time.monotonic() < deadline, "no child runs"
        runs = sfn.list_map_runs(executionArn=root)["mapRuns"]
        rows = [row for run in runs for row in sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"]]
    arn = rows[0]["executionArn"]
    described = sfn.describe_execution(executionArn=arn)
    assert (described["status"], json.loads(described["input"])) == ("RUNNING", {"n": 7})
    so_far = events_of(sfn, arn)
    assert [event["type"] for event in so_far] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "WaitStateEntered",
    ]
    assert ended(sfn, root)["status"] == "SUCCEEDED"
    assert events_of(sfn, arn)[:4] == so_far
