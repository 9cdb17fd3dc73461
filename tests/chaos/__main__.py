"""`python -m tests.chaos --items 200000 --kills 10 --seed 1`: kill -9 of everything, then recount everything."""

import json
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from tests.chaos.driver import run_chaos
from tests.integration.system.stack import Stack


@click.command()
@click.option("--items", default=200_000, show_default=True)
@click.option("--kills", default=10, show_default=True, help="In all, of each service and of Kafka in turns.")
@click.option("--seed", default=1, show_default=True)
@click.option("--concurrency", default=0, help="Children that wait at once; 0 = the run lasts about four minutes.")
@click.option("--child-type", default="EXPRESS", type=click.Choice(["EXPRESS", "STANDARD"]), show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(items: int, kills: int, seed: int, concurrency: int, child_type: str, as_json: bool) -> None:
    """Run, kill, recount. Exit code 1 if anything is wrong."""
    with tempfile.TemporaryDirectory(prefix="maprun-chaos-") as folder:
        stack = Stack(Path(folder), seed=None)
        print(f"up in {stack.up():.1f} s on {stack.api}", file=sys.stderr)
        try:
            report = run_chaos(
                stack,
                items=items,
                kills=kills,
                seed=seed,
                concurrency=concurrency or max(10, items // 200),
                child_type=child_type,
                say=lambda text: print(text, file=sys.stderr, flush=True),
            )
        finally:
            stack.down()
    if as_json:
        print(json.dumps(msgspec.to_builtins(report), indent=2))
    else:
        for kill in report.struck:
            print(
                f"{kill.name:16} killed at {kill.at_seconds:6.1f} s, progress again after {kill.resumed_seconds:5.1f} s"
            )
        print(f"{items:,} items, {len(report.struck)} kills, {report.seconds} s, seed {seed}")
        print("\n".join(f"WRONG: {line}" for line in report.wrong) or "every index has exactly one right result")
    sys.exit(1 if report.wrong else 0)


if __name__ == "__main__":
    main()
