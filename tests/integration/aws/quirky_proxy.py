"""A proxy that makes an S3 another server, bucket by bucket: answers lost, ETags gone or odd, conditions ignored.

What it does is a function of the requests that came: of each bucket it counts the calls by operation.
"""

import contextlib
import email.utils
import http.client
import re
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

_PASSED_BY = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "expect"})
_LISTED_ETAG = re.compile(rb"<ETag>(.*?)</ETag>")


Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class Quirk(msgspec.Struct, frozen=True, kw_only=True):
    """What is odd about a bucket."""

    lost: tuple[tuple[str, int], ...] = ()  # (operation, n): its n-th answer never comes
    etags: str = ""  # "" = as they are | none | random: of another value for each write, as under KMS
    conditional: bool = True  # False: If-None-Match and If-Match are ignored
    again: int = 0  # status for completing an upload once more; 0 = what the server answers
    refused: dict[str, tuple[int, str]] = {}  # operation → status and code that it always gets
    clock_seconds: float = 0.0  # that its Date is ahead
    aborts_delete: bool = False  # dropping an upload takes away what is at its key
    on_lost: Callable[[], object] | None = None  # called when an answer is lost


class _Bucket:
    """What was seen of a bucket."""

    def __init__(self, quirk: Quirk) -> None:
        self.quirk = quirk
        self.calls: Counter[str] = Counter()
        self.completed: set[str] = set()
        self.real: dict[bytes, bytes] = {}  # ETags without quotes, by those that were handed out
        self.shown: dict[bytes, bytes] = {}  # the other way


class QuirkyProxy:
    """Serves on a port of its own until it is closed."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target).netloc
        self.buckets: dict[str, _Bucket] = {}
        self.lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            """Knows its proxy."""

            quirky = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def odd(self, bucket: str, quirk: Quirk) -> None:
        """From now on a bucket is odd."""
        self.buckets[bucket] = _Bucket(quirk)

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


def operation_of(method: str, key: str, query: dict[str, list[str]]) -> str:
    """S3's name for a request."""
    if not key:
        return "ListObjectsV2" if "list-type" in query else f"{method} bucket"
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if method == "PUT":
        return "UploadPart" if "partNumber" in query else "PutObject"
    return {"GET": "GetObject", "HEAD": "HeadObject", "DELETE": "AbortMultipartUpload"}[method]


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    quirky: QuirkyProxy

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        query = parse_qs(address.query, keep_blank_values=True)
        body = self.rfile.read(int(self.headers.get("Content-Length") or "0"))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _PASSED_BY}
        operation = operation_of(self.command, key, query)
        odd = self.quirky.buckets.get(bucket)
        if odd is None:
            self._answer(*self._forward(headers, body))
            return
        with self.quirky.lock:
            odd.calls[operation] += 1
            number = odd.calls[operation]
        upload = query.get("uploadId", [""])[0]
        if operation in odd.quirk.refused:
            status, code = odd.quirk.refused[operation]
            answer: Answer = (status, {}, f"<Error><Code>{code}</Code><Message>It is so.</Message></Error>".encode())
        elif operation == "CompleteMultipartUpload" and upload in odd.completed and odd.quirk.again:
            status = odd.quirk.again
            answer = (status, {}, b"<Error><Code>Odd</Code><Message>It was completed.</Message></Error>")
        else:
            answer = self._forward(*_disguised(odd, headers, body))
            if operation == "CompleteMultipartUpload" and answer[0] == http.client.OK:
                odd.completed.add(upload)
            if operation == "AbortMultipartUpload" and odd.quirk.aborts_delete:
                self._forward({"Host": self.quirky.target}, b"", address.path)
        if (operation, number) in odd.quirk.lost:
            if odd.quirk.on_lost is not None:
                odd.quirk.on_lost()
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(*_shown(odd, operation, answer))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - http.server's names

    def _forward(self, headers: dict[str, str], body: bytes, path: str = "") -> Answer:
        connection = http.client.HTTPConnection(self.quirky.target, timeout=60)
        try:
            connection.putrequest(self.command, path or self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            found = {name: value for name, value in answer.getheaders() if name.lower() not in _PASSED_BY}
            if self.command == "HEAD":
                found["Content-Length"] = answer.getheader("Content-Length") or "0"
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _disguised(odd: _Bucket, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """The request as the server is to see it."""
    dropped = set() if odd.quirk.conditional else {"if-none-match", "if-match"}
    sent = {name: value for name, value in headers.items() if name.lower() not in dropped}
    if odd.quirk.etags == "random":
        for name, value in sent.items():
            if name.lower() == "if-match":
                bare = value.strip('"').encode()
                sent[name] = f'"{odd.real.get(bare, bare).decode()}"'
        if b"<PartNumber>" in body:
            for fake, real in list(odd.real.items()):
                body = body.replace(fake, real)
    return sent, body


def _shown(odd: _Bucket, operation: str, answer: Answer) -> Answer:
    """The answer as the client is to see it."""
    status, headers, body = answer
    if odd.quirk.clock_seconds:
        headers["Date"] = email.utils.formatdate(time.time() + odd.quirk.clock_seconds, usegmt=True)
    if not odd.quirk.etags:
        return answer

    def fake(real: bytes) -> bytes:
        bare = real.replace(b"&quot;", b"").replace(b"&#34;", b"").strip(b'"')
        if operation == "UploadPart" or bare not in odd.shown:
            odd.shown[bare] = secrets.token_hex(16).encode()
            odd.real[odd.shown[bare]] = bare
        return odd.shown[bare]

    if odd.quirk.etags == "none":
        headers = {name: value for name, value in headers.items() if name.lower() != "etag"}
        body = body if operation == "GetObject" else _LISTED_ETAG.sub(b"", body)
    else:
        headers = {
            name: f'"{fake(value.encode()).decode()}"' if name.lower() == "etag" else value
            for name, value in headers.items()
        }
        if operation != "GetObject":
            body = _LISTED_ETAG.sub(lambda found: b"<ETag>&quot;%b&quot;</ETag>" % fake(found[1]), body)
    return status, headers, body
