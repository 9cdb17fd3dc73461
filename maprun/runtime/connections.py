"""The connections of a site, bounded: how many there may be, of one peer and in all, and how long each may dawdle.

aiohttp bounds a request's head and the requests that wait in one connection. What it leaves to its host is bounded
here: connections that say nothing, heads that come byte by byte, and peers that do not take their answers. Where there
are too many, those go first that have nothing under way, the longest silent one before the others.
"""

import asyncio
import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.log import server_logger
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from prometheus_client import Counter

SWEEP_SECONDS: Final = 1.0
BACKLOG: Final = 4_096
"""Connections that the system keeps until the process takes them: past it a client's first packets are dropped, and it
tries again after 1, 3, 7, 15 and 31 seconds. As many as Linux keeps by default (net.core.somaxconn)."""
TAKEN_BYTES_MIN: Final = 16 << 10
"""Of an answer in `stalled_seconds_max`, else its peer has stopped taking it."""
CLOSED = Counter("maprun_http_connections_closed", "Connections that the process closed by itself.", ("reason",))
UNREADABLE = Counter("maprun_http_unreadable_requests", "Requests that were no HTTP, or broke its bounds.")
_HEAD_END: Final = b"\r\n\r\n"
_PEER_PREFIX_V6: Final = 64


class ConnectionLimits(msgspec.Struct, frozen=True):
    """Bounds of one site."""

    connections_max: int = 512
    peer_connections_max: int = 256
    head_bytes_max: int = 64 << 10
    head_seconds_max: float = 20.0  # from the first byte of a request's head to its last
    stalled_seconds_max: float = 30.0  # in which a peer takes nothing of its answer
    held_bytes_max: int = 256 << 20  # of memory for answers that peers are slow to take


def peer_of(address: Any) -> str:
    """Whom a connection counts for: an IPv4 address, or the network of 64 bits that one holder of IPv6 has."""
    try:
        found = ipaddress.ip_address(str(address[0]).partition("%")[0])
    except (IndexError, TypeError, ValueError):
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _PEER_PREFIX_V6), strict=False))
    return str(found)


