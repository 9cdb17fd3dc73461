"""An S3 in memory behind an unmodified boto3 client: answers as one of the many servers gives them, calls counted."""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

from maprun.aws.clients import S3, AwsSettings, make_s3
from maprun.aws.retry import FailedAttempt

ENDPOINT = "http://s3.test"
CLOCK = "Sat, 31 Jan 2026 12:00:00 GMT"
_OK = 200
_FIELDS = {"UploadId": "uploadId"}


class Server(msgspec.Struct, kw_only=True):
    """How a server differs from AWS."""

    etags: str = "md5"  # md5 | none | own (as under KMS) | plain (the MD5 of the whole)
    bare_etags: bool = False  # without quotes
    conditional: str = "heeded"  # heeded | ignored | unknown: If-None-Match, and If-Match
    again: int = 404  # the status of completing an upload once more, and of a part after it
    listed_etags: bool = True
    may_look: bool = True  # else 403 for what isn't there, as without s3:ListBucket
    lost: tuple[str, int] = ("", 0)  # (operation, n): its n-th answer never comes
    half_seen: int = 0  # how many looks at what was written see only its beginning
    page: bool = False  # everything is answered with a web page
    status: dict[str, int] = {}  # operation → status that it always gets


class Object(msgspec.Struct):
    """An object, and how often it was written."""

    body: bytes
    etag: str
    writes: int = 1


class _Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """All that is left."""
        while piece := self.read(1 << 20):
            yield piece


