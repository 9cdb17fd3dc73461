"""`python -m tests.bench.inflight`: 10,000 calls under way in one child-runner, and quick ones beside them.

The calls are of a slow function, or of the SDK to a slow service; the quick ones are of a function that answers at
once. Each round is a quick run alone and one beside the waiting calls, on the same stack. What is under way the callees
say.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from tests.bench import pages, processes
from tests.bench.callees import Callees
from tests.bench.concurrency import INDEX, task
from tests.bench.runners import RunnerStack, connections_max, raise_file_limit
from tests.bench.workloads import Runner, csv_machine, put_rows

Json = dict[str, Any]
SDK_CALL: Json = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:sqs:listQueues",
    "Parameters": {},
    "ResultPath": None,
    "End": True,
}
SLOW = {
    "a function": task("burst-0"),
    "a service, by the SDK": {"StartAt": "Call", "States": {"Call": SDK_CALL}},
}
"""What the waiting children call: it answers once the gate is open."""
RUNNER = "child-runner-0"
_FULL_SECONDS_MAX = 120.0
_ENDED_SECONDS_MAX = 300.0


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """A quick run alone, and one beside the calls that wait."""

    alone: float  # children a second
    beside: float
    full_seconds: float  # from the start of the waiting run until all its calls were under way
    kb_a_call: float
    threads: int
    load: float  # of the machine, at the end

    @property
    def share(self) -> float:
        """Of the speed alone that is left."""
        return self.beside / self.alone


class Bench:
    """One stack with one child-runner, which calls two callees: one stands for Lambda, one for services."""

    def __init__(self, stack: RunnerStack, callees: Callees, waiting: int, quick: int) -> None:
        self._stack, self._callees = stack, callees
        self._waiting, self._quick = waiting, quick
        self._runner = Runner(stack)
        put_rows(stack, 2 * waiting)  # lanes are given more than their share of MaxConcurrency, so that all are full
        put_rows(stack, quick)

    def quick(self) -> float:
        """Children a second of a quick run."""
        machine = csv_machine(self._quick, task("hold-0"), concurrency=1_000, selector=INDEX)
        arn = self._runner.start("quick", machine)
        self._runner.wait(arn, 0.2, _ENDED_SECONDS_MAX)
        return self._quick / self._runner.map_seconds(arn)

    def round(self, slow: str) -> Round:
        """One round."""
        alone = self.quick()
        before = self._memory()
        self._callees.control.gate_open = False
        began = time.monotonic()
        machine = csv_machine(2 * self._waiting, SLOW[slow], concurrency=self._waiting, selector=INDEX)
        arn = self._runner.start(f"slow-{len(slow)}", machine)
        while self._callees.control.in_flight < self._waiting:
            assert time.monotonic() - began < _FULL_SECONDS_MAX, self._state_of(arn)
            time.sleep(0.1)
        full = time.monotonic() - began
        held, threads = self._memory() - before, self._threads()
        beside = self.quick()
        under_way = self._callees.control.in_flight
        assert under_way == self._waiting, f"{under_way} calls are left: the quick run took too long"
        self._callees.control.gate_open = True
        self._runner.wait(arn, 0.2, _ENDED_SECONDS_MAX)
        found = Round(
            alone=alone,
            beside=beside,
            full_seconds=full,
            kb_a_call=held / self._waiting / 1e3,
            threads=threads,
            load=os.getloadavg()[0],
        )
        print(slow, found, file=sys.stderr, flush=True)
        return found

    def _state_of(self, arn: str) -> str:
        """Of the Map Run that is not full: its counts, and why its first failed child failed."""
        run = self._runner.map_run(arn) or {}
        sfn = self._runner.sfn
        failed = sfn.list_executions(mapRunArn=run["mapRunArn"], statusFilter="FAILED", maxResults=1)["executions"]
        said = [sfn.describe_execution(executionArn=each["executionArn"]) for each in failed]
        return f"{run['itemCounts']} {[(each['error'], each['cause']) for each in said]}"

    def _memory(self) -> int:
        return processes.rss_bytes({RUNNER: self._stack.pids()[RUNNER]})[RUNNER]

    def _threads(self) -> int:
        return len(list(Path(f"/proc/{self._stack.pids()[RUNNER]}/task").iterdir()))


def measure(waiting: int, quick: int, rounds: int) -> dict[str, list[Round]]:
    """The rounds of each kind of slow call."""
    raise_file_limit()
    with tempfile.TemporaryDirectory(prefix="maprun-inflight-") as name:
        stack = RunnerStack(Path(name))
        with Callees(Path(name), 2, stack.functions_port) as callees:
            functions, services = callees.endpoints
            stack.environ["AWS_ENDPOINT_URL_SQS"] = services
            try:
                stack.up()
                stack.start_runners([functions], connections_max())
                bench = Bench(stack, callees, waiting, quick)
                bench.quick()  # caches are warm then
                return {slow: [bench.round(slow) for _ in range(rounds)] for slow in SLOW}
            finally:
                stack.down()


def page(found: dict[str, list[Round]], waiting: int, quick: int) -> str:
    """What was found, as text for the docs."""
    heads = (
        *("calls that wait are of", "quick children a second alone", "beside", "share left, of each round"),
        *("median", "s until all wait", "KB a call", "threads", "load"),
    )
    rows = [
        (
            slow,
            *(", ".join(f"{getattr(each, name):,.0f}" for each in rounds) for name in ("alone", "beside")),
            ", ".join(f"{each.share:.2f}" for each in rounds),
            f"{statistics.median(each.share for each in rounds):.2f}",
            *(", ".join(f"{getattr(each, name):.0f}" for each in rounds) for name in ("full_seconds", "kb_a_call")),
            max(each.threads for each in rounds),
            ", ".join(f"{each.load:.1f}" for each in rounds),
        )
        for slow, rounds in found.items()
    ]
    return f"""\
{waiting:,} STANDARD children of one Map Run each wait for the answer to one call, all in one child-runner. Beside them
a run of {quick:,} children calls a function that answers at once, MaxConcurrency 1,000; the same run alone before it.
Functions and services are processes of the bench, over HTTP, a connection a call.

{pages.table(heads, rows)}"""


@click.command()
@click.option("--waiting", default=10_000, show_default=True, help="Calls under way.")
@click.option("--quick", default=20_000, show_default=True, help="Children of a quick run.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--write", is_flag=True, help="Add a section to docs/benchmarks/inflight.md.")
def main(waiting: int, quick: int, rounds: int, *, write: bool) -> None:
    """Measure; figures are of this machine, with Kafka, S3 and everything else on it."""
    text = page(measure(waiting, quick, rounds), waiting, quick)
    print(text)
    if write:
        command = f"python -m tests.bench.inflight --waiting {waiting} --quick {quick} --rounds {rounds} --write"
        pages.add("inflight", "Calls that wait, and quick ones beside them", command, text)


if __name__ == "__main__":
    main()
