"""Parameters of a Task as an integration takes them, and AWS's words for those it can't be started with."""

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")
_MISSING = re.compile(r"missing required field `(\w+)`")
_UNKNOWN = re.compile(r"unknown field `(\w+)`")


class UnusableError(ValueError):
    """Parameters that a Task can't be started with; the message is the cause."""


def parameters_as(parameters: bytes, kind: type[T]) -> T:
    """The parameters, read as this kind. Raises UnusableError."""
    try:
        return msgspec.json.decode(parameters, type=kind)
    except msgspec.DecodeError as error:  # ValidationError among them
        reason = str(error)
        if missing := _MISSING.search(reason):
            reason = f"The field '{missing[1]}' is required but was missing"
        elif unknown := _UNKNOWN.search(reason):
            reason = f"The field '{unknown[1]}' is not supported by Step Functions"
        raise UnusableError(unusable(parameters, reason)) from error


def unusable(parameters: bytes, reason: str) -> str:
    """The cause when a Task can't be started with its parameters."""
    given = parameters.decode(errors="replace")
    return f"The Parameters '{given}' could not be used to start the Task: [{reason}]"
