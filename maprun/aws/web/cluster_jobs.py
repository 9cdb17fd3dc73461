"""`eks:runJob`: a Job of Kubernetes is made in a cluster, followed to its end, and its logs are read.

A Job has a name, so that making it again finds it: it carries the attempt that made it, and one of another attempt's is
the error that Kubernetes gives.
"""

import asyncio
import hashlib
from typing import Any, NamedTuple

import msgspec

from maprun.aws.errors import AnswerTooLargeError
from maprun.aws.jobs import STOP_AGAIN_SECONDS
from maprun.aws.lambda_answers import payload_json
from maprun.aws.parameters import UnusableError, parameters_as, unusable
from maprun.aws.sigv4 import Keys
from maprun.aws.web.client import WebAnswer
from maprun.aws.web.clusters import NO_ANSWER, Asked, ClusterParameters, Clusters, queried, shown, well
from maprun.aws.web.failures import TaskError
from maprun.aws.web.members import MemberError
from maprun.integrations.jobs import Followed
from schemas.effects import TaskFailed, TaskSucceeded

ATTEMPT = "maprun/attempt"
"""The annotation of a Job that says which attempt made it."""
_CONFLICT, _TOO_MANY, _SERVER_ERROR = 409, 429, 500


class LogOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """Whether logs are read, how they are shown, and which of them."""

    retrieve_logs: bool = False
    raw_logs: bool = False
    log_parameters: dict[str, list[str]] | None = None


class JobParameters(ClusterParameters, frozen=True, forbid_unknown_fields=True, rename="pascal", kw_only=True):
    """The parameters of `arn:aws:states:::eks:runJob`."""

    job: dict[str, Any] | str
    namespace: str = "default"
    log_options: LogOptions = LogOptions()


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""
    annotations: dict[str, str] | None = None


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str


class _Status(msgspec.Struct, frozen=True):
    conditions: list[_Condition] = []


