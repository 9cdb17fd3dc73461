"""The wheel installed into an empty environment, used from an empty folder, by each Python that is there."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.system.stack import _free_ports
from tests.wheel.building import ROOT, build

pytestmark = pytest.mark.wheel
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SECONDS_MAX = 900


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once."""
    return build(tmp_path_factory.mktemp("wheel"))


def python(version: str) -> str:
    """The interpreter of a version; the test is left out where there is none."""
    named = os.environ.get(f"MAPRUN_PYTHON_{version.replace('.', '_')}") or shutil.which(f"python{version}")
    if not named or subprocess.run([named, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {version} here; MAPRUN_PYTHON_{version.replace('.', '_')} names one")
    return named


@pytest.mark.parametrize("version", PYTHONS)
def test_a_stack_of_the_wheel_runs_the_tutorial(wheel: Path, tmp_path: Path, version: str) -> None:
    """In a folder that held nothing, with nothing of the checkout: up, doctor, demo, verify, down."""
    subprocess.run([python(version), "-m", "venv", str(tmp_path / "venv")], check=True)
    scripts = tmp_path / "venv" / "bin"
    subprocess.run([scripts / "pip", "install", "--quiet", wheel], check=True, timeout=SECONDS_MAX)
    empty = tmp_path / "empty"
    empty.mkdir()
    api, kafka, s3, functions = _free_ports(random.Random(version))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAPRUN_", "AWS_", "PYTHON"))
    }
    environment |= {
        "MAPRUN_API": f"http://127.0.0.1:{api}",
        "MAPRUN_KAFKA": f"127.0.0.1:{kafka}",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3}",
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{functions}",
        "MAPRUN_CHILD_RUNNERS": "1",
    }

    def maprun(*arguments: str) -> str:
        done = subprocess.run(
            [scripts / "maprun", *arguments],
            cwd=empty,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    maprun("up")
    try:
        assert sorted(path.name for path in empty.iterdir()) == [".maprun", "functions"]
        assert json.loads(maprun("doctor", "--json", "--seconds", "100"))["well"]
        assert "2,000 results read back from S3" in maprun("demo", "--rows", "2000")
        [execution] = json.loads(maprun("list", "executions", "--machine", "tutorial", "--json"))
        [run] = json.loads(maprun("list", "map-runs", execution["executionArn"], "--json"))
        assert json.loads(maprun("verify", run["mapRunArn"], "--json"))["inputsCompared"] == 2000
        imported = subprocess.run(
            [scripts / "python", "-P", "-c", "import services, maprun; print(maprun.__file__)"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert str(tmp_path) in imported.stdout
    finally:
        maprun("down")
