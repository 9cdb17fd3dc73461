"""What a request of TestState is held to beside the shapes of its members, with AWS's words where they are known."""

from dataclasses import dataclass
from typing import Any

import msgspec

from maprun.integrations.resources import ActivityResource, parse_resource
from maprun.language.jsontext import DECODE_ERRORS
from maprun.language.model import MapWork, ParallelWork, TaskWork
from maprun.requests.checks import Refusal, check_input
from maprun.statetest.asked import Asked, Configuration, Mock
from maprun.statetest.context import context_of
from maprun.statetest.subject import NOT_FOUND, Subject

MOCKED = ("Task", "Map", "Parallel")
NOT_TESTED = (
    "TestState API does not support Map or Parallel states. "
    "Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"
)


@dataclass(frozen=True, slots=True)
class Given:
    """What a request gives, decoded. `result` is the mock's: JSON text and value, if it mocks a result."""

    input: bytes
    variables: dict[str, Any]
    context: dict[str, Any]
    configuration: Configuration
    result: tuple[bytes, Any] | None
    strict: bool  # required members of a mocked result must be there
    validated: bool  # its members are looked at


def check(asked: Asked, subject: Subject) -> Given:
    """Raises Refusal (ValidationException, InvalidDefinition, InvalidExecutionInput)."""
    text = (asked.input if asked.input is not None else "{}").encode()
    check_input(text)
    mode = (asked.mock.field_validation_mode if asked.mock else None) or "STRICT"
    configuration = asked.state_configuration or Configuration()
    if asked.mock is None:
        _without_mock(asked, subject, configuration)
        result = None
    else:
        result = _mocked(asked, asked.mock, subject)
        _configured(configuration, subject)
    return Given(
        text, _variables(asked.variables), context_of(asked.context), configuration, result, mode == "STRICT",
        mode != "NONE",
    )  # fmt: skip


def _refused(message: str) -> Refusal:
    return Refusal("ValidationException", message)


def _undefined(message: str) -> Refusal:
    return Refusal("InvalidDefinition", f"Invalid State Machine Definition: '{message}'")


def _without_mock(asked: Asked, subject: Subject, configuration: Configuration) -> None:
    """What is really run: no Map or Parallel, and no Task that waits for somebody."""
    work = subject.state.work
    if isinstance(work, MapWork | ParallelWork):
        raise _undefined(NOT_TESTED)
    members = {
        "Context": asked.context,
        "RetrierRetryCount": configuration.retrier_retry_count,
        "ErrorCausedByState": configuration.error_caused_by_state,
        "MapIterationFailureCount": configuration.map_iteration_failure_count,
        "MapItemReaderData": configuration.map_item_reader_data,
    }
    for name, value in members.items():
        if value is not None:
            raise _refused(f"TestState does not support {name} when a mock is not specified.")
    if not isinstance(work, TaskWork):
        return
    if work.callback or work.job or isinstance(parse_resource(work.resource), ActivityResource):
        raise _undefined(
            f"TestState supports '{work.resource}' only when a mock is specified: activities, and the integration "
            "patterns .sync and .waitForTaskToken, wait for somebody outside"
        )
    if asked.role_arn is None:
        raise _refused("RoleArn must be specified when testing a Task state")


def _mocked(asked: Asked, mock: Mock, subject: Subject) -> tuple[bytes, Any] | None:
    """The mocked result; None where an error is mocked."""
    state = subject.state
    if state.kind not in MOCKED:
        raise _refused(f"State type '{state.kind}' is not supported when a mock is specified")
    if (mock.result is None) == (mock.error_output is None):
        raise _refused("A test mock should have only one of the following fields: [result, errorOutput].")
    if asked.reveal_secrets:
        raise _refused("TestState does not support RevealSecrets when a mock is specified.")
    if mock.result is None:
        return None
    text = mock.result.encode()
    try:
        value = msgspec.json.decode(text)
    except DECODE_ERRORS:
        raise _refused("Mocked result must be valid JSON") from None
    work = state.work
    if isinstance(work, MapWork) and work.writer is not None:
        if not isinstance(value, dict):
            raise _refused("Mocked result must be a JSON object.")
    elif isinstance(work, MapWork | ParallelWork) and not isinstance(value, list):
        raise _refused("Mocked result must be an array.")
    if isinstance(work, ParallelWork) and len(value) != len(work.branches):
        raise _refused("Mocked result must contain the same number of items as number of Parallel branches.")
    return text, value


def _configured(configuration: Configuration, subject: Subject) -> None:
    """StateConfiguration beside a mock."""
    work = subject.state.work
    cause = configuration.error_caused_by_state
    if cause is not None:
        if not isinstance(work, MapWork | ParallelWork):
            raise _refused("TestState supports ErrorCausedByState for Map and Parallel states alone.")
        if cause not in subject.states_within():
            raise _refused(NOT_FOUND)
    if configuration.map_iteration_failure_count is not None and not isinstance(work, MapWork):
        raise _refused("TestState supports MapIterationFailureCount for Map states alone.")
    if configuration.map_item_reader_data is not None and (not isinstance(work, MapWork) or work.reader is None):
        raise _refused("TestState supports MapItemReaderData for Map states with an ItemReader alone.")


def _variables(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        variables = msgspec.json.decode(text)
    except DECODE_ERRORS:
        variables = None
    if not isinstance(variables, dict):
        raise _refused("Variables must be a JSON object of names and values.")
    return variables
