"""Integrations against servers of others: each pattern, each kind of error, and the shapes of what comes back."""

import asyncio
import json
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import msgspec
import pytest

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from maprun.integrations.jobs import Followed
from schemas.effects import SubmissionFailed, TaskFailed, TaskOutcome, TaskRequested, TaskSubmitted, TaskSucceeded
from tests.integration.moto_server import ACCOUNT, REGION, Moto, batch_of, running_moto

pytestmark = pytest.mark.integration
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
STATES = "arn:aws:states:::"
LOOKS_MAX = 20


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    """One server for this module, with something of each service in it."""
    with running_moto() as server:
        batch_of(server)
        server.client("sqs").create_queue(QueueName="queue")
        server.client("sns").create_topic(Name="topic")
        server.client("secretsmanager").create_secret(Name="secret", SecretString="hidden")
        server.client("glue").create_job(Name="job", Role=ROLE, Command={"Name": "glueetl"})
        server.client("dynamodb").create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        network = {"subnetIds": ["subnet-1"]}
        server.client("eks").create_cluster(name="old", roleArn=ROLE, resourcesVpcConfig=network)
        server.client("codebuild").create_project(
            name="project",
            source={"type": "S3", "location": "bucket/key"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "any", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=f"arn:aws:iam::{ACCOUNT}:role/service-role/any",
        )
        yield server


class Caller:
    """Makes calls of Tasks, one after the other, with clients that are made once."""

    def __init__(self, loop: asyncio.Runner, runner: TaskRunner, moto: Moto) -> None:
        self._loop = loop
        self.runner = runner
        self.moto = moto

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What the work gives."""
        return self._loop.run(work)

    def call(self, resource: str, parameters: Any, **fields: Any) -> TaskOutcome:
        """What comes of one attempt's call."""
        outcome: TaskOutcome = self.run(self.runner.run_task(task(resource, parameters, **fields), "key"))
        return outcome


@pytest.fixture(scope="module")
def caller(moto: Moto) -> Iterator[Caller]:
    """All services are the server."""
    settings = AwsSettings(
        region=REGION,
        access_key_id="any",
        secret_access_key="any",  # noqa: S106 - moto looks at no keys
        s3_endpoint=moto.endpoint,
        sdk_endpoint=moto.endpoint,
    )
    with asyncio.Runner() as loop:
        runner = TaskRunner(settings, time.time, time.monotonic)
        yield Caller(loop, runner, moto)
        loop.run(runner.close())


def task(resource: str, parameters: Any, **fields: Any) -> TaskRequested:
    """A Task."""
    fields.setdefault("callback", resource.endswith((".sync", ".waitForTaskToken")))
    return TaskRequested("ref", f"{STATES}{resource}", json.dumps(parameters).encode(), state="State", **fields)


def output(outcome: Any) -> Any:
    """The output of a call that went well."""
    assert isinstance(outcome, TaskSucceeded | TaskSubmitted), outcome
    return json.loads(outcome.output)


def job_of(caller: Caller, resource: str, parameters: Any) -> tuple[Any, Any]:
    """The answer to the start of a job, and how the job ended."""
    started = output(caller.call(f"{resource}.sync", parameters))
    job = Followed(task(f"{resource}.sync", parameters), msgspec.json.encode(started))
    for _ in range(LOOKS_MAX):
        outcome = caller.run(caller.runner.job_calls.look(job))
        if outcome is not None:
            return started, outcome
        job = job.looked()
    raise AssertionError(f"{resource} never ends")


# ---------------------------------------------------------------------- request-response


def test_a_message_is_sent(caller: Caller) -> None:
    """SQS: the answer has the message's id and checksum, and how it was carried."""
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/queue"
    result = output(caller.call("sqs:sendMessage", {"QueueUrl": url, "MessageBody": {"a": 1}}))
    assert {"MessageId", "MD5OfMessageBody", "SdkHttpMetadata", "SdkResponseMetadata"} <= set(result)
    (message,) = caller.moto.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"a": 1}


