"""What happens to a request before its operation is looked for: who may ask, how its body is unpacked, how a no looks.

Every refusal is JSON in AWS's shape, so that no SDK stumbles over a text where it expects an error.
"""

import ipaddress
import zlib
from collections.abc import Awaitable, Callable, Collection
from typing import Final
from urllib.parse import urlsplit

import msgspec
import zstandard
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from maprun.requests.checks import Refusal
from services.maprun_tracker.access.allowed import Caller
from services.maprun_tracker.access.gate import Gate
from services.maprun_tracker.access.signatures import SignedRequest
from services.maprun_tracker.api import identity
from services.maprun_tracker.api.bodies import Bodies, Body, too_large
from services.maprun_tracker.api.errors import retry_headers, retry_seconds, status_of
from services.maprun_tracker.api.owners import PEER_PATH

CONTENT_TYPE = "application/x-amz-json-1.0"
BODY_BYTES_MAX = 2 << 20
ESCAPED_BYTES = 6
"""Bytes that a client may write for one character of an input: `\\u00e9`."""
_AROUND_BYTES = 64 << 10
"""Of a request beside its largest member."""
NO_SNIFFING: Final = {"X-Content-Type-Options": "nosniff"}
"""A browser is to take no answer for a page or a script, whatever of a user's stands in it."""
ENCODINGS_MAX = 3
"""Each unpacking may take as long as the largest body takes."""
TARGET_PREFIX: Final = "AWSStepFunctions."
CALLER: Final = web.RequestKey("caller", Caller)
"""Who asks, of a request whose signature was verified."""
BODY: Final = web.RequestKey("body", bytes)
"""The body of a request, as it came."""
HEALTH_PATHS: Final = frozenset({"/metrics", "/healthz", "/readyz"})
_FORBIDDEN = 403
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".test")
"""Domains that nobody can register, so no page from the Internet can make its own name lead here."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def body_bytes_max(payload_bytes_max: int) -> int:
    """The bound on a request's body: a payload of that size fits, however the client escapes it."""
    return max(BODY_BYTES_MAX, ESCAPED_BYTES * payload_bytes_max + _AROUND_BYTES)


def middleware(api: str, hosts: Collection[str], new_id: Callable[[], str]) -> Middleware:
    """Refuses requests of strangers and says what aiohttp refuses in AWS's shape.

    `api` is this process's own address; `hosts` are further names that it is reached by.
    """
    own = frozenset({(urlsplit(api).hostname or "").lower(), *(host.lower() for host in hosts)})

    @web.middleware
    async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.path not in HEALTH_PATHS:
                check_asker(request.headers.get(hdrs.HOST, ""), request.headers.get(hdrs.ORIGIN), own)
                check_fetched(request.headers.get("Sec-Fetch-Site", ""), request.headers.get("Sec-Fetch-Mode", ""))
            return await handler(request)
        except web.HTTPException as error:
            return refused(new_id(), _refusal_of(request, error), error.status)
        except StrangerError as stranger:
            return refused(new_id(), stranger, _FORBIDDEN)
        except Refusal as refusal:
            return refused(new_id(), refusal)

    return front


def admission(bodies: Bodies, gate: Gate | None, open_paths: Collection[str]) -> Middleware:
    """Reads the body of each request within bounds, and has it from who has a key where there is a `gate`.

    Requests to `open_paths` hold nothing of a user's: they need no key, and their bodies are not read.
    """

    @web.middleware
    async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in open_paths:
            return await handler(request)
        with bodies.held_by(request) as body:
            if gate is None:
                request[BODY] = await body.read()
            else:
                request[CALLER] = await _caller(gate, request, body)
            return await handler(request)

    return admitted


async def _caller(gate: Gate, request: web.Request, body: Body) -> Caller:
    """Who asks, and the request's body; that of who has no key is not read. Raises Refusal."""
    service = "sts" if identity.is_query(request.headers) else "states"
    headers = [(name.lower(), value) for name, value in request.headers.items()]
    signed = SignedRequest(request.method, request.raw_path, headers)
    claimed = gate.claim(signed, service, peer=request.path.startswith(PEER_PATH))
    operation = request.headers.get("X-Amz-Target", "").removeprefix(TARGET_PREFIX)
    request[BODY] = await body.read()
    return gate.let_in(claimed, signed, request[BODY], operation)


class StrangerError(Refusal):
    """A request that a web page from elsewhere may have sent."""

    def __init__(self, message: str) -> None:
        super().__init__("AccessDeniedException", message)


