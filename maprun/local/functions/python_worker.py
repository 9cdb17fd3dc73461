"""A worker process of Python handlers, as the host sees it: calls and outcomes over a socket pair."""

import asyncio
import contextlib
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from maprun.local.children import end_with_parent
from maprun.local.functions import frames
from maprun.local.functions.catalog import Function
from maprun.local.functions.frames import READY
from maprun.local.functions.worker import SLOT
from maprun.local.functions.workers import Owner, Waiting, Worker

MODULE = "maprun.local.functions.worker"


class PythonWorker(asyncio.Protocol, Worker):
    """One process that runs many calls at once, in threads."""

    def __init__(
        self,
        owner: Owner,
        function: Function,
        seconds_max: float,
        threads_max: int,
        environment: Mapping[str, str],
        log: BinaryIO,
    ) -> None:
        super().__init__(owner, function, seconds_max, threads_max, log)
        self._environment = environment
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._slots_bytes = (threads_max + 1) * SLOT.size

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def start(self) -> None:
        """Starts the process and connects to it."""
        ours, theirs = socket.socketpair()
        slots_fd = os.memfd_create("maprun-function-slots")
        os.ftruncate(slots_fd, self._slots_bytes)
        self._slots = mmap.mmap(slots_fd, self._slots_bytes)
        numbers = (str(theirs.fileno()), str(slots_fd), str(self.calls_max))
        handler = self.function.configuration.handler.rpartition(".")[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *numbers, str(self.function.root), self.function.module, handler],
            env=dict(self._environment),
            cwd=Path(__file__).parents[3],
            pass_fds=(theirs.fileno(), slots_fd),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - the host has no other threads
        )
        theirs.close()
        os.close(slots_fd)
        transport, _ = await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        self._transport = transport

    def send(self, waiting: Waiting) -> None:
        """Carries a call. What is sent in one turn of the loop goes out as one write."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(frames.framed(waiting.call))

    def kill(self) -> None:
        """Ends the process; `connection_lost` follows."""
        self._process.kill()

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if self._transport is not None:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Answers of the worker."""
        self._buffer += data
        for message in frames.split(self._buffer):
            outcome = frames.outcome_decoder.decode(message)
            if outcome.number == READY:
                self.settled.set()
            waiting = self.calls.pop(outcome.number, None)
            if waiting is not None:
                waiting.end(outcome)
        self.owner.after_answers(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process is gone."""
        del exc
        begun = [SLOT.unpack_from(self._slots, at)[0] for at in range(0, self._slots_bytes, SLOT.size)]
        culprit = begun.pop()
        self._slots.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self.ended(self._process.wait(), {number for number in begun if number in self.calls}, culprit)
