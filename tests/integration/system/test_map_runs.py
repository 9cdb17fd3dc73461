"""Map Runs beyond one Map: nested, side by side, retried, changed while they run."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.system.running import Json, ended, map_definition, map_run_of, output_of, run, states
from tests.integration.system.stack import ROLE

pytestmark = pytest.mark.integration
WAIT = {"W": {"Type": "Wait", "Seconds": 1, "End": True}}


def distributed(child: Json, label: str, **members: Any) -> Json:
    """A distributed Map state over STANDARD children."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": next(iter(child)),
        "States": child,
    }
    return {"Type": "Map", "Label": label, "ItemProcessor": processor, **members}


def begun(sfn: Any, name: str, definition: str, given: object) -> str:
    """The ARN of an execution of a new machine, once its Map Run is there."""
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    arn: str = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    deadline = time.monotonic() + 10
    while not sfn.list_map_runs(executionArn=arn)["mapRuns"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return arn


def test_children_hold_map_runs_of_their_own(sfn: Any) -> None:
    """Three levels: each child of the first reaches a Map, whose children reach another; results in item order."""
    leaf = {"P": {"Type": "Pass", "End": True}}
    inner = distributed(leaf, "Inner", ItemsPath="$.parts", End=True)
    outer = {"Inner": distributed({"Leaf": {**inner, "Label": "Leaf"}}, "Mid", ItemsPath="$.groups", End=True)}
    given = [{"groups": [{"parts": [[a, b, c] for c in range(3)]} for b in range(2)]} for a in range(4)]
    made = sfn.create_state_machine(name="three-levels", definition=map_definition(outer), roleArn=ROLE)
    arn = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input=json.dumps(given))["executionArn"]
    assert output_of(ended(sfn, arn)) == [[[[a, b, c] for c in range(3)] for b in range(2)] for a in range(4)]
    top = map_run_of(sfn, arn)
    assert (top["executionArn"], top["itemCounts"]["succeeded"]) == (arn, 4)
    for row in sfn.list_executions(mapRunArn=top["mapRunArn"])["executions"]:
        nested = map_run_of(sfn, row["executionArn"])
        assert (nested["executionArn"], nested["itemCounts"]["succeeded"]) == (row["executionArn"], 2)
        events = sfn.get_execution_history(executionArn=row["executionArn"])["events"]
        assert [event["type"] for event in events][2:] == [
            "MapStateStarted",
            "MapRunStarted",
            "MapRunSucceeded",
            "MapStateSucceeded",
            "MapStateExited",
            "ExecutionSucceeded",
        ]
        [started] = [e["mapRunStartedEventDetails"]["mapRunArn"] for e in events if e["type"] == "MapRunStarted"]
        assert started == nested["mapRunArn"]


def test_stopping_the_root_stops_nested_runs(sfn: Any) -> None:
    """Everything below a stopped execution ends ABORTED, soon."""
    inner = {"Inner": distributed({"W": {"Type": "Wait", "Seconds": 600, "End": True}}, "In", End=True)}
    arn = begun(sfn, "stop-all", map_definition(inner), [[1, 2], [3]])
    top = map_run_of(sfn, arn)["mapRunArn"]
    deadline = time.monotonic() + 10
    while True:
        rows = sfn.list_executions(mapRunArn=top, statusFilter="RUNNING")["executions"]
        nested = [r for row in rows for r in sfn.list_map_runs(executionArn=row["executionArn"])["mapRuns"]]
        if len(nested) == 2:
            break
        assert time.monotonic() < deadline
    sfn.stop_execution(executionArn=arn)
    while {sfn.describe_map_run(mapRunArn=r["mapRunArn"])["status"] for r in nested} != {"ABORTED"}:
        assert time.monotonic() < deadline + 20
        time.sleep(0.1)
    assert map_run_of(sfn, arn)["status"] == "ABORTED"


