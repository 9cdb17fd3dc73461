"""Programs of any language by Lambda's Runtime API: AWS's own runtime clients unmodified, and some that misbehave."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.integration.local.hosting import Invoke
from tests.integration.local.test_function_files import files, scene

pytestmark = pytest.mark.integration

BOOTSTRAP = '''#!{python}
"""A runtime of thirty lines: asks, works, answers."""
import json, os, sys, time, urllib.request

base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/"

def post(path, body):
    urllib.request.urlopen(urllib.request.Request(base + path, json.dumps(body).encode(), method="POST")).read()

if os.environ.get("BROKEN") == "init":
    post("init/error", {{"errorType": "Init.Broken", "errorMessage": "no database"}})
    sys.exit(1)
if os.environ.get("BROKEN") == "exit":
    sys.exit(7)
while True:
    with urllib.request.urlopen(base + "invocation/next") as answer:
        event, headers = json.loads(answer.read()), answer.headers
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    print("saw", event, flush=True)
    if event == "die":
        os._exit(3)
    if event == "hang":
        time.sleep(60)
    if event == "fail":
        post(f"invocation/{{request_id}}/error", {{"errorType": "My.Error", "errorMessage": "told to"}})
        continue
    if event == "context":
        event = json.loads(headers["Lambda-Runtime-Client-Context"])
    time.sleep(0.1)
    post(f"invocation/{{request_id}}/response", {{"got": event, "pid": os.getpid()}})
'''


def bootstrap(folder: Path, name: str, **configuration: object) -> None:
    """A function whose program `bootstrap` is a runtime of its own."""
    files(folder, **{f"{name}__function_json": json.dumps(configuration)})
    program = folder / name / "bootstrap"
    program.write_text(textwrap.dedent(BOOTSTRAP).format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)


def test_a_program_asks_for_its_invocations_and_answers_them(tmp_path: Path) -> None:
    """Answers, errors in their own words, the idempotency key, the log's tail; more processes when they are needed."""
    bootstrap(tmp_path, "own")

    async def play(invoke: Invoke) -> None:
        status, headers, body = await invoke("own", {"a": 1}, X_Amz_Log_Type="Tail")
        assert (status, body["got"]) == (200, {"a": 1})
        assert "saw {'a': 1}" in base64.b64decode(headers["X-Amz-Log-Result"]).decode()
        status, headers, body = await invoke("own", "fail")
        assert (status, headers["X-Amz-Function-Error"]) == (200, "Unhandled")
        assert body == {"errorType": "My.Error", "errorMessage": "told to"}
        context = (await invoke("own", "context", X_Maprun_Idempotency_Key="k"))[2]["got"]
        assert context == {"custom": {"maprunIdempotencyKey": "k"}}
        answers = await asyncio.gather(*(invoke("own", n) for n in range(24)))
        assert [answer[2]["got"] for answer in answers] == list(range(24))
        assert len({answer[2]["pid"] for answer in answers}) > 1
        assert "saw 23" in (tmp_path / "log" / "own.log").read_text(encoding="utf-8")

    scene(tmp_path, play)


def test_a_program_that_dies_or_hangs_harms_its_own_call_alone(tmp_path: Path) -> None:
    """An exit is Runtime.ExitError, a hang Sandbox.Timedout; what waits is run by another process."""
    bootstrap(tmp_path, "own", Timeout=1)

    async def play(invoke: Invoke) -> None:
        died, hung, *others = await asyncio.gather(
            invoke("own", "die"), invoke("own", "hang"), *(invoke("own", n) for n in range(10))
        )
        assert died[2]["errorType"] == "Runtime.ExitError"
        assert died[2]["errorMessage"].endswith("Runtime exited with error: exit status 3")
        assert hung[2]["errorType"] == "Sandbox.Timedout"
        assert [answer[2]["got"] for answer in others] == list(range(10))

    scene(tmp_path, play)


