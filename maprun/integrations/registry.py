"""All of them in one place: whether a resource exists on AWS, whether it runs here, and what it is told with."""

from collections.abc import Mapping
from typing import NamedTuple, assert_never

from maprun.integrations import apigateway, dynamodb, events, executions, functions, http, later, sdk, sns, sqs
from maprun.integrations.resources import ActivityResource, FunctionResource, Integration, Pattern, Resource
from maprun.integrations.service import Service
from maprun.integrations.task_events import FunctionEvents, IntegrationEvents, TaskEvents

_SERVICES = (
    *(module.SERVICE for module in (apigateway, dynamodb, events, executions, functions, http, sns, sqs)),
    *later.SERVICES,
)
SERVICES: Mapping[str, Service] = {service.name: service for service in _SERVICES}
"""The optimised integrations, by name."""


_JOBS = frozenset({Pattern.RUN_A_JOB, Pattern.RUN_A_JOB_2})


class Declared(NamedTuple):
    """What is known of one resource: its events, how its attempts end, why it can't run here.

    By default the response to the call ends an attempt; of a `callback` its task token does, of a `job` its last state.
    """

    events: TaskEvents
    callback: bool = False
    job: bool = False
    refusal: str = ""


def exists(named: Resource) -> bool:
    """True for what AWS has: functions and activities by their ARN, and integrations with their patterns."""
    if not isinstance(named, Integration):
        return True
    if named.is_sdk:
        return named.pattern in sdk.PATTERNS and named.action in sdk.actions().get(named.service, ())
    service = SERVICES.get(named.service)
    return service is not None and service.has(named.action, named.pattern)


def runs(named: Integration) -> bool:
    """True if this version makes such calls, in this pattern."""
    if named.is_sdk:
        return named.pattern in sdk.RUNS
    service = SERVICES.get(named.service)
    return service is not None and named.pattern in service.runs


def not_yet(named: Resource) -> str:
    """What of a resource this version can't run, in words that go on with "is not supported yet"; empty if it can."""
    match named:
        case FunctionResource():
            return ""
        case ActivityResource():
            return "An activity"
        case Integration(_, action, _, pattern):
            if runs(named):
                return ""
            if pattern is Pattern.REQUEST_RESPONSE:
                return f"The integration {named.resource_type}:{action}"
            return f"The integration pattern {pattern.value} of {named.resource_type}:{action}"
        case _:
            assert_never(named)


def declared(resource: str, named: Resource | None) -> Declared:
    """What holds for a Task whose Resource is this text, which names this; None names nothing."""
    match named:
        case FunctionResource():
            return Declared(FunctionEvents(resource))
        case Integration():
            what = not_yet(named)
            refusal = f"{what} is not supported yet: '{resource}'." if what else ""
            events = IntegrationEvents(named.resource_type, named.resource_name)
            pattern = named.pattern
            return Declared(events, pattern is Pattern.CALLBACK, pattern in _JOBS, refusal)
        case ActivityResource():
            return Declared(FunctionEvents(resource), refusal=f"Activities are not supported yet: '{resource}'.")
        case None:  # only in a definition that an earlier version took
            return Declared(FunctionEvents(resource), refusal=f"The resource '{resource}' is not recognized.")
        case _:
            assert_never(named)