def test_a_notification_is_published(caller: Caller) -> None:
    """SNS."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
    assert "MessageId" in output(caller.call("sns:publish", {"TopicArn": topic, "Message": {"a": 1}}))


def test_events_are_put(caller: Caller) -> None:
    """EventBridge: Detail may be JSON."""
    entry = {"Source": "me", "DetailType": "mine", "Detail": {"a": 1}}
    result = output(caller.call("events:putEvents", {"Entries": [entry]}))
    assert (result["FailedEntryCount"], len(result["Entries"])) == (0, 1)


def test_items_are_written_and_read(caller: Caller) -> None:
    """DynamoDB: put, update, get, delete."""
    key = {"id": {"S": "1"}}
    assert "SdkHttpMetadata" in output(caller.call("dynamodb:putItem", {"TableName": "table", "Item": key}))
    changed = caller.call(
        "dynamodb:updateItem",
        {
            "TableName": "table",
            "Key": key,
            "UpdateExpression": "SET n = :n",
            "ExpressionAttributeValues": {":n": {"N": "2"}},
            "ReturnValues": "UPDATED_NEW",
        },
    )
    assert output(changed)["Attributes"] == {"n": {"N": "2"}}
    found = output(caller.call("dynamodb:getItem", {"TableName": "table", "Key": key}))
    assert found["Item"] == {**key, "n": {"N": "2"}}
    assert "SdkHttpMetadata" in output(caller.call("dynamodb:deleteItem", {"TableName": "table", "Key": key}))


def test_any_action_of_the_sdk_is_called(caller: Caller) -> None:
    """Secrets Manager, in the Java SDK's spelling and with ISO dates."""
    result = output(caller.call("aws-sdk:secretsmanager:getSecretValue", {"SecretId": "secret"}))
    assert (result["Name"], result["SecretString"]) == ("secret", "hidden")
    assert result["CreatedDate"].endswith("Z")


@pytest.mark.parametrize(
    ("resource", "parameters", "error", "words"),
    [
        (
            "sqs:sendMessage",
            {"QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/nowhere", "MessageBody": "m"},
            "SQS.QueueDoesNotExistException",
            "Service: AmazonSQS; Status Code: 400",
        ),
        (
            "sns:publish",
            {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:nowhere", "Message": "m"},
            "SNS.NotFoundException",
            "Service: AmazonSNS; Status Code: 404",
        ),
        (
            "dynamodb:getItem",
            {"TableName": "nowhere", "Key": {"id": {"S": "1"}}},
            "DynamoDB.ResourceNotFoundException",
            "Service: AmazonDynamoDBv2; Status Code: 400",
        ),
        (
            "dynamodb:putItem",
            {"TableName": "table", "Item": {"id": {"S": "9"}}, "ConditionExpression": "attribute_exists(id)"},
            "DynamoDB.ConditionalCheckFailedException",
            "Error Code: ConditionalCheckFailedException",
        ),
        (
            "aws-sdk:secretsmanager:getSecretValue",
            {"SecretId": "nowhere"},
            "SecretsManager.ResourceNotFoundException",
            "(Service: SecretsManager, Status Code: 404,",
        ),
        (
            "aws-sdk:dynamodb:getItem",
            {"TableName": "nowhere", "Key": {"id": {"S": "1"}}},
            "DynamoDb.ResourceNotFoundException",
            "(Service: DynamoDb, Status Code: 400,",
        ),
        (
            "glue:startJobRun",
            {"JobName": "nowhere"},
            "Glue.EntityNotFoundException",
            "Service: AWSGlue; Status Code: 400",
        ),
        (
            "ecs:runTask",
            {"Cluster": "nowhere", "TaskDefinition": "any"},
            "ECS.ClusterNotFoundException",
            "Service: AmazonECS; Status Code: 400",
        ),
        ("batch:submitJob", {"JobName": "n"}, "States.Runtime", "jobQueue"),
        ("codebuild:stopBuild", {"Id": 1}, "States.Runtime", "must be a STRING"),
    ],
)
def test_refusals_have_their_errors(caller: Caller, resource: str, parameters: Any, error: str, words: str) -> None:
    """By the service, each in the words of its kind of integration; or by the SDK, before anything is sent."""
    outcome = caller.call(resource, parameters)
    assert isinstance(outcome, TaskFailed)
    assert outcome.error == error
    assert words in outcome.cause


# ---------------------------------------------------------------------- task tokens


def test_a_submission_hands_the_token_on(caller: Caller) -> None:
    """SQS: the message has the token, and the answer is TaskSubmitted's output."""
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/queue"
    body = {"QueueUrl": url, "MessageBody": {"token": "the token"}}
    outcome = caller.call("sqs:sendMessage.waitForTaskToken", body)
    assert isinstance(outcome, TaskSubmitted)
    (message,) = caller.moto.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"token": "the token"}


