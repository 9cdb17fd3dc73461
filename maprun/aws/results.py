"""Result files in S3, written so that whoever repeats a step, or does it late, leaves the same bytes and one winner.

S3 has If-None-Match for that, but not every server heeds it, and a call whose answer got lost is answered by each in
its own way when it is made again. So what is at the key is looked at before each write, and after each refusal. An ETag
that is the expected one proves the content; any other proves nothing (encryption with KMS, servers with ETags of their
own): then bytes are compared.
"""

import binascii
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.answers import BadAnswerError, bare_etag, member
from maprun.aws.clients import S3
from maprun.aws.errors import (
    HTTP_NOT_IMPLEMENTED,
    ResultWriterError,
    ResultWriterUnavailableError,
    UploadGoneError,
    boto_cause,
    code_of,
    is_transient,
    sdk_cause,
    status_of,
)

T = TypeVar("T")

DATA_CONTENT_TYPE = "binary/octet-stream"  # of SUCCEEDED_n.json and its like, as recorded on AWS
MANIFEST_CONTENT_TYPE = "application/octet-stream"
PART_BYTES_MIN = 5 * 1024 * 1024  # S3: every part but the last

SHORTER_LOOKS = 4
"""How often an object that is shorter than ours is looked at again, for a second in all, before it is another's."""

HTTP_FORBIDDEN = 403
HTTP_NOT_FOUND = 404
HTTP_CONFLICT = 409


class WrittenPart(msgspec.Struct, frozen=True, array_like=True):
    """A part of a multipart upload: its number (1 …) and its ETag with quotes."""

    number: int
    etag: str


class Found(msgspec.Struct, frozen=True):
    """What is at a key."""

    size_bytes: int
    etag: str  # without quotes, "" where the server names none


def composite_etag(part_etags: Sequence[str]) -> str:
    """The ETag that S3 gives an object made of these parts: MD5 over their MD5s, and their count. With quotes.

    Empty where an ETag among them is no MD5.
    """
    try:
        digests = b"".join(binascii.unhexlify(bare_etag(etag)) for etag in part_etags)
    except ValueError:
        return ""
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(part_etags)}"'


