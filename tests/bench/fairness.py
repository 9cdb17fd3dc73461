"""Two runs at once: a huge one that may run ten children at a time must not hold up a small one."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import pages
from tests.bench.callees import Callees
from tests.bench.concurrency import INDEX, task
from tests.bench.runners import RunnerStack, connections_max, raise_file_limit
from tests.bench.workloads import PASS, WAIT, Runner, csv_machine, put_rows

Json = dict[str, Any]
_SETTLE_SECONDS = 3.0  # from the huge run's start until it runs its ten
KINDS = {"Pass": PASS, "Wait 1 s": WAIT, "Task of 100 ms": task("hold-100")}
"""What the children do: nothing, wait for a timer, call a function."""


class Fair(msgspec.Struct, kw_only=True):
    """A small run of one kind of children, alone and beside a huge run of the same or another kind."""

    small: str
    huge: str
    alone_seconds: list[float]
    beside_seconds: list[float]

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return round(statistics.median(self.beside_seconds) / statistics.median(self.alone_seconds), 2)


def measure(rows: int, small_rows: int, rounds: int) -> list[Fair]:
    """Every kind of small run, alone and beside huge runs whose children wait and whose children pass at once.

    The latter is the harder case: ten at a time that end at once are a run at the engine's full speed.
    """
    with tempfile.TemporaryDirectory(prefix="maprun-fairness-") as name:
        folder = Path(name)
        stack = RunnerStack(folder)
        raise_file_limit()
        with Callees(folder, 1, stack.functions_port) as callees:
            try:
                stack.up()
                stack.start_runners(callees.endpoints, connections_max())
                put_rows(stack, rows)
                put_rows(stack, small_rows)
                runner = Runner(stack)
                found = []
                for huge in ("Wait 1 s", "Task of 100 ms", "Pass"):
                    for kind in KINDS:
                        alone = _rounds(runner, kind, small_rows, rounds)  # each time: the machine's mood changes
                        beside = _beside(runner, huge, kind, rows, small_rows, rounds)
                        found.append(Fair(small=kind, huge=huge, alone_seconds=alone, beside_seconds=beside))
                return found
            finally:
                stack.down()


def _rounds(runner: Runner, kind: str, rows: int, rounds: int) -> list[float]:
    """Seconds from start to end of so many small runs, as the API shows them; one before them warms caches."""
    spent = []
    for _ in range(rounds + 1):
        began = time.monotonic()
        arn = runner.start(f"small-{len(kind)}", csv_machine(rows, KINDS[kind], selector=INDEX))
        runner.wait(arn, 0.01, 120)
        spent.append(round(time.monotonic() - began, 3))
    return spent[1:]


def _beside(runner: Runner, huge: str, kind: str, rows: int, small_rows: int, rounds: int) -> list[float]:
    """The same while a huge run goes on, which is stopped afterwards."""
    arn = runner.start(f"huge-{len(huge)}", csv_machine(rows, KINDS[huge], concurrency=10, selector=INDEX))
    time.sleep(_SETTLE_SECONDS)
    spent = _rounds(runner, kind, small_rows, rounds)
    status = runner.sfn.describe_execution(executionArn=arn)["status"]
    assert status == "RUNNING", f"the huge run has {status} too early: give it more rows"
    runner.sfn.stop_execution(executionArn=arn)
    deadline = time.monotonic() + 60
    while (run := runner.map_run(arn)) is not None and run["status"] == "RUNNING":
        assert time.monotonic() < deadline, run
        time.sleep(0.1)
    return spent


def page(found: list[Fair], rows: int, small_rows: int) -> str:
    """What was seen, as text for the docs."""
    heads = ("small run's children", "huge run's children", "alone: median s", "beside: median s", "ratio", "<= 1.5")
    table = [
        (
            *(f.small, f.huge, statistics.median(f.alone_seconds), statistics.median(f.beside_seconds)),
            *(f.ratio, f.ratio <= 1.5),
        )
        for f in found
    ]
    return f"""\
A run of {small_rows:,} items without MaxConcurrency, from StartExecution to SUCCEEDED as the API shows it, the median
of {len(found[0].alone_seconds)} rounds: alone, and while a run of {rows:,} items with MaxConcurrency 10 goes on. A huge
run whose children pass at once is the engine at its full speed on the same cores; the others leave it time.

{pages.table(heads, table)}"""
