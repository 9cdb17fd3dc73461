"""Every operation of the AWS JSON API with unmodified boto3: round trips, pages, errors."""

import datetime as dt
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.system.running import PASS, Json, ended, map_definition, map_run_of, output_of, run, states
from tests.integration.system.stack import ACCOUNT, REGION, ROLE

pytestmark = pytest.mark.integration
ARN = f"arn:aws:states:{REGION}:{ACCOUNT}"
SLEEP = states(W={"Type": "Wait", "Seconds": 600, "End": True})


def error_of(call: Any, **members: Any) -> tuple[str, str]:
    """Name and message of the error that a call must give."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    found = caught.value.response["Error"]
    return found["Code"], found["Message"]


def test_a_state_machine_from_create_to_delete(sfn: Any) -> None:
    """Create, describe, update, list, delete: what was written is read, and what was deleted is gone."""
    definition = states(**PASS)
    made = sfn.create_state_machine(name="round-trip", definition=definition, roleArn=ROLE)
    arn = made["stateMachineArn"]
    assert arn == f"{ARN}:stateMachine:round-trip"
    assert isinstance(made["creationDate"], dt.datetime)
    again = sfn.create_state_machine(name="round-trip", definition=definition, roleArn=ROLE)
    assert again["stateMachineArn"] == arn
    other = states(Q={"Type": "Succeed"})
    assert error_of(sfn.create_state_machine, name="round-trip", definition=other, roleArn=ROLE) == (
        "StateMachineAlreadyExists",
        f"State Machine Already Exists: '{arn}'",
    )
    described = sfn.describe_state_machine(stateMachineArn=arn)
    assert json.loads(described["definition"]) == json.loads(definition)
    assert {name: described[name] for name in ("name", "status", "type", "roleArn")} == {
        "name": "round-trip",
        "status": "ACTIVE",
        "type": "STANDARD",
        "roleArn": ROLE,
    }
    assert described["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert described["tracingConfiguration"] == {"enabled": False}
    updated = sfn.update_state_machine(stateMachineArn=arn, definition=other)
    assert isinstance(updated["updateDate"], dt.datetime)
    assert json.loads(sfn.describe_state_machine(stateMachineArn=arn)["definition"]) == json.loads(other)
    assert arn in [
        row["stateMachineArn"] for row in sfn.get_paginator("list_state_machines").paginate().search("stateMachines")
    ]
    sfn.delete_state_machine(stateMachineArn=arn)
    assert error_of(sfn.describe_state_machine, stateMachineArn=arn)[0] == "StateMachineDoesNotExist"
    assert error_of(sfn.start_execution, stateMachineArn=arn)[0] == "StateMachineDoesNotExist"


def test_a_deleted_machine_stays_until_its_executions_have_ended(sfn: Any) -> None:
    """DELETING: nothing starts or changes it, its name is taken, its executions go on; then it is gone."""
    arn = sfn.create_state_machine(name="leaving", definition=SLEEP, roleArn=ROLE, publish=True)["stateMachineArn"]
    open_ones = [sfn.start_execution(stateMachineArn=arn, name=f"open-{n}")["executionArn"] for n in range(5)]
    stopped = sfn.start_execution(stateMachineArn=arn, name="stopped")["executionArn"]
    sfn.stop_execution(executionArn=stopped)
    sfn.delete_state_machine(stateMachineArn=arn)
    for described in (arn, f"{arn}:1"):
        assert sfn.describe_state_machine(stateMachineArn=described)["status"] == "DELETING"
    refusal = "StateMachineDeleting", f"State Machine is being deleted: '{arn}'"
    for started in (arn, f"{arn}:1"):
        assert error_of(sfn.start_execution, stateMachineArn=started) == refusal
    assert error_of(sfn.create_state_machine, name="leaving", definition=SLEEP, roleArn=ROLE) == refusal
    assert error_of(sfn.update_state_machine, stateMachineArn=arn, definition=states(**PASS)) == refusal
    assert error_of(sfn.publish_state_machine_version, stateMachineArn=arn) == refusal
    assert error_of(sfn.list_state_machine_aliases, stateMachineArn=arn) == refusal
    reason = "State machine is in DELETING status"
    assert error_of(sfn.redrive_execution, executionArn=stopped) == ("ExecutionNotRedrivable", reason)
    assert sfn.describe_execution(executionArn=stopped)["redriveStatusReason"] == reason
    sfn.delete_state_machine(stateMachineArn=arn)
    for execution in open_ones:
        assert sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"
        assert sfn.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
        sfn.stop_execution(executionArn=execution)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            sfn.describe_state_machine(stateMachineArn=arn)
        except sfn.exceptions.StateMachineDoesNotExist:
            break
        time.sleep(0.1)
    made = sfn.create_state_machine(name="leaving", definition=states(**PASS), roleArn=ROLE)
    assert sfn.describe_state_machine(stateMachineArn=made["stateMachineArn"])["status"] == "ACTIVE"


def test_an_execution_from_start_to_history(sfn: Any) -> None:
    """Start, describe, list and history of one execution agree, and are there as soon as the start is answered."""
    made = sfn.create_state_machine(name="one-pass", definition=states(**PASS), roleArn=ROLE)
    machine = made["stateMachineArn"]
    started = sfn.start_execution(stateMachineArn=machine, name="first", input='{"a":  1}')
    arn = started["executionArn"]
    assert arn == f"{ARN}:execution:one-pass:first"
    assert sfn.describe_execution(executionArn=arn)["status"] in {"RUNNING", "SUCCEEDED"}
    found = ended(sfn, arn)
    assert output_of(found) == {"a": 1}
    assert found["input"] == '{"a":  1}'
    assert found["startDate"] == started["startDate"]
    assert found["stopDate"] >= found["startDate"]
    assert (found["redriveCount"], found["redriveStatus"]) == (0, "NOT_REDRIVABLE")
    [row] = sfn.list_executions(stateMachineArn=machine)["executions"]
    assert (row["executionArn"], row["name"], row["status"]) == (arn, "first", "SUCCEEDED")
    events = sfn.get_execution_history(executionArn=arn)["events"]
    assert [(e["id"], e["previousEventId"], e["type"]) for e in events] == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "PassStateEntered"),
        (3, 2, "PassStateExited"),
        (4, 3, "ExecutionSucceeded"),
    ]
    assert events[0]["executionStartedEventDetails"]["input"] == '{"a":  1}'
    backwards = sfn.get_execution_history(executionArn=arn, reverseOrder=True)["events"]
    assert [e["id"] for e in backwards] == [4, 3, 2, 1]
    bare = sfn.get_execution_history(executionArn=arn, includeExecutionData=False)["events"]
    assert "input" not in bare[0]["executionStartedEventDetails"]
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=arn, PaginationConfig={"PageSize": 3})
    assert [e["id"] for page in pages for e in page["events"]] == [1, 2, 3, 4]


def test_a_name_may_be_repeated_only_while_open_and_alike(sfn: Any) -> None:
    """The same name and input while it runs is the same execution; anything else is refused."""
    machine = sfn.create_state_machine(name="sleeper", definition=SLEEP, roleArn=ROLE)["stateMachineArn"]
    first = sfn.start_execution(stateMachineArn=machine, name="x", input="{}")
    again = sfn.start_execution(stateMachineArn=machine, name="x", input="{}")
    assert again["executionArn"] == first["executionArn"]
    taken = ("ExecutionAlreadyExists", f"Execution Already Exists: '{first['executionArn']}'")
    assert error_of(sfn.start_execution, stateMachineArn=machine, name="x", input='{"b": 1}') == taken
    sfn.stop_execution(executionArn=first["executionArn"], error="Mine", cause="enough")
    found = ended(sfn, first["executionArn"])
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Mine", "enough")
    assert error_of(sfn.start_execution, stateMachineArn=machine, name="x", input="{}") == taken


def test_stopping_a_parent_stops_its_map_run(sfn: Any) -> None:
    """The Map Run ends ABORTED, its running children too; what never started stays pending."""
    child = {"W": {"Type": "Wait", "Seconds": 600, "End": True}}
    definition = map_definition(child, MaxConcurrency=3)
    machine = sfn.create_state_machine(name="stopped", definition=definition, roleArn=ROLE)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input=json.dumps(list(range(10))))["executionArn"]
    described = until(lambda: map_run_of(sfn, arn), lambda run: run["itemCounts"]["running"] == 3)
    assert described["status"] == "RUNNING"
    sfn.stop_execution(executionArn=arn)
    assert ended(sfn, arn)["status"] == "ABORTED"
    described = until(lambda: map_run_of(sfn, arn), lambda run: run["status"] != "RUNNING")
    assert described["status"] == "ABORTED"
    counts = described["itemCounts"]
    assert (counts["aborted"], counts["running"], counts["succeeded"]) == (3, 0, 0)
    assert counts["pending"] == counts["total"] - 3
    rows = sfn.list_executions(mapRunArn=described["mapRunArn"], statusFilter="ABORTED")["executions"]
    assert len(rows) == 3


def until(ask: Any, true: Any, seconds_max: float = 15) -> Json:
    """What `ask` answers once it is as it should be."""
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            found: Json = ask()
        except ValueError:  # no Map Run yet
            found = {}
        if found and true(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_children_of_a_map_run_are_listed_described_and_told(sfn: Any) -> None:
    """Children are found by their Map Run, page by page, each once; each has its own history."""
    found = run(sfn, map_definition(PASS), list(range(250)))
    described = map_run_of(sfn, found["executionArn"])
    pages = sfn.get_paginator("list_executions").paginate(
        mapRunArn=described["mapRunArn"], PaginationConfig={"PageSize": 60}
    )
    sizes, rows = [], []
    for page in pages:
        sizes.append(len(page["executions"]))
        rows += page["executions"]
    assert sizes == [60, 60, 60, 60, 10]
    assert len({row["executionArn"] for row in rows}) == 250
    assert {row["status"] for row in rows} == {"SUCCEEDED"}
    assert {row["mapRunArn"] for row in rows} == {described["mapRunArn"]}
    child = sfn.describe_execution(executionArn=rows[0]["executionArn"])
    assert child["mapRunArn"] == described["mapRunArn"]
    assert child["stateMachineArn"] == f"{found['stateMachineArn']}/L"
    assert child["output"] == child["input"]
    events = sfn.get_execution_history(executionArn=rows[0]["executionArn"])["events"]
    assert [e["type"] for e in events] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    [listed] = sfn.list_map_runs(executionArn=found["executionArn"])["mapRuns"]
    assert listed["mapRunArn"] == described["mapRunArn"]
    assert listed["stateMachineArn"] == f"{found['stateMachineArn']}/L"
    parents = sfn.list_executions(stateMachineArn=found["stateMachineArn"])["executions"]
    assert [row["executionArn"] for row in parents] == [found["executionArn"]]


def test_express_children_have_express_arns_and_no_public_history(sfn: Any) -> None:
    """An EXPRESS child's ARN has nine parts; AWS's history operation refuses it."""
    found = run(sfn, map_definition(PASS, child_type="EXPRESS"), [1])
    [row] = sfn.list_executions(mapRunArn=map_run_of(sfn, found["executionArn"])["mapRunArn"])["executions"]
    parts = row["executionArn"].split(":")
    assert (parts[5], len(parts)) == ("express", 9)
    assert sfn.describe_execution(executionArn=row["executionArn"])["status"] == "SUCCEEDED"
    assert error_of(sfn.get_execution_history, executionArn=row["executionArn"])[0] == "InvalidArn"


def test_the_parents_history_tells_of_its_map_run(sfn: Any) -> None:
    """The sequence and the links of events are AWS's (since November 2024)."""
    found = run(sfn, map_definition(PASS), [1, 2, 3])
    events = sfn.get_execution_history(executionArn=found["executionArn"])["events"]
    assert [(e["id"], e["previousEventId"], e["type"]) for e in events] == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "MapStateEntered"),
        (3, 2, "MapStateStarted"),
        (4, 3, "MapRunStarted"),
        (5, 4, "MapRunSucceeded"),
        (6, 5, "MapStateSucceeded"),
        (7, 4, "MapStateExited"),
        (8, 7, "ExecutionSucceeded"),
    ]
    assert events[2]["mapStateStartedEventDetails"]["length"] == 3
    assert events[3]["mapRunStartedEventDetails"]["mapRunArn"] == map_run_of(sfn, found["executionArn"])["mapRunArn"]