def body_etag(body: bytes) -> str:
    """The ETag that S3 gives a body put or uploaded as one part: its MD5. With quotes."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class ResultWriter:
    """Blocking calls to S3 for one exporter. Every method raises ResultWriterError.

    `upload_part` and `complete` raise UploadGoneError, one of these, when the upload is no more.
    """

    def __init__(self, s3: S3) -> None:
        self._s3 = s3
        self._conditional = True  # until a server says that it has no If-None-Match

    def create_upload(self, bucket: str, key: str) -> str:
        """A new multipart upload's id."""
        operation = "CreateMultipartUpload"

        def attempt() -> str:
            answer = self._s3.client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=DATA_CONTENT_TYPE)
            return str(self._member(answer, "UploadId", operation, bucket, key))

        return self._call(operation, bucket, key, attempt)

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Uploads part `number` (1 …, at least PART_BYTES_MIN unless the last); its ETag. Repeating replaces it.

        Raises UploadGoneError when the upload was dropped, or its object is there already.
        """

        def attempt() -> str:
            try:
                answer = self._s3.client.upload_part(
                    Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body
                )
            except ClientError as error:
                # Servers have 403, 404 and 500 for an upload that is complete.
                if _is_missing(error) or self._found(bucket, key) is not None:
                    raise UploadGoneError(_caused(error, bucket, key)) from error
                raise
            return str(answer.get("ETag") or body_etag(body))  # which it most likely is where a server keeps it secret

        return self._call("UploadPart", bucket, key, attempt)

    def complete(self, bucket: str, key: str, upload_id: str, parts: Sequence[WrittenPart], size_bytes: int) -> bool:
        """Makes the object of `size_bytes` from its parts, once.

        True: it is made now, or is there with the ETag that these parts make. False: there is one of this size, and its
        ETag tells nothing: `compare` its bytes.
        """
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]

        def write(condition: dict[str, str]) -> None:
            self._s3.client.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}, **condition
            )

        etag = composite_etag([part.etag for part in parts])
        return self._once("CompleteMultipartUpload", bucket, key, write, etag, size_bytes)

    def put_manifest(self, bucket: str, key: str, body: bytes) -> None:
        """Writes the manifest once: success if it is made now or is there with the same bytes."""

        def write(condition: dict[str, str]) -> None:
            self._s3.client.put_object(
                Bucket=bucket, Key=key, Body=body, ContentType=MANIFEST_CONTENT_TYPE, **condition
            )

        if not self._once("PutObject", bucket, key, write, body_etag(body), len(body)):
            self.compare(bucket, key, 0, body)

    def size_of(self, bucket: str, key: str) -> int | None:
        """Bytes of the object that is at the key, None where nothing is seen."""
        found = self._call("HeadObject", bucket, key, lambda: self._found(bucket, key))
        return None if found is None else found.size_bytes

    def compare(self, bucket: str, key: str, first: int, body: bytes) -> None:
        """Reads what is at the key from byte `first` on, as many bytes as `body` has: it must be these."""
        operation = "GetObject"
        byte_range = f"bytes={first}-{first + len(body) - 1}"

        def attempt() -> bytes:
            answer = self._s3.client.get_object(Bucket=bucket, Key=key, Range=byte_range)
            if first and "ContentRange" not in answer:
                raise ResultWriterError(f"S3 at {self._s3.endpoint} ignored the Range header for s3://{bucket}/{key}")
            with contextlib.closing(self._member(answer, "Body", operation, bucket, key)) as stream:
                found: bytes = stream.read(len(body) + 1)
            return found

        if self._call(operation, bucket, key, attempt)[: len(body)] != body:
            raise ResultWriterError(
                f"The object s3://{bucket}/{key} exists with other content of the same size, "
                f"different between bytes {first} and {first + len(body)}; what is there is left as it is"
            )

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Drops an upload; one that is gone or complete already is fine."""

        def attempt() -> None:
            try:
                self._s3.client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
            except ClientError as error:
                if not _is_missing(error):
                    raise

        self._call("AbortMultipartUpload", bucket, key, attempt)

    def _once(
        self,
        operation: str,
        bucket: str,
        key: str,
        write: Callable[[dict[str, str]], None],
        etag: str,
        size_bytes: int,
    ) -> bool:
        """Writes unless something is at the key; True when what is there is right for sure (see `complete`)."""
        shorter = 0  # how often there was less

        def judged(found: Found) -> bool:
            nonlocal shorter
            if found.size_bytes < size_bytes and shorter < SHORTER_LOOKS:
                # Where writes are not atomic (rclone), what another call still writes is seen half written.
                shorter += 1
                raise ConnectionError(f"s3://{bucket}/{key} has {found.size_bytes} of {size_bytes} bytes")
            if found.size_bytes != size_bytes:
                raise ResultWriterError(
                    f"The object s3://{bucket}/{key} exists with other content: {found.size_bytes} bytes, "
                    f"not {size_bytes}; what is there is left as it is"
                )
            return found.etag != "" and found.etag == bare_etag(etag)

        def attempt() -> bool:
            found = self._found(bucket, key)
            if found is not None:
                return judged(found)
            try:
                self._write(write)
            except ClientError as error:
                # The object may have come in between, or with a completion whose answer got lost.
                found = self._found(bucket, key)
                if found is not None:
                    return judged(found)
                if _is_missing(error):
                    raise UploadGoneError(_caused(error, bucket, key)) from error
                raise
            return True

        return self._call(operation, bucket, key, attempt)

    def _write(self, write: Callable[[dict[str, str]], None]) -> None:
        """A conditional write; an unconditional one on a server that knows no condition."""
        try:
            write({"IfNoneMatch": "*"} if self._conditional else {})
        except ClientError as error:
            if status_of(error) == HTTP_CONFLICT:
                # Another conditional write is under way: S3 asks to make the call again.
                raise ConnectionError(sdk_cause("S3", error)) from error
            if not self._conditional or status_of(error) != HTTP_NOT_IMPLEMENTED:
                raise
            self._conditional = False
            write({})

    def _found(self, bucket: str, key: str) -> Found | None:
        """What is at the key; None where nothing is, or where S3 doesn't let us look. Raises what is transient."""
        try:
            answer = self._s3.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if is_transient(error):
                raise
            return None
        size = self._member(answer, "ContentLength", "HeadObject", bucket, key)
        return Found(int(size), bare_etag(answer.get("ETag", "")))

    def _member(self, answer: Any, name: str, operation: str, bucket: str, key: str) -> Any:
        return member(answer, name, operation, f"s3://{bucket}/{key}", self._s3.endpoint)

    def _call(self, operation: str, bucket: str, key: str, attempt: Callable[[], T]) -> T:
        """The call with retries, its errors as this module's."""
        address = f"s3://{bucket}/{key}"
        try:
            return self._s3.retry.call(operation, address, attempt)
        except ClientError as error:
            kind = ResultWriterUnavailableError if is_transient(error) else ResultWriterError
            cause = _caused(error, bucket, key)
            if status_of(error) == HTTP_FORBIDDEN and (missing := self._bucket_missing(bucket)) is not None:
                cause = f"The specified bucket does not exist{missing} ({address})"
            raise kind(cause) from error
        except BadAnswerError as error:
            where = "" if address in error.cause else f" ({address}, {self._s3.endpoint})"
            raise ResultWriterError(f"{error.cause}{where}") from error
        except (BotoCoreError, OSError) as error:
            kind = ResultWriterUnavailableError if is_transient(error) else ResultWriterError
            raise kind(f"{boto_cause(error)} ({address})") from error

    def _bucket_missing(self, bucket: str) -> str | None:
        """SeaweedFS refuses writes to a bucket that doesn't exist with 403: the rest of the right cause if it is so."""
        try:
            self._s3.client.head_bucket(Bucket=bucket)
        except ClientError as error:
            words = sdk_cause("S3", error)
            return words[words.rindex(" (Service") :] if status_of(error) == HTTP_NOT_FOUND else None
        except (BotoCoreError, OSError):
            return None
        return None


def _caused(error: ClientError, bucket: str, key: str) -> str:
    return f"{sdk_cause('S3', error)} (s3://{bucket}/{key})"


def _is_missing(error: ClientError) -> bool:
    """True when it is the key or the upload that isn't there."""
    return status_of(error) == HTTP_NOT_FOUND and code_of(error) != "NoSuchBucket"
