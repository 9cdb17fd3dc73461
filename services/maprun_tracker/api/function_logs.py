"""`GET /maprun/function-logs`: what the functions that an execution called have printed."""

import msgspec

from maprun.aws.function_logs import FunctionLogError
from maprun.requests.checks import parse_arn
from services.maprun_tracker.api import own_inputs, own_shapes
from services.maprun_tracker.api.service import Call, Service


async def function_logs(service: Service, ask: own_inputs.LogsAsked, _call: Call) -> own_shapes.FunctionLogs:
    """Of any execution, as the function host has it now; an execution that nobody knows has none."""
    arn = ask.execution_arn or ""
    parse_arn(arn, ("execution", "express"))
    asked = service.function_logs
    if asked is None:
        return own_shapes.FunctionLogs(execution_arn=arn)
    try:
        async with service.asking_for_logs:
            found, troubles = await service.port.call(lambda: asked.of(arn))
    except FunctionLogError as error:
        return own_shapes.FunctionLogs(execution_arn=arn, error=error.cause)
    calls = tuple(own_shapes.FunctionLog(**msgspec.structs.asdict(call)) for call in found.calls)
    return own_shapes.FunctionLogs(
        execution_arn=arn, calls=calls, truncated=found.truncated, error="; ".join(troubles) or None
    )
