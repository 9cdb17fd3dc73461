"""`http:invoke`: a request to an HTTPS API, authorized by a connection (developer guide, call-https-apis)."""

import base64
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import replace
from multidict import CIMultiDict
from yarl import URL

from maprun.aws.parameters import UnusableError, parameters_as, unusable
from maprun.aws.web.answers import UnreadableError, result_of, text_of
from maprun.aws.web.client import NoAnswerError, NotAllowedError, Watch, WebAnswer, WebClient, WebRequest
from maprun.aws.web.connections import Authorization, Connection, Connections, Parameter
from maprun.aws.web.failures import TaskError
from maprun.aws.web.members import MemberError, Pairs, encoded, form, headers_of, pairs_of
from maprun.aws.web.tokens import Tokens

Method = Literal["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]
RANGE = "bytes=0-262144"
JSON = "application/json; charset=UTF-8"
UNAUTHORIZED = frozenset({401, 407})
RESERVED = (
    *("a-im", "accept-charset", "accept-datetime", "accept-encoding", "authorization", "cache-control", "connection"),
    *("content-encoding", "content-length", "content-md5", "date", "expect", "forwarded", "from", "host"),
    *("http2-settings", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"),
    *("max-forwards", "origin", "pragma", "proxy-authorization", "referer", "server", "te", "trailer"),
    *("transfer-encoding", "upgrade", "via", "warning"),
)
RESERVED_PREFIXES = ("x-forwarded-", "x-amz-", "x-amzn-")
"""Headers that a definition may not set."""


class _Connected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    connection_arn: str


class _Encoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    array_format: Literal["INDICES", "REPEAT", "COMMAS", "BRACKETS"] = "INDICES"


class _Transform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    request_body_encoding: Literal["NONE", "URL_ENCODED"] = "NONE"
    request_encoding_options: _Encoding = _Encoding()


class HttpParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """The parameters of `arn:aws:states:::http:invoke`."""

    api_endpoint: str
    method: Method
    authentication: _Connected | None = None
    invocation_config: _Connected | None = None
    headers: dict[str, Any] | None = None
    query_parameters: dict[str, Any] | str | None = None
    request_body: msgspec.Raw = msgspec.Raw(b"")
    transform: _Transform = _Transform()

    def connection_arn(self) -> str:
        """The connection. Raises MemberError if none is named."""
        named = self.invocation_config or self.authentication
        if named is None:
            raise MemberError("The field 'InvocationConfig' is required but was missing")
        return named.connection_arn


class HttpInvoker:
    """Makes the calls of `http:invoke`."""

    def __init__(self, client: WebClient, connections: Connections, tokens: Tokens, region: str) -> None:
        self._client = client
        self._connections = connections
        self._tokens = tokens
        self._user_agent = f"Amazon|StepFunctions|HttpInvoke|{region}"

    async def invoke(
        self, parameters: bytes, extra: Mapping[str, str], answer_bytes_max: int, watch: Watch | None = None
    ) -> bytes:
        """The result; `extra` headers are sent beside the request's own. Raises TaskError, AnswerTooLargeError."""
        own = {**extra, "User-Agent": self._user_agent, "Range": RANGE}
        try:
            asked = parameters_as(parameters, HttpParameters)
            connection = self._connections.of(asked.connection_arn())
            request = request_of(asked, connection)
            if watch is not None:
                watch.request = request_of(asked, replace(connection, auth=Authorization()))
                watch.request.headers.update(own)
        except UnusableError as error:
            raise TaskError("States.Runtime", str(error)) from error
        except MemberError as error:
            raise TaskError("States.Runtime", unusable(parameters, str(error))) from error
        request.headers.update(own)
        answer = await self._authorized(request, connection, answer_bytes_max)
        if watch is not None:
            watch.answer = answer
        return _outcome(answer)

    async def _authorized(self, request: WebRequest, connection: Connection, answer_bytes_max: int) -> WebAnswer:
        """The answer; a token that is refused is renewed once."""
        auth = connection.auth
        if auth.oauth is None:
            request.headers.update(_credentials(connection))
            return await self._sent(request, answer_bytes_max)
        token = await self._tokens.of(connection)
        request.headers["Authorization"] = f"Bearer {token}"
        answer = await self._sent(request, answer_bytes_max)
        if answer.status not in UNAUTHORIZED:
            return answer
        request.headers["Authorization"] = f"Bearer {await self._tokens.of(connection, refused=token)}"
        return await self._sent(request, answer_bytes_max)

    async def _sent(self, request: WebRequest, answer_bytes_max: int) -> WebAnswer:
        try:
            return await self._client.send(request, answer_bytes_max)
        except NotAllowedError as error:
            raise TaskError("States.Permissions", str(error)) from error
        except NoAnswerError as error:
            raise TaskError("States.Http.Socket", str(error)) from error


def _outcome(answer: WebAnswer) -> bytes:
    try:
        text = text_of(answer)
    except UnreadableError as error:
        raise TaskError("States.Runtime", str(error)) from error
    if not answer.ok:
        raise TaskError(f"States.Http.StatusCode.{answer.status}", text or answer.reason)
    return result_of(answer, text)


def _credentials(connection: Connection) -> dict[str, str]:
    auth = connection.auth
    if auth.api_key is not None:
        return {auth.api_key.name: auth.api_key.value}
    assert auth.basic is not None
    pair = f"{auth.basic.username}:{auth.basic.password}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def request_of(asked: HttpParameters, connection: Connection) -> WebRequest:
    """The request, all of the connection in it but its authorization. Raises MemberError, TaskError.

    Where both name the same header, member of the query or member of the body, the connection's value is sent.
    """
    url = endpoint_of(asked.api_endpoint)
    if not connection.is_for(str(url.with_query(None))):
        place = f"'{url.scheme}://{url.authority}{url.path}'"
        raise TaskError("States.Permissions", f"The connection '{connection.name}' may not be used for {place}")
    sent = connection.auth.invocation
    headers = headers_of(asked.headers or {}, RESERVED, RESERVED_PREFIXES)
    for name, value in _pairs(sent.headers):
        headers[name] = value
    body = _body(asked, sent.body)
    if body:
        headers.setdefault("Content-Type", JSON)
    query = _query(url, asked.query_parameters, _pairs(sent.query))
    return WebRequest(asked.method, _with_query(url, query), headers, body)


def endpoint_of(text: str) -> URL:
    """The URL of an ApiEndpoint. Raises MemberError."""
    try:
        url: URL | None = URL(text)
    except ValueError:
        url = None
    if url is None or url.scheme not in {"http", "https"} or not url.host or not url.port or url.user is not None:
        raise MemberError("The value for the field 'ApiEndpoint' must be the URL of an HTTPS API")
    return url.with_fragment(None)


def _query(url: URL, given: dict[str, Any] | str | None, connections: Pairs) -> str:
    if isinstance(given, str):
        asked = list(URL.build(query_string=given.removeprefix("?")).query.items())
    else:
        asked = pairs_of(given or {}, "QueryParameters")
    kept = {name for name, _ in connections}
    own = [(name, value) for name, value in [*url.query.items(), *asked] if name not in kept]
    return encoded([*own, *connections])


def _with_query(url: URL, query: str) -> URL:
    return URL(f"{url.with_query(None)}?{query}" if query else str(url.with_query(None)), encoded=True)


def _body(asked: HttpParameters, connections: tuple[Parameter, ...]) -> bytes:
    raw = b"" if bytes(asked.request_body) == b"null" else bytes(asked.request_body)
    forms = asked.transform.request_body_encoding == "URL_ENCODED"
    if connections:
        if raw and raw[:1] != b"{":
            raise MemberError("The field 'RequestBody' must be an object: the connection has members of a body")
        members = msgspec.json.decode(raw or b"{}", type=dict[str, msgspec.Raw])
        raw = msgspec.json.encode({**members, **dict(_pairs(connections))})
    if raw[:1] == b'"' and (forms or not _says_json(asked)):
        return msgspec.json.decode(raw, type=str).encode(errors="replace")
    if not forms or not raw:
        return raw
    if raw[:1] != b"{":
        raise MemberError("The field 'RequestBody' must be an object to be sent URL_ENCODED")
    return form(msgspec.json.decode(raw), asked.transform.request_encoding_options.array_format).encode()


def _says_json(asked: HttpParameters) -> bool:
    """True unless the Task says that its body is something else: then a string is the body as it stands."""
    given = CIMultiDict(pairs_of(asked.headers or {}, "Headers")).get("Content-Type", JSON)
    return "json" in given.lower()


def _pairs(parameters: tuple[Parameter, ...]) -> Pairs:
    return [(each.key, each.value) for each in parameters]
