"""The host's port: Lambda's Invoke API over HTTP, and the stream of invocations, told apart by their first bytes."""

import asyncio
from typing import cast

from aiohttp import web
from prometheus_client import CollectorRegistry

from maprun.local.functions.invoking import Functions
from maprun.local.functions.pool import Pool
from maprun.local.functions.site import Site
from maprun.local.functions.stream import STREAM_BEGINS, InvocationStreamServer

BACKLOG = 4096
CLOSE_SECONDS_MAX = 1.0  # for HTTP requests under way, when the host ends


class Entrance:
    """Listens at one address."""

    def __init__(self, functions: Functions, pool: Pool, registry: CollectorRegistry) -> None:
        self._functions = functions
        self._pool = pool
        # The low-level server: no routing, no middlewares, nothing per call that isn't needed.
        self._http = web.Server(Site(functions, pool.log_dir, registry).handle, access_log=None)
        self._streams: set[InvocationStreamServer] = set()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Begins to listen; the port, which is a free one for 0."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Newcomer(self), host, port, backlog=BACKLOG)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Ends all connections."""
        if self._server is not None:
            self._server.close()
        for stream in list(self._streams):
            stream.close()
        await self._http.shutdown(CLOSE_SECONDS_MAX)

    def http(self) -> asyncio.Protocol:
        """Who serves a connection that speaks HTTP."""
        return self._http()

    def stream(self) -> asyncio.Protocol:
        """Who serves a connection with many invocations."""
        return InvocationStreamServer(self._functions, self._pool, self._streams)


class _Newcomer(asyncio.Protocol):
    """A connection that has not said yet what it is."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._first = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes

    def data_received(self, data: bytes) -> None:
        """The first bytes: as soon as they tell, the connection is somebody else's."""
        self._first += data
        is_stream = self._first.startswith(STREAM_BEGINS)
        if not is_stream and STREAM_BEGINS.startswith(self._first):
            return
        assert self._transport is not None
        protocol = self._entrance.stream() if is_stream else self._entrance.http()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._first)
