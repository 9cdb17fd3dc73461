"""Items from a listing of a bucket: one for each object, in the order of keys, page by page without end.

botocore takes 55 us to parse a key's XML; expat alone takes a fifth. So a hook takes the keys out of an answer before
botocore sees them, and leaves it the rest: signing, connections, errors.
"""

import datetime as dt
import functools
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.answers import BadAnswerError, member, quoted_etag
from maprun.aws.clients import S3
from maprun.aws.errors import SourceError, SourceUnavailableError, boto_cause, is_transient, sdk_cause
from maprun.aws.sources.contract import Budget, Checkpoint, Chunk, dump

LIST = "ListObjectsV2"
PAGE_KEYS = 1000  # S3's own limit
LISTED = "MaprunListed"  # the member of an answer that holds what the hook took out
_HOOK = "before-parse.s3.ListObjectsV2"
_HTTP_OK = 200
_NOTHING_LISTED = b"<ListBucketResult/>"


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


def take_keys(own: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """A hook of botocore's: parses a listing's page and hands it on beside an answer that is empty for botocore.

    Calls that others make with the same client, and answers that are no listing, are left to botocore.
    """
    if response_dict["status_code"] != _HTTP_OK or not getattr(own, "listing", False):
        return
    try:
        root = ET.fromstring(response_dict["body"])  # noqa: S314 - S3's answer; expat bounds entity expansion
    except ET.ParseError:
        return
    if not root.tag.endswith("ListBucketResult"):
        return
    space = root.tag.removesuffix("ListBucketResult")
    encoded = root.findtext(f"{space}EncodingType") == "url"
    contents = f"{space}Contents"
    skip = len(space)
    page = [{child.tag[skip:]: child.text or "" for child in entry} for entry in root.iter(contents)]
    if encoded:
        for entry in page:
            entry["Key"] = unquote_plus(entry.get("Key", ""))
    customized_response_dict[LISTED] = page
    customized_response_dict["IsTruncated"] = root.findtext(f"{space}IsTruncated") == "true"
    customized_response_dict["NextContinuationToken"] = root.findtext(f"{space}NextContinuationToken") or ""
    response_dict["body"] = _NOTHING_LISTED


class Listed(NamedTuple):
    """An object as a listing tells of it; `etag` has its quotes and is empty where the server lists none."""

    key: str
    size_bytes: int
    etag: str
    modified_seconds: float | int
    storage_class: str


class Listing:
    """The pages of a listing, one after the other. Without `after_key` it begins with the first key."""

    def __init__(self, s3: S3, arguments: dict[str, str], after_key: str) -> None:
        self._s3 = s3
        self._arguments = arguments
        self._after_key = after_key
        self._token = ""
        self.where = f"s3://{arguments['Bucket']}"
        self.server = f"S3 at {s3.endpoint}"
        self.more = True
        s3.client.meta.events.register(_HOOK, functools.partial(take_keys, s3.own), unique_id=LISTED)

    def page(self) -> list[dict[str, str]]:
        """The next page that isn't empty, or an empty one at the end. Raises SourceError."""
        while self.more:
            arguments: dict[str, Any] = dict(self._arguments, MaxKeys=PAGE_KEYS)
            if self._token:
                arguments["ContinuationToken"] = self._token
            elif self._after_key:
                arguments["StartAfter"] = self._after_key
            answer = self._list(arguments)
            page: list[dict[str, str]] = answer[LISTED]
            token, self._token = self._token, answer.get("NextContinuationToken", "")
            self.more = bool(answer.get("IsTruncated") and self._token)
            if self.more and token == self._token:
                raise SourceError(f"{self.server} doesn't go on with its listing of {self.where}: the same page again")
            if page:
                return page
        return []

    def listed(self, entry: dict[str, str]) -> "Listed":
        """An entry of a page. Raises SourceError where a member is missing or not what S3 has there."""
        try:
            key = str(member(entry, "Key", LIST, self.where, self._s3.endpoint))
            size = int(entry.get("Size") or "0")
            modified = dt.datetime.fromisoformat(member(entry, "LastModified", LIST, self.where, self._s3.endpoint))
        except BadAnswerError as bad:
            raise SourceError(bad.cause) from bad
        except ValueError as error:
            raise SourceError(f"{self.server} lists what can't be read: {entry} in {self.where}: {error}") from error
        storage = entry.get("StorageClass") or "STANDARD"
        return Listed(key, size, quoted_etag(entry.get("ETag", "")), epoch_seconds(modified), storage)

    def _list(self, arguments: dict[str, Any]) -> Any:
        self._s3.own.listing = True
        try:
            answer = self._s3.retry.call(LIST, self.where, lambda: self._s3.client.list_objects_v2(**arguments))
        except BadAnswerError as bad:
            raise SourceError(f"{bad.cause} ({self.where}, {self._s3.endpoint})") from bad
        except ClientError as error:
            kind = SourceUnavailableError if is_transient(error) else SourceError
            raise kind(f"{sdk_cause('S3', error)} ({self.where})") from error
        except (BotoCoreError, OSError) as error:
            kind = SourceUnavailableError if is_transient(error) else SourceError
            raise kind(f"{boto_cause(error)} ({self.where})") from error
        finally:
            self._s3.own.listing = False
        if LISTED not in answer:
            raise SourceError(f"{self.server} answered {LIST} of {self.where} with something that is no listing")
        return answer


class ListingSource:
    """A Source over ListObjectsV2. It can't be pinned; it resumes after the last key it gave."""

    pin = b""
    pinned = False

    def __init__(self, listing: Listing, checkpoint: Checkpoint, budget: Budget) -> None:
        self._listing = listing
        self._after_key = checkpoint.after_key
        self._budget = budget
        self._encode = msgspec.json.Encoder().encode
        self._page = listing.page()
        self._next = 0

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items (see Source)."""
        count = self._budget.allowed(count)
        items: list[bytes] = []
        size = 0
        while len(items) < count and (size < bytes_max or not items):
            if self._next == len(self._page):
                # What is here goes out before another page is waited for.
                if items or not self._listing.more:
                    break
                self._page = self._listing.page()
                self._next = 0
                continue
            item = self._item(self._page[self._next])
            self._next += 1
            size += len(item)
            items.append(item)
        self._budget.given += len(items)
        if self._next:
            self._after_key = self._page[self._next - 1].get("Key", "")
        ended = self._budget.spent or (self._next == len(self._page) and not self._listing.more)
        place = Checkpoint(items=self._budget.given, after_key=self._after_key)
        return Chunk(items, None, dump(place), ended, size)

    def close(self) -> None:
        """Forgets the page."""
        self._page = []
        self._next = 0
        self._listing.more = False

    def _item(self, listed: dict[str, str]) -> bytes:
        found = self._listing.listed(listed)
        return self._encode(
            ListedObject(found.etag, found.key, found.modified_seconds, found.size_bytes, found.storage_class)
        )
