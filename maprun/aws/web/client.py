"""The HTTP client of Tasks: calls public addresses alone, each checked before its connection is opened.

A name is looked up once, every address it has is checked, and the connection goes to one of those: a name that changes
its mind between the check and the call gains nothing. Redirects are not followed. No proxy of the environment is used:
it would look names up itself, and nobody would check what they lead to.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from maprun.aws.errors import AnswerTooLargeError
from maprun.aws.open_files import once_one_is_free
from maprun.aws.web.addresses import METADATA_KIND, AddressGuard
from maprun.integrations.service import AT_ONCE_MAX

CALL_SECONDS_MAX = 60.0
"""From the lookup of the name to the end of the answer, as on AWS."""
ERROR_BYTES_MAX = 128 << 10  # of an error's body: a cause has 32,768 characters
CHUNK_BYTES = 64 << 10
KEEP_ALIVE_SECONDS = 4.0  # less than servers keep a connection that rests: one that was closed meanwhile fails a call
LOOKUP_THREADS = 4  # in which names are looked up: the system's own call blocks
LOOKUP_KEPT_SECONDS = 60
CURE = "MAPRUN_HTTP_TASK_ALLOW names what may be called all the same"
_NO_AUTO_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

Origin = tuple[str, str, int]
"""Scheme, host and port."""
Lookup = Callable[..., list[Any]]
"""Has the signature of `socket.getaddrinfo`."""


class NotAllowedError(Exception):
    """A call that may not be made; the message says why."""


class NoAnswerError(Exception):
    """A call that got no answer; the message says why, and holds nothing of the request but the host."""


class AddressRefusedError(OSError):
    """A connection that may not be opened."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class WebRequest(NamedTuple):
    """A request. `configured`: its place is named by the configuration, not by a definition.

    `trust` is what its server's certificate is held against, in place of the system's authorities.
    """

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes = b""
    configured: bool = False
    trust: ssl.SSLContext | None = None


