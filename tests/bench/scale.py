"""`python -m tests.bench.scale`: what a child costs each process here, and what a model makes of it on more cores.

The model is first held against a table that was measured on sixteen cores (tests/bench/test_scale_model.py).
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from maprun.runtime.settings import shapers_fitting
from tests.bench import measures, processes
from tests.bench.scale_model import Costs, Setup, children_per_second
from tests.bench.svg import charts
from tests.bench.workloads import BUCKET
from tests.integration.system.stack import ROOT, Stack

Json = dict[str, Any]
PART_BYTES = 8 << 20  # of results, put to S3 at once
PUTS = 20
CORES = (1, 2, 4, 6, 8, 12, 16)

OF_SIXTEEN = Costs(
    runner=17.3, home=2.1, shaping=6.2, beside=0.0, reader=2.7, tracker=3.5, kafka=4.9, s3=11.9, upload=8.0
)
"""Commit 4fdf0d4, 16 cores Intel Xeon, Python 3.12: busy cores by part of one run with four child-runners.

How the scheduler's 8.3 are shared, and the time of an upload, are this machine's, times what the part costs more there.
"""
MEASURED_ON_SIXTEEN = (
    (Setup(cores=16, runners=1), 59_934),
    (Setup(cores=16, runners=4), 69_502),
    (Setup(cores=16, runners=8), 68_116),
    (Setup(cores=16, runners=8, runs=4, schedulers=4, readers=4, trackers=4), 216_133),
)
BEFORE_HERE = Costs(
    runner=6.1, home=1.9, shaping=2.0, beside=0.1, reader=1.3, tracker=1.7, kafka=3.0, s3=6.1, upload=4.1
)
"""Commit 4fdf0d4, 2 cores AMD EPYC, Python 3.11.7."""


@click.command()
@click.option("--rows", default=500_000, show_default=True)
@click.option("--svg", default="", metavar="FILE", help="Where the plot goes.")
def main(rows: int, svg: str) -> None:
    """Measures this build, and says what sixteen cores like the ones of the table would do."""
    here, upload_us = measured(rows, 0)
    beside, _ = measured(rows, 1)
    factors = dearer()
    found = {
        "machine": processes.machine(),
        "here_us": {"shaping in the scheduler": _named(here), "shaping beside it": _named(beside)},
        "an_upload_us_a_child": upload_us,
        "model": {
            "held against": [
                {"setup": _named(setup), "measured": rate, "model": round(children_per_second(OF_SIXTEEN, setup)[0])}
                for setup, rate in MEASURED_ON_SIXTEEN
            ],
            "one run": one_run(here, beside, factors),
            "eight runs": _said(beside.times(factors), Setup(16, 16, 8, 8, 4, 4, 2)),
            "eight runs before": _said(OF_SIXTEEN, Setup(16, 8, 8, 8, 4, 4)),
        },
    }
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    if svg:
        rates = found["model"]["one run"]  # type: ignore[index]
        lines = {name: [(row["cores"], row[name][0]) for row in rates] for name in ("before", "now")}
        (ROOT / svg).write_text(charts([("Children a second of one run (model, Xeon)", lines)], "cores"))


def dearer() -> Costs:
    """How much more the same build took for a child on the sixteen cores than here, part by part."""
    there, here = OF_SIXTEEN, BEFORE_HERE
    scheduler = (there.home + there.shaping + there.beside) / (here.home + here.shaping + here.beside)
    parts = {
        name: getattr(there, name) / getattr(here, name) for name in ("runner", "reader", "tracker", "kafka", "s3")
    }
    return Costs(home=scheduler, shaping=scheduler, beside=scheduler, upload=parts["s3"], **parts)


def one_run(here: Costs, beside: Costs, factors: Costs) -> list[Json]:
    """Of each number of cores, before and now: children a second and what bounds them."""
    rows = []
    for cores in CORES:
        shapers = shapers_fitting(cores)
        now = (beside if shapers else here).times(factors)
        rows.append(
            {
                "cores": cores,
                "before": _said(OF_SIXTEEN, Setup(cores, min(cores, 8))),
                "now": _said(now, Setup(cores, cores, shapers=shapers)),
            }
        )
    return rows


def measured(rows: int, shapers: int) -> tuple[Costs, float]:
    """What a child costs on this machine, and the wall time a child of results that go to S3 part by part."""
    with tempfile.TemporaryDirectory(prefix="maprun-bench-") as folder:
        stack = Stack(Path(folder), MAPRUN_SHAPERS=str(shapers))
        stack.up()
        try:
            measures.throughput(stack, rows // 10, "STANDARD")
            pids = stack.pids()
            serial, whole = processes.serial_seconds(pids), processes.cpu_seconds(pids)
            measures.throughput(stack, rows, "STANDARD")
            serial_after, whole_after = processes.serial_seconds(pids), processes.cpu_seconds(pids)
            upload = put_seconds(stack) / PART_BYTES * result_bytes(stack) / (rows + rows // 10)
        finally:
            stack.down()
    loops = {part: (after - serial.get(part, 0.0)) * 1e6 / rows for part, after in serial_after.items()}
    parts = {part: (after - whole[part]) * 1e6 / rows for part, after in whole_after.items()}
    shaping = sum(us for part, us in loops.items() if part.startswith("scheduler/"))
    costs = Costs(
        runner=sum(us for part, us in parts.items() if part.startswith("child-runner")),
        home=loops["scheduler"],
        shaping=shaping,
        beside=parts["scheduler"] - loops["scheduler"] - shaping,
        reader=parts["item-reader"],
        tracker=parts["maprun-tracker"],
        kafka=parts["kafka"],
        s3=parts["seaweedfs"],
    )
    return costs, round(upload * 1e6, 2)


def put_seconds(stack: Stack) -> float:
    """The median of parts that go to S3 one after the other, nothing else beside them."""
    s3 = stack.client("s3")
    body = os.urandom(4096) * (PART_BYTES // 4096)
    taken = []
    for number in range(PUTS):
        began = time.perf_counter()
        s3.put_object(Bucket=BUCKET, Key=f"part-{number}", Body=body)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def result_bytes(stack: Stack) -> int:
    """Of all result files."""
    pages = stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="out")
    return sum(entry["Size"] for page in pages for entry in page.get("Contents", []))


def _said(costs: Costs, setup: Setup) -> tuple[int, str]:
    rate, bound = children_per_second(costs, setup)
    return round(rate), bound


def _named(of: Costs | Setup) -> Json:
    return {name: round(value, 2) for name, value in msgspec.structs.asdict(of).items()}


if __name__ == "__main__":
    main()
