"""MaxConcurrency seen from outside: how many calls the functions of a Map Run hold at once, at most and for how long.

Three witnesses: the callees, who write down each call's coming and going; the children's own times, as ListExecutions
shows them; and `running` of DescribeMapRun, polled. The first knows nothing of the engine, and is the one that counts.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import overlap, pages
from tests.bench.callees import Callees
from tests.bench.runners import RunnerStack, connections_max, raise_file_limit
from tests.bench.workloads import Runner, csv_machine, put_rows

_LANES = 8  # the stack's default: a lane's owner runs its eighth of the quota
_DWELL_SECONDS = 2.0  # at the maximum before the gate opens: one more call would be seen
_POLL_SECONDS = 0.25
Json = dict[str, Any]


class Seen(msgspec.Struct, kw_only=True):
    """One value of MaxConcurrency and what was seen of it."""

    value: int
    children: int
    seconds: float  # of the whole execution
    most_calls: int  # in flight at once, by the callees
    seconds_to_most: float  # from the first call
    percent_at_most: float  # of the time until too few children were left to fill it
    most_children: int  # by the times of ListExecutions
    most_running: int  # by DescribeMapRun
    calls: int
    succeeded: int

    @property
    def exact(self) -> bool:
        """Never above, and reached."""
        return self.most_calls == self.value and self.most_children <= self.value and self.most_running <= self.value


def children_of(value: int) -> int:
    """Work enough: many rounds of a small value, two of the largest."""
    return {1: 30, 3: 90, 40: 1_200}.get(value, 3 * value if value <= 10_000 else 2 * value)


def gated(value: int) -> bool:
    """Many calls take long to be made: all are held until the value is reached, so that none ends before."""
    return value >= 1_000


def measure(value: int, children: int, hold_ms: int, gate_seconds_max: float, *, burst: bool = False) -> Seen:
    """One run on a fresh stack."""
    runners = 1 if value <= connections_max() // 2 else _LANES
    with tempfile.TemporaryDirectory(prefix="maprun-concurrency-") as name:
        folder = Path(name)
        stack = RunnerStack(folder)
        raise_file_limit()
        with Callees(folder, runners, stack.functions_port) as callees:
            try:
                stack.up()
                stack.start_runners(callees.endpoints, connections_max())
                kind = "hold" if not gated(value) else "burst" if burst else "gate"
                return _run(stack, callees, value, children, f"{kind}-{hold_ms}", gate_seconds_max)
            finally:
                stack.down()


def _run(
    stack: RunnerStack, callees: Callees, value: int, children: int, function: str, gate_seconds_max: float
) -> Seen:
    put_rows(stack, children)
    runner = Runner(stack)
    control = callees.control
    began = time.monotonic()
    arn = runner.start(f"concurrency-{value}", csv_machine(children, task(function), concurrency=value, selector=INDEX))
    running = 0
    reached: float | None = None
    while True:
        status = runner.sfn.describe_execution(executionArn=arn)
        run = runner.map_run(arn)
        running = max(running, run["executionCounts"]["running"] if run else 0)
        now = time.monotonic()
        if control.in_flight >= value and reached is None:
            reached = now
        if (reached is not None and now - reached > _DWELL_SECONDS) or now - began > gate_seconds_max:
            control.gate_open = True
        if status["status"] != "RUNNING":
            break
        assert now - began < gate_seconds_max + 600, f"stuck: {run}"
        time.sleep(_POLL_SECONDS)
    seconds = time.monotonic() - began
    assert run is not None
    assert status["status"] == "SUCCEEDED", (status, why(runner.sfn, run["mapRunArn"]))
    changes = callees.changes()
    came = [c.at_ns for c in changes if c.delta > 0]
    full_until = came[-1]  # from the last child's start on the run only empties
    found = overlap.overlap((c.at_ns, c.delta) for c in changes if c.at_ns <= full_until)
    lives = overlap.of_intervals(intervals(runner.sfn, run["mapRunArn"]))
    return Seen(
        value=value,
        children=children,
        seconds=round(seconds, 1),
        most_calls=found.most,
        seconds_to_most=round((found.first_at_most - came[0]) / 1e9, 1),
        percent_at_most=round(100 * found.time_at_most / max(1, full_until - found.first_at_most), 1),
        most_children=lives.most,
        most_running=running,
        calls=len(came),
        succeeded=run["executionCounts"]["succeeded"],
    )


def intervals(sfn: Any, map_run_arn: str) -> Iterator[tuple[int, int]]:
    """Start and stop of every child, in milliseconds, by paging through ListExecutions."""
    token: Json = {}
    while True:
        page = sfn.list_executions(mapRunArn=map_run_arn, maxResults=1000, **token)
        for row in page["executions"]:
            yield round(row["startDate"].timestamp() * 1000), round(row["stopDate"].timestamp() * 1000)
        if "nextToken" not in page:
            return
        token = {"nextToken": page["nextToken"]}


def why(sfn: Any, map_run_arn: str) -> list[str]:
    """Why some of a run's children failed."""
    failed = sfn.list_executions(mapRunArn=map_run_arn, statusFilter="FAILED", maxResults=5)["executions"]
    children = [sfn.describe_execution(executionArn=row["executionArn"]) for row in failed]
    return [f"{child.get('error')}: {child.get('cause')}" for child in children]


INDEX = {"index.$": "$$.Map.Item.Index"}


def task(function: str) -> Json:
    """A child that calls a function once."""
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload": {"index.$": "$.index"}},
        "ResultPath": None,
        "End": True,
    }
    return {"StartAt": "Call", "States": {"Call": call}}


def page(seen: list[Seen], hold_ms: int) -> str:
    """What was seen, as text for the docs."""
    heads = (
        *("MaxConcurrency", "children", "most calls in flight (callees)", "most children (ListExecutions)"),
        *("most running (DescribeMapRun)", "never above, and reached", "s until reached", "% of the time at it"),
        *("seconds", "children succeeded", "calls made again"),
    )
    rows = [
        (
            *(s.value, s.children, s.most_calls, s.most_children, s.most_running, s.exact, s.seconds_to_most),
            *(s.percent_at_most, s.seconds, s.succeeded, s.calls - s.children),
        )
        for s in seen
    ]
    return f"""\
Each child calls a function once. The callees are processes of their own that note, with the machine's monotonic clock,
when a call has been read whole and when its answer begins: `in flight` is between the two. From 1,000 on they hold
every call until as many as MaxConcurrency are there, {_DWELL_SECONDS:.0f} s more, so that one too many would be seen,
and answer then, one by one; each call after that takes {hold_ms} ms, as all calls do below 1,000. The share of the time
is taken from the first time at the maximum to the last child's start. A call is made again when its child-runner lost
its lane before it had written the answer down, which takes a machine too busy to answer Kafka for eight seconds; the
callee gets the same idempotency key.

{pages.table(heads, rows)}"""


def as_json(seen: list[Seen]) -> str:
    """The same for a terminal."""
    return json.dumps(msgspec.to_builtins(seen), indent=2)
