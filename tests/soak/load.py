"""Small runs, one after the other at a steady pace: what a stack does on an ordinary day."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.bench.workloads import WAIT, Runner, csv_machine, input_machine, put_rows
from tests.integration.system.running import states
from tests.integration.system.stack import ROLE, Stack

Json = dict[str, Any]
RUN_SECONDS_MAX = 300.0
_WAITING = 10
_PAGE = 100
CALL = {
    "StartAt": "Call",
    "States": {
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "echo", "Payload.$": "$"},
            "End": True,
        }
    },
}
FAILING = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Soak.No", "Cause": "it always fails"}}}


class Load:
    """Runs of four kinds, in turn: children that call a function, that wait, that fail; an EXPRESS execution."""

    def __init__(self, stack: Stack, rows: int) -> None:
        put_rows(stack, rows)
        self._runner = Runner(stack)
        self._rows = rows
        self._sync = stack.client("stepfunctions", inject_host_prefix=False)
        made = self._runner.sfn.create_state_machine(
            name="soak-express",
            definition=states(Wait={"Type": "Wait", "Seconds": 1, "End": True}),
            roleArn=ROLE,
            type="EXPRESS",
        )
        self._express: str = made["stateMachineArn"]
        self._kinds: itertools.cycle[Callable[[], int]] = itertools.cycle(
            (self._calls, self._waits, self._failures, self._answered_at_once)
        )
        self.runs = 0
        self.children = 0
        self.late = 0
        self.wrong: list[str] = []

    def go_on(self, seconds: float, every_seconds: float) -> None:
        """Runs begin each so many seconds for so long. One that doesn't end as it must is kept in `wrong`."""
        began = time.monotonic()
        for number in itertools.count():
            due = began + number * every_seconds
            if due > began + seconds:
                return
            wait = due - time.monotonic()
            self.late += wait < 0
            time.sleep(max(0.0, wait))
            kind = next(self._kinds)
            try:
                self.children += kind()
            except (AssertionError, BotoCoreError, ClientError) as error:
                self.wrong.append(f"{time.monotonic() - began:,.0f} s, {kind.__name__}: {error}")
            self.runs += 1

    def _calls(self) -> int:
        self._map("soak-calls", csv_machine(self._rows, CALL, concurrency=50))
        return self._rows

    def _waits(self) -> int:
        given = {"items": list(range(_WAITING))}
        self._map("soak-waits", input_machine(WAIT, child_type="EXPRESS"), given)
        return _WAITING

    def _failures(self) -> int:
        definition = csv_machine(self._rows, FAILING, tolerated_percentage=100)
        run = self._map("soak-failures", definition)
        assert run["itemCounts"]["failed"] == self._rows, run
        return self._rows

    def _answered_at_once(self) -> int:
        answer = self._sync.start_sync_execution(stateMachineArn=self._express, input="{}")
        assert answer["status"] == "SUCCEEDED", answer
        return 1

    def _map(self, name: str, definition: str, given: object = None) -> Json:
        """One Map Run to its end, looked at as a user would."""
        arn = self._runner.start(name, definition, given)
        self._runner.wait(arn, 0.2, RUN_SECONDS_MAX)
        run = self._runner.map_run(arn)
        assert run is not None
        assert run["status"] == "SUCCEEDED", run
        sfn = self._runner.sfn
        children = sfn.list_executions(mapRunArn=run["mapRunArn"], maxResults=_PAGE)["executions"]
        if ":express:" not in children[0]["executionArn"]:
            history = sfn.get_execution_history(executionArn=children[0]["executionArn"])["events"]
            assert history[0]["type"] == "ExecutionStarted", history
        return run
