"""`python -m tests.bench.function_rows`: rows a second of a Map Run whose children call a Python function.

Everything by default; a row a child, or ItemBatcher and one call for all rows of a batch. The results of the last round
are read back: every row has its own answer, once.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from tests.bench import pages, processes
from tests.bench.bench_functions import FUNCTION, HANDLER
from tests.bench.workloads import BUCKET, Runner, csv_machine, put_lines
from tests.chaos.checker import records
from tests.integration.system.stack import Stack

Json = dict[str, Any]
CHILD = {"StartAt": "Call", "States": {"Call": {"Type": "Task", "Resource": FUNCTION, "End": True}}}
_ENDED_SECONDS_MAX = 280.0


class Round(msgspec.Struct, frozen=True):
    """One Map Run."""

    rows_a_second: float
    cpu_us_a_row: dict[str, float]  # by part
    load: float  # of the machine, at the end


def put_source(stack: Stack, rows: int) -> None:
    """A CSV of the rows that the function classifies."""
    lines = (
        f"{n},customer {n % 9973:04d} of street {n % 89},{n % 5 + 1},{n % 100_000 / 100:.2f}\n" for n in range(rows)
    )
    put_lines(stack, f"rows-{rows}.csv", "id,name,rating,amount\n", lines)


def answers(stack: Stack, where: Json) -> Iterator[Json]:
    """What the function made of each row, by the result files."""
    s3 = stack.client("s3")
    manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=where["Key"])["Body"].read())
    for file in manifest["ResultFiles"]["SUCCEEDED"]:
        for record in records(s3, BUCKET, file["Key"]):
            output = json.loads(record["Output"])
            yield from output if isinstance(output, list) else [output]


def check(found: Iterator[Json], rows: int) -> None:
    """Raises AssertionError unless each row was answered once, with what belongs to it."""
    seen = bytearray(rows)
    for answer in found:
        n = int(answer["id"])
        assert not seen[n], f"row {n} has two answers"
        seen[n] = 1
        assert answer["amount_cents"] == n % 100_000, answer
    assert seen.count(1) == rows, f"{seen.count(0)} rows have no answer"


def measure(rows: int, batch: int, rounds: int) -> list[Round]:
    """So many Map Runs, one after the other, on a stack of their own; the first is not counted."""
    found: list[Round] = []
    ended: Json = {}
    with tempfile.TemporaryDirectory(prefix="maprun-rows-") as name:
        folder = Path(name)
        functions = folder / "functions"
        functions.mkdir()
        (functions / "classify.py").write_text(HANDLER)
        stack = Stack(folder, MAPRUN_FUNCTIONS_DIR=str(functions))
        try:
            stack.up()
            put_source(stack, rows)
            runner, pids = Runner(stack), stack.pids()
            for _ in range(rounds + 1):
                before = processes.cpu_seconds(pids)
                arn = runner.start("rows", csv_machine(rows, CHILD, batch=batch))
                ended = runner.wait(arn, 0.1, _ENDED_SECONDS_MAX)
                spent = processes.cpu_seconds(pids)
                cost = {part: (spent[part] - before[part]) * 1e6 / rows for part in pids}
                found.append(Round(rows / runner.map_seconds(arn), cost, os.getloadavg()[0]))
                print(found[-1], file=sys.stderr, flush=True)
            check(answers(stack, json.loads(ended["output"])["ResultWriterDetails"]), rows)
        finally:
            stack.down()
    return found[1:]


def page(found: list[Round], rows: int, batch: int) -> str:
    """What was found, as text for the docs."""
    speeds = sorted(each.rows_a_second for each in found)
    parts = {part: statistics.median(each.cpu_us_a_row[part] for each in found) for part in found[0].cpu_us_a_row}
    lines = [
        ("rows a second, median", f"{statistics.median(speeds):,.0f}"),
        ("least to most", f"{speeds[0]:,.0f} to {speeds[-1]:,.0f}"),
        ("µs of CPU a row", f"{sum(parts.values()):.1f}"),
        *((f"of it {part}", f"{cost:.1f}") for part, cost in sorted(parts.items(), key=lambda each: -each[1])),
        ("load of the machine", ", ".join(f"{each.load:.1f}" for each in found)),
    ]
    calls = f"one call for {batch} rows (ItemBatcher)" if batch > 1 else "a call a row"
    head = f"{len(found)} Map Runs over {rows:,} rows, {calls}; each row was answered once, with what belongs to it."
    return f"{head}\n\n{pages.table(('', ''), lines)}"


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--batch", default=100, show_default=True, help="Rows of a call; 1 = no ItemBatcher.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--write", is_flag=True, help="Add a section to docs/benchmarks/functions.md.")
def main(rows: int, batch: int, rounds: int, *, write: bool) -> None:
    """Measure; figures are of this machine, with Kafka, S3 and everything else on it."""
    text = page(measure(rows, batch, rounds), rows, batch)
    print(text)
    if write:
        command = f"python -m tests.bench.function_rows --rows {rows} --batch {batch} --rounds {rounds} --write"
        pages.add("functions", "Benchmarks: functions", command, text)


if __name__ == "__main__":
    main()
