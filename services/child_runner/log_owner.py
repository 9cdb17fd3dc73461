"""The owner of a partition of `execution-logs`: sends its records to CloudWatch Logs, where that has an endpoint."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from maprun.bus.port import Port, Record
from schemas import topics
from schemas.effects import TaskFailed, TaskOutcome, TaskRequested
from services.child_runner.log_batches import LogBatch, log_batches

_SERVICE = "arn:aws:states:::aws-sdk:cloudwatchlogs:"
_MISSING: Final = "CloudWatchLogs.ResourceNotFoundException"
PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Between attempts that brought no answer, or "not now"; behind the last a batch is given up. AWS promises none."""
_FOR_GOOD: Final = frozenset(
    f"CloudWatchLogs.{name}Exception"
    for name in ("AccessDenied", "InvalidParameter", "ResourceNotFound", "UnrecognizedClient", "DataAlreadyAccepted")
)
"""Errors that the same batch would meet again."""


class LogDeps(msgspec.Struct, frozen=True):
    """What an owner needs beside its port: calls of AWS, and whom to tell of batches that were given up."""

    run_task: Callable[[TaskRequested, str], Awaitable[TaskOutcome]]
    given_up: Callable[[str, str, int], None]  # log group, why, events


async def own_logs(port: Port, partition: int, deps: LogDeps) -> None:
    """Owns a partition for as long as the group gives it to this process; what was sent is committed."""
    topic = topics.EXECUTION_LOGS.name
    mailbox = port.mailbox()
    port.feed(topic, partition, await port.committed(topic, partition), mailbox)
    while True:
        records: list[Record] = await mailbox.get(None)
        for batch in log_batches(records):
            await _put(port, batch, deps)
        port.commit(topic, partition, records[-1].offset + 1)


async def _put(port: Port, batch: LogBatch, deps: LogDeps) -> None:
    """Puts a batch, and makes its stream if there is none yet."""
    where = {"LogGroupName": batch.group, "LogStreamName": batch.stream}
    events = [{"Timestamp": event.timestamp, "Message": event.message} for event in batch.events]
    error = await _called(port, "putLogEvents", {**where, "LogEvents": events}, deps)
    if error is not None and error.error == _MISSING:
        await _called(port, "createLogStream", where, deps)
        error = await _called(port, "putLogEvents", {**where, "LogEvents": events}, deps)
    if error is not None:
        deps.given_up(batch.group, f"{error.error}: {error.cause}", len(batch.events))


async def _called(port: Port, action: str, parameters: Mapping[str, object], deps: LogDeps) -> TaskFailed | None:
    """Calls until there is an answer; the error that it ends with, if any."""
    request = TaskRequested(action, _SERVICE + action, msgspec.json.encode(parameters))
    pauses = iter(PAUSES_SECONDS)
    while True:
        outcome = await deps.run_task(request, "")
        if not isinstance(outcome, TaskFailed):
            return None
        pause = None if outcome.error in _FOR_GOOD else next(pauses, None)
        if pause is None:
            return outcome
        await port.sleep(pause)
