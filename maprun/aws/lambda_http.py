"""Lambda's Invoke call over a keep-alive pool: endpoint, keys and signature as boto3 would have them, at a fraction."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from botocore.config import Config
from yarl import URL

from maprun.aws.clients import AwsSettings, client_config, make_session
from maprun.aws.errors import AnswerTooLargeError
from maprun.aws.lambda_answers import FUNCTION_ERROR, HTTP_OK_BELOW, Answer, InvokeParameters, client_context
from maprun.aws.open_files import once_one_is_free
from maprun.aws.signing import Signers
from maprun.aws.sigv4 import Keys

IDEMPOTENCY_HEADER = "X-Maprun-Idempotency-Key"
API = "/2015-03-31/functions/"
AWS = "aws"
"""The endpoint that is AWS's own, whatever the environment names."""
ANSWER_BYTES_MAX = 6_291_556  # Lambda's own bound of a synchronous answer
READ_BYTES = 64 << 10

_NO_AUTO_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class LambdaHttp:
    """Makes Invoke calls. Use within one event loop; `close` at the end."""

    def __init__(
        self,
        endpoint: str,
        settings: AwsSettings,
        wall_seconds: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        session = make_session(settings)
        config = client_config(settings)
        if endpoint == AWS:
            config = config.merge(Config(ignore_configured_endpoint_urls=True))
        # botocore knows the endpoint of every region and all settings that name another one.
        client: Any = session.client(
            "lambda",
            endpoint_url=None if endpoint == AWS else endpoint or None,
            config=config,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",  # noqa: S106 - this client makes no call; its endpoint is all we want
        )
        place = urlsplit(str(client.meta.endpoint_url))
        self._base = f"{place.scheme}://{place.netloc}"
        self._root = place.path.rstrip("/")
        self._host = place.netloc
        self._region = str(client.meta.region_name)
        # None without keys: a function host on this machine asks for none.
        self._signers = Signers(session.get_credentials, "lambda", wall_seconds, monotonic)
        self._http: aiohttp.ClientSession | None = None

    @property
    def address(self) -> str:
        """Where it is."""
        return f"{self._base}{self._root}"

    async def close(self) -> None:
        """Closes the pool."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def invoke(
        self,
        parameters: InvokeParameters,
        body: bytes,
        seconds_max: float,
        idempotency_key: str,
        role: Keys | None = None,
        beside: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a call with the process's keys or a role's, with headers `beside` those that are signed.

        Raises aiohttp.ClientError, TimeoutError, OSError or AnswerTooLargeError.
        """
        path = self._root
        if not path.endswith("/invocations"):  # else it is the address of one function alone
            path = f"{path}{API}{quote(parameters.function_name, safe='')}/invocations"
        query = f"Qualifier={quote(parameters.qualifier, safe='')}" if parameters.qualifier else ""
        headers = {"x-amz-invocation-type": parameters.invocation_type}
        if parameters.log_type:
            headers["x-amz-log-type"] = parameters.log_type
        headers["x-amz-client-context"] = parameters.client_context or client_context(idempotency_key)
        unsigned = {IDEMPOTENCY_HEADER: idempotency_key, "Content-Type": "application/json", **(beside or {})}
        url = URL(f"{self._base}{path}?{query}" if query else f"{self._base}{path}", encoded=True)

        async def posted() -> Answer:
            # Each time anew: Lambda takes a signature for five minutes.
            signer = await self._signers.of(self._region, role)
            sent = headers
            if signer is not None:
                sent = signer.signed("POST", self._host, path, query, headers, body, self._signers.amz_date())
            return await self._post(url, sent | unsigned, body, seconds_max)

        return await once_one_is_free(posted)

    async def _post(self, url: URL, headers: dict[str, str], body: bytes, answer_seconds: float) -> Answer:
        # Connections waited for in the pool are no trouble of the callee: only connecting and reading are timed.
        timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=self._settings.task_connect_timeout_seconds,
            sock_read=answer_seconds,
        )
        async with self._pool().post(
            url,
            data=body,
            headers=headers,
            timeout=timeout,
            skip_auto_headers=_NO_AUTO_HEADERS,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers, await _read(response))

    def _pool(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.lambda_connections_max, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The answer's body; of an error its beginning is enough. Raises AnswerTooLargeError, the connection closed."""
    if (response.content_length or ANSWER_BYTES_MAX + 1) <= ANSWER_BYTES_MAX:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_chunked(READ_BYTES):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            response.close()
            if response.status >= HTTP_OK_BELOW or FUNCTION_ERROR in response.headers:
                break
            raise AnswerTooLargeError(f"The function answered more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)
