"""The HTTP client of Tasks: its time, its bounds, what it reads of an answer."""

import asyncio
import gzip
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from maprun.aws.web.addresses import AddressGuard
from maprun.aws.web.client import ERROR_BYTES_MAX, NoAnswerError, WebAnswer, WebClient, WebRequest
from tests.unit.aws.service import Handler, serving


def get(url: str) -> WebRequest:
    """A request to a place that the configuration names."""
    return WebRequest("GET", URL(url), CIMultiDict(), configured=True)


def answered(handler: Handler, **bounds: Any) -> WebAnswer:
    """What the handler's answer is."""

    async def use(endpoint: str) -> WebAnswer:
        """One request."""
        client = WebClient(AddressGuard(), **bounds)
        try:
            return await client.send(get(endpoint), 1 << 20)
        finally:
            await client.close()

    found: WebAnswer = asyncio.run(serving(handler, use))
    return found


@pytest.mark.parametrize("beginning", [False, True])
def test_a_call_is_given_up_after_its_time(beginning: bool) -> None:
    """Counted to the end of the answer: one that comes in drops is given up as well."""

    async def slow(request: web.Request) -> web.StreamResponse:
        """Never ends."""
        response = web.StreamResponse()
        if beginning:
            await response.prepare(request)
            await response.write(b"{")
        await asyncio.sleep(30)
        return response

    with pytest.raises(NoAnswerError, match=r"127\.0\.0\.1 has not answered within 0\.3 seconds"):
        answered(slow, seconds_max=0.3)


def test_calls_beyond_the_bound_of_an_origin_wait_for_it_alone() -> None:
    """One more than may be under way is begun when one ends; another origin's are begun at once."""
    under_way, most = 0, 0
    full, goes_on = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        """Counts the calls that are under way."""
        nonlocal under_way, most
        if request.path == "/other":
            goes_on.set()
            return web.Response()
        under_way += 1
        most = max(most, under_way)
        if under_way == 2:
            full.set()
        await goes_on.wait()
        under_way -= 1
        return web.Response()

    async def use(endpoint: str) -> list[int]:
        """Five calls of one origin, then one of another."""
        client = WebClient(AddressGuard(), at_once_max=2)
        calls = [asyncio.create_task(client.send(get(endpoint), 100)) for _ in range(5)]
        await full.wait()
        other = await client.send(get(f"{endpoint.replace('127.0.0.1', 'localhost')}/other"), 100)
        statuses = [other.status, *[(await each).status for each in calls]]
        await client.close()
        return statuses

    assert asyncio.run(serving(handle, use)) == [200] * 6
    assert most == 2


def test_of_an_error_the_beginning_is_read() -> None:
    """A cause has 32,768 characters; what is behind them is not waited for."""

    async def endless(request: web.Request) -> web.StreamResponse:
        """An error without end."""
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    assert len(answered(endless).body) == ERROR_BYTES_MAX


def test_a_packed_answer_is_unpacked() -> None:
    """Some servers pack what nobody asked them to pack."""

    async def packed(_: web.Request) -> web.StreamResponse:
        """An answer in gzip."""
        return web.Response(body=gzip.compress(b"text"), headers={"Content-Encoding": "gzip"})

    assert answered(packed).body == b"text"


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    """Its length was given."""

    async def broken(request: web.Request) -> web.StreamResponse:
        """Half of an answer."""
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    with pytest.raises(NoAnswerError, match="the connection was closed within the answer"):
        answered(broken)
