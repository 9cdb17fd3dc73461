"""What the tests of the system share: definitions in a line, executions to their end, result files."""

import itertools
import json
import time
from typing import Any

from botocore.exceptions import ClientError

from tests.integration.system.stack import ROLE

Json = dict[str, Any]
PASS = {"P": {"Type": "Pass", "End": True}}
_SECONDS_MAX = 60.0
_numbers = itertools.count()


def states(**found: Json) -> str:
    """A definition of these states that starts at the first."""
    return json.dumps({"StartAt": next(iter(found)), "States": found})


def map_definition(child: Json, *, child_type: str = "STANDARD", **members: Any) -> str:
    """A definition whose only state is a distributed Map."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": child_type},
        "StartAt": next(iter(child)),
        "States": child,
    }
    return states(Map={"Type": "Map", "Label": "L", "ItemProcessor": processor, "End": True, **members})


def run(sfn: Any, definition: str, given: object = None) -> Json:
    """Creates a machine, runs it, answers DescribeExecution at its end."""
    made = sfn.create_state_machine(name=f"test-{next(_numbers)}", definition=definition, roleArn=ROLE)
    text = json.dumps({} if given is None else given)
    return ended(sfn, sfn.start_execution(stateMachineArn=made["stateMachineArn"], input=text)["executionArn"])


def output_of(described: Json) -> Any:
    """The output of an execution that succeeded."""
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])


def ended(sfn: Any, arn: str, seconds_max: float = _SECONDS_MAX) -> Json:
    """DescribeExecution once the execution has ended; one that isn't there yet is waited for."""
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            described: Json = sfn.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionDoesNotExist" or time.monotonic() > deadline:
                raise
        else:
            if described["status"] != "RUNNING":
                return described
            assert time.monotonic() < deadline, f"{arn} is still running after {seconds_max:.0f} s"
        time.sleep(0.05)


def map_run_of(sfn: Any, arn: str) -> Json:
    """DescribeMapRun of the only Map Run of an execution."""
    [found] = sfn.list_map_runs(executionArn=arn)["mapRuns"]
    described: Json = sfn.describe_map_run(mapRunArn=found["mapRunArn"])
    return described


def body(s3: Any, bucket: str, key: str) -> bytes:
    """An object."""
    raw: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return raw
