"""`apigateway:invoke`: a request to an API behind API Gateway (developer guide, connect-api-gateway).

Where an API is that the configuration names, its URL is that of the configuration; else it is API Gateway's own.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

import msgspec
from yarl import URL

from maprun.aws.parameters import UnusableError, parameters_as, unusable
from maprun.aws.signing import Signers
from maprun.aws.sigv4 import Keys
from maprun.aws.web.answers import UnreadableError, result_of, text_of
from maprun.aws.web.client import NoAnswerError, NotAllowedError, WebAnswer, WebClient, WebRequest
from maprun.aws.web.failures import TaskError
from maprun.aws.web.members import MemberError, Pairs, encoded, escaped, headers_of, pairs_of

JSON = "application/json"
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
NO_ANSWER = "ApiGateway.SdkClientException"
RESERVED = (
    *("authorization", "connection", "content-length", "content-md5", "expect", "host", "max-forwards"),
    *("proxy-authenticate", "server", "te", "transfer-encoding", "trailer", "upgrade", "via", "www-authenticate"),
)
RESERVED_PREFIXES = ("x-forwarded", "x-amz")
"""Headers that a definition may not set."""
_OWN = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_HOST = re.compile(r"(?P<api>[A-Za-z0-9-]+)(?:\.[A-Za-z0-9-]+)*")


class GatewayParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """The parameters of `arn:aws:states:::apigateway:invoke`."""

    api_endpoint: str
    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
    headers: dict[str, Any] | None = None
    stage: str | None = None
    path: str | None = None
    query_parameters: dict[str, Any] | None = None
    request_body: msgspec.Raw = msgspec.Raw(b"null")
    allow_null_values: bool = False
    auth_type: Literal["NO_AUTH", "IAM_ROLE", "RESOURCE_POLICY"] = "NO_AUTH"


class Place(NamedTuple):
    """Where an API is: a URL without a slash at its end, and the Region that signatures are for."""

    base: str
    region: str
    configured: bool


class Gateways:
    """Where APIs are. `named` are hosts, `*` for any letters, with the URLs of those that are elsewhere."""

    def __init__(self, named: list[tuple[str, str]], region: str) -> None:
        self._named = named
        self._region = region

    def of(self, host: str) -> Place:
        """The place of an ApiEndpoint. Raises MemberError."""
        own, any_host = _OWN.fullmatch(host), _HOST.fullmatch(host)
        url = next((url for pattern, url in self._named if any_host and fnmatchcase(host, pattern)), None)
        if any_host and url is not None:
            region = own["region"] if own else self._region
            return Place(url.replace("{api}", any_host["api"]).rstrip("/"), region, configured=True)
        if own is None:
            raise MemberError(
                "The value for the field 'ApiEndpoint' must be like <API ID>.execute-api.<region>.amazonaws.com"
            )
        return Place(f"https://{host}", own["region"], configured=False)


class GatewayInvoker:
    """Makes the calls of `apigateway:invoke`."""

    def __init__(self, client: WebClient, places: Gateways, signers: Signers) -> None:
        self._client = client
        self._places = places
        self._signers = signers

    async def invoke(
        self, parameters: bytes, extra: Mapping[str, str], answer_bytes_max: int, role: Keys | None = None
    ) -> bytes:
        """The result; `extra` headers are sent beside the request's own. Raises TaskError, AnswerTooLargeError.

        What is signed is so with the process's keys or a role's.
        """
        try:
            asked = parameters_as(parameters, GatewayParameters)
            place = self._places.of(asked.api_endpoint)
            query = pairs_of(asked.query_parameters or {}, "QueryParameters")
            request = request_of(asked, place, query)
        except UnusableError as error:
            raise TaskError("States.Runtime", str(error)) from error
        except MemberError as error:
            raise TaskError("States.Runtime", unusable(parameters, str(error))) from error
        if asked.auth_type != "NO_AUTH":
            request.headers.update(await self._signature(request, place.region, query, role))
        request.headers.update(extra)
        try:
            answer = await self._client.send(request, answer_bytes_max)
        except NotAllowedError as error:
            raise TaskError("States.Permissions", str(error)) from error
        except NoAnswerError as error:
            raise TaskError(NO_ANSWER, f"Unable to execute HTTP request: {error}") from error
        return _outcome(answer)

    async def _signature(self, request: WebRequest, region: str, query: Pairs, role: Keys | None) -> dict[str, str]:
        """Host, date, token and signature. The query is signed in the order of its members, whatever it is sent in."""
        signer = await self._signers.of(region, role)
        if signer is None:
            raise TaskError(NO_ANSWER, "Unable to load credentials to sign the request with")
        url = request.url
        host = url.authority if url.explicit_port is not None else url.raw_host or ""
        ordered = "&".join(sorted(encoded([pair]) for pair in query))
        return signer.signed(request.method, host, url.raw_path, ordered, {}, request.body, self._signers.amz_date())


def _outcome(answer: WebAnswer) -> bytes:
    try:
        text = text_of(answer)
    except UnreadableError as error:
        raise TaskError("States.Runtime", str(error)) from error
    if not answer.ok:
        raise TaskError(f"ApiGateway.{answer.status}", text or answer.reason)
    return result_of(answer, text)


def request_of(asked: GatewayParameters, place: Place, query: Pairs) -> WebRequest:
    """The request, unsigned. Raises MemberError."""
    segments = [*(asked.stage or "").split("/"), *(asked.path or "").removeprefix("/").split("/")]
    if any(segment in {".", ".."} for segment in segments):
        raise MemberError("The value for the field 'Path' must lead nowhere but down")
    path = "".join(f"/{escaped(part)}" for part in segments[0 if asked.stage else 1 :])
    headers = headers_of(asked.headers or {}, RESERVED, RESERVED_PREFIXES)
    headers.setdefault("User-Agent", "maprun")
    body = bytes(asked.request_body)
    body = body if asked.allow_null_values else without_nulls(body)
    if body and asked.method in WITH_BODY:
        headers.setdefault("Content-Type", JSON)
    else:
        body = b""
    url = URL(f"{place.base}{path}?{encoded(query)}" if query else f"{place.base}{path}", encoded=True)
    return WebRequest(asked.method, url, headers, body, place.configured)


def without_nulls(value: bytes) -> bytes:
    """JSON without members that are null, all else as it was written; nothing of a null."""
    value = value.strip()
    if value == b"null":
        return b""
    if value[:1] == b"{":
        members = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
        kept = {name: found for name, each in members.items() if (found := without_nulls(bytes(each)))}
        return msgspec.json.encode({name: msgspec.Raw(each) for name, each in kept.items()})
    if value[:1] == b"[":
        elements = msgspec.json.decode(value, type=list[msgspec.Raw])
        return msgspec.json.encode([msgspec.Raw(without_nulls(bytes(each)) or b"null") for each in elements])
    return value
