"""The result store of the exporter over S3: maprun.aws.results in the words the exporter knows."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from maprun.aws import errors
from maprun.aws.clients import AwsSettings, make_s3
from maprun.aws.results import ResultWriter, WrittenPart
from maprun.aws.retry import RetryWarnings
from maprun.runtime import clock
from maprun.runtime.chance import chance
from services.scheduler.deps import ResultTroubleError, UploadGoneError


class S3Results:
    """Result files in S3. Blocking; every method raises ResultTroubleError."""

    def __init__(self, writer: ResultWriter) -> None:
        self._writer = writer

    def create_upload(self, bucket: str, key: str) -> str:
        """A new multipart upload's id."""
        with _translated():
            return self._writer.create_upload(bucket, key)

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Uploads part `number` (1 …); its ETag."""
        with _translated():
            return self._writer.upload_part(bucket, key, upload_id, number, body)

    def complete(self, bucket: str, key: str, upload_id: str, parts: Sequence[tuple[int, str]], size: int) -> bool:
        """Makes the object from its (number, ETag) parts once; False: the bytes that are there are to be compared."""
        with _translated():
            written = [WrittenPart(number, etag) for number, etag in parts]
            return self._writer.complete(bucket, key, upload_id, written, size)

    def size_of(self, bucket: str, key: str) -> int | None:
        """Bytes of the object that is there, None where nothing is."""
        with _translated():
            return self._writer.size_of(bucket, key)

    def compare(self, bucket: str, key: str, first: int, body: bytes) -> None:
        """Reads what is there from byte `first` on: it must be `body`."""
        with _translated():
            self._writer.compare(bucket, key, first, body)

    def put_manifest(self, bucket: str, key: str, body: bytes) -> None:
        """Writes the manifest once, by the same rule."""
        with _translated():
            self._writer.put_manifest(bucket, key, body)

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Drops an upload that lost."""
        with _translated():
            self._writer.abort(bucket, key, upload_id)


def s3_results(settings: AwsSettings) -> S3Results:
    """The result store under these settings."""
    return S3Results(ResultWriter(make_s3(settings, time.sleep, chance, RetryWarnings(clock.monotonic_seconds))))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except errors.UploadGoneError as error:
        raise UploadGoneError(error.cause) from error
    except errors.ResultWriterError as error:
        trouble = ResultTroubleError(error.cause)
        trouble.retriable = error.retriable
        raise trouble from error
