"""The Map Runs that are measured, and how one is started and followed from outside by boto3."""

import contextlib
import io
import itertools
import json
import time
from collections.abc import Iterable
from typing import Any

from tests.integration.system.stack import ROLE, Stack

BUCKET = "bench"
_LINES_A_PART = 200_000
_PART_BYTES_MIN = 5 << 20  # S3 takes no smaller part but the last
Json = dict[str, Any]


def put_rows(stack: Stack, rows: int) -> int:
    """Uploads `rows` lines of a CSV of about 60 bytes each; answers the bytes."""
    lines = (
        f"{n},customer {n % 9973:04d} of street {n % 89},{n % 100_000 / 100:.2f},2026-11-{n % 28 + 1:02d}\n"
        for n in range(rows)
    )
    return put_lines(stack, f"rows-{rows}.csv", "id,name,amount,date\n", lines)


def put_lines(stack: Stack, key: str, head: str, lines: Iterable[str]) -> int:
    """Uploads a text of any size part by part, in a bucket that is made if it isn't there; answers the bytes."""
    s3 = stack.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=BUCKET)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    where = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
    parts: list[Json] = []
    total = 0
    text = io.StringIO()
    text.write(head)
    source = iter(lines)
    more = True
    while more:
        chunk = list(itertools.islice(source, _LINES_A_PART))
        more = len(chunk) == _LINES_A_PART
        text.write("".join(chunk))
        raw = text.getvalue().encode()
        if more and len(raw) < _PART_BYTES_MIN:
            continue
        number = len(parts) + 1
        parts.append({"PartNumber": number, "ETag": s3.upload_part(**where, PartNumber=number, Body=raw)["ETag"]})
        total += len(raw)
        text = io.StringIO()
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    return total


def csv_machine(
    rows: int,
    child: Json,
    *,
    concurrency: int = 0,
    child_type: str = "STANDARD",
    selector: Json | None = None,
    tolerated_percentage: float = 0,
    writer: Json | None = None,
    batch: int = 1,
) -> str:
    """A Map over the CSV of that many rows, results in S3; each child's input by `selector`, else the row.

    `writer` is a WriterConfig. With a `batch` of more than one a child has so many rows.
    """
    state = {
        "Type": "Map",
        "Label": "Bench",
        "MaxConcurrency": concurrency,
        "ToleratedFailurePercentage": tolerated_percentage,
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": BUCKET, "Key": f"rows-{rows}.csv"},
        },
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": child_type}, **child},
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": "out"},
            **({"WriterConfig": writer} if writer else {}),
        },
        "End": True,
    }
    if selector:
        state["ItemSelector"] = selector
    if batch > 1:
        state["ItemBatcher"] = {"MaxItemsPerBatch": batch}
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