class WebAnswer(NamedTuple):
    """An answer; of one that is no success the body's beginning."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def ok(self) -> bool:
        """True for 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def header(self, name: str) -> str:
        """The first value of a header, given in lower case; empty if it has none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class Watch:
    """Looks on at the call of one Task: what was sent, as far as the Task itself says it, and what came.

    What a connection adds is a secret, and nobody who asks for it can be told from somebody else.
    """

    def __init__(self) -> None:
        self.request: WebRequest | None = None
        self.answer: WebAnswer | None = None


class WebClient:
    """Makes calls. Use within one event loop; `close` at the end.

    `origins` may be called whatever their addresses are, by http as well. Up to `at_once_max` calls of one origin are
    under way; more wait, whatever other origins do.
    """

    def __init__(
        self,
        guard: AddressGuard,
        origins: frozenset[Origin] = frozenset(),
        lookup: Lookup = socket.getaddrinfo,
        seconds_max: float = CALL_SECONDS_MAX,
        at_once_max: int = AT_ONCE_MAX,
    ) -> None:
        self._guard = guard
        self._origins = origins
        self._lookup = lookup
        self._timeout = aiohttp.ClientTimeout(total=seconds_max)
        self._at_once_max = at_once_max
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="names")
        self._rooms: WeakValueDictionary[Origin, asyncio.Semaphore] = WeakValueDictionary()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Closes connections and threads."""
        for session in self._sessions.values():
            await session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, request: WebRequest, answer_bytes_max: int) -> WebAnswer:
        """The answer. Raises NotAllowedError, NoAnswerError or AnswerTooLargeError."""
        url = request.url
        origin = url.scheme, url.host or "", url.port or 0
        configured = request.configured or origin in self._origins
        if url.scheme != "https" and not configured:
            raise NotAllowedError(f"{url.scheme}://{url.authority} may not be called: only https may; {CURE}")
        room = self._rooms.get(origin)
        if room is None:
            room = self._rooms[origin] = asyncio.Semaphore(self._at_once_max)
        async with room:
            return await self._answered(request, configured, answer_bytes_max)

    async def _answered(self, request: WebRequest, configured: bool, answer_bytes_max: int) -> WebAnswer:
        host = request.url.host

        async def exchanged() -> WebAnswer:
            async with self._session(configured).request(
                request.method,
                request.url,
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
                timeout=self._timeout,
                ssl=request.trust or True,
            ) as response:
                return await _read(response, answer_bytes_max)

        try:
            return await once_one_is_free(exchanged)
        except TimeoutError as error:
            raise NoAnswerError(f"{host} has not answered within {self._timeout.total:g} seconds") from error
        except aiohttp.InvalidURL as error:
            raise NotAllowedError(f"{host} may not be called: it is no canonical address") from error
        except (aiohttp.ClientError, OSError) as error:
            inner = getattr(error, "os_error", error)
            if isinstance(inner, AddressRefusedError):
                cure = "" if inner.kind == METADATA_KIND else f"; {CURE}"
                raise NotAllowedError(
                    f"{host} may not be called: an address of it is not public ({inner.kind}){cure}"
                ) from error
            raise NoAnswerError(f"{host}: {_words(error)}") from error

    def _session(self, configured: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(configured)
        if session is None:
            refusal = self._guard.refusal_of_configured if configured else self._guard.refusal
            connector = aiohttp.TCPConnector(
                limit=0,
                resolver=_CheckedResolver(refusal, self._lookup, self._threads),
                socket_factory=lambda info: _opened(info, refusal),
                ttl_dns_cache=LOOKUP_KEPT_SECONDS,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
            )
            session = self._sessions[configured] = aiohttp.ClientSession(
                connector=connector, skip_auto_headers=_NO_AUTO_HEADERS, cookie_jar=aiohttp.DummyCookieJar()
            )
        return session


class _CheckedResolver(AbstractResolver):
    """Looks names up; a name with a single address that may not be called is refused."""

    def __init__(self, refusal: Callable[[str], str], lookup: Lookup, threads: ThreadPoolExecutor) -> None:
        self._refusal = refusal
        self._lookup = lookup
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name."""
        loop = asyncio.get_running_loop()
        kind, flags = socket.SOCK_STREAM, socket.AI_ADDRCONFIG
        found = await loop.run_in_executor(self._threads, self._lookup, host, port, family, kind, 0, flags)
        addresses = [(kept, proto, str(address[0])) for kept, _, proto, _, address in found]
        for _, _, address in addresses:
            if refused := self._refusal(address):
                raise AddressRefusedError(refused)
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kept, proto=proto, flags=numeric)
            for kept, proto, address in addresses
        ]

    async def close(self) -> None:
        """Holds nothing of its own."""


def _opened(info: tuple[Any, ...], refusal: Callable[[str], str]) -> socket.socket:
    """A socket for a connection; the last check, which addresses in URLs meet alone."""
    family, kind, proto, _, address = info
    if refused := refusal(str(address[0])):
        raise AddressRefusedError(refused)
    return socket.socket(family, kind, proto)


async def _read(response: aiohttp.ClientResponse, answer_bytes_max: int) -> WebAnswer:
    headers = tuple(response.headers.items())
    answer = WebAnswer(response.status, response.reason or _phrase(response.status), headers, b"")
    bytes_max = answer_bytes_max if answer.ok else ERROR_BYTES_MAX
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > bytes_max:
            response.close()
            if not answer.ok:
                break
            raise AnswerTooLargeError(f"The answer has more than {bytes_max} bytes")
    return answer._replace(body=bytes(body[:bytes_max]))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _words(error: Exception) -> str:
    """Why there is no answer. The texts of some errors hold the URL, whose query may hold a secret: not these."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "Name or service not known"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not valid for it"
        case aiohttp.ClientSSLError():
            return "no TLS connection could be made"
        case aiohttp.ClientConnectorError():
            return os.strerror(error.errno) if error.errno else "no connection could be made"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection was closed before the answer came"
        case aiohttp.ClientPayloadError():
            return "the connection was closed within the answer, or the answer can't be unpacked"
        case aiohttp.ClientResponseError():
            return "the answer is no HTTP"
        case _:
            return "no connection could be made"