def test_a_refused_submission_fails(caller: Caller) -> None:
    """With the service's error."""
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/nowhere"
    outcome = caller.call("sqs:sendMessage.waitForTaskToken", {"QueueUrl": url, "MessageBody": "m"})
    assert isinstance(outcome, SubmissionFailed)
    assert outcome.error == "SQS.QueueDoesNotExistException"


# ---------------------------------------------------------------------- jobs

IMAGE = {"TrainingInputMode": "File", "TrainingImage": "any"}
CLUSTER = {"InstanceType": "ml.m4.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
INSTANCES = {"MasterInstanceType": "m1.small", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}


@pytest.mark.parametrize(
    ("resource", "parameters", "kind", "shown"),
    [
        (
            "batch:submitJob",
            {"JobName": "n", "JobQueue": "queue", "JobDefinition": "definition"},
            "batch::job",
            {"Status": "SUCCEEDED", "JobName": "n"},
        ),
        ("glue:startJobRun", {"JobName": "job"}, "glue::job_run", {"JobRunState": "SUCCEEDED", "JobName": "job"}),
        (
            "athena:startQueryExecution",
            {"QueryString": "select 1", "ResultConfiguration": {"OutputLocation": "s3://bucket/"}},
            "athena::execution",
            {"QueryExecution": {"Query": "select 1", "Status": {"State": "SUCCEEDED"}}},
        ),
        ("codebuild:startBuild", {"ProjectName": "project"}, "", {"Build": {"BuildStatus": "SUCCEEDED"}}),
        (
            "sagemaker:createTrainingJob",
            {
                "TrainingJobName": "training",
                "AlgorithmSpecification": IMAGE,
                "RoleArn": ROLE,
                "OutputDataConfig": {"S3OutputPath": "s3://bucket"},
                "ResourceConfig": CLUSTER,
                "StoppingCondition": {"MaxRuntimeInSeconds": 1},
            },
            "",
            {"TrainingJobStatus": "Completed", "TrainingJobName": "training"},
        ),
        (
            "sagemaker:createProcessingJob",
            {
                "ProcessingJobName": "processing",
                "ProcessingResources": {"ClusterConfig": CLUSTER},
                "AppSpecification": {"ImageUri": "any"},
                "RoleArn": ROLE,
            },
            "",
            {"ProcessingJobStatus": "Completed"},
        ),
        (
            "elasticmapreduce:createCluster",
            {"Name": "n", "Instances": INSTANCES, "JobFlowRole": "r", "ServiceRole": "r"},
            "",
            {"Cluster": {"Name": "n", "Status": {"State": "WAITING"}}},
        ),
        (
            "emr-serverless:createApplication",
            {"Name": "n", "ReleaseLabel": "emr-6.6.0", "Type": "SPARK"},
            "",
            {"Name": "n"},
        ),
        (
            "eks:createCluster",
            {"Name": "n", "RoleArn": ROLE, "ResourcesVpcConfig": {"SubnetIds": ["subnet-1"]}},
            "",
            {"Name": "n", "Status": "ACTIVE"},
        ),
        ("eks:deleteCluster", {"Name": "old"}, "", {"Cluster": {"Name": "old"}}),
    ],
)
def test_a_job_is_followed_to_its_end(caller: Caller, resource: str, parameters: Any, kind: str, shown: Any) -> None:
    """The Task's result is the job, as the integration shows it."""
    if kind:
        caller.moto.looks_until_done(kind, 2)
    _, outcome = job_of(caller, resource, parameters)
    assert holds(output(outcome), shown), outcome
    assert "SdkHttpMetadata" not in output(outcome)


def holds(value: Any, shown: Any) -> bool:
    """True if the value has these members, at any depth."""
    if not isinstance(shown, dict):
        return bool(value == shown)
    return isinstance(value, dict) and all(name in value and holds(value[name], shown[name]) for name in shown)


def test_a_job_of_a_step_belongs_to_its_cluster(caller: Caller) -> None:
    """EMR: a step is added to a cluster and cancelled."""
    started, _ = job_of(
        caller,
        "elasticmapreduce:createCluster",
        {"Name": "steps", "Instances": INSTANCES, "JobFlowRole": "r", "ServiceRole": "r"},
    )
    cluster = started["ClusterId"]
    step = {"Name": "s", "HadoopJarStep": {"Jar": "j"}, "ActionOnFailure": "CONTINUE"}
    added = output(caller.call("elasticmapreduce:addStep", {"ClusterId": cluster, "Step": step}))
    described = caller.moto.client("emr").describe_step(ClusterId=cluster, StepId=added["StepId"])
    assert described["Step"]["Name"] == "s"
    protect = {"ClusterId": cluster, "TerminationProtected": True}
    assert "SdkHttpMetadata" in output(caller.call("elasticmapreduce:setClusterTerminationProtection", protect))
    described = caller.moto.client("emr").describe_cluster(ClusterId=cluster)
    assert described["Cluster"]["TerminationProtected"] is True


def virtual_cluster(moto: Moto, name: str) -> str:
    """A cluster of EMR on EKS, whose job runs go on for ever."""
    container = {"type": "EKS", "id": name, "info": {"eksInfo": {"namespace": name}}}
    made: str = moto.client("emr-containers").create_virtual_cluster(name=name, containerProvider=container)["id"]
    return made


def job_run(cluster: str) -> Any:
    """The parameters that start such a run."""
    return {
        "VirtualClusterId": cluster,
        "ExecutionRoleArn": ROLE,
        "ReleaseLabel": "emr-6.3.0-latest",
        "JobDriver": {"SparkSubmitJobDriver": {"EntryPoint": "s3://bucket/key"}},
    }


def test_a_job_is_stopped(caller: Caller) -> None:
    """Who still asked after it would hear that it failed."""
    resource, parameters = "emr-containers:startJobRun.sync", job_run(virtual_cluster(caller.moto, "stopped"))
    started = output(caller.call(resource, parameters))
    job, calls = Followed(task(resource, parameters), msgspec.json.encode(started)), caller.runner.job_calls
    assert caller.run(calls.look(job)) is None
    caller.run(calls.stop(job))
    outcome = caller.run(calls.look(job))
    assert outcome.error == "States.TaskFailed"
    assert json.loads(outcome.cause)["State"] == "CANCELLED"


def test_a_repeat_of_a_start_carries_the_same_token(caller: Caller) -> None:
    """By which the service knows it again (moto does not); another attempt's is another one."""
    cluster = virtual_cluster(caller.moto, "repeated")
    request = task("emr-containers:startJobRun.sync", job_run(cluster))
    for key in ("one", "one", "two"):
        assert isinstance(caller.run(caller.runner.run_task(request, key)), TaskSubmitted)
    runs = caller.moto.client("emr-containers").list_job_runs(virtualClusterId=cluster)["jobRuns"]
    assert (len(runs), len({run["clientToken"] for run in runs})) == (3, 2)


# ---------------------------------------------------------------------- Credentials


def test_a_role_s_identity_makes_the_call(caller: Caller) -> None:
    """STS says whose keys signed: those of the session that it gave."""
    role = f"arn:aws:iam::{ACCOUNT}:role/other"
    result = output(caller.call("aws-sdk:sts:getCallerIdentity", {}, role_arn=role))
    assert result["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/other/maprun"
