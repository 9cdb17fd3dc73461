"""`python -m tests.bench.callee CONTROL LOG NUMBER HOST PORT`: Lambda's Invoke for benches, and what it saw of calls.

The function's name says what happens to a call. `hold-50` answers after 50 ms. `gate-50` waits until the bench opens
the gate, then is answered after 50 ms and its turn, some hundred calls a second; `burst-50` does without turns, and so
does a call of any other service, which names no function. `repair-5` answers after 5 ms, and fails as long as the
bench says so. What comes and goes is written down with the monotonic time: the only witness of how many are in flight
that isn't the engine itself.
"""

import asyncio
import json
import os
import struct
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

from tests.bench.control import BROKEN, BROKEN_ODD, Control

RECORD = struct.Struct("<qii")
"""Monotonic nanoseconds, the call's index, +1 when it came or -1 when it went."""
_GATE_SECONDS = 0.02
_GATE_PER_SECOND = 500  # through the gate of one callee, once it is open
_FUNCTION_AT = 3  # of the parts of Invoke's path
_OTHER = "burst-0"  # what calls of other services are as
_HEAD = b"HTTP/1.1 200 OK\r\nX-Amz-Executed-Version: $LATEST\r\nx-amzn-RequestId: bench\r\n"
_OK = b'{"ok":true}'
_FAILED = b'{"errorMessage":"the world is broken","errorType":"Broken"}'


class Callee:
    """What all connections of one process share."""

    def __init__(self, control: Control, log: Path, number: int) -> None:
        self._control = control
        self._number = number
        self._file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._unwritten = bytearray()
        self._in_flight = self._calls = 0
        self._at_gate: list[tuple[Connection, int, float, bool]] = []
        self._loop = asyncio.get_running_loop()

    def came(self, connection: "Connection", function: str, body: bytes) -> None:
        """A call has been read whole: from here to the first byte of its answer it is in flight."""
        index = int(json.loads(body or b"{}").get("index", 0))
        self._in_flight += 1
        self._calls += 1
        self._note(index, 1)
        connection.call = index
        kind, _, ms = function.partition("-")
        seconds = int(ms) / 1000
        fails = kind == "repair" and self._fails(index)
        if kind in {"gate", "burst"} and not self._control.gate_open:
            self._at_gate.append((connection, index, seconds, kind == "gate"))
            return
        self._loop.call_later(seconds, connection.answer, index, fails)

    def went(self, index: int) -> None:
        """A call is about to be answered, or its caller is gone."""
        self._in_flight -= 1
        self._note(index, -1)

    async def mind(self) -> None:
        """Opens the gate when it may, and writes down what was seen, for ever."""
        while True:
            await asyncio.sleep(_GATE_SECONDS)
            if self._at_gate and self._control.gate_open:
                waiting, self._at_gate = self._at_gate, []
                for place, (connection, index, seconds, in_turn) in enumerate(waiting):
                    turn = place / _GATE_PER_SECOND if in_turn else 0.0
                    self._loop.call_later(seconds + turn, connection.answer, index, False)
            self.flush()

    def flush(self) -> None:
        """Writes down what isn't yet."""
        if self._unwritten:
            os.write(self._file, bytes(self._unwritten))
            self._unwritten.clear()

    def _fails(self, index: int) -> bool:
        broken = self._control.broken
        return broken == BROKEN or (broken == BROKEN_ODD and index % 2 == 1)

    def _note(self, index: int, delta: int) -> None:
        self._unwritten += RECORD.pack(time.monotonic_ns(), index, delta)
        self._control.count(self._number, self._in_flight, self._calls)


class Connection(asyncio.Protocol):
    """The least of HTTP/1.1 that a keep-alive POST needs; its caller never sends a second call before the answer."""

    def __init__(self, callee: Callee) -> None:
        self._callee = callee
        self._held = b""
        self._transport: asyncio.Transport | None = None
        self.call = -1  # the index of the call under way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes

    def connection_lost(self, _error: Exception | None) -> None:
        """A caller that hangs up has given its call up."""
        self._transport = None
        if self.call >= 0:
            self._callee.went(self.call)
            self.call = -1

    def data_received(self, data: bytes) -> None:
        """Hands a call on once it is there whole."""
        self._held += data
        head, found, body = self._held.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return
        self._held = b""
        path = head.split(b" ", 2)[1].split(b"/")
        self._callee.came(self, path[_FUNCTION_AT].decode() if len(path) > _FUNCTION_AT else _OTHER, body)

    def answer(self, index: int, fails: bool) -> None:
        """Answers the call under way, well or with the function's error, unless its caller is gone."""
        if self.call != index or self._transport is None:
            return
        self.call = -1
        self._callee.went(index)
        error, body = (b"X-Amz-Function-Error: Unhandled\r\n", _FAILED) if fails else (b"", _OK)
        self._transport.write(b"%s%sContent-Length: %d\r\n\r\n%s" % (_HEAD, error, len(body), body))


async def serve(control: Path, log: Path, number: int, host: str, port: int) -> None:
    """The process's main; it ends by SIGTERM."""
    callee = Callee(Control(control), log, number)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(callee), host, port, backlog=4096)
    try:
        await callee.mind()
    finally:
        server.close()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
