"""`python -m tests.integration.system.upgrade --old CHECKOUT`: a Map Run begun by another version, ended by this one.

The other version's stack is brought up from its checkout (with its own `.venv`), stopped in good order in mid-run, and
this one's is brought up on the same folder. Every index must have its one result. With `--back` the other version takes
the folder again before the end: it must end the run rightly, or refuse to start in words and harm nothing, so that this
version still ends it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.driver import PROGRESS_SECONDS_MAX, Report, Watch, done_of, expected_status, start, trouble_in_midrun
from tests.integration.system.stack import Stack

_UP_SECONDS_MAX = 300


class Other:
    """Another version's launcher, on a stack's folder."""

    def __init__(self, checkout: Path, stack: Stack) -> None:
        self._checkout = checkout.resolve()
        self._stack = stack

    def up(self) -> tuple[bool, str]:
        """Starts it; answers whether it came up, and its words."""
        done = self._launch("up", "--detach")
        return done.returncode == 0, (done.stdout + done.stderr).strip()

    def down(self) -> None:
        """Stops it."""
        done = self._launch("down")
        assert done.returncode == 0, f"the other version did not go down:\n{done.stdout}{done.stderr}"

    def _launch(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self._checkout / ".venv/bin/python", "-m", "maprun.local", *arguments],
            cwd=self._checkout,
            env=self._stack.environ,
            capture_output=True,
            text=True,
            timeout=_UP_SECONDS_MAX,
            check=False,
        )


def _reached(watch: Watch, done: int, who: str) -> None:
    """Waits until so many have ended under a version, and says so."""
    assert watch.until_reached(done, PROGRESS_SECONDS_MAX), f"{who} makes no progress"
    run = watch.until_answered(PROGRESS_SECONDS_MAX)
    assert run is not None, f"{who} answers"
    print(f"{who}: {done_of(run):,} had ended when it was stopped", flush=True)


@click.command()
@click.option("--old", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--items", default=10_000, show_default=True)
@click.option("--concurrency", default=100, show_default=True)
@click.option("--child-type", default="STANDARD", type=click.Choice(["EXPRESS", "STANDARD"]), show_default=True)
@click.option("--back", is_flag=True, help="Let the other version go on with the run after this one.")
def main(*, old: Path, items: int, concurrency: int, child_type: str, back: bool) -> None:
    """Begin with the old version, go on with this one, recount. Exit code 1 if anything is wrong."""
    with tempfile.TemporaryDirectory(prefix="maprun-upgrade-") as folder:
        stack = Stack(Path(folder))
        other = Other(old, stack)
        came_up, words = other.up()
        assert came_up, words
        execution = start(stack, items, concurrency, child_type, "upgraded")
        watch = Watch(stack, execution)
        _reached(watch, items // 5, "old version")
        other.down()
        print(f"this version: up in {stack.up():.1f} s", flush=True)
        stop = stack.down
        if back:
            _reached(watch, 3 * items // 5, "this version")
            stack.down()
            came_up, words = other.up()
            print(f"old version again: {'up' if came_up else words[-600:]}", flush=True)
            if came_up:
                stop = other.down
            else:
                stack.up()
        try:
            report = trouble_in_midrun(stack, execution, Report(items=items, seed=1), [], expected_status, print)
        finally:
            stop()
        print(f"ended after {report.seconds:.0f} s: {report.lost} lost, {report.doubled} doubled")
        print("\n".join(f"WRONG: {line}" for line in report.wrong) or "every index has exactly one right result")
    sys.exit(1 if report.wrong else 0)


if __name__ == "__main__":
    main()
