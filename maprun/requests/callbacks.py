"""What a Task that waits for its token may be told, from the topic and the API alike."""

from typing import Any

import msgspec

from maprun.requests.checks import Refusal, check_length, check_output
from schemas.arns import child_of_arn, home_of
from schemas.effects import Callback, HeartbeatReceived, TaskFailed, TaskSucceeded
from schemas.home import CallbackReceived
from schemas.tokens import TaskToken, TokenSecret

ERROR_CHARS_MAX, CAUSE_CHARS_MAX, TOKEN_CHARS_MAX = 256, 32_768, 2_048
ONE_WORD = "A record with a taskToken has one of 'output', 'heartbeat': true, or 'error' and 'cause'."


class CallbackRecord(msgspec.Struct):
    """A record of `execution-requests` about a Task: {"taskToken", and what its attempt is told}.

    `output` is a string that holds JSON, as in the API, or any other JSON value.
    """

    task_token: Any = msgspec.field(default=None, name="taskToken")
    output: msgspec.Raw = msgspec.Raw(b"")
    error: Any = None
    cause: Any = None
    heartbeat: Any = None


def token_of(secret: TokenSecret, text: str) -> TaskToken:
    """What a token says. Raises Refusal (InvalidToken) for one that this cluster did not make."""
    token = secret.read(text)
    if token is None:
        raise Refusal("InvalidToken", "Invalid Token: 'Invalid token'")
    return token


def success(token: TaskToken, output: bytes, output_bytes_max: int) -> TaskSucceeded:
    """SendTaskSuccess. Raises Refusal."""
    check_output(output, output_bytes_max)
    return TaskSucceeded(token.attempt, output)


def callback_of(record: CallbackRecord, token: TaskToken, output_bytes_max: int) -> Callback:
    """What a record tells the attempt. Raises Refusal."""
    given = bytes(record.output)
    failed = record.error is not None or record.cause is not None
    if bool(given) + (record.heartbeat is not None) + failed != 1 or record.heartbeat not in (None, True):
        raise Refusal("ValidationException", ONE_WORD)
    if given:
        text = msgspec.json.decode(given, type=str).encode() if given.lstrip()[:1] == b'"' else given
        return success(token, text, output_bytes_max)
    if record.heartbeat is True:
        return HeartbeatReceived(token.attempt)
    return TaskFailed(
        token.attempt,
        _text("error", record.error, ERROR_CHARS_MAX),
        _text("cause", record.cause, CAUSE_CHARS_MAX),
    )


def command_of(request_id: str, token: TaskToken, callback: Callback, homes: int) -> tuple[int, CallbackReceived]:
    """The home of the attempt, and the record for it."""
    child = child_of_arn(token.arn)
    home = home_of(token.arn, homes) if child is None else child.home
    return home, CallbackReceived(request_id, token.arn, token.lane, callback)


def _text(member: str, value: object, chars_max: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refusal("SerializationException", f"Member '{member}' must be a string.")
    check_length(member, value, 0, chars_max)
    return value
