"""The bytes of one version of an S3 object, in order, from any offset, through resets and short reads."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.clients import S3
from maprun.aws.errors import (
    SourceError,
    SourceUnavailableError,
    boto_cause,
    code_of,
    is_transient,
    sdk_cause,
    status_of,
)
from maprun.aws.sources.contract import Pin

RANGE_BYTES_FIRST = 256 * 1024  # a reader that is asked for few items reads little …
# … a steady one pays the cost of a request once in 4 MB: with one range ahead an open source holds at most
# 3 * 4 MB (parsed, fetched, and both while they are joined), so that a hundred runs fit into a gigabyte …
RANGE_BYTES_MAX = 4 * 1024 * 1024
RANGE_BYTES_AHEAD = 2 * 1024 * 1024  # … and from this size on the next range comes while this one is parsed
PIECE_BYTES = 128 * 1024  # what arrived before a reset is kept in pieces of this size

HTTP_PRECONDITION_FAILED = 412
HTTP_RANGE_NOT_SATISFIABLE = 416


class ObjectName(msgspec.Struct, frozen=True):
    """Which object, and what S3 is told about it."""

    bucket: str
    key: str
    version_id: str = ""
    expected_bucket_owner: str = ""

    @property
    def text(self) -> str:
        """The object as people write it."""
        return f"s3://{self.bucket}/{self.key}"


class ByteStream(Protocol):
    """Bytes in order with a buffer in front: `buffer[start:]` is what lies at `offset`."""

    buffer: bytes
    start: int
    offset: int
    pin: Pin

    def fill(self) -> bool:
        """Appends more bytes to the buffer; False when there are none."""
        ...

    def advance(self, count: int) -> None:
        """Drops `count` bytes from the front."""
        ...

    def close(self) -> None:
        """Forgets the buffer; nothing can be read any more."""
        ...


class Ahead:
    """One fetch under way in a thread of its own, which never keeps the process from ending."""

    def __init__(self, fetch: Callable[[], bytes]) -> None:
        self._fetch = fetch
        self._data = b""
        self._error: SourceError | None = None
        self._thread = threading.Thread(target=self._run, name="source-ahead", daemon=True)
        self._thread.start()

    def result(self) -> bytes:
        """Waits for the bytes. Raises SourceError."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._data

    def _run(self) -> None:
        try:
            self._data = self._fetch()
        except SourceError as error:
            self._error = error


