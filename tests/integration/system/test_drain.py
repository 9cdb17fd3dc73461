"""A child-runner that is told to stop, as by a rolling update: its calls end, and nobody makes them again."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.system.api_server import Api, Request, served
from tests.integration.system.running import ended, map_definition
from tests.integration.system.stack import ROLE, Stack
from tests.integration.system.test_https_apis import CONNECTIONS, calls

pytestmark = pytest.mark.integration
CALL_SECONDS = 4.0
ITEMS = 60


class Slow(Api):
    """Answers after some seconds, longer than a rebalance would wait."""

    def answered(self, request: Request) -> tuple[int, Any]:
        """Status and body."""
        found = super().answered(request)
        time.sleep(CALL_SECONDS)
        return found


def test_calls_of_a_runner_that_stops_are_made_once(tmp_path: Path) -> None:
    """With MAPRUN_DRAIN_SECONDS above what they take; its process ends, and others go on with its lanes."""
    (tmp_path / "connections.json").write_text(json.dumps(CONNECTIONS))
    with served(Slow()) as api:
        stack = Stack(
            tmp_path / "state",
            MAPRUN_CHILD_RUNNERS="2",
            MAPRUN_DRAIN_SECONDS="20",
            MAPRUN_CONNECTIONS_FILE=str(tmp_path / "connections.json"),
            MAPRUN_HTTP_TASK_ALLOW=api.url,
        )
        stack.up()
        try:
            sfn = stack.client("stepfunctions")
            child = {"T": calls(f"{api.url}/slow", Method="POST", RequestBody={"n.$": "$"})}
            made = sfn.create_state_machine(name="drain", definition=map_definition(child), roleArn=ROLE)
            items = json.dumps(list(range(ITEMS)))
            arn = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input=items)["executionArn"]
            api.news.get(timeout=60)
            os.kill(stack.pids()["child-runner-0"], signal.SIGTERM)
            assert ended(sfn, arn)["status"] == "SUCCEEDED"
        finally:
            stack.down()
    assert Counter(request.body["n"] for request in api.requests) == dict.fromkeys(range(ITEMS), 1)
