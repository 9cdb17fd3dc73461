"""How processes end when only a person can help, and what the launcher makes of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from maprun.local.children import last_words
from maprun.runtime.process import SetupError, setup_error

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import asyncio, sys
from maprun.runtime import process

async def fail():
    raise {error}

async def main(settings, limits, stop):
    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        group.create_task(stop.wait())

sys.exit(process.run("scheduler", main))
"""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        ("process.SetupError('a topic is gone: make it')", 78, ["scheduler: a topic is gone: make it"]),
        ("RuntimeError('a bug')", 70, None),
    ],
)
def test_a_wrong_set_up_is_one_line_and_78_and_a_bug_is_not(error: str, code: int, said: list[str] | None) -> None:
    """Also out of a group of tasks; a bug has its traceback, and 70, by which a supervisor starts it again."""
    argv = [sys.executable, "-c", PROGRAM.format(error=error)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    if said is not None:
        assert [line for line in done.stderr.splitlines() if not line.startswith("{")] == said
        assert "Traceback" not in done.stderr


def test_the_set_up_error_among_several_is_found() -> None:
    """However deep the groups are; None where there is none."""
    wrong = SetupError("x")
    assert setup_error(ExceptionGroup("", [ValueError(), ExceptionGroup("", [wrong])])) is wrong
    assert setup_error(ExceptionGroup("", [ValueError()])) is None


def test_the_launcher_repeats_what_a_part_said_last(tmp_path: Path) -> None:
    """The last line that is no event, whatever was logged behind it."""
    log = tmp_path / "log"
    log.write_text('{"event": "a"}\nscheduler: do this\n{"event": "b"}\n')
    assert last_words(log) == "scheduler: do this"
    log.write_text('{"event": "a"}\n')
    assert last_words(log) == "it said nothing"
