"""Jobs that Tasks start and wait for, against a server that speaks for their services."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from maprun.aws.tasks import TaskRunner
from maprun.integrations.jobs import UNSEEN_LOOKS_MAX, Followed
from schemas.effects import SubmissionFailed, TaskFailed, TaskSubmitted, TaskSucceeded
from tests.unit.aws.service import runner_at, serving, task

BATCH, GLUE, ECS = (f"arn:aws:states:::{name}.sync" for name in ("batch:submitJob", "glue:startJobRun", "ecs:runTask"))
EKS = "arn:aws:states:::eks:deleteCluster.sync"
STARTED = 1_600_000_000.25
STEP = {"Name": "n", "HadoopJarStep": {"Jar": "j"}}


class Service:
    """What was asked of a service, and what it answers by the action's name."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """An answer, or a status with an error."""
        body = json.loads(await request.read() or b"{}")
        action = request.headers.get("X-Amz-Target", request.path).rpartition(".")[2].rpartition("/")[2]
        self.asked.append((action, body))
        status, answer = self.answers.get(action, (404, {"__type": "ResourceNotFoundException", "message": "gone"}))
        headers = {"x-amzn-RequestId": "q"}
        if status >= 400 and "__type" in answer:
            headers["x-amzn-ErrorType"] = answer["__type"]
        return web.json_response(answer, status=status, headers=headers)


def run(service: Service, use: Callable[[TaskRunner], Awaitable[Any]]) -> Any:
    """What `use` gives with a runner all of whose services are this one."""

    async def at(endpoint: str) -> Any:
        runner = runner_at(endpoint)
        try:
            return await use(runner)
        finally:
            await runner.close()

    return asyncio.run(serving(service.handle, at))


def look(service: Service, resource: str, asked: Any, answer: Any, looks: int = 0) -> Any:
    """How a job is."""
    followed = Followed(task(resource, asked), json.dumps(answer).encode(), looks)
    return run(service, lambda runner: runner.job_calls.look(followed))


def start(service: Service, resource: str, asked: Any, key: str = "key") -> Any:
    """What comes of a start."""
    request = msgspec.structs.replace(task(resource, asked), callback=True)
    return run(service, lambda runner: runner.run_task(request, key))


def test_a_job_is_submitted_with_what_marks_it() -> None:
    """Batch: the variable by which its containers know who started them; the answer is that of the call."""
    service = Service(submitjob=(200, {"jobArn": "arn:j", "jobName": "n", "jobId": "j"}))
    asked = {"JobName": "n", "JobQueue": "q", "JobDefinition": "d", "ContainerOverrides": {"Environment": []}}
    outcome = start(service, BATCH, asked)
    assert isinstance(outcome, TaskSubmitted)
    assert json.loads(outcome.output)["JobId"] == "j"
    ((action, body),) = service.asked
    mark = {"name": "MANAGED_BY_AWS", "value": "STARTED_BY_STEP_FUNCTIONS"}
    assert (action, body["containerOverrides"]["environment"]) == ("submitjob", [mark])


@pytest.mark.parametrize(
    ("state", "expected"), [("RUNNING", None), ("SUCCEEDED", TaskSucceeded), ("FAILED", TaskFailed)]
)
def test_the_job_is_the_result_or_the_cause(state: str, expected: Any) -> None:
    """With the members' names in capitals."""
    described = {
        "jobs": [{"jobId": "j", "status": state, "createdAt": 1_600_000_000_000, "container": {"exitCode": 0}}]
    }
    service = Service(describejobs=(200, described))
    outcome = look(service, BATCH, {"JobName": "n"}, {"JobId": "j", "SdkHttpMetadata": {}})
    shown = {"JobId": "j", "Status": state, "CreatedAt": 1_600_000_000_000, "Container": {"ExitCode": 0}}
    assert service.asked == [("describejobs", {"jobs": ["j"]})]
    if expected is None:
        assert outcome is None
    elif expected is TaskSucceeded:
        assert json.loads(outcome.output) == shown
    else:
        assert outcome.error == "States.TaskFailed"
        assert json.loads(outcome.cause) == shown


def test_dates_are_milliseconds() -> None:
    """As version 1 of Java's SDK prints them; the answer to the start holds the job's name too."""
    job = {"Id": "jr", "JobName": "n", "JobRunState": "SUCCEEDED", "StartedOn": STARTED}
    service = Service(GetJobRun=(200, {"JobRun": job}), StartJobRun=(200, {"JobRunId": "jr"}))
    submitted = start(service, GLUE, {"JobName": "n"})
    assert json.loads(submitted.output) | {"SdkHttpMetadata": 0, "SdkResponseMetadata": 0} == {
        "JobRunId": "jr",
        "JobName": "n",
        "SdkHttpMetadata": 0,
        "SdkResponseMetadata": 0,
    }
    outcome = look(service, GLUE, {"JobName": "n"}, json.loads(submitted.output))
    assert json.loads(outcome.output) == {**job, "StartedOn": 1_600_000_000_250}
    assert service.asked[1] == ("GetJobRun", {"JobName": "n", "RunId": "jr"})


