"""`python -m tests.bench.distributed MODE`: measures Distributed Map at size, each mode on stacks of its own."""

import json
import sys

import click
import msgspec

from tests.bench import concurrency as concurrency_bench
from tests.bench import ended as ended_bench
from tests.bench import failing as failing_bench
from tests.bench import fairness as fairness_bench
from tests.bench import large as large_bench
from tests.bench import live_update, pages
from tests.bench import watched as watched_bench

_WRITE = click.option("--write", default="", metavar="NAME", help="Add what was found to docs/benchmarks/NAME.md.")
_NAME = "python -m tests.bench.distributed"


@click.group()
def main() -> None:
    """What Distributed Map must show; figures are of this machine, with Kafka, S3 and everything else on it."""


@main.command()
@click.option("--values", default="1,3,40,1000,10000,100000", show_default=True, help="Of MaxConcurrency.")
@click.option("--hold-ms", default=200, show_default=True, help="How long a call takes.")
@click.option("--gate-seconds", default=600.0, show_default=True, help="Give up waiting for the maximum after this.")
@click.option("--children", default=0, help="Of each run; 0 is some rounds of each value.")
@click.option("--burst", is_flag=True, help="Answer all calls that were held at one and the same moment.")
@_WRITE
def concurrency(values: str, hold_ms: int, gate_seconds: float, children: int, burst: bool, write: str) -> None:
    """The most calls in flight at once, seen by the functions, for each value of MaxConcurrency."""
    seen = []
    for value in map(int, values.split(",")):
        number = children or concurrency_bench.children_of(value)
        seen.append(concurrency_bench.measure(value, number, hold_ms, gate_seconds, burst=burst))
        print(concurrency_bench.as_json(seen[-1:]), file=sys.stderr, flush=True)
    text = concurrency_bench.page(seen, hold_ms)
    _show(write, "MaxConcurrency, seen from outside", f"concurrency --values {values} --hold-ms {hold_ms}", text)
    sys.exit(0 if all(s.exact for s in seen) else 1)


@main.command()
@click.option("--items", default=1_000_000, show_default=True)
@click.option("--share", default=0.02, show_default=True, help="Of the items whose function fails.")
@click.option("--tolerated", default=5.0, show_default=True, help="Per cent that are tolerated in the first run.")
@click.option("--redriven", default=25.0, show_default=True, help="Per cent of the bad ones tolerated in the second.")
@click.option("--seed", default=5, show_default=True)
@_WRITE
def failing(items: int, share: float, tolerated: float, redriven: float, seed: int, write: str) -> None:
    """Children that fail at random by index: counts, files, and what runs again in redrives."""
    rounds = []
    for found in failing_bench.measure(items, share, tolerated, redriven, seed):
        rounds.append(found)
        print(json.dumps(msgspec.to_builtins(found)), file=sys.stderr, flush=True)
    command = f"failing --items {items} --share {share} --tolerated {tolerated} --redriven {redriven} --seed {seed}"
    _show(write, "Failures and redrives", command, failing_bench.page(rounds, items, share, seed))
    sys.exit(1 if any(r.wrong for r in rounds) else 0)


@main.command()
@click.option("--items", default=5_000_000, show_default=True, help="Of the huge run.")
@click.option("--small", default=1_000, show_default=True, help="Items of the small one.")
@click.option("--rounds", default=7, show_default=True)
@_WRITE
def fairness(items: int, small: int, rounds: int, write: str) -> None:
    """A small run alone, and beside a huge one that may run ten children at a time."""
    found = fairness_bench.measure(items, small, rounds)
    print(json.dumps(msgspec.to_builtins(found)), file=sys.stderr, flush=True)
    command = f"fairness --items {items} --small {small} --rounds {rounds}"
    _show(write, "Fairness between runs", command, fairness_bench.page(found, items, small))
    sys.exit(0 if all(f.ratio <= 1.5 for f in found) else 1)


