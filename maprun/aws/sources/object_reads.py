"""Ranges of one version of an S3 object, through resets and short reads, and the version itself."""

import contextlib
import email.utils
import functools
import re
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.answers import BadAnswerError, bare_etag, member, quoted_etag
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
from maprun.aws.retry import FailedAttempt
from maprun.aws.sources.contract import Pin

PIECE_BYTES = 128 * 1024  # what arrived before a reset is kept in pieces of this size

GET = "GetObject"
HTTP_PRECONDITION_FAILED = 412
HTTP_RANGE_NOT_SATISFIABLE = 416
NO_VERSION = "null"  # what S3 calls the version of an object that was written without versioning
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


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


class ObjectReads:
    """Ranged GETs of one object, all of which carry If-Match with the pinned ETag.

    Without a pin the first request asks for `opening` (of a Range header: `0-99`, `-99` for the last bytes) and tells
    the version along with those bytes. `not_after` (epoch seconds of S3's clock, 0 = any time) refuses a version that
    was written later. Raises SourceError for what can't be read.
    """

    def __init__(self, s3: S3, name: ObjectName, pin: Pin | None, opening: str = "0-0", not_after: int = 0) -> None:
        self._s3 = s3
        self.name = name
        self.opened_at = 0
        self.opened_bytes = b""  # what the first request brought, from `opened_at` on
        self.pin = self._open(opening, not_after) if pin is None else pin

    def read(self, first: int, end: int) -> bytes:
        """The bytes from `first` to before `end`, asked for again from where an answer broke. Raises SourceError."""
        skip = first - self.opened_at
        if self.opened_bytes and skip >= 0 and skip + end - first <= len(self.opened_bytes):
            return self.opened_bytes[skip : skip + end - first]
        pieces: list[bytes] = []
        at = first
        failures = 0
        while at < end:
            before = at
            try:
                answer = self._get(f"{at}-{end - 1}", self.pin)
                self._check(answer, at)
                with contextlib.closing(self._member(answer, "Body")) as body:
                    while at < end:
                        piece = body.read(min(PIECE_BYTES, end - at))
                        if not piece:
                            break  # a short answer: ask again from here
                        pieces.append(piece)
                        at += len(piece)
            except (ClientError, BotoCoreError, OSError) as error:
                # Bytes that came prove that S3 lives: only failures without any progress count towards the limit.
                failures = 1 if at > before else failures + 1
                if not is_transient(error) or failures >= self._s3.retry.attempts_max:
                    raise self._explained(error, self.pin) from error
                self._s3.retry.pause(FailedAttempt(GET, self.name.text, failures, error))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def forget_opened(self) -> None:
        """Gives the first request's bytes back."""
        self.opened_bytes = b""

    def _check(self, answer: Any, first: int) -> None:
        # A server may not know If-Match.
        if bare_etag(self._member(answer, "ETag")) != bare_etag(self.pin.etag):
            raise SourceError(self._changed(self.pin))
        self._check_version(answer, self.name.version_id or self.pin.version_id)
        if first > 0 and "ContentRange" not in answer:
            raise SourceError(f"S3 ignored the Range header for {self.name.text}, it can't be read from its middle")

    def _check_version(self, answer: Any, asked: str) -> None:
        """A server that knows no versions sends the newest one, whichever is asked for."""
        if asked and asked != NO_VERSION and answer.get("VersionId", "") != asked:
            raise SourceError(
                f"S3 at {self._s3.endpoint} ignored VersionId {asked} of {self.name.text}: what it sent is "
                f"{answer.get('VersionId') or 'of no version that it names'}, which is not read in its place"
            )

    def _member(self, answer: Any, name: str) -> Any:
        """What the answer must have. Raises SourceError."""
        try:
            return member(answer, name, GET, self.name.text, self._s3.endpoint)
        except BadAnswerError as bad:
            pinned = "; its version can't be pinned" if name == "ETag" else ""
            raise SourceError(f"{bad.cause}{pinned}") from bad

    def _open(self, opening: str, not_after: int) -> Pin:
        """Fetches the first bytes and, with them, learns which version of the object is read."""
        try:
            answer = self._s3.retry.call(GET, self.name.text, lambda: self._first_answer(opening))
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._explained(error, None) from error
        etag, version = self._member(answer, "ETag"), answer.get("VersionId", "")
        self._check_version(answer, self.name.version_id)
        size, first = self._size_and_first(answer)
        if "Body" in answer:
            # A reset here costs another request in `read`, and nothing else.
            with contextlib.closing(answer["Body"]) as body, contextlib.suppress(BotoCoreError, OSError):
                self.opened_bytes = body.read(_length(opening))
                self.opened_at = first
        if not_after and int(self._member(answer, "LastModified").timestamp()) > not_after:
            raise SourceError(f"The object {self.name.text} was written after the Map Run began to read")
        return Pin(quoted_etag(etag), size, "" if version == NO_VERSION else version, None, _clock_of(answer))

    def _size_and_first(self, answer: Any) -> tuple[int, int]:
        """Bytes of the whole object, and the offset of the answer's first one."""
        content_range = answer.get("ContentRange")
        if not content_range:
            return int(self._member(answer, "ContentLength")), 0
        found = _CONTENT_RANGE.fullmatch(content_range)
        if found is None:
            at = f"S3 at {self._s3.endpoint} sent the Content-Range {content_range!r} for {self.name.text}"
            raise SourceError(f"{at}, which tells neither place nor size")
        return int(found[2]), int(found[1])

    def _first_answer(self, opening: str) -> Any:
        try:
            return self._get(opening, None)
        except ClientError as error:
            if status_of(error) != HTTP_RANGE_NOT_SATISFIABLE:
                raise
            return self._s3.client.head_object(**_arguments(self.name))  # an empty object has no ranges

    def _get(self, byte_range: str, pin: Pin | None) -> Any:
        return self._s3.get_object(get_arguments(self.name, byte_range, pin), _length(byte_range))

    def _changed(self, pin: Pin) -> str:
        return f"The object {self.name.text} changed while it was read: it no longer has the ETag {pin.etag}"

    def _explained(self, error: ClientError | BotoCoreError | OSError, pin: Pin | None) -> SourceError:
        if not isinstance(error, ClientError):
            return SourceUnavailableError(f"{boto_cause(error)} ({self.name.text})")
        if is_transient(error):
            return SourceUnavailableError(f"{sdk_cause('S3', error)} ({self.name.text})")
        if pin is not None:
            if status_of(error) in {HTTP_PRECONDITION_FAILED, HTTP_RANGE_NOT_SATISFIABLE}:
                return SourceError(self._changed(pin))
            if code_of(error) in {"NoSuchKey", "NoSuchVersion", "404"}:
                return SourceError(f"The object {self.name.text} was deleted while it was read")
        return SourceError(f"{sdk_cause('S3', error)} ({self.name.text})")