def test_several_maps_side_by_side_and_in_a_row(sfn: Any) -> None:
    """Two distributed Maps in a Parallel, a third behind it: three Map Runs, each with its own counts."""
    passes = [{f"P{n}": {"Type": "Pass", "End": True}} for n in range(3)]
    branch = [{"StartAt": f"M{n}", "States": {f"M{n}": distributed(passes[n], f"m{n}", End=True)}} for n in range(2)]
    last = distributed(passes[2], "last", ItemsPath="$[0]", End=True)
    definition = states(Both={"Type": "Parallel", "Branches": branch, "Next": "Last"}, Last=last)
    made = sfn.create_state_machine(name="three-maps", definition=definition, roleArn=ROLE)
    arn = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input="[1,2,3]")["executionArn"]
    assert output_of(ended(sfn, arn)) == [1, 2, 3]
    runs = sfn.list_map_runs(executionArn=arn)["mapRuns"]
    labels = [row["mapRunArn"].split("/")[1].split(":")[0] for row in runs]
    assert sorted(labels) == ["last", "m0", "m1"]
    for row in runs:
        assert sfn.describe_map_run(mapRunArn=row["mapRunArn"])["executionCounts"]["succeeded"] == 3


def test_iterations_have_map_runs_of_their_own(sfn: Any) -> None:
    """A distributed Map in an inline one: a Map Run for each iteration, each under the same label."""
    inner = distributed({"P": {"Type": "Pass", "End": True}}, "In", End=True)
    processor = {"StartAt": "Inner", "States": {"Inner": inner}}
    outer = {"Type": "Map", "ItemProcessor": processor, "MaxConcurrency": 1, "End": True}
    found = run(sfn, states(Outer=outer), [[1, 2], [3]])
    assert output_of(found) == [[1, 2], [3]]
    runs = sfn.list_map_runs(executionArn=found["executionArn"])["mapRuns"]
    totals = [sfn.describe_map_run(mapRunArn=row["mapRunArn"])["itemCounts"]["total"] for row in runs]
    assert totals == [1, 2]  # the newest first


def test_a_retry_is_a_new_map_run(sfn: Any) -> None:
    """Retry on the Map makes a new Map Run with all items; both are listed."""
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    found = run(sfn, map_definition({"F": {"Type": "Fail", "Error": "E"}}, Retry=retry), [1, 2])
    assert found["error"] == "States.ExceedToleratedFailureThreshold"
    runs = sfn.list_map_runs(executionArn=found["executionArn"])["mapRuns"]
    assert len({row["mapRunArn"] for row in runs}) == 2
    for row in runs:
        assert sfn.describe_map_run(mapRunArn=row["mapRunArn"])["executionCounts"]["total"] == 2


def test_max_concurrency_changes_while_it_runs(sfn: Any) -> None:
    """One at a time would take 60 s; raised to 60 the rest takes about one. DescribeMapRun shows the new value."""
    arn = begun(sfn, "raised", map_definition(WAIT, MaxConcurrency=1), list(range(60)))
    found = map_run_of(sfn, arn)
    assert found["maxConcurrency"] == 1
    assert (
        sfn.update_map_run(mapRunArn=found["mapRunArn"], maxConcurrency=60)["ResponseMetadata"]["HTTPStatusCode"] == 200
    )
    assert map_run_of(sfn, arn)["maxConcurrency"] == 60
    assert ended(sfn, arn, 20)["status"] == "SUCCEEDED"


def test_tolerance_changes_while_it_runs(sfn: Any) -> None:
    """A failure that was tolerated isn't any more: the run fails at once, and can't be updated then."""
    child = {
        "C": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 0, "Next": "F"}], "Default": "W"},
        "F": {"Type": "Fail", "Error": "E"},
        "W": {"Type": "Wait", "Seconds": 600, "End": True},
    }
    arn = begun(sfn, "judged", map_definition(child, ToleratedFailureCount=3), [0, 1, 2])
    found = map_run_of(sfn, arn)
    deadline = time.monotonic() + 10
    while map_run_of(sfn, arn)["executionCounts"]["failed"] != 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    sfn.update_map_run(mapRunArn=found["mapRunArn"], toleratedFailureCount=0)
    described = ended(sfn, arn)
    assert described["error"] == "States.ExceedToleratedFailureThreshold"
    with pytest.raises(ClientError) as caught:
        sfn.update_map_run(mapRunArn=found["mapRunArn"], toleratedFailureCount=1)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError) as caught:
        sfn.update_map_run(mapRunArn=found["mapRunArn"][:-4] + "ffff", maxConcurrency=1)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"
