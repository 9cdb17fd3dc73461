"""StartSyncExecution, and StartExecution of EXPRESS machines: run on lanes, known to no home."""

import msgspec

from maprun.requests.express import EXPRESS, unsupported_type
from maprun.requests.starts import Start, derived_id
from services.maprun_tracker.api import shapes, start_inputs
from services.maprun_tracker.api.service import Call, Service

MEMORY_MB = 64
"""AWS bills memory in pieces of 64 MB; what an execution takes here is far below one."""
BILLED_MS = 100
"""AWS bills time in pieces of 100 ms."""


async def start_sync(service: Service, ask: start_inputs.StartSyncExecution, call: Call) -> shapes.SyncExecution:
    """StartSyncExecution: the answer is how the execution ended, also when it failed."""
    text = None if ask.input is None else ask.input.encode()
    wanted = Start(ask.state_machine_arn or "", ask.name, text, call.trace_header or ask.trace_header or "")
    machine = await service.machine_to_start(wanted)
    if machine.spec.machine_type != EXPRESS:
        raise unsupported_type()
    started, end = await service.express.run(service.port, wanted, service.machines, call.request_id, service.traced)
    data = ask.included_data != "METADATA_ONLY"
    included = shapes.Included(included=data)
    succeeded = end.status == "SUCCEEDED"
    stopped_ms = max(end.stopped_ms, started.started_ms)
    return shapes.SyncExecution(
        execution_arn=started.arn,
        state_machine_arn=machine.arn,
        name=started.name,
        start_date=started.started_ms / 1000,
        stop_date=stopped_ms / 1000,
        status=end.status,
        error=end.error,
        cause=end.cause,
        input=started.input.decode() if data else None,
        input_details=included,
        output=end.output.decode() if succeeded and data else None,
        output_details=included if succeeded else None,
        trace_header=started.trace_header or None,
        billing_details=shapes.BillingDetails(
            billed_memory_used_in_mb=MEMORY_MB,
            billed_duration_in_milliseconds=_billed_ms(stopped_ms - started.started_ms),
        ),
    )


def _billed_ms(milliseconds: int) -> int:
    return max(BILLED_MS, -(-milliseconds // BILLED_MS) * BILLED_MS)


async def start(service: Service, wanted: Start, call: Call) -> msgspec.Raw:
    """StartExecution of an EXPRESS machine: answered once it can't be lost. All attempts of a call have one ARN.

    A Task can't wait for such an execution's end: AWS has no `.sync` of them either.
    """
    if call.task_token:
        raise unsupported_type()
    started = await service.express.start(
        service.port, wanted, service.machines, derived_id("express", call.attempt_of), service.traced
    )
    return msgspec.Raw(msgspec.json.encode({"executionArn": started.arn, "startDate": started.started_ms / 1000}))
