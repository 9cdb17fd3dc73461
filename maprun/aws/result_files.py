"""Result files read back for people: a manifest, and the beginning of a file."""

import contextlib
from collections.abc import Callable
from functools import cache

from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.clients import S3
from maprun.aws.errors import boto_cause, code_of, sdk_cause

NO_SUCH_RANGE = "InvalidRange"
"""S3's word for the first byte of an object that has none."""


class ResultFileError(Exception):
    """A file can't be read; `cause` says why, for people."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class ResultFiles:
    """Blocking reads of S3, by a client that is made for the first of them."""

    def __init__(self, make: Callable[[], S3]) -> None:
        self._make = cache(make)

    def beginning(self, bucket: str, key: str, bytes_max: int) -> bytes:
        """The first bytes of an object. Raises ResultFileError."""
        try:
            answer = self._make().client.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{bytes_max - 1}")
            with contextlib.closing(answer["Body"]) as stream:
                found: bytes = stream.read(bytes_max)
        except ClientError as error:
            if code_of(error) == NO_SUCH_RANGE:
                return b""
            raise ResultFileError(sdk_cause("S3", error)) from error
        except BotoCoreError as error:
            raise ResultFileError(boto_cause(error)) from error
        return found