@pytest.mark.parametrize(
    ("configuration", "error_type", "words"),
    [
        ({"Environment": {"Variables": {"BROKEN": "init"}}}, "Init.Broken", "no database"),
        ({"Environment": {"Variables": {"BROKEN": "exit"}}}, "Runtime.ExitError", "exit status 7"),
        ({"Command": ["/there/is/no/such/program"]}, "Runtime.InvalidEntrypoint", "/there/is/no/such/program"),
    ],
)
def test_a_program_that_cannot_start_fails_its_calls(
    tmp_path: Path, configuration: dict[str, object], error_type: str, words: str
) -> None:
    """What it says of itself, or how it ended, is the answer; nobody waits for a process that never comes."""
    bootstrap(tmp_path, "own", **configuration)

    async def play(invoke: Invoke) -> None:
        for _ in range(2):
            body = (await invoke("own", {}))[2]
            assert body["errorType"] == error_type
            assert words in body["errorMessage"]

    scene(tmp_path, play)


def test_awss_python_client_runs_unmodified(tmp_path: Path) -> None:
    """awslambdaric, as in Lambda's container images: answers, exceptions, modules that are not there, its log."""
    code = (
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.warning('seen %s', event)\n"
        "    if event == 'raise': raise ValueError('boom')\n"
        "    return [event, context.function_name, context.client_context.custom]\n"
    )
    command = json.dumps({"Command": [sys.executable, "-m", "awslambdaric", "app.handler"]})
    files(
        tmp_path,
        f__app_py=code,
        f__function_json=command,
        g__function_json=command.replace("app.handler", "nothing.handler"),
    )

    async def play(invoke: Invoke) -> None:
        _, headers, body = await invoke("f", 5, X_Maprun_Idempotency_Key="k", X_Amz_Log_Type="Tail")
        assert body == [5, "f", {"maprunIdempotencyKey": "k"}]
        assert "seen 5" in base64.b64decode(headers["X-Amz-Log-Result"]).decode()
        body = (await invoke("f", "raise", X_Maprun_Idempotency_Key="k"))[2]
        assert (body["errorType"], body["errorMessage"]) == ("ValueError", "boom")
        assert body["requestId"]
        body = (await invoke("g", {}))[2]
        assert body["errorType"] == "Runtime.ImportModuleError"

    scene(tmp_path, play, timeout_seconds=30.0)


def _go() -> str:
    return shutil.which("go", path=f"{os.environ['PATH']}{os.pathsep}/usr/local/go/bin") or ""


GO_PROGRAM = """
package main

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, row map[string]int) (map[string]int, error) {
		if row["rating"] < 0 {
			return nil, errors.New("no such rating")
		}
		return map[string]int{"twice": 2 * row["rating"]}, nil
	})
}
"""


@pytest.mark.skipif(not _go(), reason="Go isn't installed")
def test_awss_go_library_runs_unmodified(tmp_path: Path) -> None:
    """A program with aws-lambda-go, built as `bootstrap`, answers and fails in its own words."""
    files(tmp_path, f__main_go=GO_PROGRAM)
    for arguments in (
        ("mod", "init", "example.com/f"),
        ("get", "github.com/aws/aws-lambda-go@v1.55.1"),
        ("build", "-o", "bootstrap", "."),
    ):
        done = subprocess.run([_go(), *arguments], cwd=tmp_path / "f", capture_output=True, text=True, check=False)
        if done.returncode and arguments[0] == "get":
            pytest.skip("Go's modules can't be fetched")
        assert done.returncode == 0, done.stderr

    async def play(invoke: Invoke) -> None:
        assert (await invoke("f", {"rating": 4}))[2] == {"twice": 8}
        body = (await invoke("f", {"rating": -1}))[2]
        assert (body["errorType"], body["errorMessage"]) == ("errorString", "no such rating")

    scene(tmp_path, play, timeout_seconds=30.0)


def _node_client() -> str:
    """Where npm put aws-lambda-ric, if it is there."""
    npm = shutil.which("npm")
    if npm is None:
        return ""
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False).stdout.strip()
    found = Path(root, "aws-lambda-ric", "bin", "index.mjs")
    return str(found) if found.exists() else ""


@pytest.mark.skipif(not _node_client(), reason="aws-lambda-ric isn't installed (it is built with autotools)")
def test_awss_node_client_runs_unmodified(tmp_path: Path) -> None:
    """aws-lambda-ric runs a handler of Node."""
    files(
        tmp_path,
        f__index_js="exports.handler = async (event) => ({ twice: 2 * event.rating });\n",
        f__function_json=json.dumps({"Command": ["node", _node_client(), "index.handler"]}),
    )

    async def play(invoke: Invoke) -> None:
        assert (await invoke("f", {"rating": 4}))[2] == {"twice": 8}

    scene(tmp_path, play, timeout_seconds=30.0)
