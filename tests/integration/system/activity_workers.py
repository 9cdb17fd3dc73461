"""Workers of an activity as users write them: unmodified boto3, a thread each; and their own count of what they did."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.system.stack import Stack

POLL_SECONDS_MAX = 70
RETRIES = {"total_max_attempts": 12, "mode": "standard"}


class Workers:
    """So many workers of one activity, until they are told to stop. `work` makes a task's output of its input."""

    def __init__(self, stack: Stack, arn: str, count: int, work: Callable[[Any], Any]) -> None:
        self.given: list[tuple[str, Any]] = []  # each task as it was handed out: its token and input
        self.taken: list[str] = []  # tokens whose success was taken
        self.late: list[str] = []  # those of attempts that were over
        self._stack = stack
        self._arn = arn
        self._work = work
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._serve, args=(f"worker-{n}",), daemon=True) for n in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def _serve(self, name: str) -> None:
        sfn = self._stack.client("stepfunctions", read_timeout=POLL_SECONDS_MAX, retries=RETRIES)
        while not self._stop.is_set():
            try:
                task = sfn.get_activity_task(activityArn=self._arn, workerName=name)
            except (ClientError, BotoCoreError):
                time.sleep(0.5)
                continue
            if task.get("taskToken"):
                self.given.append((task["taskToken"], json.loads(task["input"])))
                self._finish(sfn, task)

    def _finish(self, sfn: Any, task: Any) -> None:
        output = json.dumps(self._work(json.loads(task["input"])))
        while not self._stop.is_set():
            try:
                sfn.send_task_success(taskToken=task["taskToken"], output=output)
            except ClientError as error:
                if error.response["Error"]["Code"] == "TaskTimedOut":
                    self.late.append(task["taskToken"])
                    return
                time.sleep(0.5)
            except BotoCoreError:
                time.sleep(0.5)
            else:
                self.taken.append(task["taskToken"])
                return
