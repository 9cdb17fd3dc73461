"""Expressions meant to hang or to eat memory end within their limits, each with the error AWS gives."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from tests.property.language.hostile import cases

MEGABYTES_MAX = 800
"""The most that the process may ever have held, all cases in a row."""
CPU_SECONDS_MAX = 20.0
"""Of the process's own CPU time, which a busy machine does not lengthen: an evaluation counts its work (1 s), a clock
stands behind that (5 s), and a built-in function at work then is waited for."""
ROOT = pathlib.Path(__file__).resolve().parents[3]
REFUSED_OR_FAILED = {"refused", "States.QueryEvaluationError", "States.IntrinsicFailure", "States.Runtime"}
HARMLESS = {
    "JSONata: a pattern of alternatives",
    "JSONata: a pattern of greedy gaps",
    "JSONata: a giant $sort",
    "JSONata: a giant group",
}
"""These may also end with their value: they are merely slow elsewhere."""


@pytest.fixture(scope="module")
def ended() -> dict[str, dict[str, Any]]:
    """How every case ended, in one process with 2 GiB of address space."""
    command = [sys.executable, "-m", "tests.property.language.hostile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["case"]: line for line in lines}


@pytest.mark.parametrize("name", list(cases()))
def test_a_hostile_expression_ends_within_its_limits(name: str, ended: dict[str, dict[str, Any]]) -> None:
    """It ends in time, without a crash; what JSONata can't finish is States.QueryEvaluationError or refused at once."""
    outcome = ended[name]
    assert outcome["cpu_seconds"] < CPU_SECONDS_MAX
    assert outcome["megabytes"] < MEGABYTES_MAX
    assert outcome["ended"] in REFUSED_OR_FAILED | {"value"}
    if name.startswith("JSONata") and name not in HARMLESS:
        assert outcome["ended"] in {"refused", "States.QueryEvaluationError"}
