"""The Map Runs that are measured, and how one is started and followed from outside by boto3."""

import io
import json
import time
from typing import Any

from tests.integration.system.stack import ROLE, Stack

BUCKET = "bench"
Json = dict[str, Any]


def put_rows(stack: Stack, rows: int) -> int:
    """Uploads `rows` lines of a CSV of about 60 bytes each; answers the bytes."""
    s3 = stack.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    text = io.StringIO()
    text.write("id,name,amount,date\n")
    for n in range(rows):
        text.write(f"{n},customer {n % 9973:04d} of street {n % 89},{n % 100_000 / 100:.2f},2026-11-{n % 28 + 1:02d}\n")
    raw = text.getvalue().encode()
    s3.put_object(Bucket=BUCKET, Key=f"rows-{rows}.csv", Body=raw)
    return len(raw)


def csv_machine(rows: int, child: Json, *, concurrency: int = 0, child_type: str = "STANDARD") -> str:
    """A Map over the CSV of that many rows, results in S3."""
    state = {
        "Type": "Map",
        "Label": "Bench",
        "MaxConcurrency": concurrency,
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": BUCKET, "Key": f"rows-{rows}.csv"},
        },
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": child_type}, **child},
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": "out"},
        },
        "End": True,
    }
    return json.dumps({"StartAt": "Map", "States": {"Map": state}})


def input_machine(child: Json, *, child_type: str = "STANDARD") -> str:
    """A Map over an array in the input; its result array is dropped, so that it may be of any size."""
    state = {
        "Type": "Map",
        "Label": "Bench",
        "ItemsPath": "$.items",
        "ResultPath": None,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": child_type}, **child},
        "End": True,
    }
    return json.dumps({"StartAt": "Map", "States": {"Map": state}})


PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}


class Runner:
    """Starts executions on a stack and follows them."""

    def __init__(self, stack: Stack) -> None:
        self.sfn = stack.client("stepfunctions")
        self._made: dict[str, str] = {}

    def start(self, name: str, definition: str, given: object = None) -> str:
        """Creates the machine once, starts an execution; answers its ARN."""
        if name not in self._made:
            made = self.sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)
            self._made[name] = made["stateMachineArn"]
        arn: str = self.sfn.start_execution(stateMachineArn=self._made[name], input=json.dumps(given or {}))[
            "executionArn"
        ]
        return arn

    def wait(self, arn: str, poll_seconds: float, seconds_max: float) -> Json:
        """DescribeExecution once it has ended. Raises AssertionError if it doesn't, or not well."""
        deadline = time.monotonic() + seconds_max
        while True:
            described: Json = self.sfn.describe_execution(executionArn=arn)
            if described["status"] != "RUNNING":
                assert described["status"] == "SUCCEEDED", described
                return described
            assert time.monotonic() < deadline, f"{arn} has not ended within {seconds_max:.0f} s: {self.map_run(arn)}"
            time.sleep(poll_seconds)

    def map_run(self, arn: str) -> Json | None:
        """DescribeMapRun of an execution's first Map Run, if it has one yet."""
        found = self.sfn.list_map_runs(executionArn=arn)["mapRuns"]
        described: Json | None = self.sfn.describe_map_run(mapRunArn=found[0]["mapRunArn"]) if found else None
        return described

    def map_seconds(self, arn: str) -> float:
        """From MapRunStarted to MapRunSucceeded, by the parent's history."""
        at = {
            event["type"]: event["timestamp"]
            for event in self.sfn.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        }
        spent: float = (at["MapRunSucceeded"] - at["MapRunStarted"]).total_seconds()
        return spent