class MemoryS3:
    """Objects, uploads, and the calls by operation."""

    def __init__(self) -> None:
        self.warned: list[FailedAttempt] = []
        self.access = self._client()
        self.begin(Server())

    def begin(self, server: Server) -> None:
        """An empty server of this kind takes its place: a client is dear to make."""
        self.server = server
        self.objects: dict[str, Object] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.done: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.warned.clear()
        self.after_listing: Callable[[], None] = lambda: None
        self._number = 0

    def _client(self) -> S3:
        """An access to it that never sleeps."""
        settings = AwsSettings(region="us-east-1", access_key_id="a", secret_access_key="b", s3_endpoint=ENDPOINT)  # noqa: S106
        s3 = make_s3(settings, lambda _: None, lambda: 0.5, self.warned.append)
        s3.client.meta.events.register("before-send.s3", self._answer)
        return s3

    def put(self, key: str, body: bytes) -> None:
        """An object that somebody wrote."""
        self._write(key, body, 0)

    # ------------------------------------------------------------------ HTTP

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self.calls[operation] += 1
        if self.server.page:
            status, headers, body = 200, {"content-type": "text/html"}, b"<!doctype html>\n<title>Welcome</title>"
        elif operation in self.server.status:
            status, headers, body = _error(self.server.status[operation], "Whatever")
        else:
            address = urlsplit(request.url)
            query = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
            key = unquote(address.path).lstrip("/").partition("/")[2]
            given = {
                name.lower(): value if isinstance(value, str) else value.decode()
                for name, value in request.headers.items()
            }
            sent = request.body or b""
            sent = sent if isinstance(sent, bytes) else sent.read()
            status, headers, body = getattr(self, f"_{operation}")(key, query, given, sent)
        if self.server.lost == (operation, self.calls[operation]):
            raise ConnectionClosedError(endpoint_url=request.url)
        if operation == "HeadObject":
            if status == _OK and self.server.half_seen:
                self.server.half_seen -= 1
                headers = {**headers, "content-length": str(len(body) // 2)}
            body = b""
        return AWSResponse(request.url, status, {"date": CLOCK, "last-modified": CLOCK, **headers}, _Raw(body))

    def _etag(self, text: str) -> dict[str, str]:
        if self.server.etags == "none":
            return {}
        return {"etag": text if self.server.bare_etags else f'"{text}"'}

    def _write(self, key: str, body: bytes, parts: int) -> Object:
        self._number += 1
        etag = hashlib.md5(body).hexdigest()  # noqa: S324 - S3's ETag
        if parts and self.server.etags != "plain":
            etag = f"{etag}-{parts}"
        if self.server.etags == "own":
            etag = f"{self._number:032x}"
        before = self.objects.get(key)
        self.objects[key] = made = Object(body, etag, 1 + (before.writes if before else 0))
        return made

    def _refused(self, key: str, given: dict[str, str]) -> tuple[int, dict[str, str], bytes] | None:
        if "if-none-match" not in given or self.server.conditional == "ignored":
            return None
        if self.server.conditional == "unknown":
            return _error(501, "NotImplemented")
        return _error(412, "PreconditionFailed") if key in self.objects else None

    # ------------------------------------------------------------------ operations

    def _CreateMultipartUpload(self, *_: Any) -> Any:  # noqa: N802 - S3's own name, as are those below
        upload = f"upload-{self.calls['CreateMultipartUpload']}"
        self.uploads[upload] = {}
        return 200, {}, b"<R><UploadId>%b</UploadId></R>" % upload.encode()

    def _UploadPart(self, key: str, query: dict[str, str], _given: Any, sent: bytes) -> Any:  # noqa: ARG002, N802
        upload = query["uploadId"]
        if upload not in self.uploads:
            return _error(
                self.server.again if upload in self.done and self.server.again != 412 else 404, "NoSuchUpload"
            )
        self._number += 1
        etag = f"{self._number:032x}" if self.server.etags == "own" else hashlib.md5(sent).hexdigest()  # noqa: S324
        self.uploads[upload][int(query["partNumber"])] = sent
        return 200, self._etag(etag), b""

    def _CompleteMultipartUpload(self, key: str, query: dict[str, str], given: dict[str, str], sent: bytes) -> Any:  # noqa: N802
        upload = query["uploadId"]
        if upload in self.done:
            return (200, {}, b"<R/>") if self.server.again == 200 else _error(self.server.again, "Whatever")
        refused = self._refused(key, given)
        if refused is not None:
            return refused
        if upload not in self.uploads:
            return _error(404, "NoSuchUpload")
        self.done.add(upload)
        held = self.uploads.pop(upload)
        numbers = [int(n) for n in re.findall(rb"<PartNumber>(\d+)</PartNumber>", sent)]
        body = b"".join(held[n] for n in numbers)
        made = self._write(key, body, len(numbers))
        if self.server.etags == "md5":
            digests = b"".join(hashlib.md5(held[n]).digest() for n in numbers)  # noqa: S324
            made.etag = f"{hashlib.md5(digests).hexdigest()}-{len(numbers)}"  # noqa: S324
        return 200, {}, b"<R/>"

    def _AbortMultipartUpload(self, key: str, query: dict[str, str], *_: Any) -> Any:  # noqa: ARG002, N802
        return (204, {}, b"") if self.uploads.pop(query["uploadId"], None) is not None else _error(404, "NoSuchUpload")

    def _PutObject(self, key: str, _query: Any, given: dict[str, str], sent: bytes) -> Any:  # noqa: N802
        refused = self._refused(key, given)
        if refused is None:
            self._write(key, sent, 0)
        return refused or (200, {}, b"")

    def _HeadObject(self, key: str, query: dict[str, str], given: dict[str, str], sent: bytes) -> Any:  # noqa: N802
        given.pop("range", None)
        if key not in self.objects:
            return _error(404 if self.server.may_look else 403, "NoSuchKey")
        status, headers, body = self._GetObject(key, query, given, sent)
        return status, {**headers, "content-length": str(len(body))}, body

    def _GetObject(self, key: str, query: dict[str, str], given: dict[str, str], _sent: Any) -> Any:  # noqa: ARG002, N802
        found = self.objects.get(key)
        if found is None:
            return _error(404, "NoSuchKey")
        wanted = given.get("if-match", "").strip('"')
        if wanted and wanted != found.etag and self.server.conditional == "heeded":
            return _error(412, "PreconditionFailed")
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", given.get("range", ""))
        if span is None:
            return 200, {**self._etag(found.etag), "content-length": str(len(found.body))}, found.body
        size = len(found.body)
        first = int(span[1]) if span[1] else max(0, size - int(span[2]))
        end = min(int(span[2]) + 1, size) if span[1] and span[2] else size
        if first >= size:
            return _error(416, "InvalidRange")
        headers = {"content-range": f"bytes {first}-{end - 1}/{size}", "content-length": str(end - first)}
        return 206, {**self._etag(found.etag), **headers}, found.body[first:end]

    def _ListObjectsV2(self, *_: Any) -> Any:  # noqa: N802
        entries = b""
        for key, found in sorted(self.objects.items()):
            texts = self._etag(found.etag).values() if self.server.listed_etags else ()
            etag = "".join(f"<ETag>{text}</ETag>" for text in texts).replace('"', "&quot;")
            moment = "<LastModified>2026-01-31T12:00:00.000Z</LastModified>"
            entries += f"<Contents><Key>{key}</Key>{moment}{etag}<Size>{len(found.body)}</Size></Contents>".encode()
        self.after_listing()
        return 200, {}, b"<ListBucketResult>%b</ListBucketResult>" % entries

    def _HeadBucket(self, *_: Any) -> Any:  # noqa: N802
        return 200, {}, b""


def _error(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    return status, {}, f"<Error><Code>{code}</Code><Message>It is {code}.</Message></Error>".encode()
