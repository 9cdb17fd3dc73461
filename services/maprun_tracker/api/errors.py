"""What the API refuses: AWS's error names and messages, and the HTTP status of each (rule R10)."""

import math
from collections.abc import Mapping
from typing import Final

from maprun.requests.checks import Refusal

UNAVAILABLE: Final = 503
RETRY_MILLISECONDS_HEADER: Final = "x-amz-retry-after"
_RETRY_SECONDS: Final[Mapping[str, float]] = {
    "ServiceUnavailable": 1.5,
    "ExecutionLimitExceeded": 5.0,
    "StateMachineLimitExceeded": 60.0,
    "ActivityLimitExceeded": 60.0,
}
"""How long a client is told to wait before it asks again, where waiting may help. Without it SDKs ask three times
within a second and give up."""
_STATUS_OF = {
    "ServiceUnavailable": UNAVAILABLE,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "RequestEntityTooLargeException": 413,
    "RequestTimeoutException": 408,
}


class Unavailable(Refusal):
    """Not now: nothing was decided, or it isn't known here. The SDKs try again.

    `may_come` says that the same question may soon have an answer, so that the request is held for a while.
    """

    retriable = True

    def __init__(self, message: str, *, may_come: bool = True) -> None:
        super().__init__("ServiceUnavailable", message)
        self.may_come = may_come


class ThrottledError(Refusal):
    """The operation was asked for too often; in so many seconds there is room for one request more."""

    retriable = True

    def __init__(self, seconds: float) -> None:
        super().__init__("ThrottlingException", "Rate exceeded")
        self.seconds = seconds


class ElsewhereError(Exception):
    """Another process of the tracker owns this home partition."""

    retriable = True

    def __init__(self, home: int) -> None:
        super().__init__(f"home {home} belongs to another process")
        self.home = home


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal."""
    return _STATUS_OF.get(refusal.code, 400)


def retry_seconds(refusal: Refusal) -> float:
    """How long to wait before the same is asked again; 0 = that would not help."""
    return refusal.seconds if isinstance(refusal, ThrottledError) else _RETRY_SECONDS.get(refusal.code, 0.0)


def retry_headers(seconds: float) -> dict[str, str]:
    """The same for clients: milliseconds for the SDKs of Python, JavaScript and Go, seconds for those of Java."""
    if not seconds:
        return {}
    return {RETRY_MILLISECONDS_HEADER: str(math.ceil(seconds * 1000)), "Retry-After": str(math.ceil(seconds))}


def execution_missing(arn: str) -> Refusal:
    """No such execution."""
    return Refusal("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")


def history_gone(arn: str) -> Refusal:
    """The execution is known, but its history is older than what home keeps."""
    return Refusal("ExecutionDoesNotExist", f"The history of this execution is no longer kept: '{arn}'")


def express_history_missing(arn: str) -> Refusal:
    """No child-runner knows what happened in the root execution of an EXPRESS machine."""
    message = (
        f"The history of this execution is not kept: '{arn}'. Those of EXPRESS machines' executions are, for as long as"
        " the child-runner that ran them lives and has room (MAPRUN_EXPRESS_HISTORY_BYTES_MAX); with the level ALL in"
        " its loggingConfiguration a machine's executions are logged for longer."
    )
    return Refusal("ExecutionDoesNotExist", message)


def machine_missing(arn: str) -> Refusal:
    """No such state machine."""
    return Refusal("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")


def activity_missing(arn: str) -> Refusal:
    """No such activity."""
    return Refusal("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")


def resource_missing(arn: str) -> Refusal:
    """No such Map Run, or other resource."""
    return Refusal("ResourceNotFound", f"Resource not found: '{arn}'")


def token_invalid() -> Refusal:
    """A nextToken that this query did not give, or a task token that no Task of this maprun was given."""
    return Refusal("InvalidToken", "Invalid Token: 'Invalid token'")
