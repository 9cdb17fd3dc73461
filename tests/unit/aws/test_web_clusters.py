"""`eks:call` and `eks:runJob`: what is sent to a cluster, who it is from, what comes of it, and Jobs to their ends."""

import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from maprun.aws.tasks import TaskRunner
from maprun.integrations.jobs import Followed
from schemas.effects import SubmissionFailed, TaskFailed, TaskRequested, TaskSubmitted, TaskSucceeded
from tests.unit.aws.cluster_api import Authority, Cluster, serving
from tests.unit.aws.service import failed, output, task
from tests.unit.aws.web_calls import runner_for

CALL = "arn:aws:states:::eks:call"
RUN_JOB = "arn:aws:states:::eks:runJob.sync"
PODS = "/api/v1/namespaces/default/pods"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "pi"}, "spec": {"backoffLimit": 0}}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One for all clusters."""
    return Authority(tmp_path_factory.mktemp("authority"))


class Scene:
    """A cluster, and Tasks about it."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._folder, self._authority = folder, authority
        self.cluster = Cluster()
        self.endpoint = ""

    def run(self, use: Callable[[TaskRunner], Awaitable[Any]], *, allowed: bool = True) -> Any:
        """What `use` gives with a runner that may call the cluster."""

        async def at(endpoint: str) -> Any:
            self.endpoint = endpoint
            runner = runner_for(self._folder, [], allow=endpoint if allowed else "127.0.0.0/8")
            try:
                return await use(runner)
            finally:
                await runner.close()

        return serving(self.cluster, self._authority, at)

    def asked(self, resource: str, **parameters: Any) -> TaskRequested:
        """A Task."""
        where = {"ClusterName": "c", "CertificateAuthority": self._authority.data, "Endpoint": self.endpoint}
        made = task(resource, {**where, **parameters})
        return msgspec.structs.replace(made, callback=resource.endswith(".sync"))

    def call(self, *, allowed: bool = True, **parameters: Any) -> Any:
        """How one call ends."""
        return self.run(lambda runner: runner.run_task(self.asked(CALL, **parameters), "key"), allowed=allowed)

    def start(self, key: str = "key", **parameters: Any) -> Any:
        """What comes of the start of a Job."""
        return self.run(lambda runner: runner.run_task(self.asked(RUN_JOB, **parameters), key))

    def look(self, **parameters: Any) -> Any:
        """How the Job `pi` is."""
        answer = json.dumps({"ResponseBody": JOB}).encode()
        return self.run(lambda runner: runner.job_calls.look(Followed(self.asked(RUN_JOB, **parameters), answer)))


@pytest.fixture
def scene(tmp_path: Path, authority: Authority) -> Scene:
    """With an empty cluster."""
    return Scene(tmp_path, authority)


def test_a_call_is_a_request_to_the_cluster(scene: Scene) -> None:
    """With path, query and body as they are given; the result is the body as JSON, the status and its words."""
    found = output(scene.call(Method="POST", Path=JOBS, QueryParameters={"a": ["1", "x y"]}, RequestBody=JOB))
    assert found == {"ResponseBody": JOB, "StatusCode": 201, "StatusText": "Created"}
    ((method, path, body),) = scene.cluster.asked
    assert (method, path, json.loads(body)) == ("POST", f"{JOBS}?a=1&a=x%20y", JOB)
    assert scene.cluster.requests[0].headers["Content-Type"] == "application/json"


def test_a_body_may_be_a_text(scene: Scene) -> None:
    """That is JSON."""
    scene.call(Method="POST", Path=JOBS, RequestBody=json.dumps(JOB))
    assert json.loads(scene.cluster.asked[0][2]) == JOB


@pytest.mark.parametrize(
    ("body", "kind"),
    [({"spec": {}}, "application/strategic-merge-patch+json"), ([{"op": "remove"}], "application/json-patch+json")],
)
def test_a_patch_says_of_which_kind_it_is(scene: Scene, body: Any, kind: str) -> None:
    """An object is merged, an array lists changes."""
    scene.call(Method="PATCH", Path=f"{JOBS}/pi", RequestBody=body)
    assert scene.cluster.requests[0].headers["Content-Type"] == kind


def test_the_token_is_a_signed_request_to_sts(scene: Scene) -> None:
    """Of the cluster's name, as AWS's authenticator reads it; nobody but the cluster sends it."""
    scene.call(Method="GET", Path=PODS)
    kind, _, token = scene.cluster.requests[0].headers["Authorization"].partition(" k8s-aws-v1.")
    assert kind == "Bearer"
    assert "=" not in token
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://sts.us-east-1.amazonaws.com/"
    assert query["Action"] == "GetCallerIdentity"
    assert query["X-Amz-Credential"] == "AKID/20231114/us-east-1/sts/aws4_request"
    assert (query["X-Amz-SignedHeaders"], query["X-Amz-Expires"]) == ("host;x-k8s-aws-id", "60")


def test_a_status_is_the_errors_name(scene: Scene) -> None:
    """The cause has what the cluster said."""
    found = failed(scene.call(Method="GET", Path=f"{JOBS}/pi"))
    assert found.error == "EKS.404"
    cause = json.loads(found.cause)
    assert (cause["StatusCode"], cause["StatusText"], cause["ResponseBody"]["code"]) == (404, "Not Found", 404)


def test_another_host_gets_no_token(scene: Scene) -> None:
    """Only EKS's own, and places that the configuration names: a network that may be called is none."""
    found = failed(scene.call(allowed=False, Method="GET", Path=PODS))
    assert found.error == "States.Permissions"
    assert "it is no cluster of EKS" in found.cause
    assert scene.cluster.asked == []