def test_executions_are_paged_newest_first_and_filtered(sfn: Any) -> None:
    """Pages of a machine's executions hold each once, the newest first; a status filter holds."""
    definition = states(
        A={"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 1, "Next": "F"}], "Default": "S"},
        F={"Type": "Fail", "Error": "One"},
        S={"Type": "Succeed"},
    )
    machine = sfn.create_state_machine(name="paged", definition=definition, roleArn=ROLE)["stateMachineArn"]
    arns = [sfn.start_execution(stateMachineArn=machine, input=str(n % 3))["executionArn"] for n in range(9)]
    for arn in arns:
        ended(sfn, arn)
    pages = sfn.get_paginator("list_executions").paginate(stateMachineArn=machine, PaginationConfig={"PageSize": 4})
    rows = [row for page in pages for row in page["executions"]]
    assert {row["executionArn"] for row in rows} == set(arns)
    assert len(rows) == 9
    starts = [row["startDate"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    failed = sfn.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"]
    assert {row["executionArn"] for row in failed} == set(arns[1::3])


def test_live_counts_only_grow_and_sum_to_the_total(sfn: Any) -> None:
    """describe_map_run, polled while a run goes on: ended items never shrink, the parts always sum to the total."""
    child = {"W": {"Type": "Wait", "Seconds": 1, "End": True}}
    definition = map_definition(child, MaxConcurrency=100)
    machine = sfn.create_state_machine(name="live", definition=definition, roleArn=ROLE)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input=json.dumps(list(range(500))))["executionArn"]
    before, polls, running_seen = 0, 0, 0
    while sfn.describe_execution(executionArn=arn)["status"] == "RUNNING":
        found = sfn.list_map_runs(executionArn=arn)["mapRuns"]
        if found:
            counts = sfn.describe_map_run(mapRunArn=found[0]["mapRunArn"])["itemCounts"]
            done = counts["succeeded"] + counts["failed"] + counts["timedOut"] + counts["aborted"]
            assert done >= before
            assert done + counts["running"] + counts["pending"] == counts["total"]
            assert counts["running"] <= 100
            before, polls, running_seen = done, polls + 1, max(running_seen, counts["running"])
        time.sleep(0.05)
    counts = map_run_of(sfn, arn)["itemCounts"]
    assert (counts["succeeded"], counts["total"], counts["running"], counts["pending"]) == (500, 500, 0, 0)
    assert polls >= 10
    assert running_seen > 0


def test_what_is_not_there_is_said_in_the_words_of_aws(sfn: Any) -> None:
    """Unknown machines, executions and Map Runs have AWS's error names and messages."""
    machine, execution = f"{ARN}:stateMachine:nobody", f"{ARN}:execution:nobody:x"
    assert error_of(sfn.start_execution, stateMachineArn=machine) == (
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{machine}'",
    )
    assert error_of(sfn.describe_execution, executionArn=execution) == (
        "ExecutionDoesNotExist",
        f"Execution Does Not Exist: '{execution}'",
    )
    assert error_of(sfn.stop_execution, executionArn=execution)[0] == "ExecutionDoesNotExist"
    assert error_of(sfn.get_execution_history, executionArn=execution)[0] == "ExecutionDoesNotExist"
    assert error_of(sfn.list_map_runs, executionArn=execution)[0] == "ExecutionDoesNotExist"
    assert error_of(sfn.describe_map_run, mapRunArn=f"{ARN}:mapRun:nobody/L:x")[0] == "ResourceNotFound"