def not_unreadable(record: logging.LogRecord) -> bool:
    """False for requests that aiohttp could not read: it logs them as errors, with tracebacks; they are clients'."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


class _Idle:
    """Connections with nothing under way; those that were never used stand before those that were."""

    def __init__(self) -> None:
        self._lines: tuple[OrderedDict[Connection, None], OrderedDict[Connection, None]] = OrderedDict(), OrderedDict()

    def add(self, connection: "Connection") -> None:
        self._lines[connection.used][connection] = None

    def discard(self, connection: "Connection") -> None:
        self._lines[connection.used].pop(connection, None)

    def heard_of(self, connection: "Connection") -> None:
        """It sent something: now it is the last to go."""
        line = self._lines[connection.used]
        if connection in line:
            line.move_to_end(connection)

    def longest(self) -> "Connection | None":
        """The first to go; one that still sends an answer is left to the bound on that."""
        return next((each for line in self._lines for each in line if not each.unsent_bytes()), None)


class _Peer:
    def __init__(self) -> None:
        self.count = 0
        self.idle = _Idle()


class Connections:
    """All connections of a site."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.count = 0
        self._peers: dict[str, _Peer] = {}
        self._idle = _Idle()
        self._heads: OrderedDict[Connection, float] = OrderedDict()  # since when
        self._stalled: OrderedDict[Connection, tuple[float, int, int]] = OrderedDict()  # since when, unsent, held then
        self._held_bytes = 0
        self._sweeping = False

    def admit(self, connection: "Connection") -> str:
        """Takes a connection in; or says why not. In its place another may have to go that has nothing under way."""
        limits = self.limits
        peer = self._peers.get(connection.peer)
        if peer is not None and peer.count >= limits.peer_connections_max and not self._end_longest(peer.idle):
            CLOSED.labels("peer_full").inc()
            return (
                f"{limits.peer_connections_max} connections from this address have requests under way: the most that"
                " one address may have at this process."
            )
        if self.count >= limits.connections_max and not self._end_longest(self._idle):
            CLOSED.labels("full").inc()
            return f"All {limits.connections_max} connections that this process may have hold requests under way."
        peer = self._peers.setdefault(connection.peer, _Peer())
        peer.count += 1
        self.count += 1
        self.idle(connection)
        return ""

    def gone(self, connection: "Connection") -> None:
        """A connection that was taken in has ended."""
        peer = self._peers[connection.peer]
        peer.count -= 1
        self.count -= 1
        self.busy(connection)
        self.flowing(connection)
        if not peer.count:
            del self._peers[connection.peer]

    def idle(self, connection: "Connection") -> None:
        """It has nothing under way."""
        self._idle.add(connection)
        self._peers[connection.peer].idle.add(connection)

    def busy(self, connection: "Connection") -> None:
        """A request of it is under way: its head is here."""
        self._idle.discard(connection)
        self._peers[connection.peer].idle.discard(connection)
        self._heads.pop(connection, None)

    def head_began(self, connection: "Connection", now: float) -> None:
        """It sends the head of a request."""
        self._idle.heard_of(connection)
        self._peers[connection.peer].idle.heard_of(connection)
        if self._heads.setdefault(connection, now) == now:
            self._sweep_soon()

    def stalled(self, connection: "Connection", now: float) -> None:
        """Its peer is slow to take an answer. Beyond the bound on all such answers the oldest are given up."""
        unsent = connection.unsent_bytes()
        held = max(unsent, 2 * connection.answer_bytes)  # the whole answer, and the copy of which some was sent
        self.flowing(connection)
        self._stalled[connection] = now, unsent, held
        self._held_bytes += held
        while self._held_bytes > self.limits.held_bytes_max:
            self._give_up(next(iter(self._stalled)))
        self._sweep_soon()

    def flowing(self, connection: "Connection") -> None:
        """Its answer has been taken."""
        _, _, held = self._stalled.pop(connection, (0.0, 0, 0))
        self._held_bytes -= held

    def _give_up(self, connection: "Connection") -> None:
        self.flowing(connection)
        CLOSED.labels("answer_not_taken").inc()
        connection.abort()

    def _end_longest(self, idle: _Idle) -> bool:
        connection = idle.longest()
        if connection is not None:
            CLOSED.labels("idle").inc()
            connection.close()
        return connection is not None

    def _sweep_soon(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Ends connections that dawdle; goes on while there are some that could."""
        self._sweeping = False
        now, limits = asyncio.get_running_loop().time(), self.limits
        for connection, since in list(self._heads.items()):
            if now - since < limits.head_seconds_max:
                break
            CLOSED.labels("slow_head").inc()
            told = f"The head of a request must come within {limits.head_seconds_max:g} seconds."
            connection.refuse(HTTPStatus.REQUEST_TIMEOUT, "RequestTimeoutException", told)
        for connection, (since, unsent, _) in list(self._stalled.items()):
            if now - since < limits.stalled_seconds_max:
                break
            if connection not in self._stalled:
                continue  # given up meanwhile
            if unsent - connection.unsent_bytes() >= TAKEN_BYTES_MIN:
                self.stalled(connection, now)
            else:
                self._give_up(connection)
        if self._heads or self._stalled:
            self._sweep_soon()


class Connection(asyncio.Protocol):
    """One connection: what comes and goes passes it on the way to and from aiohttp's protocol."""

    def __init__(self, connections: Connections, inner: RequestHandler) -> None:
        self.peer = ""
        self.used = False
        self.answer_bytes = 0  # of its newest answer's body
        self._connections = connections
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._admitted = False
        self._counted = False
        self._under_way = 0
        self._head_bytes = 0
        self._head_over = False
        self._head_tail = b""  # the end of a head may lie in two pieces

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes it in, or refuses it in words."""
        self._transport = cast("asyncio.Transport", transport)
        self.peer = peer_of(transport.get_extra_info("peername"))
        reason = self._connections.admit(self)
        if reason:
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", reason)
            return
        self._admitted = self._counted = True
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Something of a request."""
        if not self._counted:
            return  # it was refused, or is being closed
        if not self._under_way and not self._head_is_here(data):
            return
        self._inner.data_received(data)
        self._stop_at_what_is_no_http()

    def _head_is_here(self, data: bytes) -> bool:
        """True unless the head of a request has grown too large: then it is refused. A body is aiohttp's to bound."""
        if self._head_over:
            return True
        self._connections.head_began(self, asyncio.get_running_loop().time())
        whole = self._head_tail + data
        end = whole.find(_HEAD_END)
        self._head_bytes += len(data) if end < 0 else end + len(_HEAD_END) - len(self._head_tail)
        self._head_over, self._head_tail = end >= 0, whole[-3:]
        if self._head_bytes > self._connections.limits.head_bytes_max:
            UNREADABLE.inc()
            told = f"The head of a request has more than {self._connections.limits.head_bytes_max} bytes."
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "SerializationException", told)
        return self._counted

    def _stop_at_what_is_no_http(self) -> None:
        """Reads no more once aiohttp could not read something: it would keep all that comes, with an exception a piece.

        Each of these holds its piece by its traceback, in a circle that is only found when garbage is collected.
        """
        messages = self._inner._messages  # noqa: SLF001 - nothing public says that a request could not be read
        error = messages[-1][0] if messages else None
        if not isinstance(error, _ErrInfo):
            return
        error.exc.__traceback__ = None
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.pause_reading()
        UNREADABLE.inc()
        if not self._under_way:
            self.refuse(HTTPStatus.BAD_REQUEST, "SerializationException", "The request is no HTTP that can be read.")

    def eof_received(self) -> None:
        """The peer sends no more."""
        if self._admitted:
            self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._leave()
        if self._admitted:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer is slow to take an answer."""
        if self._counted:
            self._connections.stalled(self, asyncio.get_running_loop().time())
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The peer has taken it."""
        self._connections.flowing(self)
        self._inner.resume_writing()

    def began(self) -> None:
        """The head of a request is here, and it is being answered."""
        self._under_way += 1
        if self._counted:
            self._connections.busy(self)

    def ended(self) -> None:
        """A request has its answer."""
        self._under_way -= 1
        self._head_bytes, self._head_over, self._head_tail = 0, False, b""
        if self._counted and not self._under_way:
            self.used = True
            self._connections.idle(self)

    def rest_is_nobodys(self) -> None:
        """What still comes of the request that was answered is read and dropped, and then the connection is closed."""
        self._head_over = True

    def unsent_bytes(self) -> int:
        """How much of answers its peer has not taken."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        """Tells why, and ends it."""
        assert self._transport is not None
        body = msgspec.json.encode({"__type": code, "message": message})
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"Content-Length: {len(body)}\r\nRetry-After: 2\r\nx-amz-retry-after: 1500\r\nConnection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        self.close()

    def close(self) -> None:
        """Ends it once what was written is sent."""
        assert self._transport is not None
        self._leave()
        self._transport.close()

    def abort(self) -> None:
        """Ends it at once."""
        assert self._transport is not None
        self._leave()
        self._transport.abort()

    def _leave(self) -> None:
        """No longer counts, whatever is still to be closed of it."""
        if self._counted:
            self._counted = False
            self._connections.gone(self)


class BoundedSite(web.BaseSite):
    """Listens on an address for a runner, as aiohttp's own site does, with these bounds on its connections."""

    __slots__ = ("_connections", "_host", "_port")

    def __init__(self, runner: web.BaseRunner, host: str, port: int, connections: Connections) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._host = host
        self._port = port
        self._connections = connections

    @property
    def name(self) -> str:
        """Its address, as it was asked for."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Begins to listen. Raises OSError when the address is taken."""
        await super().start()
        server_logger.addFilter(not_unreadable)
        server, connections = self._runner.server, self._connections
        assert server is not None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(connections, server()), self._host, self._port, backlog=BACKLOG
        )


@web.middleware
async def attended(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Lets the connection know of its request, from the head to the answer."""
    protocol = request.transport.get_protocol() if request.transport is not None else None
    if not isinstance(protocol, Connection):
        return await handler(request)
    protocol.began()
    try:
        response = await handler(request)
    finally:
        protocol.ended()
    protocol.answer_bytes = response.content_length or 0
    if not request.content.is_eof():
        response.force_close()
        protocol.rest_is_nobodys()
    return response
