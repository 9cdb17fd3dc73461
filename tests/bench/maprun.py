"""`python -m tests.bench.maprun [throughput|waits|latency|tutorial …]`: measures a whole local stack of its own."""

import datetime as dt
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from tests.bench import measures, processes
from tests.integration.system.stack import ROOT, Stack, settings_of

ALL = ("throughput", "waits", "latency", "tutorial")
Json = dict[str, Any]


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(ALL))
@click.option("--rows", default=1_000_000, show_default=True, help="Rows of the throughput run.")
@click.option("--tutorial-rows", default=100_000, show_default=True)
@click.option("--children", default=10_000, show_default=True, help="Children that wait a second.")
@click.option("--rounds", default=20, show_default=True, help="Executions of each latency measurement.")
@click.option("--child-type", default="STANDARD", type=click.Choice(["STANDARD", "EXPRESS"]), show_default=True)
@click.option("--profile", is_flag=True, help="Sample the services in the throughput run (needs py-spy); slower.")
@click.option("--verify", is_flag=True, help="Read all results of the throughput run back and recount them.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Of the stack, like MAPRUN_LANES=16.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--write", default="", metavar="NAME", help="Add a row for each result to docs/benchmarks/NAME.md.")
def main(
    names: tuple[str, ...],
    rows: int,
    tutorial_rows: int,
    children: int,
    rounds: int,
    child_type: str,
    profile: bool,
    verify: bool,
    settings: tuple[str, ...],
    as_json: bool,
    write: str,
) -> None:
    """Measure; figures are of this machine, with Kafka, S3 and everything else on it."""
    found: Json = {"machine": processes.machine()}
    with tempfile.TemporaryDirectory(prefix="maprun-bench-") as folder:
        stack = Stack(Path(folder), None, **settings_of(settings))
        print(f"up in {stack.up():.1f} s", file=sys.stderr)
        try:
            for name in names or ALL:
                if name == "throughput":
                    found[name] = measures.throughput(stack, rows, child_type, verify=verify, profile=profile)
                elif name == "waits":
                    found[name] = measures.waits(stack, children, child_type)
                elif name == "latency":
                    found[name] = [measures.latency(stack, items, rounds) for items in (1, 100)]
                else:
                    found[name] = measures.tutorial(stack, tutorial_rows)
                print(json.dumps({name: found[name]}, indent=None if as_json else 2), file=sys.stderr, flush=True)
        finally:
            stack.down()
    if as_json:
        print(json.dumps(found, indent=2))
    if write:
        _write(ROOT / "docs" / "benchmarks" / f"{write}.md", found)


def _write(path: Path, found: Json) -> None:
    """Adds what was found to a page of the docs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(f"# Benchmarks: {path.stem}\n\nMade by `python -m tests.bench.maprun --write {path.stem}`.\n")
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    text = f"\n## {today}, {found['machine']}\n\n```json\n"
    text += json.dumps({name: value for name, value in found.items() if name != "machine"}, indent=2) + "\n```\n"
    with path.open("a") as file:
        file.write(text)


if __name__ == "__main__":
    main()
