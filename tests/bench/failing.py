"""A run some of whose children fail at random by index: exact counts, exact files; redriven, only the failed run again.

Most children pass. Those whose row says so call a function that fails until the world is repaired; which rows, a seed
says. What must have happened is worked out here from the rows, the callee's log and the result files alone.
"""

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import pages
from tests.bench.callees import Callees
from tests.bench.control import BROKEN, BROKEN_ODD, REPAIRED
from tests.bench.runners import RunnerStack, connections_max, raise_file_limit
from tests.bench.workloads import BUCKET, Runner, put_lines
from tests.chaos.checker import records

_KEY = "bad-rows.csv"
_ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
Json = dict[str, Any]


class Files(msgspec.Struct):
    """The result files of one generation: what each index's record says, and which objects there are."""

    manifest: str
    status: dict[int, str]  # of the SUCCEEDED files of all generations, the FAILED and PENDING ones of this one
    redriven: dict[int, int]  # RedriveCount
    dates: dict[int, tuple[str, str]]  # start and stop
    keys: dict[str, list[str]]  # by kind
    twice: int  # records whose index had one already


class Round(msgspec.Struct, kw_only=True):
    """One generation of the run, and what is wrong with it."""

    name: str
    seconds: float
    status: str
    counts: dict[str, int]
    calls: int
    folder: str
    wrong: list[str]


class World:
    """One stack with its rows and its callee."""

    def __init__(self, stack: RunnerStack, callees: Callees, items: int, share: float, seed: int) -> None:
        self.stack = stack
        self.callees = callees
        self.runner = Runner(stack)
        self.items = items
        chance = random.Random(seed)
        self.bad = frozenset(n for n in range(items) if chance.random() < share)
        rows = (f"{n},{'bad' if n in self.bad else 'good'}\n" for n in range(items))
        put_lines(stack, _KEY, "n,fate\n", rows)

    def start(self, name: str, tolerated: Json) -> str:
        """Starts the run; answers the parent's ARN."""
        return self.runner.start(name, machine(tolerated))

    def ended(self, arn: str) -> Json:
        """DescribeExecution of the parent once it runs no more."""
        deadline = time.monotonic() + 300 + self.items / 500
        while True:
            described: Json = self.runner.sfn.describe_execution(executionArn=arn)
            if described["status"] != "RUNNING":
                return described
            assert time.monotonic() < deadline, f"stuck: {self.runner.map_run(arn)}"
            time.sleep(0.2)

    def called(self, since_ns: int) -> Counter[int]:
        """How often each index called since then."""
        return Counter(change.index for change in self.callees.changes(since_ns) if change.delta > 0)

    def files(self, arn: str, generation: int) -> Files:
        """All result files that the generation's manifest names, read back."""
        s3 = self.stack.client("s3")
        run = self.runner.map_run(arn)
        assert run is not None
        folder = f"out/{run['mapRunArn'].rpartition(':')[2]}/" + (f"Redrive-{generation}/" if generation else "")
        manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=f"{folder}manifest.json")["Body"].read())
        found = Files(f"{folder}manifest.json", {}, {}, {}, {}, 0)
        for kind, files in manifest["ResultFiles"].items():
            found.keys[kind] = [file["Key"] for file in files]
            for key in found.keys[kind]:
                for record in records(s3, BUCKET, key):
                    index = int(json.loads(record["Input"])["n"])
                    found.twice += index in found.status
                    found.status[index] = record["Status"]
                    found.redriven[index] = record.get("RedriveCount", 0)
                    found.dates[index] = (record.get("StartDate", ""), record.get("StopDate", ""))
        return found


def machine(tolerated: Json) -> str:
    """A Map over the rows; a bad row calls the function, a good one passes."""
    child = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Judge",
        "States": {
            "Judge": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.fate", "StringEquals": "bad", "Next": "Call"}],
                "Default": "Good",
            },
            "Call": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "repair-5", "Payload": {"index.$": "$.index"}},
                "ResultPath": None,
                "Next": "Good",
            },
            "Good": {"Type": "Pass", "End": True},
        },
    }
    state = {
        "Type": "Map",
        "Label": "Bench",
        **tolerated,
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            "Parameters": {"Bucket": BUCKET, "Key": _KEY},
        },
        "ItemSelector": {
            "index.$": "$$.Map.Item.Index",
            "n.$": "$$.Map.Item.Value.n",
            "fate.$": "$$.Map.Item.Value.fate",
        },
        "ItemProcessor": child,
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": "out"},
        },
        "End": True,
    }
    return json.dumps({"StartAt": "Map", "States": {"Map": state}})


