"""Reading bodies of requests within bounds: of one body, of all that are held at once, and of how slowly one may come.

What a body says of its length is not believed: bytes count once they are here. The first few of each are free, so that
an ordinary request is answered beside peers that hold all that may be held.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from maprun.requests.checks import Refusal
from maprun.runtime.connections import peer_of
from services.maprun_tracker.api.errors import Unavailable

FREE_BYTES: Final = 16 << 10
"""Of each body: of 10,000 connections 160 MB."""


class BodyLimits(msgspec.Struct, frozen=True):
    """Bounds of one process."""

    body_bytes_max: int
    held_bytes_max: int = 256 << 20
    peer_held_bytes_max: int = 128 << 20
    grace_seconds: float = 10.0  # for a body to begin
    bytes_a_second_min: int = 16 << 10


def too_large(bytes_max: int) -> Refusal:
    """A body over the bound, packed or unpacked."""
    return Refusal("RequestEntityTooLargeException", f"The request has more than {bytes_max} bytes.")


class Bodies:
    """The bodies that a process holds."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._held_of: dict[str, int] = {}
        self._held = 0

    @contextlib.contextmanager
    def held_by(self, request: web.Request) -> Iterator["Body"]:
        """The body of a request, to be read. It is held until the request has its answer."""
        address = request.transport.get_extra_info("peername") if request.transport is not None else None
        body = Body(self, self._limits, request, peer_of(address))
        try:
            yield body
        finally:
            self.take(body.peer, -body.counted)

    def take(self, peer: str, size: int) -> bool:
        """Counts bytes, if there is room for them."""
        own = self._held_of.get(peer, 0) + size
        if size > 0 and (own > self._limits.peer_held_bytes_max or self._held + size > self._limits.held_bytes_max):
            return False
        self._held += size
        if own:
            self._held_of[peer] = own
        else:
            self._held_of.pop(peer, None)
        return True


class Body:
    """The body of one request."""

    def __init__(self, bodies: Bodies, limits: BodyLimits, request: web.Request, peer: str) -> None:
        self.peer = peer
        self.counted = 0
        self._bodies = bodies
        self._limits = limits
        self._request = request

    async def read(self) -> bytes:
        """All of it. Raises Refusal when it is too large, too slow, broken, or one too many."""
        request, limits = self._request, self._limits
        if request.content_length is not None and request.content_length > limits.body_bytes_max:
            raise too_large(limits.body_bytes_max)
        content, body, began = request.content, bytearray(), asyncio.get_running_loop().time()
        try:
            while True:
                if content.is_eof():
                    chunk = await content.readany()  # all of it is here
                else:
                    due = began + limits.grace_seconds + len(body) / limits.bytes_a_second_min
                    async with asyncio.timeout_at(due):
                        chunk = await content.readany()
                if not chunk:
                    return bytes(body)
                body += chunk
                self._check(len(body))
        except TimeoutError:
            told = f"The body of a request must begin within {limits.grace_seconds:g} seconds, and go on with"
            raise Refusal("RequestTimeoutException", f"{told} {limits.bytes_a_second_min} bytes a second.") from None
        except ConnectionError:
            # Nobody hears of it; raised as it came it would be an error of the process in its log, with a traceback.
            raise Refusal("RequestTimeoutException", "The client went away before its request's body.") from None
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise Refusal("SerializationException", f"The request body can't be read: {error}") from None

    def _check(self, size: int) -> None:
        """Raises Refusal when the body has grown too large, or when there is no room for it."""
        if size > self._limits.body_bytes_max:
            raise too_large(self._limits.body_bytes_max)
        more = max(0, size - FREE_BYTES) - self.counted
        if not self._bodies.take(self.peer, more):
            raise Unavailable("Too many large requests are under way at this process; try again.", may_come=False)
        self.counted += more
