"""The measurements: throughput, waits, latency, the tutorial, and whether the counts shown live are honest."""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import processes
from tests.bench.profiles import Profiler
from tests.bench.workloads import PASS, WAIT, Runner, csv_machine, input_machine, put_rows
from tests.chaos.checker import records
from tests.integration.system.stack import ROOT, Stack

Json = dict[str, Any]
_COUNTED = ("succeeded", "failed", "timedOut", "aborted")


def throughput(stack: Stack, rows: int, child_type: str, *, verify: bool = False, profile: bool = False) -> Json:
    """One Pass child a row, histories kept, results in S3; CPU microseconds a child and memory of each part.

    While it runs `describe_map_run` is polled: ended items must only grow, the counts must always sum to the total.
    """
    source_bytes = put_rows(stack, rows)
    runner = Runner(stack)
    pids = stack.pids()
    folder = Path(tempfile.mkdtemp(prefix="maprun-profile-"))
    profiler = Profiler(pids, folder) if profile else None
    before = processes.cpu_seconds(pids)
    began = time.monotonic()
    arn = runner.start(f"throughput-{rows}-{child_type}", csv_machine(rows, PASS, child_type=child_type))
    polls, samples = 0, []
    done = -1
    while True:
        status = runner.sfn.describe_execution(executionArn=arn)
        run = runner.map_run(arn)
        if run is not None:
            polls += 1
            done = honest(run, done)
            samples.append((time.monotonic() - began, done))
        if status["status"] != "RUNNING":
            break
        assert time.monotonic() - began < rows / 500 + 120, f"stuck: {run}"
        time.sleep(0.2)
    spent = time.monotonic() - began
    assert status["status"] == "SUCCEEDED", status
    assert run is not None
    assert run["itemCounts"]["succeeded"] == run["itemCounts"]["total"] == rows, run
    after = processes.cpu_seconds(pids)
    sizes, peaks = processes.rss_bytes(pids), processes.peak_rss_bytes(pids)
    shares = profiler.stop() if profiler is not None else {}
    shutil.rmtree(folder)
    if verify:
        recount(stack, json.loads(status["output"])["ResultWriterDetails"], rows)
    map_seconds = runner.map_seconds(arn)
    return {
        "rows": rows,
        "source_bytes": source_bytes,
        "child_type": child_type,
        "seconds": round(spent, 2),
        "map_seconds": round(map_seconds, 2),
        "children_per_second": round(rows / map_seconds),
        "cpu_us_per_child": {part: round((after[part] - before[part]) * 1e6 / rows, 1) for part in pids},
        "cpu_us_per_child_total": round(sum(after[part] - before[part] for part in pids) * 1e6 / rows, 1),
        "rss_mb": {part: size >> 20 for part, size in sizes.items()},
        "peak_rss_mb": {part: size >> 20 for part, size in peaks.items()},
        "live_polls": polls,
        "every_row_once_in_the_results": verify or "not looked at",
        **({"profile": shares} if shares else {}),
    }


def recount(stack: Stack, where: Json, rows: int) -> None:
    """Reads all result files back. Raises AssertionError unless each row of the source has exactly one result."""
    s3 = stack.client("s3")
    manifest = json.loads(s3.get_object(Bucket=where["Bucket"], Key=where["Key"])["Body"].read())
    seen = bytearray(rows)
    for file in manifest["ResultFiles"]["SUCCEEDED"]:
        for record in records(s3, where["Bucket"], file["Key"]):
            number = int(json.loads(record["Input"])["id"])
            assert not seen[number], f"row {number} has two results"
            assert record["Output"] == record["Input"], record
            seen[number] = 1
    assert seen.count(1) == rows, f"{seen.count(0)} rows have no result"


def honest(run: Json, done_before: int) -> int:
    """Ended items of a described run. Raises AssertionError if they shrank or if the counts don't sum to the total."""
    counts = run["itemCounts"]
    done: int = sum(counts[name] for name in _COUNTED)
    assert done >= done_before, f"ended items went from {done_before} to {done}"
    assert done + counts["running"] + counts["pending"] == counts["total"], counts
    return done


def waits(stack: Stack, children: int, child_type: str) -> Json:
    """Children that wait one second each, all at once: Map start to Map end by the history's timestamps."""
    runner = Runner(stack)
    machine = input_machine(WAIT, child_type=child_type)
    spent = []
    for _ in range(3):
        arn = runner.start(f"waits-{child_type}", machine, {"items": list(range(children))})
        runner.wait(arn, 0.1, 120)
        spent.append(runner.map_seconds(arn))
    return {
        "children": children,
        "child_type": child_type,
        "map_seconds": [round(s, 2) for s in spent],
        "best": round(min(spent), 2),
        "median": round(statistics.median(spent), 2),
    }


def latency(stack: Stack, items: int, rounds: int) -> Json:
    """StartExecution to SUCCEEDED as the API shows it, in milliseconds, one execution after the other."""
    runner = Runner(stack)
    machine = input_machine(PASS)
    spent = []
    for _ in range(rounds + 2):
        began = time.perf_counter()
        arn = runner.start(f"latency-{items}", machine, {"items": list(range(items))})
        runner.wait(arn, 0.002, 60)
        spent.append((time.perf_counter() - began) * 1000)
    measured = sorted(spent[2:])  # the first two create the machine and warm caches
    return {
        "items": items,
        "rounds": rounds,
        "p50_ms": round(statistics.median(measured)),
        "min_ms": round(measured[0]),
        "max_ms": round(measured[-1]),
    }


def tutorial(stack: Stack, rows: int) -> Json:
    """AWS's tutorial as `make demo` runs it, its check of every row included."""
    pids = stack.pids()
    before = processes.cpu_seconds(pids)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "maprun.cli", "demo", "--rows", str(rows)],
        cwd=ROOT,
        env=stack.environ,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    spent = processes.cpu_seconds(pids)
    runner = Runner(stack)
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:tutorial"
    newest = runner.sfn.list_executions(stateMachineArn=machine, maxResults=1)["executions"][0]
    map_seconds = runner.map_seconds(newest["executionArn"])
    return {
        "rows": rows,
        "seconds_with_upload_and_check": round(time.monotonic() - began, 1),
        "map_seconds": round(map_seconds, 2),
        "items_per_second": round(rows / map_seconds),
        "cpu_us_per_child": {part: round((spent[part] - before[part]) * 1e6 / rows, 1) for part in pids},
        "cpu_us_per_child_total": round(sum(spent[part] - before[part] for part in pids) * 1e6 / rows, 1),
    }
