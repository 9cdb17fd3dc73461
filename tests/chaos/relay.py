"""A relay of TCP connections, which may be cut or fall silent: the network between services and a broker."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

_PIECE_BYTES = 1 << 16
_START_SECONDS_MAX = 10.0
_LINGER_NOT = struct.pack("ii", 1, 0)


class Relay:
    """Listens on a free port of this machine and passes on what comes, from a thread of its own, until it is closed.

    `target_port` may be set later than the relay's own port is asked for: a broker is told the one it is reached by.
    """

    def __init__(self) -> None:
        self.target_port = 0
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._done(self._serve())
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Resets every connection and takes no new one, until it is mended."""
        self._soon(self._cut)

    def silence(self) -> None:
        """Keeps every connection and passes nothing on, until it is mended; what is sent meanwhile comes late."""
        self._soon(self._flows.clear)

    def mend(self) -> None:
        """All as it was."""
        self._soon(self._mend)

    def close(self) -> None:
        """Ends it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_START_SECONDS_MAX)
        self._soon(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._cut()
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self) -> asyncio.Server:
        self._flows.set()
        return await asyncio.start_server(self._one, "127.0.0.1", 0)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, in both directions, until either side ends it."""
        if self._refuses:
            _reset(writer)
            return
        try:
            there, to_it = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, to_it}
        self._writers |= ends
        try:
            ways = [asyncio.ensure_future(self._pass(*way)) for way in ((reader, to_it), (there, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE_BYTES):
                await self._flows.wait()
                writer.write(piece)
                await writer.drain()

    def _cut(self) -> None:
        self._refuses = True
        for writer in self._writers:
            _reset(writer)

    def _mend(self) -> None:
        self._refuses = False
        self._flows.set()

    def _soon(self, call: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(call)

    def _done(self, work: Coroutine[Any, Any, asyncio.Server]) -> asyncio.Server:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS_MAX)


def _reset(writer: asyncio.StreamWriter) -> None:
    """No orderly end: what was not sent is thrown away, and the other side is told so."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    writer.transport.abort()
