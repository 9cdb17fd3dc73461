"""Redrive through unmodified boto3: only what failed runs again, and AWS's counts, histories, folders and refusals."""

import json
import time
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError

from maprun.cli.client import Api
from maprun.cli.failures import summed
from tests.integration.system.running import Json, body, ended, map_definition, map_run_of, states
from tests.integration.system.stack import ROLE, Stack

pytestmark = pytest.mark.integration
BUCKET = "redriven"
COUNTS = ("total", "succeeded", "failed", "timedOut", "aborted", "pending", "running", "pendingRedrive")


@pytest.fixture(scope="module", autouse=True)
def bucket(s3: Any) -> None:
    """A bucket for sources, for what children look for, and for results."""
    s3.create_bucket(Bucket=BUCKET)


def look(name: str, **more: Any) -> Json:
    """Children that begin with a Pass and then need the object that their item names."""
    return {
        "Begin": {"Type": "Pass", "Next": "Look"},
        "Look": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:s3:headObject",
            "Parameters": {"Bucket": BUCKET, "Key.$": f"States.Format('{name}/{{}}', $.k)"},
            "ResultSelector": {"size.$": "$.ContentLength"},
            "ResultPath": "$.found",
            "End": True,
            **more,
        },
    }


def jsonl(key: str, **config: Any) -> Json:
    """An ItemReader of a JSONL object."""
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSONL", **config},
        "Parameters": {"Bucket": BUCKET, "Key": key},
    }


def writer(prefix: str) -> Json:
    """A ResultWriter."""
    return {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": BUCKET, "Prefix": prefix}}


class World:
    """`count` items, each needing an object; those of `missing` are not there yet."""

    def __init__(self, s3: Any, name: str, count: int, missing: set[int]) -> None:
        self.s3, self.name, self.missing = s3, name, missing
        text = "".join(json.dumps({"k": f"{n:04d}"}) + "\n" for n in range(count))
        s3.put_object(Bucket=BUCKET, Key=f"{name}.jsonl", Body=text.encode())
        for n in set(range(count)) - missing:
            self._put(n)

    def _put(self, n: int) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=f"{self.name}/{n:04d}", Body=b"x" * n)

    def repair(self) -> None:
        """What was missing is there."""
        for n in self.missing:
            self._put(n)


def started(sfn: Any, name: str, definition: str, given: object = None) -> str:
    """The ARN of an execution of a new machine."""
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    arn: str = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))["executionArn"]
    return arn


def counts(described: Json, *, of: str = "executionCounts") -> dict[str, int]:
    """The counts of a Map Run that are not 0."""
    return {name: described[of][name] for name in COUNTS if described[of][name]}


def children(sfn: Any, map_run: str, **filters: Any) -> list[Json]:
    """All children of a Map Run."""
    pages = sfn.get_paginator("list_executions").paginate(mapRunArn=map_run, **filters)
    return [row for page in pages for row in page["executions"]]