class ObjectStream:
    """An object as a ByteStream, by ranged GETs that all carry If-Match with the pinned ETag."""

    def __init__(self, s3: S3, name: ObjectName, pin: Pin | None, offset: int) -> None:
        self._s3 = s3
        self._name = name
        self._fetched = offset
        self._range_bytes = RANGE_BYTES_FIRST
        self._ahead: Ahead | None = None
        self.buffer = b""
        self.start = 0
        self.offset = offset
        self.pin = self._open() if pin is None else pin

    def advance(self, count: int) -> None:
        """Drops `count` bytes from the front."""
        self.start += count
        self.offset += count

    def fill(self) -> bool:
        """Fetches the next range; False at the object's end. Raises SourceError."""
        data = self.fetch()
        if not data:
            return False
        self.buffer = self.buffer[self.start :] + data
        self.start = 0
        return True

    def close(self) -> None:
        """Forgets the buffer; a fetch under way ends unheard."""
        self.buffer = b""
        self.start = 0
        self._ahead = None

    def fetch(self) -> bytes:
        """The next bytes of the object, b"" at its end. Raises SourceError."""
        ahead, self._ahead = self._ahead, None
        data = ahead.result() if ahead is not None else self._fetch_next()
        if self._range_bytes >= RANGE_BYTES_AHEAD and self._fetched < self.pin.size_bytes:
            self._ahead = Ahead(self._fetch_next)
        return data

    def _fetch_next(self) -> bytes:
        """The next range; used by one thread at a time."""
        if self._fetched >= self.pin.size_bytes:
            return b""
        end = min(self._fetched + self._range_bytes, self.pin.size_bytes)
        self._range_bytes = min(self._range_bytes * 2, RANGE_BYTES_MAX)
        pieces: list[bytes] = []
        failures = 0
        while self._fetched < end:
            before = self._fetched
            try:
                self._fetch_range(end, pieces)
            except (ClientError, BotoCoreError, OSError) as error:
                # Bytes that came prove that S3 lives: only failures without any progress count towards the limit.
                failures = 1 if self._fetched > before else failures + 1
                if not is_transient(error) or failures >= self._s3.retry.attempts_max:
                    raise self._explained(error, self.pin) from error
                self._s3.retry.pause(failures)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _fetch_range(self, end: int, pieces: list[bytes]) -> None:
        answer = self._get(self._fetched, end, self.pin)
        if answer["ETag"] != self.pin.etag:  # a server that doesn't know If-Match
            raise SourceError(self._changed(self.pin))
        if self._fetched > 0 and "ContentRange" not in answer:
            raise SourceError(f"S3 ignored the Range header for {self._name.text}, it can't be read from its middle")
        with contextlib.closing(answer["Body"]) as body:
            while self._fetched < end:
                piece = body.read(min(PIECE_BYTES, end - self._fetched))
                if not piece:
                    break  # a short answer: the caller asks again from here
                pieces.append(piece)
                self._fetched += len(piece)

    def _open(self) -> Pin:
        """Fetches the first bytes and, with them, learns which version of the object is read."""
        try:
            answer = self._s3.retry.call(self._first_answer)
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._explained(error, None) from error
        version = answer.get("VersionId", "")
        size = _size_of(answer)
        if "Body" in answer:
            answer["Body"].close()
        return Pin(answer["ETag"], size, "" if version == "null" else version)

    def _first_answer(self) -> Any:
        try:
            return self._s3.client.head_object(**self._arguments())
        except ClientError as error:
            if is_transient(error):
                raise
            # HEAD has no body, so its errors have no words: ask again in a way that explains itself.
            return self._get(0, 1, None)

    def _get(self, first: int, end: int, pin: Pin | None) -> Any:
        arguments = self._arguments()
        if pin is not None:
            arguments["IfMatch"] = pin.etag
            if pin.version_id:
                arguments["VersionId"] = pin.version_id
        return self._s3.client.get_object(Range=f"bytes={first}-{end - 1}", **arguments)

    def _arguments(self) -> dict[str, Any]:
        arguments = {"Bucket": self._name.bucket, "Key": self._name.key}
        if self._name.version_id:
            arguments["VersionId"] = self._name.version_id
        if self._name.expected_bucket_owner:
            arguments["ExpectedBucketOwner"] = self._name.expected_bucket_owner
        return arguments

    def _changed(self, pin: Pin) -> str:
        return f"The object {self._name.text} changed while it was read: it no longer has the ETag {pin.etag}"

    def _explained(self, error: ClientError | BotoCoreError | OSError, pin: Pin | None) -> SourceError:
        if not isinstance(error, ClientError):
            return SourceUnavailableError(f"{boto_cause(error)} ({self._name.text})")
        if is_transient(error):
            return SourceUnavailableError(f"{sdk_cause('S3', error)} ({self._name.text})")
        if pin is not None:
            if status_of(error) in {HTTP_PRECONDITION_FAILED, HTTP_RANGE_NOT_SATISFIABLE}:
                return SourceError(self._changed(pin))
            if code_of(error) in {"NoSuchKey", "NoSuchVersion", "404"}:
                return SourceError(f"The object {self._name.text} was deleted while it was read")
        return SourceError(f"{sdk_cause('S3', error)} ({self._name.text})")


def _size_of(answer: Any) -> int:
    content_range = answer.get("ContentRange")
    if content_range:
        return int(content_range.rpartition("/")[2])
    return int(answer["ContentLength"])
