"""The host's side of a connection that carries many invocations; see `schemas.invocations`."""

import asyncio
from typing import cast

from maprun.local.functions import answers
from maprun.local.functions.invoking import Functions, too_large
from maprun.local.functions.pool import Pool
from maprun.local.functions.workers import Waiting
from schemas.invocations import PATH, PROTOCOL, Answered, CallerFrame, FrameError, FrameReader, FrameWriter

STREAM_BEGINS = b"GET " + PATH + b" "
HEAD_BYTES_MAX = 64 << 10
ROOM_AGAIN_SECONDS = 0.01  # how often a connection that waits for room looks whether there is some
_UPGRADE = b"\r\nUpgrade: " + PROTOCOL
_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade" + _UPGRADE + b"\r\n\r\n"
_DECLINED = b"HTTP/1.1 426 Upgrade Required" + _UPGRADE + b"\r\nContent-Length: 0\r\n\r\n"


class InvocationStreamServer(asyncio.Protocol):
    """One caller's connection. It is among `open_streams` while it lasts."""

    def __init__(self, functions: Functions, pool: Pool, open_streams: "set[InvocationStreamServer]") -> None:
        self._functions = functions
        self._pool = pool
        self._open_streams = open_streams
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head: bytes | None = b""  # None once the protocol is agreed on
        self._reader: FrameReader[CallerFrame] = FrameReader(CallerFrame)
        self._writer = FrameWriter()
        self._running: dict[int, Waiting] = {}
        self._answers: list[Answered] = []
        self._flushing = False

    def close(self) -> None:
        """Ends the connection."""
        if self._transport is not None:
            self._transport.close()

    # ------------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is this caller's."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes
        self._open_streams.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone: nobody waits for what it asked."""
        del exc
        self._open_streams.discard(self)
        for waiting in self._running.values():
            waiting.give_up()
        self._running.clear()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """The request for the protocol, then frames."""
        if self._transport is None:
            return
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end and len(head) <= HEAD_BYTES_MAX:
                return
            if _UPGRADE.lower() not in head.lower():
                self._transport.write(_DECLINED)
                self._transport.close()
                return
            self._head = None
            self._transport.write(_SWITCHING)
        try:
            for frame in self._reader.frames(data):
                self._taken(frame)
        except FrameError:
            self._transport.abort()
            return
        if self._pool.is_full:
            self._transport.pause_reading()
            self._loop.call_later(ROOM_AGAIN_SECONDS, self._read_on)

    # ------------------------------------------------------------------ inside

    def _taken(self, frame: CallerFrame) -> None:
        for asked in frame.invocations:
            if len(asked.payload) > answers.REQUEST_BYTES_MAX:
                self._answer(too_large(asked.number))
                continue
            waiting = self._functions.invoke(asked, self._answer)
            if waiting is not None:
                self._running[asked.number] = waiting
        for number in frame.given_up:
            given_up = self._running.pop(number, None)
            if given_up is not None:
                given_up.give_up()

    def _answer(self, answered: Answered) -> None:
        """What ends in one turn of the loop travels together."""
        self._running.pop(answered.number, None)
        self._answers.append(answered)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        answered, self._answers = self._answers, []
        if self._transport is not None:
            self._transport.writelines(self._writer.answered(answered))

    def _read_on(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._pool.is_full:
            self._loop.call_later(ROOM_AGAIN_SECONDS, self._read_on)
        else:
            self._transport.resume_reading()
