"""Runs a Map Run on its own stack, kills services in mid-run by a seeded schedule, and recounts the results."""

import contextlib
import functools
import io
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from tests.chaos.checker import Recount, check
from tests.integration.system.stack import PARTS_TO_KILL, ROLE, Stack

BUCKET = "chaos"
PROGRESS_SECONDS_MAX = 240.0  # whether there is any, also on a machine that has other work
_FAIL_EVERY = 10
Json = dict[str, Any]
Say = Callable[[str], None]


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong: its name, and what makes it happen and lasts as long as it does."""

    name: str
    strike: Callable[[], object]


class Struck(msgspec.Struct, frozen=True):
    """A fault that struck: when (seconds after the run began), how far the run was, how long it lasted.

    `resumed_seconds` is the time from its end until more children had ended.
    """

    name: str
    at_seconds: float
    done_before: int
    lasted_seconds: float
    resumed_seconds: float


class Report(msgspec.Struct):
    """What happened, and what is wrong."""

    items: int
    seed: int
    struck: list[Struck] = []
    seconds: float = 0.0
    wrong: list[str] = []
    lost: int = 0  # indexes without a result
    doubled: int = 0  # indexes with more than one


def expected_status(index: int) -> str:
    """Every tenth row is one whose child fails."""
    return "FAILED" if index % _FAIL_EVERY == 3 else "SUCCEEDED"


def definition(concurrency: int, child_type: str) -> str:
    """Each child waits a second between two states, and fails if its row says so."""
    child = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": child_type},
        "StartAt": "Begin",
        "States": {
            "Begin": {"Type": "Pass", "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Judge"},
            "Judge": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.value.fate", "StringEquals": "bad", "Next": "Bad"}],
                "Default": "Good",
            },
            "Bad": {"Type": "Fail", "Error": "Chaos.Bad", "Cause": "the row says so"},
            "Good": {"Type": "Pass", "End": True},
        },
    }
    state = {
        "Type": "Map",
        "Label": "Chaos",
        "MaxConcurrency": concurrency,
        "ToleratedFailurePercentage": 100,
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": BUCKET, "Key": "rows.csv"},
        },
        "ItemSelector": {"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value"},
        "ItemProcessor": child,
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": "out"},
        },
        "End": True,
    }
    return json.dumps({"StartAt": "Map", "States": {"Map": state}})


def start(stack: Stack, items: int, concurrency: int, child_type: str, name: str) -> str:
    """Uploads the rows, creates the machine, starts it; answers the execution's ARN."""
    s3, sfn = stack.client("s3"), stack.client("stepfunctions")
    text = io.StringIO()
    text.write("n,fate,text\n")
    for n in range(items):
        text.write(f'{n},{"bad" if expected_status(n) == "FAILED" else "good"},"row {n}, of {items}"\n')
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="rows.csv", Body=text.getvalue().encode())
    made = sfn.create_state_machine(name=name, definition=definition(concurrency, child_type), roleArn=ROLE)
    arn: str = sfn.start_execution(stateMachineArn=made["stateMachineArn"], name="run", input="{}")["executionArn"]
    return arn


class Watch:
    """What the API says of a run while services come and go: an API that is away says nothing."""

    def __init__(self, stack: Stack, execution: str) -> None:
        self._sfn = stack.client("stepfunctions")
        self._execution = execution
        self._map_run = ""

    def map_run(self) -> Json | None:
        """DescribeMapRun, or None while there is none or nobody answers."""
        try:
            if not self._map_run:
                found = self._sfn.list_map_runs(executionArn=self._execution)["mapRuns"]
                if not found:
                    return None
                self._map_run = found[0]["mapRunArn"]
            described: Json = self._sfn.describe_map_run(mapRunArn=self._map_run)
        except (BotoCoreError, ClientError):
            return None
        return described

    def execution(self) -> Json | None:
        """DescribeExecution, or None while nobody answers."""
        try:
            described: Json = self._sfn.describe_execution(executionArn=self._execution)
        except (BotoCoreError, ClientError):
            return None
        return described

    def done(self) -> int | None:
        """Children that have ended, or None."""
        run = self.map_run()
        return None if run is None else done_of(run)

    def until_answered(self, seconds_max: float) -> Json | None:
        """What the API says of the run, as soon as it answers."""
        until = time.monotonic() + seconds_max
        while (run := self.map_run()) is None and time.monotonic() < until:
            time.sleep(0.1)
        return run

    def until_reached(self, done: int, seconds_max: float) -> bool:
        """Waits until `done` have ended; False if nothing more ends for `seconds_max`."""
        best, since = -1, time.monotonic()
        while best < done:
            now = self.done()
            if now is not None and now > best:
                best, since = now, time.monotonic()
            if time.monotonic() - since > seconds_max:
                return False
            time.sleep(0.1)
        return True

    def until_more_than(self, done: int, seconds_max: float) -> float | None:
        """Seconds until more than `done` have ended, or the run is over; None if it takes longer than `seconds_max`."""
        began = time.monotonic()
        while (spent := time.monotonic() - began) < seconds_max:
            run = self.map_run()
            if run is not None and (done_of(run) > done or run["status"] != "RUNNING"):
                return spent
            time.sleep(0.1)
        return None