class _Job(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    status: _Status = _Status()

    def ended_well(self) -> bool | None:
        """None while it goes on."""
        ends = {each.type for each in self.status.conditions if each.status == "True"}
        return True if "Complete" in ends else False if "Failed" in ends else None


class _Container(msgspec.Struct, frozen=True):
    name: str


class _PodSpec(msgspec.Struct, frozen=True):
    containers: list[_Container]


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Meta
    spec: _PodSpec


class _Pods(msgspec.Struct, frozen=True):
    items: list[_Pod]


class _Started(msgspec.Struct, frozen=True):
    """The answer to a start."""

    job: _Job = msgspec.field(name="ResponseBody")


class Made(NamedTuple):
    """A Job that was made, and whose."""

    parameters: JobParameters
    name: str
    role: Keys | None

    @property
    def path(self) -> str:
        """Of the Job."""
        return f"{_jobs(self.parameters)}/{self.name}"


class ClusterJobs:
    """Makes Jobs, follows and deletes them."""

    def __init__(self, clusters: Clusters, answer_bytes_max: int) -> None:
        self._clusters = clusters
        self._bytes_max = answer_bytes_max

    async def start(self, parameters: bytes, role: Keys | None, idempotency_key: str) -> bytes:
        """The answer of the cluster that has the Job now. Raises TaskError, AnswerTooLargeError."""
        try:
            asked = parameters_as(parameters, JobParameters)
            attempt = hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
            job = _marked(asked.job, attempt)
            made = await self._ask(asked, Asked("POST", _jobs(asked), (), msgspec.json.encode(job)), role)
            if made.status == _CONFLICT:
                there = await self._ask(asked, Asked("GET", Made(asked, job["metadata"]["name"], role).path), role)
                if there.ok and _of_attempt(there, attempt):
                    made = there
        except UnusableError as error:
            raise TaskError("States.Runtime", str(error)) from error
        except MemberError as error:
            raise TaskError("States.Runtime", unusable(parameters, str(error))) from error
        return msgspec.json.encode(shown(well(made)))

    async def look(self, followed: Followed, role: Keys | None) -> TaskSucceeded | TaskFailed | None:
        """How the Job ended; None while it goes on, or the cluster is busy. Raises AnswerTooLargeError."""
        made, ref = _made(followed, role), followed.request.ref
        try:
            answer = well(await self._ask(made.parameters, Asked("GET", made.path), role))
        except TaskError as error:
            return None if _passes(error) else TaskFailed(ref, error.error, error.cause)
        good = msgspec.json.decode(answer.body, type=_Job).ended_well()
        if good is None:
            return None
        result = answer.body
        if made.parameters.log_options.retrieve_logs:
            described = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
            result = msgspec.json.encode({**described, "logs": await self._logs(made)})
        return TaskSucceeded(ref, result) if good else TaskFailed(ref, "States.TaskFailed", result.decode())

    async def stop(self, followed: Followed, role: Keys | None) -> None:
        """Has the Job deleted with its pods, as far as the cluster can and will."""
        made = _made(followed, role)
        for pause in (*STOP_AGAIN_SECONDS, 0.0):
            try:
                delete = Asked("DELETE", made.path, (("propagationPolicy", "Background"),))
                well(await self._ask(made.parameters, delete, role))
            except TaskError as error:
                if _passes(error):
                    await asyncio.sleep(pause)
                    continue
            return

    async def _ask(self, cluster: ClusterParameters, asked: Asked, role: Keys | None) -> WebAnswer:
        return await self._clusters.ask(cluster, asked, role, self._bytes_max)

    async def _logs(self, made: Made) -> Any:
        """The logs of all containers, or why there are none: nothing of it fails the Task."""
        asked = made.parameters
        pods = f"/api/v1/namespaces/{asked.namespace}/pods"
        selector = (("labelSelector", f"job-name={made.name}"),)
        try:
            listed = well(await self._ask(asked, Asked("GET", pods, selector), made.role))
        except (TaskError, AnswerTooLargeError) as error:
            return {"error": error.error, "cause": error.cause}
        return {
            "pods": {
                pod.metadata.name: {
                    "containers": {
                        container.name: await self._log(made, f"{pods}/{pod.metadata.name}/log", container.name)
                        for container in pod.spec.containers
                    }
                }
                for pod in msgspec.json.decode(listed.body, type=_Pods).items
            }
        }

    async def _log(self, made: Made, path: str, container: str) -> Any:
        options = made.parameters.log_options
        query = (("container", container), *queried(options.log_parameters))
        try:
            log = well(await self._ask(made.parameters, Asked("GET", path, query), made.role))
        except (TaskError, AnswerTooLargeError) as error:
            return {"error": error.error, "cause": error.cause}
        text = log.body.decode(errors="replace")
        parsed = not options.raw_logs and text.strip()
        return {"log": msgspec.Raw(payload_json(text.encode())) if parsed else text}


def _jobs(asked: JobParameters) -> str:
    return f"/apis/batch/v1/namespaces/{asked.namespace}/jobs"


def _marked(job: dict[str, Any] | str, attempt: str) -> dict[str, Any]:
    """The Job with a name and the attempt in it. Raises MemberError."""
    try:
        given = msgspec.json.decode(job, type=dict[str, Any]) if isinstance(job, str) else job
        meta = msgspec.convert(given.get("metadata", {}), dict[str, Any])
        annotations = msgspec.convert(meta.get("annotations") or {}, dict[str, str])
    except msgspec.DecodeError as error:
        raise MemberError("The value for the field 'Job' must be a Job of Kubernetes") from error
    name = meta.get("name") or (f"{meta['generateName']}{attempt[:5]}" if meta.get("generateName") else "")
    if not isinstance(name, str) or not name:
        raise MemberError("The value for the field 'Job' must have a name in its metadata")
    return {**given, "metadata": {**meta, "name": name, "annotations": {**annotations, ATTEMPT: attempt}}}


def _of_attempt(answer: WebAnswer, attempt: str) -> bool:
    annotations = msgspec.json.decode(answer.body, type=_Job).metadata.annotations or {}
    return annotations.get(ATTEMPT) == attempt


def _made(followed: Followed, role: Keys | None) -> Made:
    asked = msgspec.json.decode(followed.request.parameters, type=JobParameters)
    return Made(asked, msgspec.json.decode(followed.answer, type=_Started).job.metadata.name, role)


def _passes(error: TaskError) -> bool:
    """True for a failure that says nothing of the Job."""
    status = error.error.removeprefix("EKS.")
    return error.error == NO_ANSWER or (status.isdigit() and (int(status) == _TOO_MANY or int(status) >= _SERVER_ERROR))
