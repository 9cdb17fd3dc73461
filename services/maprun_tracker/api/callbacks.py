"""SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat: what a Task that waits for its token is told."""

import msgspec

from maprun.requests.checks import check_output
from schemas.arns import child_of_arn, home_of
from schemas.effects import Callback, HeartbeatReceived, TaskFailed, TaskSucceeded
from schemas.home import CallbackReceived
from schemas.tokens import TaskToken
from services.maprun_tracker.api import inputs
from services.maprun_tracker.api.errors import token_invalid
from services.maprun_tracker.api.service import Call, Service


async def succeed(service: Service, ask: inputs.TaskSuccess, call: Call) -> msgspec.Raw:
    """SendTaskSuccess."""
    token = _read(service, ask.task_token)
    output = (ask.output or "").encode(errors="surrogatepass")
    check_output(output, service.input_bytes_max)
    return await _send(service, call, "success", token, TaskSucceeded(token.attempt, output))


async def fail(service: Service, ask: inputs.TaskFailure, call: Call) -> msgspec.Raw:
    """SendTaskFailure."""
    token = _read(service, ask.task_token)
    return await _send(service, call, "failure", token, TaskFailed(token.attempt, ask.error or "", ask.cause or ""))


async def heartbeat(service: Service, ask: inputs.TaskHeartbeat, call: Call) -> msgspec.Raw:
    """SendTaskHeartbeat."""
    token = _read(service, ask.task_token)
    return await _send(service, call, "heartbeat", token, HeartbeatReceived(token.attempt))


def _read(service: Service, text: str | None) -> TaskToken:
    """What a token says. Raises Refusal (InvalidToken) for one that this cluster did not make."""
    token = service.secret.read(text or "")
    if token is None:
        raise token_invalid()
    return token


async def _send(service: Service, call: Call, what: str, token: TaskToken, callback: Callback) -> msgspec.Raw:
    """Has the decider's word: the fold's for a root execution, the lane's for a child."""
    child = child_of_arn(token.arn)
    home = home_of(token.arn, service.homes) if child is None else child.home
    request_id = service.command_id(call, what)
    command = CallbackReceived(request_id, token.arn, token.lane, callback)
    return msgspec.Raw(await service.command(home, command))
