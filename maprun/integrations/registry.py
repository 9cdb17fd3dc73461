"""All of them in one place: whether a resource exists, and what it is told with."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, assert_never

from maprun.integrations import (
    apigateway,
    athena,
    batch,
    bedrock,
    codebuild,
    databrew,
    dynamodb,
    ecs,
    eks,
    emr,
    emr_containers,
    emr_serverless,
    events,
    executions,
    functions,
    glue,
    http,
    mediaconvert,
    sagemaker,
    sdk,
    sns,
    sqs,
)
from maprun.integrations.jobs import Job, KubernetesJob
from maprun.integrations.resources import (
    ActivityResource,
    FunctionResource,
    Integration,
    Pattern,
    Resource,
    parse_resource,
)
from maprun.integrations.service import Service
from maprun.integrations.task_events import ActivityEvents, FunctionEvents, IntegrationEvents, TaskEvents
from schemas.effects import SubmissionFailed, TaskRequested

_SERVICES = (
    apigateway.SERVICE,
    athena.SERVICE,
    batch.SERVICE,
    bedrock.SERVICE,
    codebuild.SERVICE,
    databrew.SERVICE,
    dynamodb.SERVICE,
    ecs.SERVICE,
    eks.SERVICE,
    emr.SERVICE,
    emr_containers.SERVICE,
    emr_serverless.SERVICE,
    events.SERVICE,
    executions.SERVICE,
    functions.SERVICE,
    glue.SERVICE,
    http.SERVICE,
    mediaconvert.SERVICE,
    sagemaker.SERVICE,
    sns.SERVICE,
    sqs.SERVICE,
)
SERVICES: Mapping[str, Service] = {service.name: service for service in _SERVICES}
"""The optimised integrations, by name."""


_JOBS = frozenset({Pattern.RUN_A_JOB, Pattern.RUN_A_JOB_2})


def lost_answer(task: TaskRequested) -> SubmissionFailed:
    """What becomes of an attempt whose call to start a job was made, or not, by a process that then fell.

    To make it again could start a second job, and without the answer nobody can ask after the first.
    """
    named = parse_resource(task.resource)
    words = SERVICES[named.service].words if isinstance(named, Integration) else None
    assert words is not None, "jobs are started by calls of the SDK"
    cause = "Unable to execute HTTP request: the process that made the call fell before it heard the answer"
    return SubmissionFailed(task.ref, f"{words.prefix}.SdkClientException", cause)


class Declared(NamedTuple):
    """What is known of one resource: its events, how its attempts end, why it can't run here.

    By default the response to the call ends an attempt; of a `callback` its task token does, of a `job` its last state,
    which a service is asked for if the job is `followed`; of an `activity` the worker that has the token.
    """

    events: TaskEvents
    callback: bool = False
    job: bool = False
    followed: bool = False
    activity: bool = False
    refusal: str = ""
    names_origin: bool = False  # the call says which execution it comes from


def exists(named: Resource) -> bool:
    """True for what AWS has: functions and activities by their ARN, and integrations with their patterns."""
    if not isinstance(named, Integration):
        return True
    if named.is_sdk:
        return named.pattern in sdk.PATTERNS and named.action in sdk.actions().get(named.service, ())
    service = SERVICES.get(named.service)
    return service is not None and service.has(named.action, named.pattern)


@lru_cache(maxsize=4096)
def job_of(resource: str) -> Job | KubernetesJob | None:
    """The job that a Task of this Resource starts in a service and waits for; None for every other Task."""
    named = parse_resource(resource)
    if not isinstance(named, Integration) or named.pattern not in _JOBS or named.is_sdk:
        return None
    service = SERVICES.get(named.service)
    return service.jobs.get(named.action) if service is not None else None


def declared(resource: str, named: Resource | None) -> Declared:
    """What holds for a Task whose Resource is this text, which names this; None names nothing."""
    match named:
        case FunctionResource():
            return Declared(FunctionEvents(resource))
        case Integration():
            refusal = "" if named.is_sdk or exists(named) else f"The resource '{resource}' is not recognized."
            events = IntegrationEvents(named.resource_type, named.resource_name)
            pattern = named.pattern
            followed = job_of(resource) is not None
            origin = not named.is_sdk and named.service in SERVICES and SERVICES[named.service].names_origin
            return Declared(events, pattern is Pattern.CALLBACK, pattern in _JOBS, followed, False, refusal, origin)
        case ActivityResource():
            return Declared(ActivityEvents(resource), activity=True)
        case None:  # only in a definition that an earlier version took
            return Declared(FunctionEvents(resource), refusal=f"The resource '{resource}' is not recognized.")
        case _:
            assert_never(named)
