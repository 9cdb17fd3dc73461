"""Unmodified clients: one story in every language, told alike by all of them.

A machine is made with a version, changed, tagged and given an alias; executions are started, listed, refused, redriven
and stopped; an activity comes and goes; a state is tested, an EXPRESS version run and waited for. Each script prints
what it saw as JSON. What a client needs is fetched once, at the pinned version, into the folder that
`MAPRUN_CLIENTS_DIR` names, else a temporary one.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.system.stack import REGION, Stack

pytestmark = pytest.mark.clients
HERE = Path(__file__).parent
AWS_CLI = "awscli==1.46.3"
SECONDS_MAX = 600
EXPECTED: dict[str, Any] = {
    "published": ["1", "2"],
    "versions": ["2", "1"],
    "description": "first",
    "logging": "OFF",
    "output": '{"v":1}',
    "ran": ["1", "live"],
    "dates": True,
    "events": ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"],
    "listed": ["one"],
    "errors": [
        "ExecutionAlreadyExists",
        "StateMachineDoesNotExist",
        "ConflictException",
        "ResourceNotFound",
        "InvalidDefinition",
    ],
    "tags": {"owner": "b"},
    "failed": "Mine",
    "redrives": 1,
    "stopped": "ABORTED",
    "tested": '{"a":1}',
    "synced": ["SUCCEEDED", '{"v":1}'],
    "deleted": "StateMachineDoesNotExist",
}
Command = Callable[[Path, str], list[str]]
"""What tells the story under a name, with all that it needs in a folder."""


def tool(name: str) -> str:
    """Where a program is that can't be fetched; without it there is nothing to be shown here."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def fetched(*command: str, into: Path) -> None:
    """Runs what fetches or builds, in a folder."""
    done = subprocess.run(command, cwd=into, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"


def boto3(_folder: Path, name: str) -> list[str]:
    """The one that is here anyhow."""
    return [sys.executable, str(HERE / "boto3_story.py"), name]


def aws_cli(folder: Path, name: str) -> list[str]:
    """Version 1, which is a Python package, in an environment of its own."""
    if not (folder / "bin" / "aws").exists():
        fetched(sys.executable, "-m", "venv", ".", into=folder)
        fetched(str(folder / "bin" / "pip"), "install", "--quiet", AWS_CLI, into=folder)
    return ["env", f"PATH={folder / 'bin'}:{os.environ['PATH']}", str(HERE / "cli" / "story.sh"), name]


def javascript(folder: Path, name: str) -> list[str]:
    """Version 3, on Node."""
    node, npm = tool("node"), tool("npm")
    shutil.copytree(HERE / "js", folder, dirs_exist_ok=True)
    if not (folder / "node_modules").exists():
        fetched(npm, "ci", "--no-audit", "--no-fund", into=folder)
    return [node, "story.mjs", name]


def go(folder: Path, name: str) -> list[str]:
    """Version 2."""
    program = tool("go")
    shutil.copytree(HERE / "go", folder, dirs_exist_ok=True)
    modules = f"GOPATH={folder / 'gopath'}"
    fetched("env", modules, "GOFLAGS=-modcacherw", program, "build", "-o", "story", ".", into=folder)
    return ["./story", name]


def java(folder: Path, name: str) -> list[str]:
    """Version 2, from its source: that needs a JDK."""
    tool("javac")
    program, maven = tool("java"), tool("mvn")
    shutil.copytree(HERE / "java", folder, dirs_exist_ok=True)
    if not (folder / "lib").exists():
        fetched(maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", into=folder)
    return [program, "-cp", "lib/*", "Story.java", name]


@pytest.mark.parametrize("client", [boto3, aws_cli, javascript, go, java], ids=lambda client: client.__name__)
def test_every_client_tells_the_same_story(stack: Stack, tmp_path: Path, client: Command) -> None:
    """With an endpoint and any keys in its environment, and nothing else of its own."""
    cache = os.environ.get("MAPRUN_CLIENTS_DIR")
    folder = Path(cache) / client.__name__ if cache else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    name = f"story-{client.__name__}"
    command = client(folder, name)
    environment = {
        **stack.environ,
        "AWS_ENDPOINT_URL_SFN": stack.api,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {**EXPECTED, "activity": name}
