"""`python -m tests.chaos.matrix pause network --items 100000`: a Map Run through each fault, recounted, in a table."""

import itertools
import random
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.driver import Report, expected_status, start, trouble_in_midrun
from tests.chaos.faults import CELLS, Cell
from tests.chaos.scenes import Scene

HEAD = (
    "| fault | struck | lasted, all in all | progress again after: median, longest | the run took | lost | doubled |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def play(scene: Scene, cell: Cell, *, items: int, rounds: int, seed: int, concurrency: int) -> Report:
    """One cell on a stack that is up."""
    faults = cell.faults(scene, rounds or cell.rounds, random.Random(seed))
    execution = start(scene.stack, items, concurrency, "EXPRESS", f"chaos-{cell.name}-{seed}-{items}")
    report = Report(items=items, seed=seed)
    trouble_in_midrun(scene.stack, execution, report, faults, expected_status, _say)
    if report.wrong:
        kept = shutil.copytree(scene.stack.folder / "log", tempfile.mkdtemp(prefix="maprun-chaos-log-") + "/log")
        _say(f"the logs are kept: {kept}")
    return report


def row(cell: Cell, report: Report, scene: Scene) -> str:
    """The table's line."""
    waits = sorted(each.resumed_seconds for each in report.struck)
    lasted = sum(each.lasted_seconds for each in report.struck)
    told = cell.told + "".join(f"; {count:,} {what}" for what, count in scene.faults.items())
    waited = f"{waits[len(waits) // 2]:.1f} s, {waits[-1]:.1f} s" if waits else ""
    outcome = f"{report.lost:,} | {report.doubled:,}" if not report.wrong else f"**{'; '.join(report.wrong)}** |"
    return f"| {told} | {len(report.struck)} | {lasted:.0f} s | {waited} | {report.seconds:.0f} s | {outcome} |"


@click.command()
@click.argument("cells", nargs=-1, type=click.Choice(sorted(CELLS)))
@click.option("--items", default=100_000, show_default=True)
@click.option("--rounds", default=0, help="How often each strikes; 0 = as often as the cell says.")
@click.option("--seed", default=1, show_default=True)
@click.option("--concurrency", default=0, help="Children that wait at once; 0 = the run lasts about four minutes.")
def main(cells: tuple[str, ...], items: int, rounds: int, seed: int, concurrency: int) -> None:
    """Run, strike, recount: the chosen cells, or all; those of one scene on one stack. Exit code 1: wrong."""
    print(HEAD, flush=True)
    wrong = False
    for make, some in itertools.groupby((CELLS[name] for name in cells or CELLS), key=lambda cell: cell.scene):
        with tempfile.TemporaryDirectory(prefix="maprun-chaos-") as folder, make(Path(folder)) as scene:
            for cell in some:
                _say(f"{cell.name}: on {scene.stack.api}")
                at_once = concurrency or max(10, items // 200)
                report = play(scene, cell, items=items, rounds=rounds, seed=seed, concurrency=at_once)
                print(row(cell, report, scene), flush=True)
                scene.faults.clear()
                wrong = wrong or bool(report.wrong)
    sys.exit(1 if wrong else 0)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
