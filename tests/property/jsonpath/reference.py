"""JsonPath 2.0.0 in a process of its own: pairs of path and document in, what it makes of them out."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent
BUILT = HERE.parents[2] / ".maprun" / "jsonpath"
SOURCES = (HERE / "pom.xml", HERE / "PathReference.java")


def build() -> None:
    """Fetches the jars with Maven and compiles the driver, once for each state of its sources."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = BUILT / ".complete"
        if done.exists() and done.read_text() == digest:
            return
        libraries = BUILT / "libs"
        shutil.rmtree(libraries, ignore_errors=True)
        _run(
            ["mvn", "--quiet", "--batch-mode", "--file", str(SOURCES[0]), "dependency:copy-dependencies",
             f"-DoutputDirectory={libraries}"]
        )  # fmt: skip
        compiler = next(libraries.glob("ecj-*.jar"))
        _run(
            ["java", "-jar", str(compiler), "-17", "-proc:none", "-cp", f"{libraries}/*:{_jars(libraries)}",
             "-d", str(BUILT / "classes"), str(SOURCES[1])]
        )  # fmt: skip
        done.write_text(digest)


def _jars(folder: Path) -> str:
    return ":".join(map(str, sorted(folder.glob("*.jar"))))


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed, so there is nothing to compare with: {done.stdout}{done.stderr}")


class Reference:
    """The running engine."""

    def __init__(self) -> None:
        build()
        command = [
            "java",
            "-XX:+UseSerialGC",
            "-XX:-StackTraceInThrowable",
            "-cp",
            f"{BUILT / 'classes'}:{_jars(BUILT / 'libs')}",
            "PathReference",
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def answers(self, pairs: Sequence[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
        """What becomes of each pair, in order."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        lines = [json.dumps({"path": path, "document": document}).encode() + b"\n" for path, document in pairs]

        def write() -> None:
            stdin.writelines(lines)
            stdin.flush()

        writer = threading.Thread(target=write)  # a full pipe must not keep the answers from being read
        writer.start()
        for _ in pairs:
            line = stdout.readline()
            if not line:
                raise RuntimeError("the reference engine has ended; its standard error says why")
            yield json.loads(line)
        writer.join()
