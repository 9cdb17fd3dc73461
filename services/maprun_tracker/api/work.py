"""GetActivityTask: a worker waits in line until an attempt waits, and takes it."""

import msgspec

from schemas.activities import ActivityTaskAsked, TaskForWorker
from schemas.arns import home_of
from schemas.tokens import TaskToken
from schemas.wire import Decoder
from services.maprun_tracker.api import commands, inputs, shapes
from services.maprun_tracker.api.activities import name_in
from services.maprun_tracker.api.commands import GIVEN_UP
from services.maprun_tracker.api.errors import Unavailable, activity_missing
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.fold_waits import GivenUp
from services.maprun_tracker.lines import Worker
from services.maprun_tracker.state import Partition

NOTHING = msgspec.Raw(b'{"taskToken":null}')
"""What AWS answers when no attempt has come for a minute."""
ASKED_TIMES_MAX = 3
_decoder = Decoder(TaskForWorker)


async def get_task(service: Service, ask: inputs.GetActivityTask, call: Call) -> msgspec.Raw | shapes.ActivityTask:
    """GetActivityTask. All attempts of one SDK call are one request, and are given one attempt of a Task."""
    arn = ask.activity_arn or ""
    name_in(arn)
    home = home_of(arn, service.homes)
    if await service.find(home, lambda part: part.home.state.activities.get(arn)) is None:
        raise activity_missing(arn)
    part = service.part(home)
    asked = ActivityTaskAsked(service.command_id(call, "activity-task"), arn, ask.worker_name or "")
    until = service.port.monotonic() + service.limits.poll_seconds
    if asked.request_id in part.home.state.activity_workers:  # an earlier attempt of the call was given one
        task = await _taken(service, part, asked)
    else:
        task = await _waited_for(service, part, asked, call, until)
    if task is None:
        return NOTHING
    token = service.secret.make(TaskToken(task.execution, task.attempt, task.lane))
    return shapes.ActivityTask(task_token=token, input=task.input.decode())


async def _waited_for(
    service: Service, part: Partition, asked: ActivityTaskAsked, call: Call, until: float
) -> TaskForWorker | None:
    """The first attempt that this worker can have; None when none comes in time."""
    lines, arn, mailbox = part.lines, asked.arn, service.port.mailbox()
    worker = Worker(asked.request_id, mailbox, call.connected)
    lines.join(arn, worker)
    try:
        while (left := until - service.port.monotonic()) > 0:
            lines.wake(arn, _waiting(part, arn))
            heard = await mailbox.get(left)
            if GivenUp() in heard:
                raise Unavailable(GIVEN_UP)
            if not heard:
                break
            task = await _taken(service, part, asked)
            if task is not None:
                return task
            lines.turn_over(arn, asked.request_id)
            lines.join(arn, worker, first=True)
        return None
    finally:
        lines.leave(arn, worker)
        lines.wake(arn, _waiting(part, arn))


async def _taken(service: Service, part: Partition, asked: ActivityTaskAsked) -> TaskForWorker | None:
    """What home gives the worker. Asked again, it gives the same: the word of a lane may be lost with its owner."""
    for left in reversed(range(ASKED_TIMES_MAX)):
        try:
            answer = await commands.answer_to(service.port, part, asked, service.limits.take_wait_seconds_max)
        except Unavailable as unavailable:
            if unavailable.may_come or not left:
                raise
            continue
        if answer.error:
            raise activity_missing(asked.arn)
        task = _decoder.decode(answer.body)
        return task if task.attempt else None
    raise AssertionError("the last time raises")


def _waiting(part: Partition, arn: str) -> int:
    return len(part.home.state.activity_tasks.get(arn, ()))
