"""The bounds on a site's connections, over real sockets, on both loops: who has to go, who is refused, who may stay."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from aiohttp import web

from maprun.runtime.connections import UNREADABLE, BoundedSite, ConnectionLimits, Connections, attended, peer_of

LOOPS = pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
QUICK = b"GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE_BYTES = 16 << 20


class Site:
    """A site with a quick answer, one that waits until it may go on, and one that is large."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.connections = Connections(limits)
        self.goes_on = asyncio.Event()
        self.runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        self._writers: list[asyncio.StreamWriter] = []

    def _application(self) -> web.Application:
        async def quick(_request: web.Request) -> web.Response:
            return web.Response(body=b"quick")

        async def slow(_request: web.Request) -> web.Response:
            await self.goes_on.wait()
            return web.Response(body=b"slow")

        async def large(_request: web.Request) -> web.Response:
            return web.Response(body=bytes(LARGE_BYTES))

        async def body(request: web.Request) -> web.Response:
            return web.Response(body=await request.read())

        application = web.Application(middlewares=[attended])
        application.add_routes([web.get("/quick", quick), web.get("/slow", slow), web.get("/large", large)])
        application.add_routes([web.post("/body", body)])
        return application

    async def client(self, address: str = "127.0.0.1", limit: int = 65_536) -> "Client":
        """A connection from an address of this machine."""
        port = self.runner.addresses[0][1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0), limit=limit)
        self._writers.append(writer)
        client = Client(reader, writer)
        await asyncio.sleep(0.01)
        return client

    async def close(self) -> None:
        """Ends everything."""
        self.goes_on.set()
        for writer in self._writers:
            writer.close()
        await self.runner.cleanup()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of an answer."""
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> tuple[int, bytes]:
        """The same of one that was asked for before, or that comes unasked."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head.split()[1]), await self.reader.readexactly(length)

    async def is_open(self) -> bool:
        """False once the other side has closed it."""
        try:
            async with asyncio.timeout(0.05):
                return await self.reader.read(1) != b""
        except TimeoutError:
            return True
        except ConnectionError:
            return False


def played(loop: Any, limits: ConnectionLimits, play: Callable[[Site], Awaitable[None]]) -> None:
    """Against a site with these bounds."""

    async def run() -> None:
        site = Site(limits)
        await site.runner.setup()
        await BoundedSite(site.runner, "127.0.0.1", 0, site.connections).start()
        try:
            async with asyncio.timeout(20):
                await play(site)
        finally:
            await site.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


@LOOPS
def test_the_longest_silent_one_makes_room(loop: Any) -> None:
    """Beyond the bound a new connection takes the place of one that has nothing under way: unused ones go first."""

    async def play(site: Site) -> None:
        used = await site.client()
        assert await used.ask(QUICK) == (200, b"quick")
        unused, younger = await site.client(), await site.client()
        newest = await site.client()
        assert await newest.ask(QUICK) == (200, b"quick")
        assert [await each.is_open() for each in (used, unused, younger)] == [True, False, True]
        assert await used.ask(QUICK) == (200, b"quick")
        await site.client()
        assert [await each.is_open() for each in (used, younger, newest)] == [True, False, True]
        await site.client()
        await site.client()
        assert site.connections.count == 3

    played(loop, ConnectionLimits(connections_max=3, peer_connections_max=3), play)


@LOOPS
def test_a_request_under_way_is_never_ended_for_a_new_connection(loop: Any) -> None:
    """Where all connections have one, a new one is refused in words; and taken once one of them has its answer."""

    async def play(site: Site) -> None:
        clients = [await site.client() for _ in range(2)]
        waiting = [asyncio.create_task(client.ask(SLOW)) for client in clients]
        await asyncio.sleep(0.05)
        refused = await site.client()
        status, body = await refused.answer()
        assert (status, json.loads(body)["__type"]) == (503, "ServiceUnavailable")
        assert "2 connections" in json.loads(body)["message"]
        assert await refused.is_open() is False
        site.goes_on.set()
        assert [await task for task in waiting] == [(200, b"slow")] * 2
        assert await (await site.client()).ask(QUICK) == (200, b"quick")

    played(loop, ConnectionLimits(connections_max=2, peer_connections_max=2), play)


@LOOPS
def test_one_address_has_its_share_alone(loop: Any) -> None:
    """What one address opens beyond its bound costs its own connections, and none of another's."""

    async def play(site: Site) -> None:
        other = await site.client("127.0.0.2")
        silent = [await site.client() for _ in range(4)]
        assert await other.is_open()
        assert [await each.is_open() for each in silent] == [False, False, True, True]
        waiting = [asyncio.create_task(each.ask(SLOW)) for each in silent[2:]]
        await asyncio.sleep(0.05)
        status, body = await (await site.client()).answer()
        assert (status, "2 connections from this address" in json.loads(body)["message"]) == (503, True)
        assert await other.ask(QUICK) == (200, b"quick")
        site.goes_on.set()
        await asyncio.gather(*waiting)

    played(loop, ConnectionLimits(connections_max=10, peer_connections_max=2), play)