def tolerated(world: World, percentage: float) -> Round:
    """Fewer fail than are tolerated: the run succeeds, with exact counts and files."""
    world.callees.control.broken = BROKEN
    began, since = time.monotonic(), time.monotonic_ns()
    arn = world.start("tolerated", {"ToleratedFailurePercentage": percentage})
    status = world.ended(arn)["status"]
    seconds = time.monotonic() - began
    run = world.runner.map_run(arn)
    assert run is not None
    files, calls = world.files(arn, 0), world.called(since)
    wrong = [] if status == "SUCCEEDED" else [f"the parent ended {status}"]
    failed = {n for n, ended in files.status.items() if ended == "FAILED"}
    succeeded = {n for n, ended in files.status.items() if ended == "SUCCEEDED"}
    wrong += differs("FAILED file", failed, world.bad)
    wrong += differs("SUCCEEDED files", succeeded, set(range(world.items)) - world.bad)
    wrong += differs("called", set(calls), world.bad)
    wrong += [f"{files.twice} records too many"] if files.twice else []
    expected = {"total": world.items, "succeeded": world.items - len(world.bad), "failed": len(world.bad)}
    wrong += counts_differ(run, expected | {"resultsWritten": world.items})
    return _round(f"tolerated {percentage} %", seconds, status, run, calls, files, wrong)


def redriven(world: World, percentage: float) -> Iterator[Round]:
    """More fail than are tolerated; half of the world is repaired, then all of it; redriven each time."""
    control = world.callees.control
    arn, before = "", None
    for generation, (broken, name) in enumerate(
        ((BROKEN, "more than tolerated"), (BROKEN_ODD, "redriven, half repaired"), (REPAIRED, "redriven, repaired"))
    ):
        control.broken = broken
        began, since = time.monotonic(), time.monotonic_ns()
        if generation:
            world.runner.sfn.redrive_execution(executionArn=arn)
        else:
            count = int(len(world.bad) * percentage / 100)
            # at most so many at once, so that the run fails part way: some are aborted, many never start
            arn = world.start("redriven", {"ToleratedFailureCount": count, "MaxConcurrency": 500})
        status = world.ended(arn)["status"]
        seconds = time.monotonic() - began
        run = world.runner.map_run(arn)
        assert run is not None
        files, calls = world.files(arn, generation), world.called(since)
        wrong = _of_generation(world, run, files, calls, generation)
        expected = "SUCCEEDED" if broken == REPAIRED else "FAILED"
        wrong += [] if status == expected else [f"the parent ended {status}, not {expected}"]
        if before is not None:
            wrong += _against(before, files, calls, generation)
        yield _round(name, seconds, status, run, calls, files, wrong)
        if status == "SUCCEEDED":
            return
        before = files


def _of_generation(world: World, run: Json, files: Files, calls: Counter[int], generation: int) -> list[str]:
    """What is wrong with a generation by itself: counts against files, who was called, who could fail."""
    found = Counter(files.status.values())
    wrong = [f"{files.twice} records too many"] if files.twice else []
    wrong += [] if run["redriveCount"] == generation else [f"redriveCount is {run['redriveCount']}"]
    wrong += counts_differ(
        run,
        {
            "succeeded": found["SUCCEEDED"],
            "failed": found["FAILED"],
            "aborted": found["ABORTED"],
            "timedOut": found["TIMED_OUT"],
            "pending": found["PENDING"],
            "running": 0,
            "total": sum(found.values()),
        },
    )
    wrong += differs("bad rows that failed", {n for n, s in files.status.items() if s == "FAILED"} - world.bad, set())
    wrong += differs("good rows that called", set(calls) - world.bad, set())
    often = sum(1 for number in calls.values() if number > 1)
    return wrong + ([f"{often} children called more than once"] if often else [])


