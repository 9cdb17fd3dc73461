"""UpdateMapRun from outside: how long after its answer the functions see that more, or fewer, calls are made."""

import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import pages
from tests.bench.callees import Callees, Change
from tests.bench.concurrency import INDEX, task
from tests.bench.control import BROKEN
from tests.bench.runners import RunnerStack, connections_max, raise_file_limit
from tests.bench.workloads import Runner, csv_machine, put_rows

_HOLD_MS = 200
_ROWS = 200_000
_STEADY_SECONDS = 3.0
Json = dict[str, Any]


class Changed(msgspec.Struct, kw_only=True):
    """One UpdateMapRun and when it could be seen."""

    what: str
    call_ms: float  # of the API call itself
    seen_ms: float  # from the call's answer until the functions held what they should; -1 = never
    excess: int  # of calls that came later than a second after the answer and should not have
    most: int  # in flight from a second after the answer on

    @property
    def in_time(self) -> bool:
        """Within a second, and to the letter from then on."""
        return 0 <= self.seen_ms <= 1000 and self.excess == 0


def measure(steps: tuple[int, ...]) -> list[Changed]:
    """MaxConcurrency from step to step in one live run, then the tolerance of another."""
    with tempfile.TemporaryDirectory(prefix="maprun-update-") as name:
        folder = Path(name)
        stack = RunnerStack(folder)
        raise_file_limit()
        with Callees(folder, 1, stack.functions_port) as callees:
            try:
                stack.up()
                stack.start_runners(callees.endpoints, connections_max())
                put_rows(stack, _ROWS)
                runner = Runner(stack)
                return [*_concurrency(runner, callees, steps), _tolerance(runner, callees)]
            finally:
                stack.down()


def _concurrency(runner: Runner, callees: Callees, steps: tuple[int, ...]) -> list[Changed]:
    machine = csv_machine(_ROWS, task(f"hold-{_HOLD_MS}"), concurrency=steps[0], selector=INDEX)
    arn = runner.start("update", machine)
    time.sleep(_STEADY_SECONDS)
    map_run_arn = runner.sfn.list_map_runs(executionArn=arn)["mapRuns"][0]["mapRunArn"]
    asked: list[tuple[int, int, int, int]] = []  # from, to, answered at, call ns
    for before, after in itertools.pairwise(steps):
        began = time.monotonic_ns()
        runner.sfn.update_map_run(mapRunArn=map_run_arn, maxConcurrency=after)
        answered = time.monotonic_ns()
        asked.append((before, after, answered, answered - began))
        time.sleep(_STEADY_SECONDS)
        assert runner.sfn.describe_map_run(mapRunArn=map_run_arn)["maxConcurrency"] == after
    runner.sfn.stop_execution(executionArn=arn)
    ends = [answered - call for _, _, answered, call in asked[1:]] + [asked[-1][2] + int(_STEADY_SECONDS * 1e9)]
    changes = callees.changes()
    return [seen(changes, *step, end) for step, end in zip(asked, ends, strict=True)]


def seen(changes: list[Change], before: int, after: int, answered: int, call_ns: int, end: int) -> Changed:
    """When as many as allowed, and no more, were in flight after an answer, up to the time of the next one.

    In a full run one call's end is the next one's start, so the number goes up and down by a few: the maximum of the
    time from a second after the answer on must be the value, exactly.
    """
    held = 0
    reached = -1
    late: list[int] = []
    excess = 0
    for change in changes:
        if change.at_ns > end:
            break
        held += change.delta
        if change.at_ns < answered:
            continue
        if reached < 0 and (held >= after if after > before else held <= after):
            reached = change.at_ns
        if change.at_ns > answered + 1_000_000_000:
            late.append(held)
            excess += change.delta > 0 and held > after
    return Changed(
        what=f"maxConcurrency {before} to {after}",
        call_ms=round(call_ns / 1e6, 1),
        seen_ms=round((reached - answered) / 1e6, 1) if reached >= 0 else -1,
        excess=excess,
        most=max(late, default=0),
    )


def _tolerance(runner: Runner, callees: Callees) -> Changed:
    """A run all of whose children fail, and may; then none may: it must fail, and call nobody any more."""
    callees.control.broken = BROKEN
    machine = csv_machine(_ROWS, task("repair-200"), concurrency=50, selector=INDEX, tolerated_percentage=100)
    arn = runner.start("tolerance", machine)
    time.sleep(_STEADY_SECONDS)
    map_run_arn = runner.sfn.list_map_runs(executionArn=arn)["mapRuns"][0]["mapRunArn"]
    began = time.monotonic_ns()
    runner.sfn.update_map_run(mapRunArn=map_run_arn, toleratedFailurePercentage=0.0, toleratedFailureCount=0)
    answered = time.monotonic_ns()
    time.sleep(_STEADY_SECONDS)
    calls = [change.at_ns for change in callees.changes(began) if change.delta > 0]
    last = max(calls, default=answered)
    deadline = time.monotonic() + 120
    while (described := runner.sfn.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, described
        time.sleep(0.1)
    assert described["status"] == "FAILED", described
    assert described["error"] == "States.ExceedToleratedFailureThreshold", described
    return Changed(
        what="tolerated failures 100 % to 0: the last call",
        call_ms=round((answered - began) / 1e6, 1),
        seen_ms=round(max(0, last - answered) / 1e6, 1),
        excess=sum(1 for at in calls if at > answered + 1_000_000_000),
        most=0,
    )


def page(found: list[Changed]) -> str:
    """What was seen, as text for the docs."""
    heads = (
        *("UpdateMapRun", "the call, ms", "seen by the functions after, ms", "calls too many after 1 s"),
        *("most in flight after 1 s", "within a second"),
    )
    table = [(c.what, c.call_ms, c.seen_ms, c.excess, c.most, c.in_time) for c in found]
    return f"""\
A run whose children call a function of {_HOLD_MS} ms. `seen` is the time from UpdateMapRun's answer until as many calls
as it allows were in flight, by the callee's own log (going down, those under way may end first); a call that came later
than a second after the answer while that many were in flight already would be one too many. Each step lasts
{_STEADY_SECONDS:.0f} s.

{pages.table(heads, table)}"""