def test_a_cluster_of_another_authority_is_not_asked(scene: Scene, tmp_path: Path) -> None:
    """Its certificate is not that of the one in the parameters."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").data
    found = failed(scene.call(Method="GET", Path=PODS, CertificateAuthority=other))
    assert found.error == "EKS.SdkClientException"
    assert "its certificate is not valid for it" in found.cause
    assert scene.cluster.asked == []


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"Method": "GET"}, "The field 'Path' is required but was missing"),
        ({"Method": "SING", "Path": "/"}, "'SING'"),
        ({"Method": "GET", "Path": "/a/../b"}, "must lead nowhere but down"),
        ({"Method": "GET", "Path": "/", "CertificateAuthority": "ANPAJ2UCCR6DPCEXAMPLE"}, "a certificate in Base64"),
        ({"Method": "GET", "Path": "/", "Wait": True}, "The field 'Wait' is not supported by Step Functions"),
    ],
)
def test_parameters_that_can_not_be_are_told(scene: Scene, parameters: dict[str, Any], words: str) -> None:
    """Before anything is sent."""
    found = failed(scene.call(**parameters))
    assert found.error == "States.Runtime"
    assert words in found.cause
    assert scene.cluster.asked == []


def test_a_job_is_made_with_the_attempt_in_it(scene: Scene) -> None:
    """In its namespace; the answer is what the Task has submitted."""
    started = scene.start(Job=JOB, Namespace="batch")
    assert isinstance(started, TaskSubmitted)
    made = json.loads(started.output)["ResponseBody"]
    assert made["metadata"]["name"] == "pi"
    assert list(made["metadata"]["annotations"]) == ["maprun/attempt"]
    assert list(scene.cluster.jobs) == ["/apis/batch/v1/namespaces/batch/jobs/pi"]


@pytest.mark.parametrize("meta", [{"name": "pi"}, {"generateName": "pi-"}])
def test_a_repeat_of_a_start_finds_the_job_it_made(scene: Scene, meta: dict[str, str]) -> None:
    """By its name, also by one that is made up, and by the attempt in it."""
    job = json.dumps({**JOB, "metadata": meta})
    first, again = scene.start(Job=job), scene.start(Job=job)
    assert isinstance(again, TaskSubmitted)
    names = [json.loads(each.output)["ResponseBody"]["metadata"]["name"] for each in (first, again)]
    assert names[0] == names[1]
    assert names[0].startswith("pi")
    assert len(scene.cluster.jobs) == 1


def test_a_job_of_another_attempt_is_a_conflict(scene: Scene) -> None:
    """As on AWS, whose users catch it by this name."""
    scene.start("one", Job=JOB)
    refused = scene.start("two", Job=JOB)
    assert isinstance(refused, SubmissionFailed)
    assert refused.error == "EKS.409"


@pytest.mark.parametrize(("end", "expected"), [("", None), ("Complete", TaskSucceeded), ("Failed", TaskFailed)])
def test_the_job_is_the_result_or_the_cause(scene: Scene, end: str, expected: Any) -> None:
    """As Kubernetes describes it."""
    scene.cluster.jobs[f"{JOBS}/pi"] = dict(JOB)
    if end:
        scene.cluster.end(f"{JOBS}/pi", end)
    found = scene.look(Job=JOB)
    if expected is None:
        assert found is None
    elif expected is TaskSucceeded:
        assert output(found)["status"]["succeeded"] == 1
    else:
        assert found.error == "States.TaskFailed"
        assert json.loads(found.cause)["metadata"] == {"name": "pi"}


@pytest.mark.parametrize(
    ("options", "logs"),
    [
        ({"RetrieveLogs": True}, {"log": {"pi": 3.14}}),
        ({"RetrieveLogs": True, "RawLogs": True}, {"log": '{"pi": 3.14}\n'}),
    ],
)
def test_logs_stand_beside_the_job(scene: Scene, options: dict[str, bool], logs: Any) -> None:
    """Of each container of each pod, as JSON where they are JSON and RawLogs doesn't say otherwise."""
    scene.cluster.jobs[f"{JOBS}/pi"] = dict(JOB)
    scene.cluster.end(f"{JOBS}/pi", "Complete")
    scene.cluster.logs = {"pod": {"main": '{"pi": 3.14}\n'}}
    parameters = {**options, "LogParameters": {"tailLines": ["6"]}}
    found = output(scene.look(Job=JOB, LogOptions=parameters))
    assert found["logs"] == {"pods": {"pod": {"containers": {"main": logs}}}}
    asked = [path for _, path, _ in scene.cluster.asked]
    assert asked[1:] == [f"{PODS}?labelSelector=job-name%3Dpi", f"{PODS}/pod/log?container=main&tailLines=6"]


@pytest.mark.parametrize(("status", "error"), [(503, None), (429, None), (401, "EKS.401"), (404, "EKS.404")])
def test_a_cluster_that_is_busy_is_asked_again(scene: Scene, status: int, error: str | None) -> None:
    """It said nothing of the Job; every other refusal fails the attempt."""
    scene.cluster.statuses = {"GET": status}
    found = scene.look(Job=JOB)
    assert found is None if error is None else found.error == error


def test_a_job_is_deleted_with_its_pods(scene: Scene) -> None:
    """When nobody waits for it any more."""
    scene.cluster.jobs[f"{JOBS}/pi"] = dict(JOB)
    answer = json.dumps({"ResponseBody": JOB}).encode()
    scene.run(lambda runner: runner.job_calls.stop(Followed(scene.asked(RUN_JOB, Job=JOB), answer)))
    assert [each[:2] for each in scene.cluster.asked] == [("DELETE", f"{JOBS}/pi?propagationPolicy=Background")]
