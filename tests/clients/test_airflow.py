"""Airflow as it is from PyPI: its operators, sensor, hook and connection run a DAG against a stack."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.test_clients import HERE, SECONDS_MAX, fetched
from tests.integration.system.stack import REGION, Stack

pytestmark = pytest.mark.clients
AIRFLOW = ("apache-airflow==3.3.2", "apache-airflow-providers-amazon==9.39.0")
INSTALL_SECONDS_MAX = 1_500
FACTS = "FACTS "


def installed(folder: Path) -> Path:
    """An environment of its own with Airflow in it; where it can't be had there is nothing to be shown."""
    if not (folder / "bin" / "airflow").exists():
        fetched(sys.executable, "-m", "venv", ".", into=folder)
        command = [str(folder / "bin" / "pip"), "install", "--quiet", *AIRFLOW]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"Airflow was not installed within {INSTALL_SECONDS_MAX} seconds")
        if done.returncode:
            pytest.skip(f"Airflow can't be installed: {done.stderr.strip().splitlines()[-1]}")
    return folder / "bin"


def test_a_dag_of_airflows_operators(stack: Stack, tmp_path: Path) -> None:
    """StepFunctionStartExecutionOperator starts and redrives, the sensor waits, outputs and errors are read.

    All they are told is a connection with the endpoint, which its own test finds good (by STS's GetCallerIdentity).
    """
    cache = os.environ.get("MAPRUN_CLIENTS_DIR")
    folder = Path(cache) / "airflow" if cache else tmp_path / "airflow"
    folder.mkdir(parents=True, exist_ok=True)
    programs = installed(folder)
    connection = {
        "conn_type": "aws",
        "login": "any",
        "password": "any",
        "extra": {
            "region_name": REGION,
            "endpoint_url": stack.api,
            "service_config": {"sts": {"endpoint_url": stack.api}},  # a connection's test heeds no other endpoint
        },
    }
    environment = {
        **{name: value for name, value in stack.environ.items() if not name.startswith(("MAPRUN_", "AWS_"))},
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
    }
    made = _ran([str(programs / "airflow"), "db", "migrate"], tmp_path, environment)
    assert made.returncode == 0, made.stdout + made.stderr
    dags = tmp_path / "home" / "dags"
    dags.mkdir(parents=True)
    shutil.copy(HERE / "airflow" / "story.py", dags)
    told = _ran([str(programs / "python"), str(dags / "story.py")], tmp_path, environment)
    assert told.returncode == 0, told.stdout + told.stderr
    [facts] = [line.removeprefix(FACTS) for line in told.stdout.splitlines() if line.startswith(FACTS)]
    assert json.loads(facts) == {
        "connected": True,
        "states": {
            "again": "failed",
            "failing": "success",
            "fails": "failed",
            "read": "success",
            "redrive": "success",
            "redrives": "success",
            "start": "success",
            "wait": "success",
            "why": "success",
        },
        "output": {"a": 1},
        "sensed": {"a": 1},
        "error": "Mine",
        "redrives": 1,
    }


def _ran(command: list[str], folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
