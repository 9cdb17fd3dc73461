"""`states:startExecution`: StartExecution of this installation's own API, by a Task.

A tracker that is killed or moves is no failure of a Task, as none of Step Functions' own processes is on AWS: the call
is made again for some minutes. However often it is made, one execution starts: all its attempts have one invocation id,
and those of a Task that waits for the execution its token.
"""

import asyncio
from collections.abc import Callable

from maprun.aws.sdk_tasks import Call, SdkCaller
from maprun.integrations.executions import SERVICE, START, TASK_PATTERN_HEADER, TASK_TOKEN_HEADER
from maprun.integrations.resources import Integration
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

INVOCATION_HEADER = "amz-sdk-invocation-id"
AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses between calls that brought no answer; the last one again and again."""
AGAIN_SECONDS_MAX = 300.0
"""For so long; then the Task fails, as it would if the API was not there at all."""
assert SERVICE.words is not None
_CALL = Call(START.service, START.action, SERVICE.words)
_NO_ANSWER, _OTHER = f"{SERVICE.words.prefix}.SdkClientException", f"{SERVICE.words.prefix}.{SERVICE.words.base_error}"


class ExecutionStarter:
    """Starts executions for Tasks. Use within one event loop."""

    def __init__(self, sdk: SdkCaller, monotonic: Callable[[], float]) -> None:
        self._sdk = sdk
        self._monotonic = monotonic

    async def start(
        self, named: Integration, request: TaskRequested, idempotency_key: str
    ) -> TaskSucceeded | TaskFailed:
        """StartExecution's answer; the execution goes on. Raises AnswerTooLargeError."""
        headers = {INVOCATION_HEADER: idempotency_key}
        if request.token:
            headers |= {TASK_TOKEN_HEADER: request.token, TASK_PATTERN_HEADER: named.pattern.value}
        until, pauses = self._monotonic() + AGAIN_SECONDS_MAX, iter(AGAIN_SECONDS)
        while True:
            outcome = await self._sdk.run(_CALL, request, idempotency_key, headers)
            if isinstance(outcome, TaskSucceeded):
                return outcome
            if not _not_now(outcome) or self._monotonic() > until:
                return outcome
            await asyncio.sleep(next(pauses, AGAIN_SECONDS[-1]))


def _not_now(failed: TaskFailed) -> bool:
    """True for a call that nobody answered, or that was answered with "not now"."""
    return failed.error == _NO_ANSWER or (failed.error == _OTHER and "Status Code: 5" in failed.cause)
