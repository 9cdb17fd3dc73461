"""GetObject of small ranges in a tenth of botocore's time: of small objects a source may have millions.

Only an answer as it should be is taken from here. Whatever else comes (a refusal, a redirect, a broken connection) is
answered with None: the caller makes the call again with botocore, whose errors, redirects and hooks all others share.
"""

import contextlib
import datetime as dt
import email.utils
import functools
import io
import math
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from maprun.aws.sigv4 import Keys, Signer

SMALL_BYTES_MAX = 256 * 1024
"""Larger ranges are botocore's: there its time is a small share."""
CONNECTIONS_KEPT = 32
_HEAD_BYTES_MAX = 64 * 1024
_EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_OK, _PARTIAL, _SERVER_FAULT = 200, 206, 500
TROUBLE_SECONDS = 5.0
"""After a failure all calls are botocore's for so long: a server in trouble is not to be asked twice for each."""
_ELSEWHERE, _REFUSED = (301, 307), (400, 403)
REFUSED_SECONDS = 300.0
"""So long a bucket's calls are botocore's after a refusal, which may be of one object, or pass; a redirect stays."""
BEGUN_SECONDS_MAX = 10.0
"""An answer that was asked for longer ago is thrown away: the object may be another one by now."""
BEGUN_MAX = 512
"""Requests under way that nobody came for yet: of a hundred sources, less than they open ahead."""
_END = b"\r\n\r\n"

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers by their names in lower case, body."""
Key = tuple[str, ...]


class LightGets:
    """GetObject calls by one client's endpoint, region and keys. Safe in threads."""

    def __init__(
        self,
        client: Any,
        credentials: Any,
        wall_seconds: Callable[[], float],
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        self._credentials = credentials
        self._wall_seconds = wall_seconds
        self._seconds = connect_seconds, read_seconds
        self._region = str(client.meta.region_name)
        place = urlsplit(str(client.meta.endpoint_url))
        self._root = place.path.rstrip("/")
        self._host = place.netloc
        secure = place.scheme == "https"
        self._address = place.hostname or "", place.port or (443 if secure else 80)
        self._tls = ssl.create_default_context(cafile=_authorities()) if secure else None
        self._proxied = bool(get_environ_proxies(str(client.meta.endpoint_url)))
        self._idle: deque[socket.socket] = deque(maxlen=CONNECTIONS_KEPT)
        self._begun: dict[Key, tuple[socket.socket, float]] = {}  # requests that are under way, and since when
        self._declined: dict[
            str, float
        ] = {}  # buckets whose calls came to nothing here, and until when they are not made
        self._date = -1, ""
        self._trouble_until = 0.0
        self._signer: tuple[Keys | None, Signer | None] = None, None

    def __del__(self) -> None:
        """Closes what is open, as botocore's clients do."""
        for connection in (*self._idle, *(begun for begun, _ in self._begun.values())):
            connection.close()

    def begin(self, arguments: Mapping[str, Any]) -> None:
        """Sends a request whose answer the next `get` of these arguments reads."""
        try:
            request = self._request(arguments)
        except (BotoCoreError, RuntimeError):
            return  # keys that can't be renewed: `get` meets the same, and tells it
        if request is None:
            return
        key = _key(arguments)
        if key in self._begun:
            return  # asked for already
        try:
            connection = self._resting() or self._connected()
        except OSError:
            return  # `get` tries again
        try:
            connection.sendall(request)
        except OSError:
            connection.close()
            return
        self._begun[key] = connection, self._wall_seconds()
        while len(self._begun) > BEGUN_MAX:  # nobody came for the oldest
            with contextlib.suppress(StopIteration, KeyError, RuntimeError):
                self._begun.pop(next(iter(self._begun)))[0].close()

    def get(self, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What `get_object(**arguments)` of botocore's answers, as far as sources look at it; None = ask that."""
        begun = self._come_for(arguments)
        request = None
        try:
            request = self._request(arguments)
        finally:
            if request is None and begun is not None:
                begun.close()
        if request is None:
            return None
        answer = self._exchange(request, begun)
        if answer is None or answer[0] >= _SERVER_FAULT:
            self._trouble_until = self._wall_seconds() + TROUBLE_SECONDS
            return None
        status, found, body = answer
        if status not in {_OK, _PARTIAL}:
            if status in _ELSEWHERE:
                self._declined[arguments["Bucket"]] = math.inf
            elif status in _REFUSED:
                self._declined[arguments["Bucket"]] = self._wall_seconds() + REFUSED_SECONDS
            return None
        return _as_botocore(found, body)

    def _request(self, arguments: Mapping[str, Any]) -> bytes | None:
        """The bytes of a request, signed; None where it isn't made here."""
        bucket = arguments["Bucket"]
        if self._proxied or not _is_plain(bucket):
            return None
        if bucket in self._declined and self._wall_seconds() < self._declined[bucket]:
            return None
        if self._trouble_until and self._wall_seconds() < self._trouble_until:
            return None
        signer = self._signer_now()
        if signer is None:
            return None
        path = f"{self._root}/{bucket}/{quote(arguments['Key'], safe='/')}"
        version = arguments.get("VersionId")
        query = f"versionId={quote(version, safe='')}" if version else ""
        headers = {"x-amz-content-sha256": _EMPTY_SHA256, "range": arguments["Range"]}
        if "IfMatch" in arguments:
            headers["if-match"] = arguments["IfMatch"]
        if "ExpectedBucketOwner" in arguments:
            headers["x-amz-expected-bucket-owner"] = arguments["ExpectedBucketOwner"]
        signed = signer.signed("GET", self._host, path, query, headers, b"", self._amz_date())
        lines = [f"GET {path}?{query} HTTP/1.1" if query else f"GET {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in signed.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _come_for(self, arguments: Mapping[str, Any]) -> socket.socket | None:
        """The connection with the answer that was asked for ahead, if it is not too old."""
        connection, since = self._begun.pop(_key(arguments), (None, 0.0))
        if connection is not None and self._wall_seconds() - since > BEGUN_SECONDS_MAX:
            connection.close()
            return None
        return connection

    # ------------------------------------------------------------------ one exchange

    def _exchange(self, request: bytes, begun: socket.socket | None) -> Answer | None:
        """The answer to a request; None when the connection broke or the answer is none that is read here."""
        try:
            if begun is not None and (answered := self._tried(begun, b"")) is not None:
                return answered[0]
            while (connection := self._resting()) is not None:
                if (answered := self._tried(connection, request)) is not None:
                    return answered[0]
            answered = self._tried(self._connected(), request)
        except OSError:
            return None
        return answered[0] if answered is not None else None

    def _tried(self, connection: socket.socket, request: bytes) -> tuple[Answer | None] | None:
        """What came, in a tuple; None when the connection was closed while it rested: the next one, or a new one.

        Raises TimeoutError when nothing came in time: then no other that rests is waited for either.
        """
        try:
            if request:
                connection.sendall(request)
            return (self._answer(connection),)
        except TimeoutError:
            connection.close()
            while (other := self._resting()) is not None:
                other.close()
            raise
        except OSError:
            connection.close()
            return None

    def _resting(self) -> socket.socket | None:
        """A kept connection."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connected(self) -> socket.socket:
        connection = socket.create_connection(self._address, self._seconds[0])
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_hostname=self._address[0])
        connection.settimeout(self._seconds[1])
        return connection

    def _answer(self, connection: socket.socket) -> Answer | None:
        """The answer on a connection, which is kept if it is of further use. Raises OSError."""
        data = connection.recv(_HEAD_BYTES_MAX)
        while (end := data.find(_END)) < 0:
            more = connection.recv(_HEAD_BYTES_MAX)
            if not more or len(data) > _HEAD_BYTES_MAX:
                raise ConnectionError("the answer's head broke off")
            data += more
        first, *lines = data[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = headers.get("content-length", "")
        status = first.partition(" ")[2][:3]
        if not status.isdigit():
            raise ConnectionError("the answer is no HTTP")
        if not length.isdigit() or int(length) > SMALL_BYTES_MAX:
            connection.close()
            # AWS's refusals come in chunks: who refuses is in no trouble.
            return (int(status), headers, b"") if _REFUSED[0] <= int(status) < _SERVER_FAULT else None
        size = int(length)
        pieces = [data[end + len(_END) :]]
        left = size - len(pieces[0])
        while left > 0:
            piece = connection.recv(left)
            if not piece:
                raise ConnectionError("the answer's body broke off")
            pieces.append(piece)
            left -= len(piece)
        if left < 0 or headers.get("connection", "").lower() == "close":
            connection.close()
        elif len(self._idle) < CONNECTIONS_KEPT:
            self._idle.append(connection)
        else:
            connection.close()
        return int(status), headers, b"".join(pieces)[:size]

    # ------------------------------------------------------------------ signatures

    def _signer_now(self) -> Signer | None:
        """The signer for the keys as they are now: temporary ones are renewed by botocore."""
        if self._credentials is None:
            return None
        frozen = self._credentials.get_frozen_credentials()
        keys = Keys(frozen.access_key, frozen.secret_key, frozen.token or "")
        known, signer = self._signer
        if keys != known:
            signer = Signer(keys, self._region, "s3")
            self._signer = keys, signer
        return signer

    def _amz_date(self) -> str:
        second = int(self._wall_seconds())
        if second != self._date[0]:
            self._date = second, dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        return self._date[1]


def _key(arguments: Mapping[str, Any]) -> Key:
    told = (str(arguments.get(name, "")) for name in ("IfMatch", "VersionId", "ExpectedBucketOwner"))
    return arguments["Bucket"], arguments["Key"], arguments["Range"], *told


def _is_plain(bucket: str) -> bool:
    """A bucket by its plain name: not an access point's ARN, nor one of S3 Express, which signs otherwise."""
    return ":" not in bucket and "/" not in bucket and not bucket.endswith(("--x-s3", "-s3alias", "--ol-s3"))


def _authorities() -> str:
    """The file of authorities that botocore would use."""
    return os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or str(get_cert_path(verify=True))


def _as_botocore(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    answer: dict[str, Any] = {
        "Body": io.BytesIO(body),
        "ContentLength": int(headers["content-length"]),
        "ContentType": headers.get("content-type", ""),
        "ResponseMetadata": {"HTTPHeaders": headers},
    }
    for member, name in (("ETag", "etag"), ("ContentRange", "content-range"), ("VersionId", "x-amz-version-id")):
        if headers.get(name):
            answer[member] = headers[name]
    if headers.get("last-modified"):
        answer["LastModified"] = _moment(headers["last-modified"])
    return answer


@functools.lru_cache(maxsize=64)
def _moment(date: str) -> dt.datetime:
    """Objects that were written together say the same."""
    return email.utils.parsedate_to_datetime(date)