def settled(sfn: Any, arn: str) -> Json:
    """The Map Run once it is over: its parent may have ended a moment before."""
    deadline = time.monotonic() + 20
    while (described := map_run_of(sfn, arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return described


@pytest.mark.parametrize("child_type", ["STANDARD", "EXPRESS"])
def test_only_what_failed_runs_again(sfn: Any, s3: Any, child_type: str) -> None:
    """5 of 60 fail, past the tolerance of 2; repaired and redriven all are there, the 55 untouched."""
    name = f"again-{child_type.lower()}"
    world = World(s3, name, 60, {3, 17, 31, 44, 59})
    definition = map_definition(
        look(name),
        child_type=child_type,
        ItemReader=jsonl(f"{name}.jsonl"),
        ResultWriter=writer(f"out-{name}"),
        ToleratedFailurePercentage=5,
    )
    arn = started(sfn, name, definition)
    assert ended(sfn, arn)["error"] == "States.ExceedToleratedFailureThreshold"
    first = settled(sfn, arn)
    assert (first["status"], first["redriveCount"]) == ("FAILED", 0)
    assert first["executionCounts"]["failed"] > 3
    assert sum(counts(first).values()) - 60 == first["executionCounts"]["total"] == 60
    before = {row["name"]: row for row in children(sfn, first["mapRunArn"], statusFilter="SUCCEEDED")}

    world.repair()
    redriven = sfn.redrive_execution(executionArn=arn)["redriveDate"]
    found = ended(sfn, arn)
    assert (found["status"], found["redriveCount"], found["redriveDate"]) == ("SUCCEEDED", 1, redriven)
    second = map_run_of(sfn, arn)
    assert counts(second) == counts(second, of="itemCounts") == {"total": 60, "succeeded": 60}
    assert (second["status"], second["redriveCount"], second["startDate"]) == ("SUCCEEDED", 1, first["startDate"])
    assert second["redriveDate"] >= redriven
    after = {row["name"]: row for row in children(sfn, first["mapRunArn"])}
    assert len(after) == 60
    assert all(after[child] == row for child, row in before.items())
    again = children(sfn, first["mapRunArn"], redriveFilter="REDRIVEN")
    assert {row["redriveCount"] for row in again} == {1}
    assert len(again) == 60 - len(before) - counts(first).get("pending", 0)
    _files_agree(s3, arn, sfn, name, len(before))
    if child_type == "STANDARD":
        _history_goes_on(sfn, again[0]["executionArn"])


def test_chosen_children_run_again_alone(stack: Stack, sfn: Any, s3: Any) -> None:
    """One of those that failed is redriven and succeeds; the others stand as they were until all are redriven."""
    name = "again-chosen"
    world = World(s3, name, 60, set(range(60)))
    more: Json = {"ItemReader": jsonl(f"{name}.jsonl"), "ResultWriter": writer(f"out-{name}"), "MaxConcurrency": 4}
    arn = started(sfn, name, map_definition(look(name), **more))
    ended(sfn, arn)
    first = settled(sfn, arn)
    world.repair()
    with closing(Api(stack.api)) as api:
        clusters = summed(api.errors(first["mapRunArn"], children=True))
        failed = [cluster for cluster in clusters if cluster["status"] == "FAILED"]
        assert sum(cluster["count"] for cluster in failed) == first["executionCounts"]["failed"] > 0
        api.redrive_children(first["mapRunArn"], [failed[0]["children"][0], 1], [], "token")
        assert ended(sfn, arn)["error"] == "Maprun.RedrivenInPart"
        second = settled(sfn, arn)
        before, after = counts(first), counts(second)
        assert after.get("failed", 0) == before["failed"] - 1
        assert {**after, "failed": 0} == {**before, "failed": 0, "succeeded": 1}
        found = list(api.children(first["mapRunArn"], 0, redrive="latest"))
        assert [row["status"] for row in found] == ["SUCCEEDED"]
    folder = f"out-{name}/{first['mapRunArn'].rsplit(':', 1)[1]}/Redrive-1/"
    manifest = json.loads(body(s3, BUCKET, f"{folder}manifest.json"))["ResultFiles"]
    pending = [json.loads(body(s3, BUCKET, file["Key"])) for file in manifest["PENDING"]]
    assert sum(map(len, pending)) == after["pending"]
    with closing(Api(stack.api)) as api:
        shown = api.results(first["mapRunArn"])
    assert (shown["bucket"], shown["manifestKey"]) == (BUCKET, f"{folder}manifest.json")
    kinds = {file["status"]: file for file in shown["files"]}
    assert [json.loads(text)["Status"] for text in kinds["SUCCEEDED"]["firstRecords"]] == ["SUCCEEDED"]
    assert len(kinds["PENDING"]["firstRecords"]) == min(5, after["pending"])
    sfn.redrive_execution(executionArn=arn)
    assert ended(sfn, arn)["status"] == "SUCCEEDED"
    assert counts(map_run_of(sfn, arn)) == {"total": 60, "succeeded": 60}


def _files_agree(s3: Any, arn: str, sfn: Any, name: str, early: int) -> None:
    """The first folder stays; Redrive-1 has what came then; its manifest lists the successes of both."""
    run = map_run_of(sfn, arn)["mapRunArn"].rsplit(":", 1)[1]
    folder = f"out-{name}/{run}/"
    manifest = json.loads(body(s3, BUCKET, f"{folder}Redrive-1/manifest.json"))
    succeeded = [file["Key"] for file in manifest["ResultFiles"]["SUCCEEDED"]]
    assert succeeded == [f"{folder}SUCCEEDED_0.json", f"{folder}Redrive-1/SUCCEEDED_0.json"]
    assert manifest["ResultFiles"]["FAILED"] == manifest["ResultFiles"]["PENDING"] == []
    records = [json.loads(body(s3, BUCKET, key)) for key in succeeded]
    assert [len(part) for part in records] == [early, 60 - early]
    assert len({record["Name"] for part in records for record in part}) == 60
    assert {json.loads(record["Input"])["k"] for part in records for record in part} == {f"{n:04d}" for n in range(60)}
    old = json.loads(body(s3, BUCKET, f"{folder}manifest.json"))
    assert len(json.loads(body(s3, BUCKET, old["ResultFiles"]["FAILED"][0]["Key"]))) > 3
    result = json.loads(ended(sfn, arn)["output"])
    assert result["ResultWriterDetails"]["Key"] == f"{folder}Redrive-1/manifest.json"


def _history_goes_on(sfn: Any, child: str) -> None:
    """A STANDARD child goes on in the state it failed in: its Pass is not done again."""
    types = [event["type"] for event in sfn.get_execution_history(executionArn=child)["events"]]
    assert types.count("PassStateEntered") == types.count("ExecutionStarted") == 1
    at = types.index("ExecutionRedriven")
    assert types[at - 1] in {"ExecutionFailed", "ExecutionAborted"}
    assert types[-1] == "ExecutionSucceeded"
    described = sfn.describe_execution(executionArn=child)
    assert (described["status"], described["redriveCount"]) == ("SUCCEEDED", 1)


def test_the_parents_history_is_awss(sfn: Any, s3: Any) -> None:
    """Two redrives, of which the first fails again: the recorded order of events and what each points at."""
    world = World(s3, "two-redrives", 6, {0, 4})
    definition = map_definition(look("two-redrives"), ItemReader=jsonl("two-redrives.jsonl"))
    arn = started(sfn, "two-redrives", definition)
    ended(sfn, arn)
    settled(sfn, arn)
    sfn.redrive_execution(executionArn=arn)
    assert ended(sfn, arn)["status"] == "FAILED"
    settled(sfn, arn)
    world.repair()
    sfn.redrive_execution(executionArn=arn)
    assert ended(sfn, arn)["status"] == "SUCCEEDED"
    events = sfn.get_execution_history(executionArn=arn)["events"]
    assert [(event["type"], event["previousEventId"]) for event in events] == [
        ("ExecutionStarted", 0),
        ("MapStateEntered", 0),
        ("MapStateStarted", 2),
        ("MapRunStarted", 3),
        ("MapRunFailed", 4),
        ("MapStateFailed", 5),
        ("ExecutionFailed", 6),
        ("ExecutionRedriven", 7),
        ("MapRunRedriven", 3),
        ("MapRunFailed", 9),
        ("MapStateFailed", 10),
        ("ExecutionFailed", 11),
        ("ExecutionRedriven", 12),
        ("MapRunRedriven", 3),
        ("MapRunSucceeded", 14),
        ("MapStateSucceeded", 15),
        ("MapStateExited", 14),
        ("ExecutionSucceeded", 17),
    ]
    assert [e["mapRunRedrivenEventDetails"]["redriveCount"] for e in events if e["type"] == "MapRunRedriven"] == [1, 2]
    assert [row["k"] for row in json.loads(ended(sfn, arn)["output"])] == [f"{n:04d}" for n in range(6)]


def test_a_stopped_execution_is_redriven(sfn: Any) -> None:
    """Stopped children go on, those never started start; the redrive may come while the run still closes."""
    child = {"W": {"Type": "Wait", "Seconds": 2, "End": True}}
    arn = started(sfn, "stopped-redriven", map_definition(child, MaxConcurrency=4), list(range(12)))
    time.sleep(1.0)
    sfn.stop_execution(executionArn=arn)
    sfn.redrive_execution(executionArn=arn)
    found = ended(sfn, arn)
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", list(range(12)))
    assert counts(map_run_of(sfn, arn)) == {"total": 12, "succeeded": 12}


def test_what_waits_to_be_redriven_is_shown(sfn: Any, s3: Any) -> None:
    """While one child at a time runs again the others are PENDING_REDRIVE, in counts, lists and descriptions."""
    World(s3, "slow", 1, {0})
    child = {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Variable": "$$.Execution.RedriveCount", "NumericGreaterThan": 0, "Next": "Wait"}],
            "Default": "Bad",
        },
        "Bad": {"Type": "Fail", "Error": "E"},
        "Wait": {"Type": "Wait", "Seconds": 1, "End": True},
    }
    definition = map_definition(child, child_type="EXPRESS", MaxConcurrency=1, ToleratedFailureCount=5)
    arn = started(sfn, "slow", definition, list(range(6)))
    assert ended(sfn, arn)["status"] == "FAILED"
    run = settled(sfn, arn)["mapRunArn"]
    sfn.redrive_execution(executionArn=arn)
    deadline = time.monotonic() + 10
    while True:
        live = map_run_of(sfn, arn)
        waiting = children(sfn, run, statusFilter="PENDING_REDRIVE")
        if live["executionCounts"]["running"] == 1 and waiting:
            break
        assert time.monotonic() < deadline, (live["executionCounts"], waiting)
    assert live["status"] == "RUNNING"
    assert live["executionCounts"]["pendingRedrive"] + live["executionCounts"]["succeeded"] in {5, 4}
    one = sfn.describe_execution(executionArn=waiting[-1]["executionArn"])
    assert one["status"] in {"PENDING_REDRIVE", "RUNNING"}
    assert ended(sfn, arn)["status"] == "SUCCEEDED"
    assert children(sfn, run, statusFilter="PENDING_REDRIVE") == []


def test_refusals(sfn: Any) -> None:
    """Running, succeeded, unknown and child executions can't be redriven: AWS's errors."""
    sleeping = started(sfn, "not-yet", states(W={"Type": "Wait", "Seconds": 600, "End": True}))
    done = started(sfn, "is-done", states(P={"Type": "Pass", "End": True}))
    ended(sfn, done)
    for arn, code, words in (
        (sleeping, "ExecutionNotRedrivable", "Execution is RUNNING and cannot be redriven"),
        (done, "ExecutionNotRedrivable", "Execution is SUCCEEDED and cannot be redriven"),
        (done + "-not", "ExecutionDoesNotExist", "Execution Does Not Exist"),
        ("nonsense", "InvalidArn", "Invalid"),
    ):
        with pytest.raises(ClientError) as caught:
            sfn.redrive_execution(executionArn=arn)
        assert caught.value.response["Error"]["Code"] == code
        assert words in caught.value.response["Error"]["Message"]
    sfn.stop_execution(executionArn=sleeping)


def test_a_failed_task_of_the_parent_is_done_again(sfn: Any, s3: Any) -> None:
    """A redrive goes on in the state that failed: what was done before is not done again."""
    arn = started(sfn, "parent-task", states(**look("solo")), {"k": "0001"})
    assert ended(sfn, arn)["status"] == "FAILED"
    s3.put_object(Bucket=BUCKET, Key="solo/0001", Body=b"x")
    sfn.redrive_execution(executionArn=arn)
    found = ended(sfn, arn)
    assert json.loads(found["output"]) == {"k": "0001", "found": {"size": 1}}
    types = [event["type"] for event in sfn.get_execution_history(executionArn=arn)["events"]]
    assert types.count("PassStateEntered") == types.count("TaskStateEntered") == 1
    assert types.count("TaskScheduled") == 2
