"""Children and executions that wait for jobs of a service, while the services of this project are killed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.moto_server import ACCOUNT, Moto, running_moto
from tests.integration.system.running import Json, map_definition, output_of, states
from tests.integration.system.stack import ROLE, Stack

pytestmark = pytest.mark.integration
COUNT = 40
KILLED = ("child-runner-0", "scheduler")
LOST = "Glue.SdkClientException"
"""The error of a start whose answer was lost with its process."""


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    """Jobs of Glue that go on to their next state when they are asked after; any number of them may run."""
    with running_moto() as server:
        server.looks_until_done("glue::job_run", 1)
        limits = {"MaxConcurrentRuns": 10_000}
        server.client("glue").create_job(Name="job", Role=ROLE, Command={"Name": "glueetl"}, ExecutionProperty=limits)
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, moto: Moto) -> Iterator[Stack]:
    """A stack of its own, whose Tasks call moto."""
    made = Stack(Path(tmp_path_factory.mktemp("jobs")), AWS_ENDPOINT_URL=moto.endpoint)
    made.up()
    yield made
    made.down()


def begun(sfn: Any, name: str, definition: str, given: Any) -> str:
    """An execution's ARN."""
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    arn: str = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    return arn


def ended(sfn: Any, arn: str, seconds_max: float = 120) -> Json:
    """DescribeExecution at the end; the API may be away meanwhile."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        try:
            described: Json = sfn.describe_execution(executionArn=arn)
            if described["status"] != "RUNNING":
                return described
        except (BotoCoreError, ClientError):
            pass  # a service was killed a moment ago
        time.sleep(0.2)
    raise AssertionError(f"{arn} is still running after {seconds_max:.0f} s")


def events_of(sfn: Any, arn: str) -> list[Json]:
    """The history."""
    events: list[Json] = sfn.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    return events


def job(**fields: Any) -> Json:
    """A Task that waits for a job."""
    task = {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": "job"}}
    return {**task, "End": True, **fields}


def test_no_job_is_lost_and_none_is_started_twice(stack: Stack, moto: Moto) -> None:
    """After kill -9 of child-runner and scheduler each child has a job of its own, and there are no others.

    But for those whose start was not answered when its process was killed: those children's attempts say so.
    """
    sfn = stack.client("stepfunctions")
    child = {"Job": job(Retry=[{"ErrorEquals": [LOST], "IntervalSeconds": 1, "MaxAttempts": 5}])}
    definition = map_definition(child, ItemsPath="$.items", MaxConcurrency=COUNT // 4)  # so that it lasts
    arn = begun(sfn, "jobs", definition, {"items": list(range(COUNT))})
    for part in KILLED:
        time.sleep(2.5)
        assert sfn.describe_execution(executionArn=arn)["status"] == "RUNNING", "it ended before it was hit"
        stack.kill(part)
    described = ended(sfn, arn)
    assert described["status"] == "SUCCEEDED", described
    runs = [item["Id"] for item in output_of(described)]
    started = moto.client("glue").get_job_runs(JobName="job", MaxResults=200)["JobRuns"]
    lost = len(started) - COUNT
    assert len(set(runs)) == COUNT
    assert set(runs) <= {run["Id"] for run in started}
    assert 0 <= lost <= COUNT, "only starts that were under way may have been lost"


def test_a_root_execution_waits_for_its_job(stack: Stack) -> None:
    """Its history tells of it as AWS's does."""
    sfn = stack.client("stepfunctions")
    arn = begun(sfn, "root", states(Job=job()), {})
    described = ended(sfn, arn)
    assert described["status"] == "SUCCEEDED", described
    events = events_of(sfn, arn)
    assert [event["type"] for event in events[2:6]] == [
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
    ]
    submitted, succeeded = events[4]["taskSubmittedEventDetails"], events[5]["taskSucceededEventDetails"]
    assert (submitted["resourceType"], submitted["resource"]) == ("glue", "startJobRun.sync")
    run = json.loads(submitted["output"])["JobRunId"]
    assert json.loads(succeeded["output"])["Id"] == run


def test_a_role_makes_the_call(stack: Stack) -> None:
    """Credentials: the role is assumed at the configured STS."""
    sfn = stack.client("stepfunctions")
    role = f"arn:aws:iam::{ACCOUNT}:role/other"
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sts:getCallerIdentity",
        "Parameters": {},
        "Credentials": {"RoleArn.$": "$.role"},
        "End": True,
    }
    described = ended(sfn, begun(sfn, "role", states(Who=task), {"role": role}))
    assert output_of(described)["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/other/maprun"