def done_of(run: Json) -> int:
    """Items of a Map Run that have ended."""
    counts = run["itemCounts"]
    return int(counts["succeeded"] + counts["failed"] + counts["timedOut"] + counts["aborted"])


def run_chaos(
    stack: Stack, *, items: int, kills: int, seed: int, concurrency: int, child_type: str = "EXPRESS", say: Say = print
) -> Report:
    """The whole thing on a stack that is up: start, kill so often in all, wait, recount."""
    execution = start(stack, items, concurrency, child_type, f"chaos-{seed}-{items}")
    faults = killing(stack, kills, random.Random(seed))
    return trouble_in_midrun(stack, execution, Report(items=items, seed=seed), faults, expected_status, say)


def killing(stack: Stack, kills: int, chance: random.Random) -> list[Fault]:
    """So many `kill -9` in all: of each service and of Kafka in turns, in an order by chance."""
    order: list[str] = []
    while len(order) < kills:
        order += chance.sample(PARTS_TO_KILL, len(PARTS_TO_KILL))
    return [Fault(part, functools.partial(stack.kill, part)) for part in order[:kills]]


def trouble_in_midrun(
    stack: Stack,
    execution: str,
    report: Report,
    faults: Sequence[Fault],
    status_of: Callable[[int], str],
    say: Say,
) -> Report:
    """Strikes while a Map Run of `report.items` goes on, spread over the whole of it, and recounts it.

    What is wrong is added to `report`, which is answered. `execution` is the one whose only Map Run that is;
    `status_of` says how the child of an index must end.
    """
    items, chance = report.items, random.Random(report.seed)
    began = time.monotonic()
    watch = Watch(stack, execution)
    if watch.until_more_than(0, PROGRESS_SECONDS_MAX) is None:
        report.wrong.append(f"nothing ended within {PROGRESS_SECONDS_MAX:.0f} s")
        return report
    for number, fault in enumerate(faults):
        # Spread over the whole run: the k-th comes at about k n-ths of the items.
        due = int(items * (number + chance.uniform(0.2, 0.9)) / (len(faults) + 1))
        if not watch.until_reached(due, PROGRESS_SECONDS_MAX):
            report.wrong.append(f"no progress for {PROGRESS_SECONDS_MAX:.0f} s on the way to item {due}")
            break
        run = watch.until_answered(PROGRESS_SECONDS_MAX)
        if run is None or run["status"] != "RUNNING":
            report.wrong.append(f"the run was over before {fault.name}: more items, or less concurrency")
            break
        at = time.monotonic() - began
        fault.strike()
        lasted = time.monotonic() - began - at
        # Frames already on home may still be folded just after it: only what comes later is progress.
        resumed = watch.until_more_than(_settled(watch, done_of(run), fault.name), PROGRESS_SECONDS_MAX)
        total = time.monotonic() - began - at - lasted
        if resumed is None:
            report.wrong.append(f"no progress within {PROGRESS_SECONDS_MAX:.0f} s after {fault.name}")
            say(stack.log_tail(fault.name))
            break
        report.struck.append(Struck(fault.name, round(at, 1), done_of(run), round(lasted, 1), round(total, 1)))
        say(
            f"{at:7.1f} s  {fault.name:24} at {done_of(run):>9,} done, for {lasted:5.1f} s;"
            f" progress again after {total:5.1f} s"
        )
    if not report.wrong:
        recount = finish(stack, watch, items, status_of)
        report.wrong, report.lost, report.doubled = recount.wrong, recount.lost, recount.doubled
    report.seconds = round(time.monotonic() - began, 1)
    return report


def _settled(watch: Watch, done: int, name: str) -> int:
    """How many had ended half a second after a fault, which may be the tail of what was under way."""
    if name == "maprun-tracker":
        return done
    time.sleep(0.5)
    now = watch.done()
    return done if now is None else now


def finish(stack: Stack, watch: Watch, items: int, status_of: Callable[[int], str]) -> Recount:
    """Waits for the end of the execution and recounts."""
    before, since = -1, time.monotonic()
    while True:
        described = watch.execution()
        if described is not None and described["status"] != "RUNNING":
            break
        done = watch.done()
        if done is not None and done > before:
            before, since = done, time.monotonic()
        if time.monotonic() - since > PROGRESS_SECONDS_MAX:
            return Recount([f"no end and no progress for {PROGRESS_SECONDS_MAX:.0f} s: {before} of {items} had ended"])
        time.sleep(0.5)
    if described["status"] != "SUCCEEDED":
        return Recount([f"it ended {described['status']}: {described.get('error')} {described.get('cause')}"])
    result = json.loads(described["output"])
    where = result["ResultWriterDetails"]
    return check(
        stack.client("stepfunctions"),
        stack.client("s3"),
        result["MapRunArn"],
        (where["Bucket"], where["Key"]),
        items,
        status_of,
    )
