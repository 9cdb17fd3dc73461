"""The history events of one attempt of a Task: of a function by its ARN, of an integration, or of an activity."""

from typing import Any, NamedTuple

from schemas.history import EventType


class Scheduled(NamedTuple):
    """What an attempt begins with; `timeout` and `heartbeat` in seconds, None where the definition has none."""

    region: str
    parameters: bytes
    timeout: int | None
    heartbeat: int | None
    role_arn: str | None


class FunctionEvents:
    """LambdaFunctionScheduled, …Started, …Succeeded, …Failed, …TimedOut: a Task whose Resource is a function's ARN."""

    __slots__ = ("named",)
    scheduled, started = EventType.LAMBDA_FUNCTION_SCHEDULED, EventType.LAMBDA_FUNCTION_STARTED
    succeeded, failed = EventType.LAMBDA_FUNCTION_SUCCEEDED, EventType.LAMBDA_FUNCTION_FAILED
    timed_out = EventType.LAMBDA_FUNCTION_TIMED_OUT
    labels: tuple[str, ...] = ()

    def __init__(self, resource: str) -> None:
        self.named = resource  # what a result that is too large is said to come from

    def scheduling(self, attempt: Scheduled) -> tuple[Any, ...]:
        """The details of the first event."""
        return self.named, attempt.parameters, attempt.timeout, attempt.role_arn


class IntegrationEvents:
    """TaskScheduled, …Started, …Submitted, …SubmitFailed, …Succeeded, …Failed, …TimedOut, each with its resource."""

    __slots__ = ("labels", "named")
    scheduled, started = EventType.TASK_SCHEDULED, EventType.TASK_STARTED
    succeeded, failed = EventType.TASK_SUCCEEDED, EventType.TASK_FAILED
    submitted, submit_failed = EventType.TASK_SUBMITTED, EventType.TASK_SUBMIT_FAILED
    timed_out = EventType.TASK_TIMED_OUT

    def __init__(self, resource_type: str, resource: str) -> None:
        self.labels = (resource_type, resource)
        self.named = resource_type

    def scheduling(self, attempt: Scheduled) -> tuple[Any, ...]:
        """The details of the first event."""
        parameters, timeout, heartbeat = attempt.parameters, attempt.timeout, attempt.heartbeat
        return *self.labels, attempt.region, parameters, timeout, heartbeat, attempt.role_arn


class ActivityEvents:
    """ActivityScheduled, …Started, …Succeeded, …Failed, …TimedOut: a Task that a worker of the user's works on."""

    __slots__ = ("named",)
    scheduled, started = EventType.ACTIVITY_SCHEDULED, EventType.ACTIVITY_STARTED
    succeeded, failed = EventType.ACTIVITY_SUCCEEDED, EventType.ACTIVITY_FAILED
    timed_out = EventType.ACTIVITY_TIMED_OUT
    labels: tuple[str, ...] = ()

    def __init__(self, resource: str) -> None:
        self.named = resource  # what a result that is too large is said to come from

    def scheduling(self, attempt: Scheduled) -> tuple[Any, ...]:
        """The details of the first event."""
        return self.named, attempt.parameters, attempt.timeout, attempt.heartbeat


TaskEvents = FunctionEvents | IntegrationEvents | ActivityEvents
