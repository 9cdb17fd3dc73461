"""The HTTP of SDK calls: botocore writes requests and reads answers, aiohttp carries them, so a wait holds no thread.

A call is made again and again in botocore, each time with the answers so far. Where it would send one request more it
stops, that request is sent, and its answer is the next one. So signatures, redirects, errors and hooks stay botocore's.
"""

import io
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import aiohttp
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from yarl import URL

from maprun.aws.errors import AnswerTooLargeError
from maprun.aws.open_files import NoFileError, once_one_is_free

T = TypeVar("T")
CHUNK_BYTES = 64 << 10
KEEP_ALIVE_SECONDS = 4.0  # less than servers keep a connection that rests: one that was closed meanwhile fails a call
WAIT_SECONDS_MAX = 200.0
"""So long a signed request waits for an open file: services take a signature for five minutes."""
_NO_AUTO_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
# A server that never says "100 Continue" would be waited for; it is not signed.
_NOT_SENT = frozenset({"expect"})


class Answer(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class UnansweredError(BaseException):
    """A call comes to a request that has no answer yet. None of botocore's handlers of errors may catch it."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__(request.url)
        self.request = request


class Answers:
    """Gives the calls of botocore's clients answers in the place of their HTTP. Safe in threads."""

    def __init__(self) -> None:
        self._own = threading.local()

    def bind(self, client: Any) -> None:
        """From now on the client sends nothing itself."""
        client.meta.events.register_first("choose-signer", self._choose_signer)
        client.meta.events.register_last("before-send", self._before_send)

    def during(self, answers: list[Answer | BotoCoreError], work: Callable[[], T]) -> T:
        """What `work` gives with these answers to its requests, in order. Raises UnansweredError at the next one."""
        self._own.answers = deque(answers)
        return work()

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the last answer that a call of this thread was given, spelt as they came; botocore's are lower-case."""
        headers: Mapping[str, str] = self._own.headers
        return headers

    def _choose_signer(self, **_: Any) -> Any:
        """A request that has its answer already needs no signature; all others get botocore's."""
        return UNSIGNED if self._own.answers else None

    def _before_send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        answers: deque[Answer | BotoCoreError] = self._own.answers
        if not answers:
            raise UnansweredError(request)
        answer = answers.popleft()
        if isinstance(answer, BotoCoreError):
            raise answer
        self._own.headers = answer.headers
        return AWSResponse(request.url, answer.status, answer.headers, _Body(answer.body))


class _Body(io.BytesIO):
    """A body that was read, in the place of the connection it came by."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """The body at once."""
        yield self.read()


class SdkHttp:
    """Sends requests over kept connections. Use within one event loop; `close` at the end."""

    def __init__(self, connect_seconds: float, answer_bytes_max: int, wait_seconds: float = WAIT_SECONDS_MAX) -> None:
        self._connect_seconds = connect_seconds
        self._wait_seconds = wait_seconds
        self._bytes_max = answer_bytes_max
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes all connections."""
        if self._http is not None:
            await self._http.close()

    async def send(
        self, request: AWSPreparedRequest, read_seconds: float, bytes_max: int = 0
    ) -> Answer | BotoCoreError | None:
        """The answer, or why there is none. Raises AnswerTooLargeError; no more is read then.

        None: it has waited so long for an open file that it has to be signed again.
        """
        headers = {str(name): text(value) for name, value in request.headers.items()}
        headers = {name: value for name, value in headers.items() if name.lower() not in _NOT_SENT}
        headers.setdefault("Accept-Encoding", "identity")
        connect_seconds = min(self._connect_seconds, read_seconds)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds, sock_read=read_seconds)
        sent = request.body.read() if hasattr(request.body, "read") else request.body

        async def exchanged() -> Answer:
            # What is large is written piece by piece: others have their turn in between.
            body = io.BytesIO(sent) if sent and len(sent) > CHUNK_BYTES else sent
            async with self._session().request(
                request.method,
                URL(request.url, encoded=True),
                data=body or None,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                found = await self._read(response, bytes_max or self._bytes_max)
                return Answer(response.status, dict(response.headers), found)

        try:
            return await once_one_is_free(exchanged, self._wait_seconds)
        except NoFileError:
            return None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _unanswered(request.url, error)

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=KEEP_ALIVE_SECONDS)
            self._http = aiohttp.ClientSession(
                connector=connector, skip_auto_headers=_NO_AUTO_HEADERS, auto_decompress=False, trust_env=True
            )
        return self._http

    async def _read(self, response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            body += chunk
            if len(body) > bytes_max:
                response.close()
                raise AnswerTooLargeError(f"The answer has more than {bytes_max} bytes")
        return bytes(body)


def text(value: str | bytes) -> str:
    """A header's value as botocore may have it."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _unanswered(url: str, error: Exception) -> BotoCoreError:
    """What botocore would raise."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ConnectTimeoutError(endpoint_url=url, error=error)
        case TimeoutError():
            return ReadTimeoutError(endpoint_url=url, error=error)
        case aiohttp.ClientSSLError():
            return SSLError(endpoint_url=url, error=error)
        case aiohttp.ClientConnectorError():
            return EndpointConnectionError(endpoint_url=url, error=error)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | OSError():
            return ConnectionClosedError(endpoint_url=url, error=error)
        case _:
            return HTTPClientError(error=error)
