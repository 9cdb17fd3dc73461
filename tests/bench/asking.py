"""A client that asks of a Map Run what the console's page of it asks, as often, and draws nothing."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from urllib.parse import urlencode, urlsplit

from services.maprun_tracker import console

_CHILDREN = 50
_TURN_SECONDS = 0.05


class Asker:
    """Asks until `over`. `answered` counts answers; anything but 200 is an error."""

    def __init__(self, api: str, map_run_arn: str) -> None:
        self.answered = 0
        self.over = threading.Event()
        self._connection = http.client.HTTPConnection(urlsplit(api).netloc, timeout=60)
        self._arn = map_run_arn

    def ask(self) -> None:
        """The files of the page first, then each question as often as live.js, children.js and latency.js have it."""
        for name in sorted(each.name for each in (resources.files(console) / "static").iterdir()):
            if name.endswith((".html", ".js", ".css")):
                self._get(f"/console/{name}")
        due = {self._counts: 2.0, self._children: 3.0, self._times: 10.0}
        at = dict.fromkeys(due, time.monotonic())
        while not self.over.wait(_TURN_SECONDS):
            for question, every in due.items():
                if time.monotonic() >= at[question]:
                    question()
                    at[question] = time.monotonic() + every

    def _counts(self) -> None:
        self._post("DescribeMapRun", {"mapRunArn": self._arn})
        self._get(f"/maprun/progress?{urlencode({'arn': self._arn})}")

    def _children(self) -> None:
        self._get(f"/maprun/children?{urlencode({'arn': self._arn, 'maxResults': _CHILDREN})}")

    def _times(self) -> None:
        self._post("ListExecutions", {"mapRunArn": self._arn, "statusFilter": "SUCCEEDED", "maxResults": _CHILDREN})

    def _get(self, path: str) -> None:
        self._connection.request("GET", path)
        self._answer(path)

    def _post(self, operation: str, members: dict[str, object]) -> None:
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AWSStepFunctions.{operation}"}
        self._connection.request("POST", "/", json.dumps(members), headers)
        self._answer(operation)

    def _answer(self, what: str) -> None:
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == 200, f"{what}: {answer.status}"
        self.answered += 1


@contextmanager
def asked(api: str, map_run_arn: str) -> Iterator[Asker]:
    """One such client in a thread of its own, while the block lasts."""
    asker = Asker(api, map_run_arn)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(asker.ask)
        try:
            yield asker
        finally:
            asker.over.set()
    asking.result()