@main.command()
@click.option("--items", default=10_000_000, show_default=True)
@click.option("--child-type", default="STANDARD", type=click.Choice(["STANDARD", "EXPRESS"]), show_default=True)
@click.option("--every", default=5.0, show_default=True, help="Seconds between samples.")
@click.option("--no-writer", is_flag=True, help="Only outputs are written to S3, where disk is short.")
@_WRITE
def large(items: int, child_type: str, every: float, no_writer: bool, write: str) -> None:
    """One very large run: speed, memory, disk and DescribeMapRun over time."""
    found = large_bench.measure(items, child_type, every, writer=not no_writer)
    picture = f"{write}-{items}.svg" if write else ""
    if write:
        pages.FOLDER.mkdir(parents=True, exist_ok=True)
        (pages.FOLDER / picture).write_text(large_bench.chart(found))
    command = f"large --items {items} --child-type {child_type} --every {every}" + (" --no-writer" if no_writer else "")
    _show(write, "A large run over time", command, large_bench.page(found, picture))


@main.command()
@click.option("--sizes", default="10000,100000,1000000,10000000", show_default=True)
@click.option("--child-type", default="STANDARD", type=click.Choice(["STANDARD", "EXPRESS"]), show_default=True)
@_WRITE
def flat(sizes: str, child_type: str, write: str) -> None:
    """The cost a child at several sizes of a run."""
    found = []
    for rows in map(int, sizes.split(",")):
        found.append(large_bench.measure(rows, child_type, 1.0))
        print(rows, found[-1].seconds, found[-1].speed, found[-1].cpu_us, file=sys.stderr, flush=True)
    command = f"flat --sizes {sizes} --child-type {child_type}"
    _show(write, "Cost a child by the size of the run", command, large_bench.flat_page(found))


@main.command()
@click.option("--steps", default="10,40,5,200,20", show_default=True, help="MaxConcurrency, one after the other.")
@_WRITE
def update(steps: str, write: str) -> None:
    """UpdateMapRun of a live run: when the functions see it."""
    found = live_update.measure(tuple(map(int, steps.split(","))))
    print(json.dumps(msgspec.to_builtins(found)), file=sys.stderr, flush=True)
    _show(write, "UpdateMapRun, seen from outside", f"update --steps {steps}", live_update.page(found))
    sys.exit(0 if all(c.in_time for c in found) else 1)


@main.command()
@click.option("--executions", default=1_000_000, show_default=True, help="That have ended.")
@click.option("--opened", default=10_000, show_default=True, help="That are open.")
@_WRITE
def ended(executions: int, opened: int, write: str) -> None:
    """What ended executions cost: memory of scheduler and tracker, snapshots, starts."""
    found = ended_bench.measure(executions, opened)
    print(json.dumps(msgspec.to_builtins(found)), file=sys.stderr, flush=True)
    command = f"ended --executions {executions} --opened {opened}"
    _show(write, "What has ended, and what it costs", command, ended_bench.page(found))
    sys.exit(1 if found.wrong else 0)


@main.command()
@click.option("--items", default=1_000_000, show_default=True)
@click.option("--browsers", default=5, show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Of runs, one of each kind.")
@_WRITE
def watched(items: int, browsers: int, rounds: int, write: str) -> None:
    """Runs that browsers watch, and such that nobody does: their speed, first paint."""
    found = watched_bench.measure(items, browsers, rounds)
    print(json.dumps(msgspec.to_builtins(found)), file=sys.stderr, flush=True)
    command = f"watched --items {items} --browsers {browsers} --rounds {rounds}"
    _show(write, "The console, watching", command, watched_bench.page(found))


@main.command()
@click.option("--items", default=1_000_000, show_default=True)
@click.option("--minutes", default=10.0, show_default=True, help="For which its memory is followed.")
@_WRITE
def watching(items: int, minutes: float, write: str) -> None:
    """One page on a run that lasts: first paint, the work of a frame, memory."""
    found = watched_bench.measure_lasting(items, minutes)
    print(json.dumps(msgspec.to_builtins(found)), file=sys.stderr, flush=True)
    _show(
        write,
        "The console, watching",
        f"watching --items {items} --minutes {minutes}",
        watched_bench.lasting_page(found),
    )


def _show(write: str, title: str, command: str, text: str) -> None:
    """Prints a page, and adds it to the docs if it is to be kept."""
    print(text)
    if write:
        pages.add(write, title, f"{_NAME} {command} --write {write}", text)


if __name__ == "__main__":
    main()