def get_arguments(name: ObjectName, byte_range: str, pin: Pin | None) -> dict[str, Any]:
    """Of GetObject: a range (`0-99`, `-99`) of an object, in its pinned version if there is one."""
    arguments = _arguments(name)
    if pin is not None:
        arguments["IfMatch"] = quoted_etag(pin.etag)
        if pin.version_id:
            arguments["VersionId"] = pin.version_id
    arguments["Range"] = f"bytes={byte_range}"
    return arguments


def _arguments(name: ObjectName) -> dict[str, Any]:
    arguments = {"Bucket": name.bucket, "Key": name.key}
    if name.version_id:
        arguments["VersionId"] = name.version_id
    if name.expected_bucket_owner:
        arguments["ExpectedBucketOwner"] = name.expected_bucket_owner
    return arguments


def _length(opening: str) -> int:
    """How many bytes `0-99` or `-99` asks for."""
    first, _, last = opening.partition("-")
    return int(last) - int(first) + 1 if first else int(last)


def _clock_of(answer: Any) -> int:
    """S3's own clock when it answered, in epoch seconds; 0 when it doesn't tell."""
    return _epoch_of(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))


@functools.lru_cache(maxsize=16)
def _epoch_of(date: str) -> int:
    """Thousands of answers of one second say the same."""
    try:
        return int(email.utils.parsedate_to_datetime(date).timestamp())
    except ValueError:
        return 0
