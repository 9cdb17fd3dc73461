"""`maprun top` against an API that answers from a table: once, as JSON, and live in a terminal of 80 columns."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.fake_api import FakeApi, Json
from tests.unit.cli.rows import RUN
from tests.unit.cli.test_commands import run

ROOT = Path(__file__).resolve().parents[3]
HEEDING = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("maprun.cli", run_name="__main__")
"""
"""The program, heeding Ctrl-C: it would inherit that a test runner, in the background of a shell, ignores it."""
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:a-machine-with-quite-a-long-name/AndItsLabelToo"
COUNTS = dict.fromkeys(
    ("pending", "running", "succeeded", "failed", "timedOut", "aborted", "total", "resultsWritten"), 0
)


def service(name: str, **changes: Any) -> Json:
    """One that is well, but for these changes."""
    process = {
        "status": "READY",
        "errorsLastHour": 1,
        "startsLastHour": 2,
    }
    return {
        "service": name,
        "ok": True,
        "partitions": 4,
        "unownedPartitions": [],
        "recordsBehind": {"home": 1_200},
        "processes": [process],
        **changes,
    }


def health(**changes: Any) -> Json:
    """An answer of `GET /maprun/health`."""
    return {
        "ok": True,
        "troubles": [],
        "services": [service("scheduler"), service("maprun-tracker")],
        "mapRuns": {"open": 1, "waiting": 0, "limit": 1_000},
        "openExecutions": 7,
        "errorsLastHour": [],
        **changes,
    }


RUNNING = {
    "mapRunArn": RUN,
    "stateMachineArn": MACHINE,
    "status": "RUNNING",
    "waiting": False,
    "itemsExpected": 100_000,
    "itemCounts": {**COUNTS, "succeeded": 12_000, "failed": 34, "running": 40, "total": 20_000},
    "executionCounts": {**COUNTS, "succeeded": 12_000, "failed": 34, "running": 40, "total": 20_000},
}
TIMES = {
    "mapRunArn": RUN,
    "childrenCounted": 200,
    "states": [
        {
            "name": "Call",
            "type": "Task",
            "visits": 214,
            "endedInIt": 3,
            "totalSeconds": 321.5,
            "medianSeconds": 0.25,
            "p95Seconds": 2.2,
            "maxSeconds": 7.9,
        }
    ],
}


def answering(api: FakeApi, told: Json, runs: list[Json] | None = None) -> None:
    """Has the API answer the three questions."""
    found = [RUNNING] if runs is None else runs

    def answer(body: Json) -> Json:
        path = body["path"].partition("?")[0]
        rest: dict[str, Json] = {
            "/maprun/states": TIMES,
            "/maprun/map-runs": {"mapRuns": found, "count": len(found), "homes": [0]},
        }
        return told if path == "/maprun/health" else rest[path]

    api.answers["GET"] = answer


def test_once_shows_services_runs_and_slowest_states() -> None:
    """Where there is no terminal, and with --once, it looks once; no line is longer than 80 columns."""
    with FakeApi() as api:
        answering(api, health(ok=False, troubles=["No scheduler has the partitions 1 of home."]))
        shown = run(api, "top", "--once")
        assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80, lines
    assert lines[0].startswith("maprun not well")
    assert "! No scheduler has the partitions 1 of home." in lines
    text = re.sub(r" +", " ", shown.stdout)
    assert "scheduler 1/1 4/4 1,200 1 2" in text
    assert "12,034/100,000 40 34" in text
    assert "Call Task 214 250 ms 2.2 s 7.9 s 3" in text


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], "no Map Run is open"),
        ([{**RUNNING, "waiting": True}], "waiting"),
        ([{key: value for key, value in RUNNING.items() if key != "itemsExpected"}], "12,034/?"),
        ([{**RUNNING, "mapRunArn": f"{RUN}{n}"} for n in range(12)], "and 2 more"),
    ],
)
def test_what_map_runs_there_are(runs: list[Json], said: str) -> None:
    """None, one that waits for others to end, one whose length nobody knows, more than are shown."""
    with FakeApi() as api:
        answering(api, health(), runs)
        assert said in run(api, "top", "--once").stdout


def test_json_is_what_the_api_answered() -> None:
    """For machines: health, the open Map Runs, and the states of the one that runs most children."""
    with FakeApi() as api:
        answering(api, health())
        told = json.loads(run(api, "top", "--json").stdout)
        assert [body["path"].partition("?")[0] for _, body in api.asked][2] == "/maprun/states"
    assert told == {"health": health(), "mapRuns": [RUNNING], "count": 1, "homes": [0], "slowest": TIMES}


@pytest.mark.parametrize("no_color", ["", "1"])
def test_it_lives_in_a_terminal_until_ctrl_c(no_color: str) -> None:
    """It shows what is new, heeds NO_COLOR, fits 80 columns, and ends with 0 and the screen as it was."""
    with FakeApi() as api:
        answering(api, health())
        main, side = pty.openpty()
        environ = {
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            "TERM": "xterm-256color",
            "COLUMNS": "80",
            "LINES": "40",
            **({"NO_COLOR": no_color} if no_color else {}),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", HEEDING, "--endpoint", api.endpoint, "top", "--interval", "0.2"],
            cwd=ROOT,
            env=environ,
            stdin=side,
            stdout=side,
            stderr=side,
        )
        os.close(side)
        try:
            first = until(main, "executions open 7")
            answering(api, health(openExecutions=8))
            until(main, "executions open 8")
            process.send_signal(signal.SIGINT)
            until(main, "\x1b[?1049l")
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            os.close(main)
    assert "\x1b[?1049h" in first
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", first)) is not bool(no_color)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", first)
    assert max(len(line) for line in plain.replace("\r", "").split("\n")) <= 80


def until(terminal: int, text: str, seconds: float = 30.0) -> str:
    """What comes out of the terminal, up to this text."""
    deadline, read = time.monotonic() + seconds, ""
    while text not in read:
        assert time.monotonic() < deadline, read
        if select.select([terminal], [], [], 0.2)[0]:
            read += os.read(terminal, 65_536).decode(errors="replace")
    return read
