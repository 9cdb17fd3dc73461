"""`python -m tests.soak --minutes 60`: small runs at a steady pace, and whether anything of the stack grows meanwhile.

What has ended is forgotten after `--retention-minutes`, so that what is kept of it stops growing while it is watched;
Kafka keeps `home` and the archives a day longer, result files are the user's: these may grow, though not ever faster.
"""

import sys
import tempfile
import time
from pathlib import Path

import click

from tests.bench import pages, processes
from tests.integration.system.stack import Stack
from tests.soak.load import Load
from tests.soak.slopes import Judged, judge_all
from tests.soak.watch import BOUNDS, Watch

_DAY_MINUTES = 24 * 60


def soak(folder: Path, seconds: float, every_seconds: float, rows: int, retention_minutes: float) -> tuple[Load, Watch]:
    """The load, for so long, on a stack of its own; some hundred samples."""
    stack = Stack(folder, MAPRUN_RETENTION_DAYS=f"{retention_minutes / _DAY_MINUTES:.6f}")
    stack.up()
    try:
        load = Load(stack, rows)
        before = stack.pids()
        with Watch(stack, max(1.0, seconds / 200)) as watch:
            load.go_on(seconds, every_seconds)
        if stack.pids() != before:
            load.wrong.append(f"parts ended: {before} became {stack.pids()}")
    finally:
        stack.down()
    return load, watch


def page(judged: list[Judged], load: Load, minutes: float) -> str:
    """What was seen."""
    rows = [(j.name, f"{j.first:,.1f}", f"{j.last:,.1f}", f"{j.an_hour:+,.2f}", j.wrong or "well") for j in judged]
    told = f"{load.runs:,} runs with {load.children:,} children in {minutes:g} minutes; {load.late:,} began late."
    told += "".join(f"\n- **wrong**: {each}" for each in load.wrong)
    return f"{told}\n\n{pages.table(('', 'at first', 'at the end', 'an hour', ''), rows)}"


@click.command()
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--every", "every_seconds", default=5.0, show_default=True, help="Seconds from one run to the next.")
@click.option("--rows", default=200, show_default=True, help="Of the larger runs.")
@click.option("--retention-minutes", default=10.0, show_default=True, help="What has ended is forgotten then.")
@click.option("--write", default="", help="Keeps the figures as docs/benchmarks/NAME.md.")
def main(minutes: float, every_seconds: float, rows: int, retention_minutes: float, write: str) -> None:
    """Run, watch, judge. Exit code 1 if anything grows that must not."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="maprun-soak-") as name:
        load, watch = soak(Path(name), minutes * 60, every_seconds, rows, retention_minutes)
    judged = judge_all(watch.measures, BOUNDS)
    text = page(judged, load, minutes)
    print(f"{processes.machine()}, {time.monotonic() - began:,.0f} s\n\n{text}")
    if write:
        pages.add(write, f"Benchmarks: {write}", f"python -m tests.soak --minutes {minutes:g}", text)
    sys.exit(1 if load.wrong or any(j.wrong for j in judged) else 0)


if __name__ == "__main__":
    main()
