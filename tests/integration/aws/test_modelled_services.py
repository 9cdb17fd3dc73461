"""Jobs of services against servers that speak by the services' models: started, followed, failed, stopped."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from maprun.integrations.jobs import Followed
from schemas.effects import TaskFailed, TaskRequested, TaskSubmitted, TaskSucceeded
from tests.integration.aws.modelled_service import ModelledService, running

pytestmark = pytest.mark.integration
Json = dict[str, Any]
ROLE = "arn:aws:iam::123456789012:role/any"
BUCKET = {"S3Uri": "s3://bucket/key"}
LOOKS_MAX = 5


class Kind(NamedTuple):
    """A kind of job: how it is started and told of by its service, which states it has, and what its Task shows."""

    service: str
    resource: str
    parameters: Json
    start: tuple[str, Json]  # the operation and its answer
    look: str
    told: Callable[[str], Json]  # the answer while the job has this state
    states: tuple[str, str, str]  # goes on, ended well, failed
    shown: Json  # of the result, when it ended well
    stop: tuple[str, Json]  # the operation and what it is asked
    token: str = ""  # the member that makes a start repeatable


KINDS = [
    Kind(
        "databrew",
        "databrew:startJobRun",
        {"Name": "job"},
        ("StartJobRun", {"RunId": "run"}),
        "DescribeJobRun",
        lambda state: {"JobName": "job", "RunId": "run", "State": state, "ExecutionTime": 7},
        ("RUNNING", "SUCCEEDED", "FAILED"),
        {"JobName": "job", "RunId": "run", "State": "SUCCEEDED", "ExecutionTime": 7},
        ("StopJobRun", {"Name": "job", "RunId": "run"}),
    ),
    Kind(
        "mediaconvert",
        "mediaconvert:createJob",
        {"Role": ROLE, "Settings": {"TimecodeConfig": {"Source": "ZEROBASED"}}},
        ("CreateJob", {"Job": {"Id": "job", "Role": ROLE, "Settings": {}, "Status": "SUBMITTED"}}),
        "GetJob",
        lambda state: {"Job": {"Id": "job", "Role": ROLE, "Settings": {}, "Status": state}},
        ("PROGRESSING", "COMPLETE", "ERROR"),
        {"Job": {"Id": "job", "Role": ROLE, "Settings": {}, "Status": "COMPLETE"}},
        ("CancelJob", {"Id": "job"}),
        "ClientRequestToken",
    ),
    Kind(
        "bedrock",
        "bedrock:createModelCustomizationJob",
        {
            "JobName": "job",
            "CustomModelName": "own",
            "RoleArn": ROLE,
            "BaseModelIdentifier": "amazon.titan-text-express-v1",
            "TrainingDataConfig": BUCKET,
            "OutputDataConfig": BUCKET,
            "HyperParameters": {"epochCount": "1"},
        },
        ("CreateModelCustomizationJob", {"jobArn": "arn:job"}),
        "GetModelCustomizationJob",
        lambda state: {"jobArn": "arn:job", "jobName": "job", "status": state, "hyperParameters": {"epochCount": "1"}},
        ("InProgress", "Completed", "Failed"),
        {"JobArn": "arn:job", "JobName": "job", "Status": "Completed", "HyperParameters": {"epochCount": "1"}},
        ("StopModelCustomizationJob", {"jobIdentifier": "arn:job"}),
        "clientRequestToken",
    ),
    Kind(
        "ecs",
        "ecs:runTask",
        {"Cluster": "cluster", "TaskDefinition": "definition", "LaunchType": "FARGATE"},
        ("RunTask", {"tasks": [{"taskArn": "task", "clusterArn": "cluster", "lastStatus": "PENDING"}], "failures": []}),
        "DescribeTasks",
        lambda state: {
            "tasks": [
                {
                    "taskArn": "task",
                    "lastStatus": state if state == "RUNNING" else "STOPPED",
                    "containers": [{"name": "main", "exitCode": int(state == "failed")}],
                }
            ]
        },
        ("RUNNING", "STOPPED", "failed"),
        {"TaskArn": "task", "LastStatus": "STOPPED", "Containers": [{"Name": "main", "ExitCode": 0}]},
        ("StopTask", {"cluster": "cluster", "task": "task", "reason": "Stopped by AWS Step Functions"}),
        "clientToken",
    ),
]


class Scene:
    """One job of a kind, and the states that its service tells of, one after the other."""

    def __init__(self, kind: Kind, *states: str) -> None:
        self.kind = kind
        left = list(states)
        self.service = ModelledService(
            kind.service,
            {
                kind.start[0]: lambda _: kind.start[1],
                kind.look: lambda _: kind.told(left.pop(0)),
                kind.stop[0]: lambda asked: {"RunId": asked["RunId"]} if kind.service == "databrew" else {},
            },
        )

    def play(self, use: Callable[[TaskRunner], Awaitable[Any]]) -> Any:
        """What `use` gives with a runner all of whose services are this one."""

        async def run(endpoint: str) -> Any:
            settings = AwsSettings(
                region="us-east-1",
                access_key_id="any",
                secret_access_key="any",  # noqa: S106 - nobody looks at it
                sdk_endpoint=endpoint,
            )
            runner = TaskRunner(settings, time.time, time.monotonic)
            try:
                return await use(runner)
            finally:
                await runner.close()

        with running(self.service) as endpoint:
            return asyncio.run(run(endpoint))

    @property
    def request(self) -> TaskRequested:
        """The Task."""
        resource = f"arn:aws:states:::{self.kind.resource}.sync"
        return TaskRequested("ref", resource, msgspec.json.encode(self.kind.parameters), state="State", callback=True)

    async def followed(self, runner: TaskRunner) -> TaskSucceeded | TaskFailed:
        """How the job ends."""
        job = await self.started(runner)
        for _ in range(LOOKS_MAX):
            outcome = await runner.job_calls.look(job)
            if outcome is not None:
                return outcome
            job = job.looked()
        raise AssertionError("it never ends")

    async def started(self, runner: TaskRunner, key: str = "key") -> Followed:
        """The job once it runs."""
        submitted = await runner.run_task(self.request, key)
        assert isinstance(submitted, TaskSubmitted), submitted
        return Followed(self.request, submitted.output)


kinds = pytest.mark.parametrize("kind", KINDS, ids=[kind.resource for kind in KINDS])


@kinds
def test_a_job_is_followed_to_its_end(kind: Kind) -> None:
    """Asked after until it ended; the result is the job as the integration shows it."""
    scene = Scene(kind, kind.states[0], kind.states[1])
    found = scene.play(scene.followed)
    assert isinstance(found, TaskSucceeded), found
    assert json.loads(found.output) == kind.shown
    assert [operation for operation, _ in scene.service.asked] == [kind.start[0], kind.look, kind.look]


@kinds
def test_a_job_that_fails_fails_its_task(kind: Kind) -> None:
    """With the job as the cause."""
    scene = Scene(kind, kind.states[2])
    found = scene.play(scene.followed)
    assert isinstance(found, TaskFailed), found
    assert found.error == "States.TaskFailed"
    assert set(json.loads(found.cause)) == set(kind.shown)


@kinds
def test_a_job_is_stopped(kind: Kind) -> None:
    """By its id, which the answer to its start had."""
    scene = Scene(kind)

    async def stop(runner: TaskRunner) -> None:
        await runner.job_calls.stop(await scene.started(runner))

    scene.play(stop)
    operation, asked = scene.service.asked[-1]
    assert (operation, dict(asked)) == kind.stop


@kinds
def test_a_repeat_of_a_start_carries_the_same_token(kind: Kind) -> None:
    """Where the service takes one; another attempt has another."""
    scene = Scene(kind)

    async def start(runner: TaskRunner) -> None:
        for key in ("one", "one", "two"):
            await scene.started(runner, key)

    scene.play(start)
    tokens = [asked.get(kind.token) for _, asked in scene.service.asked]
    if kind.token:
        assert tokens[0] == tokens[1] != tokens[2]
    else:
        assert tokens == [None] * 3
