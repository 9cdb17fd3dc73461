"""Jobs that Tasks wait for: their services are asked how they are, and asked to stop them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from maprun.aws.sdk_tasks import Call, SdkCaller
from maprun.integrations.jobs import UNSEEN_LOOKS_MAX, Ask, Followed, Job
from maprun.integrations.members import at, filled
from maprun.integrations.registry import SERVICES, job_of
from maprun.integrations.resources import Integration, parse_resource
from maprun.integrations.service import Service, Words
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

STOP_AGAIN_SECONDS = (1.0, 2.0, 5.0, 15.0)
"""Pauses between calls to stop a job that its service did not take; then it is left alone."""
_BUSY = (
    *("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"),
    *("RequestThrottled", "SlowDown", "ServiceUnavailableException", "InternalServerException"),
)


class JobFollower:
    """Asks after jobs and stops them, with the calls of the SDK. Use within one event loop."""

    def __init__(self, sdk: SdkCaller) -> None:
        self._sdk = sdk

    async def look(self, followed: Followed) -> TaskSucceeded | TaskFailed | None:
        """How the job ended; None while it goes on, or its service is busy. Raises AnswerTooLargeError."""
        service, job, sources = _known(followed)
        ref = followed.request.ref
        if not _complete(filled(job.look.parameters, **sources)):  # as of ECS, whose answer may hold failures alone
            return TaskFailed(ref, "States.TaskFailed", followed.answer.decode())
        outcome = await self._call(service, job.look, followed.request, sources)
        words = service.words
        if isinstance(outcome, TaskFailed):
            if job.gone and _code(outcome, words) == job.gone:
                told = sources["answered"]
                return TaskSucceeded(ref, msgspec.json.encode(job.result(**sources, told=told)))
            return None if _passes(outcome, words) else outcome
        told = _without_metadata(at(msgspec.json.decode(outcome.output), job.place))
        if told is None and followed.looks >= UNSEEN_LOOKS_MAX:
            cause = f"The service doesn't know the job that it started with {followed.answer.decode()}"
            return TaskFailed(ref, "States.TaskFailed", cause)
        good = None if told is None else job.judged(told)
        if good is None:
            return None
        result = msgspec.json.encode(job.result(**sources, told=told))
        return TaskSucceeded(ref, result) if good else TaskFailed(ref, "States.TaskFailed", result.decode())

    async def stop(self, followed: Followed) -> None:
        """Has the job stopped, as far as its service can and will."""
        service, job, sources = _known(followed)
        if job.stop is None or not _complete(filled(job.stop.parameters, **sources)):
            return
        for pause in (*STOP_AGAIN_SECONDS, 0.0):
            outcome = await self._call(service, job.stop, followed.request, sources)
            if isinstance(outcome, TaskSucceeded) or not _passes(outcome, service.words):
                return
            await asyncio.sleep(pause)

    async def _call(
        self, service: Service, ask: Ask, request: TaskRequested, sources: Mapping[str, Any]
    ) -> TaskSucceeded | TaskFailed:
        parameters = msgspec.json.encode(filled(ask.parameters, **sources))
        asked = msgspec.structs.replace(request, parameters=parameters, timeout_seconds=0)
        call = Call(service.sdk or service.name, ask.action, service.words)
        return await self._sdk.run(call, asked, request.ref)


def _known(followed: Followed) -> tuple[Service, Job, dict[str, Any]]:
    """The service, the kind of job, and what its calls are filled from."""
    named, job = parse_resource(followed.request.resource), job_of(followed.request.resource)
    assert isinstance(named, Integration), "only integrations start jobs"
    assert isinstance(job, Job), "only jobs of services are followed"
    sources = {
        "asked": msgspec.json.decode(followed.request.parameters),
        "answered": _without_metadata(msgspec.json.decode(followed.answer)),
    }
    return SERVICES[named.service], job, sources


def _without_metadata(told: Any) -> Any:
    """What a service said, without how it was carried."""
    return {name: each for name, each in told.items() if not name.startswith("Sdk")} if isinstance(told, dict) else told


def _complete(parameters: dict[str, Any]) -> bool:
    """False if a member that names the job is nowhere: none was started."""
    return all(value is not None and value != [None] for value in parameters.values())


def _code(failed: TaskFailed, words: Words | None) -> str:
    assert words is not None
    return failed.error.removeprefix(f"{words.prefix}.")


def _passes(failed: TaskFailed, words: Words | None) -> bool:
    """True for a failure that says nothing of the job: no answer, or one that is asked for again later."""
    said = ("Status Code: 5", "Status Code: 429", *(f"Error Code: {code}" for code in _BUSY))
    return _code(failed, words) in {"SdkClientException", *_BUSY} or any(each in failed.cause for each in said)
