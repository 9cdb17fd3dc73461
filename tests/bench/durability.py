"""`python -m tests.bench.durability`: what it costs that acknowledged records outlive a loss of power, by set-up.

One broker, and three with three copies of each topic, each with records in memory and with records on disk when they
are acknowledged (MAPRUN_KAFKA_DURABILITY). All brokers are on one machine and one disk.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from maprun.local.parts import ALL
from tests.bench import measures, pages, processes
from tests.integration.bus.brokers import Brokers
from tests.integration.system.stack import Stack

Json = dict[str, Any]
ELSEWHERE = ",".join(part for part in ALL if part != "kafka")
WARM_UP_ROWS = 20_000


@contextlib.contextmanager
def one(folder: Path, durability: str) -> Iterator[Stack]:
    """The local stack."""
    stack = Stack(folder, MAPRUN_KAFKA_DURABILITY=durability)
    stack.up()
    try:
        yield stack
    finally:
        stack.down()


@contextlib.contextmanager
def three(folder: Path, durability: str) -> Iterator[Stack]:
    """The same beside three brokers."""
    with contextlib.closing(Brokers(folder)) as brokers:
        brokers.start()
        stack = Stack(folder / "stack", MAPRUN_KAFKA_DURABILITY=durability, MAPRUN_KAFKA=brokers.addresses)
        stack.up(ELSEWHERE)
        try:
            yield stack
        finally:
            stack.down()


SET_UPS = {
    "one broker": (one, "memory"),
    "one broker, on disk": (one, "disk"),
    "three brokers": (three, "memory"),
    "three brokers, on disk": (three, "disk"),
}


def measure(name: str, rows: int, rounds: int) -> Json:
    """One set-up: children a second, and the milliseconds of an execution with one child and with a hundred."""
    up, durability = SET_UPS[name]
    with tempfile.TemporaryDirectory(prefix="maprun-durability-") as folder, up(Path(folder), durability) as stack:
        measures.throughput(stack, WARM_UP_ROWS, "STANDARD")
        speed = measures.throughput(stack, rows, "STANDARD")
        return {
            "children_per_second": speed["children_per_second"],
            **{f"ms_{items}": measures.latency(stack, items, rounds) for items in (1, 100)},
        }


def table(found: dict[str, Json]) -> str:
    """A row a set-up, and how it compares with the first."""
    best = next(iter(found.values()))
    rows = []
    for name, seen in found.items():
        one_item, hundred = seen["ms_1"], seen["ms_100"]
        rows.append(
            (
                name,
                seen["children_per_second"],
                f"{seen['children_per_second'] / best['children_per_second']:.2f}",
                one_item["p50_ms"],
                hundred["p50_ms"],
            )
        )
    return pages.table(("", "children a second", "of the first", "one child, ms", "100 children, ms"), rows)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SET_UPS)))
@click.option("--rows", default=300_000, show_default=True)
@click.option("--rounds", default=40, show_default=True, help="Executions of each latency measurement.")
@click.option("--write", default="", metavar="NAME", help="Keep the figures in docs/benchmarks/NAME.md.")
def main(names: tuple[str, ...], rows: int, rounds: int, write: str) -> None:
    """Measure; the first set-up is what the others are compared with."""
    found: dict[str, Json] = {}
    for name in names or SET_UPS:
        began = time.monotonic()
        found[name] = measure(name, rows, rounds)
        print(f"{name}: {found[name]}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    text = table(found)
    print(f"{processes.machine()}\n\n{text}")
    if write:
        pages.add(write, f"Benchmarks: {write}", "python -m tests.bench.durability", text)


if __name__ == "__main__":
    main()
