"""How Map Runs end, seen by every operation: counts, failed, aborted and pending children, result files, refusals."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.system.running import PASS, Json, body, ended, map_definition, map_run_of, output_of, run
from tests.integration.system.stack import ROLE

pytestmark = pytest.mark.integration
BUCKET = "ends"
WRITER = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": BUCKET, "Prefix": "out"}}
COUNTS = {
    "pending",
    "running",
    "succeeded",
    "failed",
    "timedOut",
    "aborted",
    "total",
    "resultsWritten",
    "failuresNotRedrivable",
    "pendingRedrive",
}


@pytest.fixture(scope="module", autouse=True)
def bucket(s3: Any) -> None:
    """A bucket for results."""
    s3.create_bucket(Bucket=BUCKET)


def fate(seconds: int) -> Json:
    """Children that fail if their item is "bad", wait if it is "slow", and succeed else."""
    return {
        "C": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$", "StringEquals": "bad", "Next": "F"},
                {"Variable": "$", "StringEquals": "slow", "Next": "W"},
            ],
            "Default": "P",
        },
        "F": {"Type": "Fail", "Error": "Mine", "Cause": "it is bad"},
        "W": {"Type": "Wait", "Seconds": seconds, "End": True},
        "P": {"Type": "Pass", "End": True},
    }


def started(sfn: Any, name: str, definition: str, given: object) -> str:
    """The ARN of an execution of a new machine."""
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    arn: str = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    return arn


def once(ask: Callable[[], Any], true: Callable[[Any], bool]) -> Any:
    """What `ask` answers once it is as it should be."""
    deadline = time.monotonic() + 15
    while True:
        try:
            found = ask()
        except ValueError:  # no Map Run yet
            found = None
        if found is not None and true(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def children(sfn: Any, arn: str, **filters: str) -> list[Json]:
    """The children of the only Map Run of an execution."""
    rows: list[Json] = sfn.list_executions(mapRunArn=map_run_of(sfn, arn)["mapRunArn"], **filters)["executions"]
    return rows


def reason_of(call: Any, **members: Any) -> tuple[str, str]:
    """Error and reason that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"], str(caught.value.response.get("reason", ""))


def test_a_tolerated_batch_is_counted_by_items_and_by_executions(sfn: Any) -> None:
    """1,021 items in batches of 20, one of which fails, 5 % tolerated: the counts that AWS's workshop shows."""
    child = {
        "C": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.Items[0]", "NumericEquals": 400, "Next": "F"}],
            "Default": "P",
        },
        "F": {"Type": "Fail"},
        "P": {"Type": "Pass", "End": True, "OutputPath": None},
    }
    definition = map_definition(child, ItemBatcher={"MaxItemsPerBatch": 20}, ToleratedFailurePercentage=5)
    found = run(sfn, definition, list(range(1021)))
    assert output_of(found) == [{}] * 51
    described = map_run_of(sfn, found["executionArn"])
    del described["ResponseMetadata"]
    assert described.keys() - {"startDate", "stopDate", "mapRunArn"} == {
        "executionArn",
        "status",
        "maxConcurrency",
        "toleratedFailurePercentage",
        "toleratedFailureCount",
        "itemCounts",
        "executionCounts",
        "redriveCount",
    }
    assert (described["status"], described["executionArn"]) == ("SUCCEEDED", found["executionArn"])
    assert (described["maxConcurrency"], described["redriveCount"]) == (0, 0)
    assert (described["toleratedFailurePercentage"], described["toleratedFailureCount"]) == (5.0, 0)
    nothing = dict.fromkeys(COUNTS, 0)
    assert described["itemCounts"] == {
        **nothing, "succeeded": 1001, "failed": 20, "total": 1021, "resultsWritten": 1021
    }  # fmt: skip
    assert described["executionCounts"] == {
        **nothing, "succeeded": 51, "failed": 1, "total": 52, "resultsWritten": 52
    }  # fmt: skip
    [failed] = children(sfn, found["executionArn"], statusFilter="FAILED")
    assert failed["itemCount"] == 20


