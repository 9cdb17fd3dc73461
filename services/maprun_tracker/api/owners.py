"""Several processes of the tracker: who owns which home, and a request handed on, once at most."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp
import msgspec
from yarl import URL

from maprun.aws.own_calls import OwnSigner
from maprun.integrations.executions import TASK_PATTERN_HEADER, TASK_TOKEN_HEADER
from schemas.traces import XRAY_HEADER
from services.maprun_tracker.api.errors import RETRY_MILLISECONDS_HEADER, Unavailable

PEER_PATH = "/maprun/peer"
"""Under it a process answers for its own homes alone and hands nothing on. Where requests must be signed, only
processes of the tracker ask there: whoever took the request has seen what its key may do."""
HOMES_HEADER = "X-Maprun-Homes"
"""The homes that such an answer speaks for, separated by commas."""
HANDED_ON_SECONDS_MAX = 25.0
"""Of a request that is answered at once; one that waits may take so much longer."""
CONNECT_SECONDS_MAX = 2.0
LOOK_SECONDS, LOOK_SECONDS_MAX = 0.1, 1.0
"""How often it is looked whether the other still is the one to ask: less often of a request that waits long."""
INVOCATION_HEADER = "amz-sdk-invocation-id"
"""Of an SDK's call, the same for all its attempts. A request that came without one is handed on with one, so that it is
the same request wherever it comes."""
_HEADERS_KEPT = ("X-Amz-Target", "Content-Type", TASK_TOKEN_HEADER, TASK_PATTERN_HEADER, XRAY_HEADER)


class Owners(Protocol):
    """Who owns what, as the group's last assignment said."""

    def url_of(self, home: int) -> str | None:
        """The URL of the process that owns a home; None when nobody is known to."""
        ...

    def others(self) -> Mapping[str, list[int]]:
        """The other processes: URL → homes."""
        ...


class PeerAnswer(msgspec.Struct, frozen=True):
    """What another process answered, and for which homes it spoke."""

    status: int
    body: bytes
    homes: frozenset[int]
    retry_after_seconds: float = 0.0


class PeerRequest(msgspec.Struct, frozen=True):
    """A request as it is handed on: its path and query, headers, body ("" = GET), and what all its attempts share.

    `waits_seconds` is how long the one who knows the answer may wait for it.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    attempt_of: str
    waits_seconds: float = 0.0


async def hand_on(
    http: aiohttp.ClientSession, signer: OwnSigner | None, url: str, asked: PeerRequest, owns: Callable[[], bool]
) -> PeerAnswer:
    """Asks the process at `url`, as long as `owns` says that it is the one to ask.

    Raises Unavailable when it can't be asked. One that was killed or stopped stands in the assignment for some seconds.
    """
    request, look_seconds = asyncio.ensure_future(_ask(http, signer, url, asked)), LOOK_SECONDS
    try:
        while not request.done():
            await asyncio.wait({request}, timeout=look_seconds)
            look_seconds = min(look_seconds * 1.1, LOOK_SECONDS_MAX)
            if not request.done() and not owns():
                raise Unavailable("What was asked for goes to another process just now; try again.")
        return request.result()
    finally:
        request.cancel()


async def _ask(http: aiohttp.ClientSession, signer: OwnSigner | None, url: str, asked: PeerRequest) -> PeerAnswer:
    kept = {name: asked.headers[name] for name in _HEADERS_KEPT if name in asked.headers}
    kept[INVOCATION_HEADER] = asked.attempt_of
    timeout = aiohttp.ClientTimeout(total=HANDED_ON_SECONDS_MAX + asked.waits_seconds, sock_connect=CONNECT_SECONDS_MAX)
    address = URL(url.rstrip("/") + PEER_PATH + asked.path, encoded=True)
    method = "POST" if asked.body else "GET"
    if signer is not None:
        kept = signer.sign(method, address, kept, asked.body)
    try:
        request = http.request(method, address, data=asked.body or None, headers=kept, timeout=timeout)
        async with request as response:
            homes = frozenset(map(int, filter(None, response.headers.get(HOMES_HEADER, "").split(","))))
            retry_seconds = int(response.headers.get(RETRY_MILLISECONDS_HEADER, 0)) / 1000
            return PeerAnswer(response.status, await response.read(), homes, retry_seconds)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Unavailable(f"The process that knows the answer can't be asked: {type(error).__name__}") from error