@pytest.mark.parametrize(("code", "expected"), [(0, TaskSucceeded), (1, TaskFailed), (None, TaskFailed)])
def test_a_container_that_failed_fails_its_task(code: int | None, expected: type) -> None:
    """ECS: the task is STOPPED either way."""
    stopped = {"taskArn": "t", "lastStatus": "STOPPED", "containers": [{"exitCode": code} if code is not None else {}]}
    service = Service(DescribeTasks=(200, {"tasks": [stopped]}))
    answer = {"Tasks": [{"TaskArn": "t", "ClusterArn": "c"}]}
    assert isinstance(look(service, ECS, {"TaskDefinition": "d"}, answer), expected)
    assert service.asked == [("DescribeTasks", {"cluster": "c", "tasks": ["t"]})]


def test_a_start_that_started_nothing_fails() -> None:
    """ECS answers with failures alone where it has no room; the cause holds them."""
    answer = {"Tasks": [], "Failures": [{"Reason": "RESOURCE:MEMORY"}]}
    outcome = look(Service(), ECS, {"TaskDefinition": "d"}, answer)
    assert outcome.error == "States.TaskFailed"
    assert json.loads(outcome.cause) == answer


def test_a_repeat_of_a_start_carries_the_same_token() -> None:
    """ECS's clientToken comes from the attempt's key, and StartedBy says who it was."""
    service = Service(RunTask=(200, {"tasks": [{"taskArn": "t", "clusterArn": "c"}], "failures": []}))
    for key in ("one", "one", "two"):
        start(service, ECS, {"TaskDefinition": "d"}, key)
    tokens = [body["clientToken"] for _, body in service.asked]
    assert tokens[0] == tokens[1] != tokens[2]
    assert {body["startedBy"] for _, body in service.asked} == {"AWS Step Functions"}


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {"message": "oops"}),
        (429, {"__type": "TooManyRequestsException", "message": "slow down"}),
        (400, {"__type": "ThrottlingException", "message": "slow down"}),
    ],
)
def test_a_service_that_is_busy_is_asked_again(status: int, answer: Any) -> None:
    """It said nothing of the job."""
    assert look(Service(describejobs=(status, answer)), BATCH, {"JobName": "n"}, {"JobId": "j"}) is None


def test_a_refused_look_fails_the_attempt() -> None:
    """As a role without the right to describe jobs."""
    service = Service(describejobs=(403, {"__type": "AccessDeniedException", "message": "no"}))
    outcome = look(service, BATCH, {"JobName": "n"}, {"JobId": "j"})
    assert outcome.error == "Batch.AWSBatchException"
    assert outcome.cause.startswith("no (Service: AWSBatch; Status Code: 403; Error Code: AccessDeniedException;")


def test_a_job_that_no_longer_exists_fails_after_some_looks() -> None:
    """Right after the start a service may not show it yet."""
    service = Service(describejobs=(200, {"jobs": []}))
    assert look(service, BATCH, {"JobName": "n"}, {"JobId": "j"}) is None
    outcome = look(service, BATCH, {"JobName": "n"}, {"JobId": "j"}, UNSEEN_LOOKS_MAX)
    assert outcome.error == "States.TaskFailed"


def test_what_is_deleted_is_over_once_it_is_gone() -> None:
    """EKS: the description ends with ResourceNotFoundException."""
    assert isinstance(look(Service(), EKS, {"Name": "c"}, {"Cluster": {"Name": "c"}}), TaskSucceeded)


def test_a_job_is_stopped() -> None:
    """With the words that AWS gives."""
    service = Service(terminatejob=(200, {}))
    followed = Followed(task(BATCH, {"JobName": "n"}), b'{"JobId":"j"}')
    run(service, lambda runner: runner.job_calls.stop(followed))
    assert [(action, body["jobId"]) for action, body in service.asked] == [("terminatejob", "j")]


def test_a_refused_start_is_the_service_s_error() -> None:
    """The history has TaskSubmitFailed then."""
    service = Service(submitjob=(400, {"__type": "ClientException", "message": "no such queue"}))
    outcome = start(service, BATCH, {"JobName": "n", "JobQueue": "q", "JobDefinition": "d"})
    assert isinstance(outcome, SubmissionFailed)
    assert outcome.error == "Batch.ClientException"


def test_emr_has_names_of_its_own() -> None:
    """A step is added by AddJobFlowSteps, which takes many; the answer has StepId."""
    service = Service(AddJobFlowSteps=(200, {"StepIds": ["s"]}))
    outcome = start(service, "arn:aws:states:::elasticmapreduce:addStep.sync", {"ClusterId": "c", "Step": STEP})
    assert json.loads(outcome.output)["StepId"] == "s"
    assert service.asked == [("AddJobFlowSteps", {"JobFlowId": "c", "Steps": [STEP]})]
