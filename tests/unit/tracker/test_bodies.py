"""Bodies of requests within bounds, as the API reads them from real sockets."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from services.maprun_tracker.api import front
from services.maprun_tracker.api.bodies import FREE_BYTES, Bodies, BodyLimits

MOST = 1 << 20
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
Play = Callable[["Site"], Awaitable[None]]


class Site:
    """A site that answers a request with its body's length, once it may."""

    def __init__(self, limits: BodyLimits) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        shown = front.middleware("http://127.0.0.1:1", (), lambda: "id")
        application = web.Application(middlewares=[shown, front.admission(Bodies(limits), None, ())])
        application.add_routes([web.post("/", self._post)])
        self.runner = web.AppRunner(application, access_log=None, auto_decompress=False, shutdown_timeout=0.1)

    async def _post(self, request: web.Request) -> web.Response:
        await self.may_answer.wait()
        return front.response("id", 200, json.dumps(len(request[front.BODY])).encode())

    async def ask(self, *pieces: bytes, address: str = "127.0.0.1", wait_seconds: float = 0.0) -> tuple[int, str]:
        """Status, and the code of a refusal or what else the answer says; pieces go out with pauses between them."""
        port = self.runner.addresses[0][1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        try:
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(wait_seconds)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            answer = json.loads(await reader.readexactly(length))
            return int(head.split()[1]), answer["__type"] if isinstance(answer, dict) else str(answer)
        finally:
            writer.close()


def sized(size: int) -> bytes:
    """A request with a body of so many bytes."""
    return HEAD + f"Content-Length: {size}\r\n\r\n".encode() + bytes(size)


def chunked(*chunks: bytes) -> bytes:
    """A request whose body comes in chunks."""
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def played(limits: BodyLimits, play: Play) -> None:
    """Against a site with these bounds."""

    async def run() -> None:
        site = Site(limits)
        await site.runner.setup()
        await web.TCPSite(site.runner, "127.0.0.1", 0).start()
        try:
            async with asyncio.timeout(20):
                await play(site)
        finally:
            await site.runner.cleanup()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (sized(0), (200, "0")),
        (sized(MOST), (200, str(MOST))),
        (chunked(b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n"), (200, "5")),
        (HEAD + b"Content-Length: 1000000000000\r\n\r\n", (413, "RequestEntityTooLargeException")),
        (chunked(*[b"10000\r\n" + bytes(0x10000) + b"\r\n"] * 17), (413, "RequestEntityTooLargeException")),
    ],
    ids=["none", "largest", "chunks", "said to be huge", "huge by chunks"],
)
def test_a_body_is_read_or_refused_in_words(request_bytes: bytes, answer: tuple[int, str]) -> None:
    """One that says it is too large is refused before any of it has come."""

    async def play(site: Site) -> None:
        assert await site.ask(request_bytes) == answer

    played(BodyLimits(MOST), play)


@pytest.mark.parametrize("rest", [b"nonsense\r\n", b"3\r\nabcdef\r\n"])
def test_a_body_is_not_waited_for_once_its_chunks_are_none(rest: bytes) -> None:
    """Who reads a body is told nothing of a chunk that is broken: so what is missing is waited for only so long."""

    async def play(site: Site) -> None:
        answer = await site.ask(chunked(), rest, wait_seconds=0.1)
        assert answer == (408, "RequestTimeoutException")

    played(BodyLimits(MOST, grace_seconds=0.5), play)


def test_a_slow_body_is_given_up() -> None:
    """One that never begins, and one that comes byte by byte; one that is slow but goes on is read."""
    limits = BodyLimits(MOST, grace_seconds=0.3, bytes_a_second_min=100_000)
    head = HEAD + b"Content-Length: 200000\r\n\r\n"

    async def play(site: Site) -> None:
        assert await site.ask(head) == (408, "RequestTimeoutException")
        assert await site.ask(head, *[b"x"] * 10, wait_seconds=0.05) == (408, "RequestTimeoutException")
        assert await site.ask(head, *[bytes(20_000)] * 10, wait_seconds=0.1) == (200, "200000")

    played(limits, play)


def test_bodies_are_held_within_a_bound() -> None:
    """Of one address, and in all; an ordinary request passes beside them, and room comes back with the answers."""
    large = FREE_BYTES + 100_000
    limits = BodyLimits(MOST, held_bytes_max=350_000, peer_held_bytes_max=250_000)

    async def play(site: Site) -> None:
        site.may_answer.clear()
        first = [asyncio.create_task(site.ask(sized(large))) for _ in range(2)]
        await asyncio.sleep(0.1)
        assert await site.ask(sized(large)) == (503, "ServiceUnavailable")
        other = asyncio.create_task(site.ask(sized(large), address="127.0.0.2"))
        await asyncio.sleep(0.1)
        assert await site.ask(sized(large), address="127.0.0.3") == (503, "ServiceUnavailable")
        ordinary = asyncio.create_task(site.ask(sized(FREE_BYTES), address="127.0.0.3"))
        await asyncio.sleep(0.1)
        site.may_answer.set()
        assert [await each for each in (*first, other, ordinary)] == [(200, str(large))] * 3 + [(200, str(FREE_BYTES))]
        assert await site.ask(sized(large)) == (200, str(large))

    played(limits, play)


def test_a_body_that_breaks_off_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    """A client that goes away in the midst of a body frees what it held, and is no error in the log."""
    limits = BodyLimits(MOST, held_bytes_max=150_000, peer_held_bytes_max=150_000)

    async def play(site: Site) -> None:
        port = site.runner.addresses[0][1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Length: 200000\r\n\r\n" + bytes(FREE_BYTES + 140_000))
        await asyncio.sleep(0.1)
        assert await site.ask(sized(FREE_BYTES + 20_000)) == (503, "ServiceUnavailable")
        writer.close()
        await asyncio.sleep(0.1)
        assert await site.ask(sized(FREE_BYTES + 20_000)) == (200, str(FREE_BYTES + 20_000))

    played(limits, play)
    assert not caplog.records