def test_a_failed_run_stops_standard_children_and_leaves_the_rest_pending(sfn: Any, s3: Any) -> None:
    """What ran is ABORTED with AWS's cause and stands in FAILED_0.json; what never started stands in PENDING_0.json."""
    definition = map_definition(fate(600), MaxConcurrency=3, ResultWriter=WRITER)
    given = ["good", "slow", "slow", "bad", *["later"] * 40, *["slow"] * 8, *["later"] * 2000]
    arn = started(sfn, "closing", definition, given)
    found = ended(sfn, arn)
    assert (found["status"], found["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    described = map_run_of(sfn, arn)
    counts = described["itemCounts"]
    assert (described["status"], counts["failed"], counts["aborted"] >= 2) == ("FAILED", 1, True)
    assert (
        counts["total"]
        == counts["resultsWritten"]
        == sum(counts[status] for status in ("succeeded", "failed", "aborted", "pending"))
    )
    assert counts["pending"] > 0
    events = sfn.get_execution_history(executionArn=arn)["events"]
    assert [(event["type"], event["previousEventId"]) for event in events][3:] == [
        ("MapRunStarted", 3),
        ("MapRunFailed", 4),
        ("MapStateFailed", 5),
        ("ExecutionFailed", 6),
    ]
    cause = "The specified tolerated failure threshold was exceeded"
    told = {"error": "States.ExceedToleratedFailureThreshold", "cause": cause}
    assert events[4]["mapRunFailedEventDetails"] == events[6]["executionFailedEventDetails"] == told

    run_arn = described["mapRunArn"]
    folder = f"out/{run_arn.rpartition(':')[2]}/"
    files = json.loads(body(s3, BUCKET, f"{folder}manifest.json"))["ResultFiles"]
    read = {status: json.loads(body(s3, BUCKET, entry["Key"])) for status, [entry] in files.items()}
    assert {status: len(records) for status, records in read.items()} == {
        "SUCCEEDED": counts["succeeded"],
        "FAILED": 1 + counts["aborted"],
        "PENDING": counts["pending"],
    }
    [failed] = [record for record in read["FAILED"] if record["Status"] == "FAILED"]
    aborted = [record for record in read["FAILED"] if record["Status"] == "ABORTED"]
    why = f"The map run execution [{run_arn}] which was managing this resource was aborted"
    assert {record["Cause"] for record in aborted} == {why}
    assert not any("Error" in record for record in aborted)
    assert set(failed) == set(aborted[0]) | {"Error"}
    assert read["PENDING"][0].keys() == {"Input", "InputDetails", "Status"}

    row = next(row for row in children(sfn, arn, statusFilter="ABORTED"))
    child = sfn.describe_execution(executionArn=row["executionArn"])
    assert (child["status"], child["cause"], "error" in child) == ("ABORTED", why, False)
    assert (child["redriveStatus"], child["redriveCount"]) == ("REDRIVABLE_BY_MAP_RUN", 0)
    assert "redriveStatusReason" not in child
    last = sfn.get_execution_history(executionArn=row["executionArn"])["events"][-1]
    assert (last["type"], last["executionAbortedEventDetails"]) == ("ExecutionAborted", {"cause": why})


def test_a_failed_run_waits_for_express_children(sfn: Any) -> None:
    """Running EXPRESS children can't be stopped: they end as they would, and the run closes behind them."""
    arn = started(sfn, "awaited", map_definition(fate(1), child_type="EXPRESS"), ["slow", "slow", "bad"])
    assert ended(sfn, arn)["error"] == "States.ExceedToleratedFailureThreshold"
    counts = map_run_of(sfn, arn)["executionCounts"]
    assert (counts["failed"], counts["succeeded"], counts["aborted"]) == (1, 2, 0)


def test_one_child_can_be_stopped(sfn: Any) -> None:
    """StopExecution of a STANDARD child aborts it alone, with the caller's words, and isn't a failure of the run."""
    arn = started(sfn, "one-stopped", map_definition(fate(600)), ["slow", "good", "good"])
    [row] = once(lambda: children(sfn, arn, statusFilter="RUNNING"), lambda rows: len(rows) == 1)
    running = sfn.describe_execution(executionArn=row["executionArn"])
    assert "stopDate" not in running
    assert "redriveCount" not in running
    assert (running["redriveStatus"], running["redriveStatusReason"]) == (
        "NOT_REDRIVABLE",
        "Execution is RUNNING and cannot be redriven",
    )
    sfn.stop_execution(executionArn=row["executionArn"], error="Enough", cause="of it")
    assert output_of(ended(sfn, arn)) == ["good", "good"]
    described = map_run_of(sfn, arn)
    assert (described["status"], described["executionCounts"]["aborted"]) == ("SUCCEEDED", 1)
    child = sfn.describe_execution(executionArn=row["executionArn"])
    assert (child["status"], child["error"], child["cause"]) == ("ABORTED", "Enough", "of it")


def test_a_stopped_parents_history_ends_with_its_abort(sfn: Any) -> None:
    """ExecutionAborted points at no event, and nothing stands between MapRunStarted and it."""
    arn = started(sfn, "parent-stopped", map_definition(fate(600)), ["slow"])
    once(lambda: map_run_of(sfn, arn), lambda run: run["itemCounts"]["running"] == 1)
    sfn.stop_execution(executionArn=arn)
    events = sfn.get_execution_history(executionArn=arn)["events"]
    assert [event["type"] for event in events][2:] == ["MapStateStarted", "MapRunStarted", "ExecutionAborted"]
    assert (events[-1]["previousEventId"], events[-1]["executionAbortedEventDetails"]) == (0, {})
    once(lambda: map_run_of(sfn, arn), lambda run: run["status"] == "ABORTED" and "stopDate" in run)


def test_a_childs_machine_is_its_processor(sfn: Any) -> None:
    """DescribeStateMachineForExecution of a child: StartAt and States alone, parent's name, label, labelled ARN."""
    found = run(sfn, map_definition(PASS, Label="Lab"), [1])
    [row] = children(sfn, found["executionArn"])
    machine = sfn.describe_state_machine_for_execution(executionArn=row["executionArn"])
    assert json.loads(machine["definition"]) == {"StartAt": "P", "States": PASS}
    labelled = f"{found['stateMachineArn']}/Lab"
    assert (machine["stateMachineArn"], machine["label"]) == (labelled, "Lab")
    assert machine["name"] == found["stateMachineArn"].rpartition(":")[2]
    assert machine["mapRunArn"] == row["mapRunArn"]
    assert machine["loggingConfiguration"]["level"] == "OFF"
    assert machine["tracingConfiguration"] == {"enabled": False}
    assert "revisionId" not in machine
    assert row["stateMachineArn"] == labelled
    assert set(row) == {
        "executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate", "mapRunArn", "itemCount",
        "redriveCount",
    }  # fmt: skip
    [parent] = sfn.list_executions(stateMachineArn=found["stateMachineArn"])["executions"]
    assert not {"mapRunArn", "itemCount"} & set(parent)


def test_labelled_machines_are_refused(sfn: Any) -> None:
    """A labelled ARN names the children's machine, which nothing can be done with; the reason says so."""
    made = sfn.create_state_machine(name="labelled", definition=map_definition(PASS), roleArn=ROLE)["stateMachineArn"]
    refused = ("ValidationException", "API_DOES_NOT_SUPPORT_LABELED_ARNS")
    for call in (sfn.start_execution, sfn.describe_state_machine, sfn.delete_state_machine, sfn.list_executions):
        assert reason_of(call, stateMachineArn=f"{made}/L") == refused
    assert reason_of(sfn.update_state_machine, stateMachineArn=f"{made}/L", definition=map_definition(PASS)) == refused


def test_lists_need_one_of_two_arns_and_known_filters(sfn: Any) -> None:
    """ListExecutions takes a machine or a Map Run, PENDING_REDRIVE only with the latter; maxResults end at 1,000."""
    found = run(sfn, map_definition(PASS), [1])
    machine, run_arn = found["stateMachineArn"], map_run_of(sfn, found["executionArn"])["mapRunArn"]
    for members in (
        {},
        {"stateMachineArn": machine, "mapRunArn": run_arn},
        {"stateMachineArn": machine, "statusFilter": "PENDING_REDRIVE"},
        {"mapRunArn": run_arn, "maxResults": 1001},
    ):
        assert reason_of(sfn.list_executions, **members)[0] == "ValidationException"
    assert reason_of(sfn.list_executions, mapRunArn=run_arn, nextToken="no token")[0] == "InvalidToken"
    for filters in ({"statusFilter": "PENDING_REDRIVE"}, {"statusFilter": "TIMED_OUT"}, {"redriveFilter": "REDRIVEN"}):
        assert children(sfn, found["executionArn"], **filters) == []
    assert len(children(sfn, found["executionArn"], redriveFilter="NOT_REDRIVEN", statusFilter="SUCCEEDED")) == 1


def test_a_run_that_is_over_can_not_be_updated(sfn: Any) -> None:
    """AWS's reason; a percentage past 100 is refused whatever the run does."""
    found = run(sfn, map_definition(PASS), [1])
    run_arn = map_run_of(sfn, found["executionArn"])["mapRunArn"]
    refused = reason_of(sfn.update_map_run, mapRunArn=run_arn, maxConcurrency=2)
    assert refused == ("ValidationException", "CANNOT_UPDATE_COMPLETED_MAP_RUN")
    assert reason_of(sfn.update_map_run, mapRunArn=run_arn, toleratedFailurePercentage=101)[0] == "ValidationException"


def test_a_client_token_redrives_once(sfn: Any) -> None:
    """The same token again is the same redrive, while it runs and when it has failed; a child isn't redriven alone."""
    arn = started(sfn, "token", map_definition(fate(1)), ["bad"])
    assert ended(sfn, arn)["redriveCount"] == 0
    once(lambda: map_run_of(sfn, arn), lambda run: run["status"] == "FAILED")
    first = sfn.redrive_execution(executionArn=arn, clientToken="one")
    assert ended(sfn, arn)["redriveCount"] == 1
    assert sfn.redrive_execution(executionArn=arn, clientToken="one")["redriveDate"] == first["redriveDate"]
    assert sfn.describe_execution(executionArn=arn)["redriveCount"] == 1
    once(lambda: map_run_of(sfn, arn), lambda run: run["status"] == "FAILED")
    sfn.redrive_execution(executionArn=arn, clientToken="two")
    assert ended(sfn, arn)["redriveCount"] == 2
    [child] = children(sfn, arn)
    assert (child["status"], child["redriveCount"]) == ("FAILED", 2)
    assert reason_of(sfn.redrive_execution, executionArn=child["executionArn"])[0] == "ExecutionNotRedrivable"
    assert reason_of(sfn.redrive_execution, executionArn=arn, clientToken="a b")[0] == "ValidationException"


def test_a_label_is_made_up_if_none_is_given(sfn: Any) -> None:
    """UUID-shaped with version 3, the same for every execution of a machine, in Map Run, machine and child ARNs."""
    definition = json.loads(map_definition(PASS))
    del definition["States"]["Map"]["Label"]
    machine = sfn.create_state_machine(name="unlabelled", definition=json.dumps(definition), roleArn=ROLE)
    arns = [sfn.start_execution(stateMachineArn=machine["stateMachineArn"], input="[1]")["executionArn"] for _ in "ab"]
    for arn in arns:
        ended(sfn, arn)
    labels = {map_run_of(sfn, arn)["mapRunArn"].split("/")[1].split(":")[0] for arn in arns}
    [label] = labels
    assert (len(label), label[14]) == (36, "3")
    [row] = children(sfn, arns[0])
    assert row["executionArn"].split(":")[6] == f"unlabelled/{label}"
    assert row["stateMachineArn"] == f"{machine['stateMachineArn']}/{label}"
    run_id, name = map_run_of(sfn, arns[0])["mapRunArn"].rpartition(":")[2], row["name"]
    assert (len(run_id), run_id[14], len(name), name[14]) == (36, "4", 36, "3")


@pytest.mark.parametrize(
    ("transformation", "expected"),
    [("NONE", ["[1,2]", "3"]), ("COMPACT", [[1, 2], 3]), ("FLATTEN", [1, 2, 3])],
)
def test_a_writer_without_a_bucket_shapes_the_result(sfn: Any, transformation: str, expected: list[Any]) -> None:
    """WriterConfig alone writes nothing: records with their metadata, outputs, or outputs joined."""
    writer = {"WriterConfig": {"Transformation": transformation, "OutputType": "JSON"}}
    found = output_of(run(sfn, map_definition(PASS, ResultWriter=writer), [[1, 2], 3]))
    assert [row["Output"] if transformation == "NONE" else row for row in found] == expected
    if transformation == "NONE":
        assert {row["Status"] for row in found} == {"SUCCEEDED"}
