"""The tutorial's bucket: its file uploaded, its results read back, by a boto3 client as any user has one."""

from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from maprun.tutorial import results, source

T = TypeVar("T")
_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class BucketError(Exception):
    """S3 can't be reached, or refuses."""


class Bucket:
    """The bucket in the S3 at an endpoint; without one in AWS's own, with boto3's own keys. Raises BucketError."""

    def __init__(self, endpoint: str, region: str) -> None:
        local = {"aws_access_key_id": "maprun", "aws_secret_access_key": "maprun-local"} if endpoint else {}
        self._s3: Any = boto3.client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=region,
            config=Config(s3={"addressing_style": "path"} if endpoint else {}, retries={"max_attempts": 5}),
            **local,
        )

    def upload(self, rows: int) -> int:
        """Makes the bucket if it isn't there, and puts the file into it: its bytes."""
        file = source.ratings_csv(rows)

        def put() -> int:
            try:
                self._s3.create_bucket(Bucket=source.BUCKET)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _THERE:
                    raise
            self._s3.put_object(Bucket=source.BUCKET, Key=source.KEY, Body=file)
            return len(file)

        return _translated(put)

    def check(self, manifest: str, counts: dict[str, int], rows: int) -> list[str]:
        """What is wrong with the counts and the result files, in words."""
        found, wrong = _translated(lambda: results.differences(self._s3, manifest, list(source.rows_of(self._file()))))
        if found != rows:
            wrong.append(f"the result files hold {found} records, the source has {rows} rows")
        if counts["succeeded"] != rows or counts["total"] != rows:
            wrong.append(f"DescribeMapRun counts {counts['succeeded']} succeeded of {counts['total']}, not {rows}")
        return wrong

    def _file(self) -> bytes:
        file: bytes = self._s3.get_object(Bucket=source.BUCKET, Key=source.KEY)["Body"].read()
        return file


def _translated(work: Callable[[], T]) -> T:
    try:
        return work()
    except (BotoCoreError, ClientError) as error:
        raise BucketError(str(error)) from error
