"""How long a request is held before it is told "not now": most that lacks comes soon, and SDKs give up in a second."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

LOOK_SECONDS = 0.1


class Reply(msgspec.Struct, frozen=True):
    """A response, its error code ("" = none), and whether waiting may bring a better one."""

    code: str
    response: web.Response
    may_come: bool = False


class Holding:
    """Asks again for an answer that may come, within bounds of time and of requests held at once."""

    def __init__(self, seconds_max: float, held_max: int, monotonic: Callable[[], float]) -> None:
        self._seconds_max = seconds_max
        self._held_max = held_max
        self._monotonic = monotonic
        self.held = 0

    async def answer(self, attempt: Callable[[], Awaitable[Reply]], gone: Callable[[], bool]) -> Reply:
        """The first answer that is final, or the last one in time; `gone` says that nobody waits for it any more."""
        until = self._monotonic() + self._seconds_max
        reply = await attempt()
        if self.held >= self._held_max:
            return reply
        self.held += 1
        try:
            while reply.may_come and not gone() and self._monotonic() < until:
                await asyncio.sleep(LOOK_SECONDS)
                reply = await attempt()
        finally:
            self.held -= 1
        return reply