@LOOPS
def test_a_head_that_comes_byte_by_byte_is_ended(loop: Any) -> None:
    """The first request of a connection, and a later one; while a connection that says nothing is left alone."""

    async def play(site: Site) -> None:
        silent, first, later = await site.client(), await site.client(), await site.client()
        assert await later.ask(QUICK) == (200, b"quick")
        for client in (first, later):
            asyncio.get_running_loop().create_task(dripping(client))
            status, body = await client.answer()
            assert (status, json.loads(body)["__type"]) == (408, "RequestTimeoutException")
        assert await silent.ask(QUICK) == (200, b"quick")

    async def dripping(client: Client) -> None:
        for byte in QUICK:
            client.writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    played(loop, ConnectionLimits(head_seconds_max=0.5), play)


@LOOPS
def test_who_does_not_take_an_answer_loses_it(loop: Any) -> None:
    """After a time without progress; who takes it slowly gets it all."""

    async def play(site: Site) -> None:
        taking, leaving = await site.client(limit=1 << 20), await site.client()
        taking.writer.write(LARGE)
        leaving.writer.write(LARGE)
        got = 0
        while got < LARGE_BYTES:
            piece = await taking.reader.read(4 << 20)
            assert piece, f"{got} bytes came"
            got += len(piece)
            await asyncio.sleep(0.02)
        while site.connections.count > 1:  # noqa: ASYNC110 - the bounds tell nobody when they act
            await asyncio.sleep(0.1)

    played(loop, ConnectionLimits(stalled_seconds_max=1.0), play)


@LOOPS
def test_answers_that_nobody_takes_are_held_within_a_bound(loop: Any) -> None:
    """Beyond it the oldest is given up, so that memory does not grow with those who ask."""

    async def play(site: Site) -> None:
        clients = []
        for _ in range(4):
            clients.append(await site.client())
            clients[-1].writer.write(LARGE)
            await asyncio.sleep(0.2)
        assert site.connections.count <= 2

    played(loop, ConnectionLimits(held_bytes_max=LARGE_BYTES * 4), play)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET no HTTP at all\r\n\r\n", 400),
        (b"GET /quick HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 400),
        (b"POST /quick HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400),
        (b"GET /quick HTTP/1.1\r\nX: " + b"x" * (64 << 20) + b"\r\n\r\n", 431),
        (b"GET /quick HTTP/1.1\r\n" + b"X: y\r\n" * 10_000_000 + b"\r\n", 431),
        (b"GET /" + b"x" * (64 << 20) + b" HTTP/1.1\r\n\r\n", 431),
    ],
    ids=["no HTTP", "200 headers", "no chunk", "64 MB of one header", "60 MB of headers", "64 MB of a path"],
)
@LOOPS
def test_what_is_no_request_is_refused_without_a_line_in_the_log(
    loop: Any, request_bytes: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does it count as an error of the process; a head beyond the bound is refused before it has come."""

    async def play(site: Site) -> None:
        client, before = await site.client(), UNREADABLE._value.get()
        client.writer.write(request_bytes)
        with suppress(ConnectionError):
            got, body = await client.answer()
            assert (got, json.loads(body)["__type"]) == (status, "SerializationException")
        assert UNREADABLE._value.get() == before + 1
        assert await (await site.client()).ask(QUICK) == (200, b"quick")

    played(loop, ConnectionLimits(), play)
    assert not caplog.records


@LOOPS
def test_nothing_is_read_behind_a_chunk_that_is_none(loop: Any) -> None:
    """While who waits for the body doesn't know of it yet: what comes would be held until garbage is collected."""

    async def play(site: Site) -> None:
        client = await site.client()
        client.writer.write(b"POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(0.1)
        client.writer.write(b"nonsense\r\n" + bytes(64 << 20))
        await asyncio.sleep(0.5)
        assert client.writer.transport.get_write_buffer_size() > 32 << 20
        assert await (await site.client()).ask(QUICK) == (200, b"quick")

    played(loop, ConnectionLimits(), play)


@LOOPS
def test_the_rest_of_a_body_that_nobody_needs_is_no_head(loop: Any) -> None:
    """A request answered before its body has come: the answer arrives, however much follows, and then the end."""

    async def play(site: Site) -> None:
        client = await site.client()
        client.writer.write(b"GET /quick HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        assert await client.answer() == (200, b"quick")
        client.writer.write(bytes(1_000_000))
        assert await client.reader.read() == b""

    played(loop, ConnectionLimits(head_seconds_max=0.1), play)


@LOOPS
def test_a_head_may_come_in_pieces(loop: Any) -> None:
    """Also where a piece ends in the midst of its end, and with the next request behind it."""

    async def play(site: Site) -> None:
        client = await site.client()
        for piece in (QUICK[:-3], QUICK[-3:-1], QUICK[-1:] + QUICK[:10], QUICK[10:]):
            client.writer.write(piece)
            await asyncio.sleep(0.05)
        assert [await client.answer() for _ in range(2)] == [(200, b"quick")] * 2

    played(loop, ConnectionLimits(head_bytes_max=len(QUICK)), play)


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("10.1.2.3", 55_000), "10.1.2.3"),
        (("::ffff:10.1.2.3", 55_000, 0, 0), "10.1.2.3"),
        (("2001:db8:1:2:3:4:5:6", 55_000, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::1", 55_000, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 55_000, 0, 2), "fe80::/64"),
        ("", ""),
        (None, ""),
    ],
)
def test_whom_a_connection_counts_for(address: Any, peer: str) -> None:
    """An address of IPv4; of IPv6 the network that one holder has whole."""
    assert peer_of(address) == peer
