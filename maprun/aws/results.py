"""Result files in S3, written so that whoever repeats a step, or does it late, leaves the same bytes and one winner."""

import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.clients import S3
from maprun.aws.errors import (
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

HTTP_FORBIDDEN = 403
HTTP_NOT_FOUND = 404
HTTP_CONFLICT = 409
HTTP_PRECONDITION_FAILED = 412


class WrittenPart(msgspec.Struct, frozen=True, array_like=True):
    """A part of a multipart upload: its number (1 …) and its ETag with quotes."""

    number: int
    etag: str


def composite_etag(part_etags: Sequence[str]) -> str:
    """The ETag that S3 gives an object made of these parts: MD5 over their MD5s, and their count. With quotes.

    Raises ValueError for ETags that are no MD5 (parts encrypted with KMS have such).
    """
    digests = b"".join(binascii.unhexlify(etag.strip('"')) for etag in part_etags)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(part_etags)}"'


def body_etag(body: bytes) -> str:
    """The ETag that S3 gives a body put or uploaded as one part: its MD5. With quotes."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class ResultWriter:
    """Blocking calls to S3 for one exporter. Every method raises ResultWriterError.

    `upload_part` and `complete` raise UploadGoneError, one of these, when there is neither the upload nor its object.
    """

    def __init__(self, s3: S3) -> None:
        self._s3 = s3

    def create_upload(self, bucket: str, key: str) -> str:
        """A new multipart upload's id."""
        answer = self._call(
            bucket,
            lambda: self._s3.client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=DATA_CONTENT_TYPE),
        )
        return str(answer["UploadId"])

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Uploads part `number` (1 …, at least PART_BYTES_MIN unless the last); its ETag. Repeating replaces it."""
        try:
            answer = self._call(
                bucket,
                lambda: self._s3.client.upload_part(
                    Bucket=bucket,
                    Key=key,
                    UploadId=upload_id,
                    PartNumber=number,
                    Body=body,
                ),
                absent=True,
            )
        except _AbsentError as absent:
            raise UploadGoneError(absent.cause) from absent.__cause__
        return str(answer["ETag"])

    def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[WrittenPart],
        expect_etag: str,
        expect_size: int,
    ) -> None:
        """Makes the object from its parts, once: success if it is made now or was made before from the same bytes.

        `expect_etag` is `composite_etag` of the parts, `expect_size` its bytes.
        """
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        self._once(
            bucket,
            key,
            lambda: self._s3.client.complete_multipart_upload(
                Bucket=bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": listed},
                IfNoneMatch="*",
            ),
            expect_etag,
            expect_size,
        )

    def put_manifest(self, bucket: str, key: str, body: bytes) -> None:
        """Writes the manifest once, by the same rule as `complete`."""
        self._once(
            bucket,
            key,
            lambda: self._s3.client.put_object(
                Bucket=bucket,
                Key=key,
                Body=body,
                ContentType=MANIFEST_CONTENT_TYPE,
                IfNoneMatch="*",
            ),
            body_etag(body),
            len(body),
        )

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Drops an upload; one that is gone or complete is none of its business."""
        try:
            self._call(
                bucket,
                lambda: self._s3.client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id),
                absent=True,
            )
        except _AbsentError:
            return

    def _once(self, bucket: str, key: str, write: Callable[[], Any], expect_etag: str, expect_size: int) -> None:
        try:
            self._call(bucket, write, absent=True)
        except _AbsentError as absent:
            # The object is there, or the upload is gone, which it is after a completion whose answer got lost.
            found = self._found(bucket, key)
            if found is None:
                raise UploadGoneError(absent.cause) from absent.__cause__
            if found != (expect_etag, expect_size):
                raise ResultWriterError(
                    f"The object s3://{bucket}/{key} exists with other content: "
                    f"{found[1]} bytes, ETag {found[0]}, not {expect_size} bytes, ETag {expect_etag}",
                ) from absent

    def _found(self, bucket: str, key: str) -> tuple[str, int] | None:
        try:
            answer = self._call(bucket, lambda: self._s3.client.head_object(Bucket=bucket, Key=key), absent=True)
        except _AbsentError:
            return None
        return str(answer["ETag"]), int(answer["ContentLength"])

    def _call(self, bucket: str, work: Callable[[], T], *, absent: bool = False) -> T:
        """The call with retries; `absent` turns 404 for key or upload, and 412, into _AbsentError."""
        try:
            return self._s3.retry.call(lambda: _conflict_is_transient(work))
        except ClientError as error:
            cause = f"{sdk_cause('S3', error)} (s3://{bucket})"
            if absent and _is_absent(error):
                raise _AbsentError(cause) from error
            if status_of(error) == HTTP_FORBIDDEN and (missing := self._bucket_missing(bucket)) is not None:
                cause = f"The specified bucket does not exist{missing} (s3://{bucket})"
            kind = ResultWriterUnavailableError if is_transient(error) else ResultWriterError
            raise kind(cause) from error
        except (BotoCoreError, OSError) as error:
            kind = ResultWriterUnavailableError if is_transient(error) else ResultWriterError
            raise kind(f"{boto_cause(error)} (s3://{bucket})") from error

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


class _AbsentError(ResultWriterError):
    """The key or the upload isn't there, or (412) the key is: what that means is up to the caller."""


def _is_absent(error: ClientError) -> bool:
    if code_of(error) == "NoSuchBucket":
        return False
    return status_of(error) in {HTTP_NOT_FOUND, HTTP_PRECONDITION_FAILED}


def _conflict_is_transient(work: Callable[[], T]) -> T:
    """409 on a conditional write means that another is under way: S3 asks to make the call again."""
    try:
        return work()
    except ClientError as error:
        if status_of(error) == HTTP_CONFLICT:
            raise ConnectionError(sdk_cause("S3", error)) from error
        raise
