"""Items from a listing of a bucket: one for each object, in the order of keys, page by page without end."""

import datetime as dt
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError, SourceUnavailableError, boto_cause, is_transient, sdk_cause
from maprun.aws.sources.contract import Budget, Checkpoint, Chunk, dump

PAGE_KEYS = 1000  # S3's own limit


class ListedObject(msgspec.Struct, frozen=True, gc=False):
    """An item of a listing, as recorded on AWS: `Etag` with its quotes, epoch seconds, one flat object."""

    Etag: str
    Key: str
    LastModified: float | int
    Size: int
    StorageClass: str


def epoch_seconds(moment: dt.datetime) -> float | int:
    """Seconds since 1970, an integer when they are whole."""
    seconds = moment.timestamp()
    return int(seconds) if seconds.is_integer() else seconds


class ListingSource:
    """A Source over ListObjectsV2. It can't be pinned; it resumes after the last key it gave."""

    pin = b""
    pinned = False

    def __init__(self, s3: S3, arguments: dict[str, str], checkpoint: Checkpoint, budget: Budget) -> None:
        self._s3 = s3
        self._arguments = arguments
        self._after_key = checkpoint.after_key
        self._budget = budget
        self._encode = msgspec.json.Encoder().encode
        self._page: list[Any] = []
        self._next = 0
        self._token = ""
        self._more = True
        self._fetch()

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items (see Source)."""
        count = self._budget.allowed(count)
        items: list[bytes] = []
        size = 0
        while len(items) < count and (size < bytes_max or not items):
            if self._next == len(self._page):
                # What is here goes out before another page is waited for.
                if items or not self._more:
                    break
                self._fetch()
                continue
            item = self._item(self._page[self._next])
            self._next += 1
            size += len(item)
            items.append(item)
        self._budget.given += len(items)
        if self._next:
            self._after_key = self._page[self._next - 1]["Key"]
        ended = self._budget.spent or (self._next == len(self._page) and not self._more)
        place = Checkpoint(items=self._budget.given, after_key=self._after_key)
        return Chunk(items, None, dump(place), ended, size)

    def close(self) -> None:
        """Forgets the page."""
        self._page = []
        self._next = 0
        self._more = False

    def _item(self, listed: Any) -> bytes:
        return self._encode(
            ListedObject(
                Etag=listed.get("ETag", ""),
                Key=listed["Key"],
                LastModified=epoch_seconds(listed["LastModified"]),
                Size=listed.get("Size", 0),
                StorageClass=listed.get("StorageClass", "STANDARD"),
            ),
        )

    def _fetch(self) -> None:
        """The next page that isn't empty, or the end. Raises SourceError."""
        while self._more:
            arguments: dict[str, Any] = dict(self._arguments, MaxKeys=PAGE_KEYS)
            if self._token:
                arguments["ContinuationToken"] = self._token
            elif self._after_key:
                arguments["StartAfter"] = self._after_key
            answer = self._list(arguments)
            self._page = answer.get("Contents", [])
            self._next = 0
            self._token = answer.get("NextContinuationToken", "")
            self._more = bool(answer.get("IsTruncated") and self._token)
            if self._page:
                return

    def _list(self, arguments: dict[str, Any]) -> Any:
        try:
            return self._s3.retry.call(lambda: self._s3.client.list_objects_v2(**arguments))
        except ClientError as error:
            kind = SourceUnavailableError if is_transient(error) else SourceError
            raise kind(f"{sdk_cause('S3', error)} (s3://{arguments['Bucket']})") from error
        except (BotoCoreError, OSError) as error:
            kind = SourceUnavailableError if is_transient(error) else SourceError
            raise kind(f"{boto_cause(error)} (s3://{arguments['Bucket']})") from error