def check_asker(host: str, origin: str | None, own: Collection[str]) -> None:
    """Refuses a request that a web page from elsewhere may have sent. Raises StrangerError.

    Such a page comes with an Origin that is not the address asked (browsers send it with every POST), or it has made
    its own domain lead to this machine (DNS rebinding), which the Host header gives away.
    """
    name = urlsplit(f"//{host}").hostname or ""
    if not (_is_address(name) or "." not in name or name.endswith(_LOCAL_SUFFIXES) or _named(name, own)):
        raise StrangerError(
            f"This API is not reached by the name '{name}'. If it is yours, add it to MAPRUN_API_HOSTS of the tracker."
        )
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        raise StrangerError(f"Web pages of '{origin}' may not use this API.")


def check_fetched(site: str, mode: str) -> None:
    """Refuses what a page from elsewhere loads without an Origin, as a picture or a script. Raises StrangerError.

    It could not read the answer, but it could have the work done. Links may lead here from anywhere: they are followed
    by a person, and the page that had them sees nothing either.
    """
    if site in {"cross-site", "same-site"} and mode != "navigate":
        raise StrangerError("Web pages from elsewhere may not use this API.")


def _named(name: str, own: Collection[str]) -> bool:
    """True for a name of our own; AWS's SDKs put `sync-` before it for two operations."""
    return name in own or name.removeprefix("sync-") in own


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def unpacked(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """A body without its Content-Encoding. Raises Refusal (SerializationException, RequestEntityTooLargeException)."""
    names = [part.strip().lower() for part in encoding.split(",") if part.strip()]
    if len(names) > ENCODINGS_MAX:
        raise Refusal("SerializationException", f"A body is packed {ENCODINGS_MAX} times at most.")
    plain = body
    for name in reversed(names):
        plain = _unpacked_once(plain, name, bytes_max)
    return plain


def _unpacked_once(body: bytes, name: str, bytes_max: int) -> bytes:
    try:
        match name:
            case "identity":
                return body
            case "gzip" | "x-gzip":
                return _inflated(body, 16 + zlib.MAX_WBITS, bytes_max)
            case "deflate":  # with zlib's header, as the standard says, or without it, as some clients write it
                zlib_header = body[:1] and body[0] & 0x0F == zlib.DEFLATED
                return _inflated(body, zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS, bytes_max)
            case "zstd":
                reader = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True)
                return _within(reader.read(bytes_max + 1), bytes_max)
            case _:
                known = "gzip, deflate and zstd"
                raise Refusal("SerializationException", f"Content-Encoding '{name}' is not known here; {known} are.")
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise Refusal("SerializationException", f"The request body is not the {name} it says it is: {error}") from None


def _inflated(body: bytes, window: int, bytes_max: int) -> bytes:
    inflater = zlib.decompressobj(window)
    plain = _within(inflater.decompress(body, bytes_max + 1), bytes_max)
    if not inflater.eof:
        raise EOFError("it breaks off")
    return plain


def _within(plain: bytes, bytes_max: int) -> bytes:
    if len(plain) > bytes_max:
        raise too_large(bytes_max)
    return plain


def _refusal_of(request: web.Request, error: web.HTTPException) -> Refusal:
    """What aiohttp says no to, in AWS's shape."""
    match error:
        case web.HTTPNotFound():
            where = f"There is nothing at '{request.path}'; the API answers POST requests at '/'."
            return Refusal("UnknownOperationException", where)
        case web.HTTPMethodNotAllowed():
            how = ", ".join(sorted(error.allowed_methods))
            return Refusal("UnknownOperationException", f"'{request.path}' answers {how}, not {request.method}.")
        case _:
            return Refusal("SerializationException", f"The request can't be read: {error.reason}.")


def refused(request_id: str, refusal: Refusal, status: int = 0) -> web.Response:
    """A refusal as AWS words it; the status is the refusal's own unless one is given."""
    body = {"__type": refusal.code, "message": refusal.message}
    if refusal.reason:
        body["reason"] = refusal.reason
    return response(request_id, status or status_of(refusal), msgspec.json.encode(body), retry_seconds(refusal))


def response(request_id: str, status: int, body: bytes, retry_after_seconds: float = 0.0) -> web.Response:
    """A response with the headers that all of AWS's have, and how long to wait before the same is asked again."""
    headers = {
        "x-amzn-RequestId": request_id,
        "Content-Type": CONTENT_TYPE,
        **NO_SNIFFING,
        **retry_headers(retry_after_seconds),
    }
    return web.Response(status=status, body=body, headers=headers)
