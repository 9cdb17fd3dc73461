"""The callees of a bench from outside: started, switched, read."""

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import msgspec

from tests.bench.callee import RECORD
from tests.bench.control import CALLEES_MAX, Control
from tests.integration.system.stack import ROOT

_START_SECONDS_MAX = 20.0
_FLUSHED_SECONDS = 0.3  # a callee writes down what it saw well within that


class Change(msgspec.Struct, frozen=True, order=True, gc=False):
    """A call came (+1) or went (-1)."""

    at_ns: int  # monotonic, the same clock in all processes of the machine
    delta: int
    index: int


class Callees:
    """Some callee processes, each on a loopback address of its own.

    One address can hold about 28,000 connections of one client address, and one process 20,000 where that is its hard
    limit of open files: a hundred thousand calls at once take several of both.
    """

    def __init__(self, folder: Path, number: int, port: int) -> None:
        assert 0 < number <= CALLEES_MAX, number
        self._logs = [folder / f"callee-{n}.log" for n in range(number)]
        self._hosts = [f"127.0.0.{10 + n}" for n in range(number)]
        self._port = port
        path = folder / "callees.control"
        self.control = Control(path)
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.bench.callee", str(path), str(log), str(n), host, str(port)], cwd=ROOT
            )
            for n, (log, host) in enumerate(zip(self._logs, self._hosts, strict=True))
        ]

    def __enter__(self) -> Self:
        """Waits until all of them take calls."""
        deadline = time.monotonic() + _START_SECONDS_MAX
        for host in self._hosts:
            while True:
                with contextlib.suppress(OSError), socket.create_connection((host, self._port), 1):
                    break
                assert time.monotonic() < deadline, f"no callee at {host}:{self._port}"
                time.sleep(0.05)
        return self

    def __exit__(self, *_error: object) -> None:
        """Ends them."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()

    @property
    def endpoints(self) -> list[str]:
        """What AWS_ENDPOINT_URL_LAMBDA may be."""
        return [f"http://{host}:{self._port}" for host in self._hosts]

    def pids(self) -> dict[str, int]:
        """The processes by name."""
        return {f"callee-{n}": process.pid for n, process in enumerate(self._processes)}

    def changes(self, since_ns: int = 0) -> list[Change]:
        """All comings and goings since a monotonic time, in order; waits until what was seen by now is written."""
        time.sleep(_FLUSHED_SECONDS)
        found = []
        for log in self._logs:
            raw = log.read_bytes() if log.exists() else b""
            whole = len(raw) - len(raw) % RECORD.size
            found += [
                Change(at, delta, index) for at, index, delta in RECORD.iter_unpack(raw[:whole]) if at >= since_ns
            ]
        found.sort()
        return found
