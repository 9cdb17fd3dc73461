"""Outcomes of Tasks that fit a record, whatever the callee sent and whatever the call raised."""

import msgspec

from maprun.aws.errors import AnswerTooLargeError
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded
from schemas.quotas import CAUSE_LENGTH_MAX, DATA_LIMIT_EXCEEDED, result_too_large

OUTPUT_BYTES_MAX = 4 << 20
"""Of a Task's answer. Above AWS's quota, which the interpreter knows; below what one record can hold."""


def failed(request: TaskRequested, error: Exception) -> TaskFailed:
    """What an attempt fails with whose call raised."""
    if isinstance(error, AnswerTooLargeError):
        return TaskFailed(request.ref, error.error, result_too_large(request.state))
    return TaskFailed(request.ref, "States.Runtime", f"The call failed: {type(error).__name__}: {error}")


def bounded(outcome: TaskSucceeded | TaskFailed, state: str) -> TaskSucceeded | TaskFailed:
    """An outcome that fits a record, whatever the callee sent."""
    if isinstance(outcome, TaskSucceeded):
        if len(outcome.output) <= OUTPUT_BYTES_MAX:
            return outcome
        return TaskFailed(outcome.ref, DATA_LIMIT_EXCEEDED, result_too_large(state))
    return msgspec.structs.replace(outcome, cause=outcome.cause[:CAUSE_LENGTH_MAX] if outcome.cause else outcome.cause)
