"""The API as unmodified boto3 sees it, over real Kafka; home is fed by hand where runners and readers would write."""

import json
import re
import time
import urllib.request
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from schemas.arns import home_of
from schemas.home import ItemsRead, LaneProgress, SourceEnded
from tests.integration.tracker.conftest import Decider
from tests.integration.tracker.process import TrackerProcess
from tests.unit.tracker import fakes

pytestmark = pytest.mark.integration
ROLE = "arn:aws:iam::123456789012:role/r"
HOMES = 4


def machine_of(states: dict[str, Any], start: str) -> str:
    """A definition."""
    return json.dumps({"StartAt": start, "States": states})


PASS = machine_of({"P": {"Type": "Pass", "Result": {"x": 1}, "End": True}}, "P")


def map_definition(kind: str, concurrency: int = 0) -> str:
    """A definition with a distributed Map over its input."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "End": True}},
    }
    state = {"Type": "Map", "Label": "L", "ItemProcessor": processor, "ToleratedFailurePercentage": 100, "End": True}
    state["MaxConcurrency"] = concurrency
    return machine_of({"M": state}, "M")


def created(client: Any, definition: str) -> str:
    """A new machine's ARN."""
    name = f"m{uuid.uuid4().hex[:12]}"
    return str(client.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"])


def refused(error: str, call: Any, **members: Any) -> dict[str, Any]:
    """The answer of a call that is refused with this error."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer: dict[str, Any] = caught.value.response
    assert answer["Error"]["Code"] == error, answer
    return answer


def test_machines_live(tracker: TrackerProcess) -> None:
    """A machine is created, described, updated, listed and deleted; each answer is true at once."""
    client = tracker.client()
    tags = [{"key": "k", "value": "v"}]
    name = f"m{uuid.uuid4().hex[:12]}"
    made = client.create_state_machine(name=name, definition=PASS, roleArn=ROLE, tags=tags)
    arn = made["stateMachineArn"]
    assert arn == f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"
    again = client.create_state_machine(name=name, definition=PASS, roleArn=ROLE, tags=tags)
    assert again["creationDate"] == made["creationDate"]
    changed = PASS.replace('"x": 1', '"x": 2')
    refused("StateMachineAlreadyExists", client.create_state_machine, name=name, definition=changed, roleArn=ROLE)
    described = client.describe_state_machine(stateMachineArn=arn)
    assert described["definition"] == PASS
    assert described["status"] == "ACTIVE"
    assert described["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert described["tracingConfiguration"] == {"enabled": False}
    assert described["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert "revisionId" not in described
    updated = client.update_state_machine(stateMachineArn=arn, definition=changed)
    described = client.describe_state_machine(stateMachineArn=arn)
    assert (described["definition"], described["revisionId"]) == (changed, updated["revisionId"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    assert client.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"] == []
    assert arn in [m["stateMachineArn"] for m in client.list_state_machines()["stateMachines"]]
    client.delete_state_machine(stateMachineArn=arn)
    answer = refused("StateMachineDoesNotExist", client.describe_state_machine, stateMachineArn=arn)
    assert answer["Error"]["Message"] == f"State Machine Does Not Exist: '{arn}'"
    client.delete_state_machine(stateMachineArn=arn)


def test_machines_are_listed_in_pages(tracker: TrackerProcess) -> None:
    """Pages of ListStateMachines hold every machine once."""
    client = tracker.client()
    made = {created(client, PASS) for _ in range(5)}
    pages = client.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 2})
    listed = [machine["stateMachineArn"] for page in pages for machine in page["stateMachines"]]
    assert len(listed) == len(set(listed))
    assert made <= set(listed)


def test_an_execution_is_described_as_soon_as_it_is_answered(tracker: TrackerProcess) -> None:
    """DescribeExecution right after StartExecution never says "does not exist", and ends with the output."""
    client = tracker.client()
    machine = created(client, PASS)
    for n in range(20):
        started = client.start_execution(stateMachineArn=machine, input='{"a": 1}', name=f"e{n}")
        described = client.describe_execution(executionArn=started["executionArn"])
        assert described["startDate"] == started["startDate"]
        assert described["status"] == "SUCCEEDED"
        assert described["output"] == '{"x":1}'
        assert described["input"] == '{"a": 1}'
        assert described["redriveStatus"] == "NOT_REDRIVABLE"
        assert described["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    listed = client.list_executions(stateMachineArn=machine)["executions"]
    assert [row["name"] for row in listed] == [f"e{n}" for n in reversed(range(20))]
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="SUCCEEDED", PaginationConfig={"PageSize": 3}
    )
    assert [row["name"] for page in pages for row in page["executions"]] == [f"e{n}" for n in reversed(range(20))]
    assert client.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"] == []


def test_the_history_of_a_root_execution(tracker: TrackerProcess) -> None:
    """Events come with dense ids, in both orders, in pages, with and without data."""
    client = tracker.client()
    arn = client.start_execution(stateMachineArn=created(client, PASS), input='{"a": 1}')["executionArn"]
    events = client.get_execution_history(executionArn=arn)["events"]
    assert [e["type"] for e in events] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert [e["id"] for e in events] == [1, 2, 3, 4]
    assert [e["previousEventId"] for e in events] == [0, 0, 2, 3]
    assert events[0]["executionStartedEventDetails"]["input"] == '{"a": 1}'
    paginator = client.get_paginator("get_execution_history")
    pages = paginator.paginate(executionArn=arn, reverseOrder=True, PaginationConfig={"PageSize": 1})
    assert [e["id"] for page in pages for e in page["events"]] == [4, 3, 2, 1]
    bare = client.get_execution_history(executionArn=arn, includeExecutionData=False)["events"]
    assert "input" not in bare[0]["executionStartedEventDetails"]


def test_a_repeated_call_of_the_sdk_starts_nothing_twice(tracker: TrackerProcess) -> None:
    """StartExecution without a name, sent twice under one invocation id, is one execution."""
    machine = created(tracker.client(), PASS)
    body = json.dumps({"stateMachineArn": machine}).encode()
    headers = {"amz-sdk-invocation-id": str(uuid.uuid4())}
    first = tracker.post("AWSStepFunctions.StartExecution", body, headers)
    second = tracker.post("AWSStepFunctions.StartExecution", body, headers)
    assert first[:2] == second[:2]
    assert tracker.post("AWSStepFunctions.StartExecution", body)[1]["executionArn"] != first[1]["executionArn"]


def test_names_decide(tracker: TrackerProcess) -> None:
    """A name that was used is refused with AWS's words."""
    client = tracker.client()
    machine = created(client, PASS)
    arn = client.start_execution(stateMachineArn=machine, name="n", input="{}")["executionArn"]
    answer = refused("ExecutionAlreadyExists", client.start_execution, stateMachineArn=machine, name="n", input="[]")
    assert answer["Error"]["Message"] == f"Execution Already Exists: '{arn}'"


class Fed:
    """A Map Run whose children were answered by hand."""

    def __init__(self, client: Any, decider: Decider, kind: str, concurrency: int = 0) -> None:
        self.client = client
        self.decider = decider
        self.machine = created(client, map_definition(kind, concurrency))
        items = json.dumps(list(range(200)))
        self.parent = client.start_execution(stateMachineArn=self.machine, input=items)["executionArn"]
        self.home = home_of(self.parent, HOMES)
        [row] = client.list_map_runs(executionArn=self.parent)["mapRuns"]
        self.arn = row["mapRunArn"]
        self.run = self.arn.rsplit(":", 1)[1]

    def end(self) -> None:
        """Answers all 200: the multiples of 7 failed."""
        self.decider.write(
            self.home,
            ItemsRead(self.run, 0, 0, 200, 200, 2_000, b"c"),
            fakes.children_ended(self.run, 0, (0, 150), bytes(2 if p % 7 == 0 else 1 for p in range(150))),
            fakes.children_ended(self.run, 1, (150, 50), bytes(2 if p % 7 == 0 else 1 for p in range(150, 200))),
            fakes.children_ended(self.run, 1, (0, 200), bytes(4 for _ in range(200))),
            SourceEnded(self.run, 0, 200),
        )

    def wait(self) -> dict[str, Any]:
        """The Map Run once it is over."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            described: dict[str, Any] = self.client.describe_map_run(mapRunArn=self.arn)
            if described["status"] != "RUNNING":
                return described
            time.sleep(0.05)
        raise AssertionError("the Map Run does not end")


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_map_run_and_its_children(tracker: TrackerProcess, decider: Decider, kind: str) -> None:
    """Counts are exact, children are listed by status in pages, described and their histories shown."""
    client = tracker.client()
    fed = Fed(client, decider, kind)
    running = client.describe_map_run(mapRunArn=fed.arn)
    assert running["status"] == "RUNNING"
    assert running["executionArn"] == fed.parent
    decider.write(fed.home, ItemsRead(fed.run, 0, 0, 10, 10, 100, b"c"), LaneProgress(fed.run, 0, 0, (0, 4)))
    listed = wait_for(lambda: client.list_executions(mapRunArn=fed.arn, statusFilter="RUNNING")["executions"])
    assert len(listed) == 4
    child = client.describe_execution(executionArn=listed[0]["executionArn"])
    assert (child["status"], child["mapRunArn"]) == ("RUNNING", fed.arn)
    counts = client.describe_map_run(mapRunArn=fed.arn)["itemCounts"]
    assert (counts["running"], counts["pending"], counts["total"]) == (4, 6, 10)
    decider.write(fed.home, ItemsRead(fed.run, 0, 10, 190, 190, 1_900, b"c"))
    fed.end()
    over = fed.wait()
    counts = over["itemCounts"]
    assert (over["status"], counts["succeeded"], counts["failed"], counts["total"]) == ("SUCCEEDED", 171, 29, 200)
    assert sum(counts[s] for s in ("pending", "running", "aborted", "timedOut")) == 0
    assert counts["resultsWritten"] == 200
    pages = client.get_paginator("list_executions").paginate(
        mapRunArn=fed.arn, statusFilter="FAILED", PaginationConfig={"PageSize": 10}
    )
    failed = [row for page in pages for row in page["executions"]]
    assert len({row["executionArn"] for row in failed}) == len(failed) == 29
    assert {row["status"] for row in failed} == {"FAILED"}
    pages = client.get_paginator("list_executions").paginate(mapRunArn=fed.arn, PaginationConfig={"PageSize": 64})
    rows = [row for page in pages for row in page["executions"]]
    assert len({row["executionArn"] for row in rows}) == len(rows) == 200
    assert rows == sorted(rows, key=lambda row: row["startDate"], reverse=True)
    child = client.describe_execution(executionArn=failed[-1]["executionArn"])
    assert (child["status"], child["error"], child["cause"]) == ("FAILED", "E", "cause 0")
    assert child["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    assert child["input"] == '{"p":0}'
    arn = rows[0]["executionArn"]
    assert client.describe_execution(executionArn=arn)["output"] == '{"o":199}'
    if kind == "STANDARD":
        events = client.get_execution_history(executionArn=arn)["events"]
        assert [e["type"] for e in events] == ["ExecutionStarted", "ExecutionSucceeded"]
        machine = client.describe_state_machine_for_execution(executionArn=arn)
        assert json.loads(machine["definition"])["StartAt"] == "P"
        assert (machine["label"], machine["mapRunArn"]) == ("L", fed.arn)
    else:
        answer = refused("InvalidArn", client.get_execution_history, executionArn=arn)
        assert answer["Error"]["Message"] == "Invalid Arn: 'Resource type not valid in this context: express'"
        url = f"{tracker.settings.api}/maprun/history?arn={arn}"
        with urllib.request.urlopen(url, timeout=10) as kept:  # noqa: S310 - a fixed scheme
            assert [e["type"] for e in json.load(kept)["events"]] == ["ExecutionStarted", "ExecutionSucceeded"]
        assert re.fullmatch(r"[0-9a-f-]{36}:[0-9a-f-]{36}", rows[0]["name"])
    parent = wait_for(lambda: client.describe_execution(executionArn=fed.parent).get("stopDate"))
    assert parent
    assert fed.parent not in {row["executionArn"] for row in rows}


def wait_for(look: Any, seconds: float = 60) -> Any:
    """What `look` finds, in a time that only a standstill exceeds: the machine may be busy."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("nothing came")


def test_a_running_execution_is_stopped(tracker: TrackerProcess, decider: Decider) -> None:
    """StopExecution aborts a running execution; the answer and the description agree at once."""
    client = tracker.client()
    fed = Fed(client, decider, "STANDARD")
    stopped = client.stop_execution(executionArn=fed.parent, error="Why", cause="because")
    described = client.describe_execution(executionArn=fed.parent)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Why", "because")
    assert described["stopDate"] == stopped["stopDate"]
    last = client.get_execution_history(executionArn=fed.parent, reverseOrder=True, maxResults=1)["events"][0]
    assert (last["type"], last["previousEventId"]) == ("ExecutionAborted", 0)


MISSING = "arn:aws:states:us-east-1:123456789012"
BAD = [
    ("DescribeExecution", {"executionArn": f"{MISSING}:execution:m:x"}, "ExecutionDoesNotExist"),
    ("DescribeExecution", {"executionArn": "nonsense"}, "InvalidArn"),
    ("DescribeExecution", {"executionArn": f"{MISSING}:execution:m/L:x"}, "ExecutionDoesNotExist"),
    ("DescribeExecution", {}, "ValidationException"),
    ("DescribeExecution", {"executionArn": 5}, "SerializationException"),
    ("DescribeMapRun", {"mapRunArn": f"{MISSING}:mapRun:m/L:x"}, "ResourceNotFound"),
    ("DescribeMapRun", {"mapRunArn": f"{MISSING}:execution:m:x"}, "InvalidArn"),
    ("ListExecutions", {}, "ValidationException"),
    ("ListExecutions", {"mapRunArn": f"{MISSING}:mapRun:m/L:x"}, "ResourceNotFound"),
    ("ListExecutions", {"stateMachineArn": f"{MISSING}:stateMachine:none"}, "StateMachineDoesNotExist"),
    ("ListStateMachines", {"nextToken": "rubbish"}, "InvalidToken"),
    ("ListStateMachines", {"maxResults": 1001}, "ValidationException"),
    ("CreateStateMachine", {"name": "a b", "definition": PASS, "roleArn": ROLE}, "InvalidName"),
    ("CreateStateMachine", {"name": "a" * 81, "definition": PASS, "roleArn": ROLE}, "ValidationException"),
    ("CreateStateMachine", {"name": "a", "definition": "{", "roleArn": ROLE}, "InvalidDefinition"),
    ("CreateStateMachine", {"name": "a", "definition": "[" * 90_000, "roleArn": ROLE}, "InvalidDefinition"),
    ("CreateStateMachine", {"name": "a", "definition": PASS, "roleArn": "x"}, "InvalidArn"),
    ("CreateStateMachine", {"name": "a", "definition": PASS, "roleArn": ROLE, "type": "X"}, "ValidationException"),
    ("UpdateStateMachine", {"stateMachineArn": f"{MISSING}:stateMachine:none"}, "MissingRequiredParameter"),
    ("StartExecution", {"stateMachineArn": f"{MISSING}:stateMachine:none"}, "StateMachineDoesNotExist"),
    ("StopExecution", {"executionArn": f"{MISSING}:execution:m:x"}, "ExecutionDoesNotExist"),
    ("GetExecutionHistory", {"executionArn": f"{MISSING}:express:m/L:x:y"}, "InvalidArn"),
    ("TestState", {"definition": "{}"}, "InvalidDefinition"),
    ("NoSuchThing", {}, "UnknownOperationException"),
]


@pytest.mark.parametrize(("operation", "members", "error"), BAD)
def test_bad_requests_get_their_errors(
    tracker: TrackerProcess, operation: str, members: dict[str, Any], error: str
) -> None:
    """Each bad request gets AWS's error name, a request id and nothing half-done."""
    status, body, headers = tracker.post(f"AWSStepFunctions.{operation}", json.dumps(members).encode())
    assert (status, body["__type"]) == (400, error), body
    assert body["message"]
    assert headers["x-amzn-RequestId"]
    assert headers["Content-Type"] == "application/x-amz-json-1.0"


@pytest.mark.parametrize(
    ("body", "error", "status"),
    [
        (b"{", "SerializationException", 400),
        (b"\xff", "SerializationException", 400),
        (b"[]", "SerializationException", 400),
        (b"[" * 100_000, "SerializationException", 400),
        (b'"' + b"x" * (3 << 20) + b'"', "RequestEntityTooLargeException", 413),
    ],
)
def test_bodies_that_are_no_request(tracker: TrackerProcess, body: bytes, error: str, status: int) -> None:
    """What is not JSON, too deep or too large is refused, and the next good request works."""
    answer = tracker.post("AWSStepFunctions.ListStateMachines", body)
    assert (answer[0], answer[1]["__type"]) == (status, error)
    assert tracker.post("AWSStepFunctions.ListStateMachines", b"{}")[0] == 200


def test_all_constraints_are_told_at_once(tracker: TrackerProcess) -> None:
    """Two members that are wrong are told in one message, in AWS's words."""
    body = json.dumps({"stateMachineArn": "x" * 300, "statusFilter": "FOO"}).encode()
    message = tracker.post("AWSStepFunctions.ListExecutions", body)[1]["message"]
    assert message.startswith("2 validation errors detected: Value 'xxx")
    assert "at 'stateMachineArn' failed to satisfy constraint: Member must have length less than or equal to 256" in (
        message
    )
    assert message.endswith(
        "Value 'FOO' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: "
        "[SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"
    )


def test_a_definition_is_validated_without_being_kept(tracker: TrackerProcess) -> None:
    """ValidateStateMachineDefinition says OK or FAIL with a diagnostic."""
    client = tracker.client()
    assert client.validate_state_machine_definition(definition=PASS)["result"] == "OK"
    answer = client.validate_state_machine_definition(definition='{"StartAt":"X","States":{}}')
    assert answer["result"] == "FAIL"
    assert answer["diagnostics"][0]["severity"] == "ERROR"
