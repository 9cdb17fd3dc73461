"""SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat: what a Task that waits for its token is told."""

import msgspec

from maprun.requests.callbacks import command_of, success, token_of
from schemas.effects import Callback, HeartbeatReceived, TaskFailed
from schemas.tokens import TaskToken
from services.maprun_tracker.api import inputs
from services.maprun_tracker.api.service import Call, Service


async def succeed(service: Service, ask: inputs.TaskSuccess, call: Call) -> msgspec.Raw:
    """SendTaskSuccess."""
    token = token_of(service.secret, ask.task_token or "")
    output = (ask.output or "").encode(errors="surrogatepass")
    return await _send(service, call, "success", token, success(token, output, service.input_bytes_max))


async def fail(service: Service, ask: inputs.TaskFailure, call: Call) -> msgspec.Raw:
    """SendTaskFailure."""
    token = token_of(service.secret, ask.task_token or "")
    return await _send(service, call, "failure", token, TaskFailed(token.attempt, ask.error or "", ask.cause or ""))


async def heartbeat(service: Service, ask: inputs.TaskHeartbeat, call: Call) -> msgspec.Raw:
    """SendTaskHeartbeat."""
    token = token_of(service.secret, ask.task_token or "")
    return await _send(service, call, "heartbeat", token, HeartbeatReceived(token.attempt))


async def _send(service: Service, call: Call, what: str, token: TaskToken, callback: Callback) -> msgspec.Raw:
    """Has the decider's word: the fold's for a root execution, the lane's for a child."""
    home, command = command_of(service.command_id(call, what), token, callback, service.homes)
    return msgspec.Raw(await service.command(home, command))