def _against(before: Files, files: Files, calls: Counter[int], generation: int) -> list[str]:
    """What is wrong with a generation after another: who had succeeded is untouched, all others ran or still wait."""
    had = {n for n, status in before.status.items() if status == "SUCCEEDED"}
    now = {n for n, status in files.status.items() if status == "SUCCEEDED"}
    wrong = differs("children that had succeeded and no longer do", had - now, set())
    wrong += differs("children that had succeeded and called again", had & set(calls), set())
    wrong += differs("children that changed their dates", {n for n in had if files.dates[n] != before.dates[n]}, set())
    lost = {n for n, status in before.status.items() if status in _ENDED and n not in had}
    counted = {n for n in now if n in lost and files.redriven[n] != before.redriven[n] + 1}
    wrong += differs("redriven children with a wrong RedriveCount", counted, set())
    fresh = {n for n in now - had - lost if files.redriven[n] != 0}
    wrong += differs("children that first ran in a redrive and have a RedriveCount", fresh, set())
    mine = f"/Redrive-{generation}/"
    strange = [
        key
        for kind, keys in files.keys.items()
        for key in keys
        if mine not in key and key not in before.keys.get("SUCCEEDED", [])
    ]
    return wrong + [f"the manifest names {key}" for key in strange]


def differs(what: str, found: set[int] | frozenset[int], expected: set[int] | frozenset[int]) -> list[str]:
    """How two sets of indexes differ, in words; nothing if they are the same."""
    more, less = sorted(found - expected), sorted(expected - found)
    out = [f"{what}: {len(more)} too many, e.g. {more[:5]}"] if more else []
    return out + ([f"{what}: {len(less)} are missing, e.g. {less[:5]}"] if less else [])


def counts_differ(run: Json, expected: dict[str, int]) -> list[str]:
    """What of itemCounts and executionCounts isn't as expected."""
    return [
        f"{member}.{name} is {run[member][name]}, not {number}"
        for member in ("itemCounts", "executionCounts")
        for name, number in expected.items()
        if run[member][name] != number
    ]


def _round(
    name: str, seconds: float, status: str, run: Json, calls: Counter[int], files: Files, wrong: list[str]
) -> Round:
    return Round(
        name=name,
        seconds=round(seconds, 1),
        status=status,
        counts=run["itemCounts"],
        calls=sum(calls.values()),
        folder=files.manifest.partition("/")[2].partition("/")[2],
        wrong=wrong,
    )


def measure(items: int, share: float, tolerated_percent: float, redrive_percent: float, seed: int) -> Iterator[Round]:
    """Both parts on one fresh stack, round by round."""
    with tempfile.TemporaryDirectory(prefix="maprun-failing-") as name:
        folder = Path(name)
        stack = RunnerStack(folder)
        raise_file_limit()
        with Callees(folder, 1, stack.functions_port) as callees:
            try:
                stack.up()
                stack.start_runners(callees.endpoints, connections_max())
                world = World(stack, callees, items, share, seed)
                yield tolerated(world, tolerated_percent)
                yield from redriven(world, redrive_percent)
            finally:
                stack.down()


def page(rounds: list[Round], items: int, share: float, seed: int) -> str:
    """What was seen, as text for the docs."""
    names = ("total", "succeeded", "failed", "aborted", "pending", "resultsWritten", "failuresNotRedrivable")
    heads = ("round", "parent", "seconds", *names, "calls", "manifest", "as it must be")
    rows = [
        (r.name, r.status, r.seconds, *(r.counts[n] for n in names), r.calls, r.folder, not r.wrong) for r in rounds
    ]
    wrong = "\n".join(f"- {r.name}: {what}" for r in rounds for what in r.wrong)
    return f"""\
{items:,} items, {share:.1%} of them at random by index (seed {seed}) call a function that fails until it is repaired,
the others pass. Every record of every result file is read back: its index, status, dates and RedriveCount; the callee's
log says who called. A round is as it must be when DescribeMapRun's itemCounts and executionCounts equal the files, the
FAILED file holds exactly the indexes that had to fail, nobody called twice, and after a redrive all that had succeeded
is untouched (same dates, no call), what had failed or been aborted has one RedriveCount more, what had never started
none.

{pages.table(heads, rows)}
{wrong}"""
