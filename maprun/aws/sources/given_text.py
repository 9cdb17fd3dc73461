"""An object whose text is given, read as the ItemReader would read it from S3: nothing is asked of a store."""

import io
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError
from maprun.aws.retry import Retry
from maprun.aws.sources.object_reads import GET, HTTP_RANGE_NOT_SATISFIABLE
from maprun.aws.sources.opening import open_source, source_text
from maprun.integrations.resources import READ_LISTING, READ_OBJECT, parse_resource
from maprun.language.errors import StatesError
from schemas.plan import ItemReaderPlan

BUCKET, KEY = "test", "mapItemReaderData"
ITEMS_AT_ONCE, BYTES_AT_ONCE = 10_000, 1 << 20
_TEXTS = ("CSV", "JSON", "JSONL")
_READ_OBJECT = f"arn:aws:states:::{READ_OBJECT.service}:{READ_OBJECT.action}"


def items_in(reader: ItemReaderPlan, text: bytes) -> tuple[list[bytes], list[str] | None, str]:
    """The items, their keys if they are an object's members, and `$$.Map.Item.Source`. Raises StatesError.

    Of a listing the text is the JSON array of what is listed.
    """
    if parse_resource(reader.resource) == READ_LISTING:
        plan = ItemReaderPlan(_READ_OBJECT, BUCKET, KEY, input_type="JSON", max_items=reader.max_items)
    elif reader.input_type not in _TEXTS or reader.manifest_type:
        what = reader.manifest_type or reader.input_type
        raise StatesError(SourceError.error, f"Items of {what} can't be given as a text; {', '.join(_TEXTS)} can")
    else:
        plan = msgspec.structs.replace(reader, bucket=BUCKET, key=KEY, version_id="", expected_bucket_owner="")
    items: list[bytes] = []
    keys: list[str] = []
    try:
        source = open_source(
            S3(_OneObject(text), Retry(sleep=_unused, chance=_unused, warn=lambda _failed: None)), plan, b"", b""
        )
        ended = False
        while not ended:
            chunk = source.read(ITEMS_AT_ONCE, BYTES_AT_ONCE)
            items += chunk.items
            keys += chunk.keys or []
            ended = chunk.ended
    except SourceError as error:
        raise StatesError(error.error, error.cause) from error
    return items, keys or None, source_text(reader)


def _unused(_seconds: float = 0.0) -> float:
    """Nothing is asked again: what is in memory does not fail for a while."""
    return 0.0


class _OneObject:
    """What a source asks of an S3 client, answered from one text."""

    class meta:  # noqa: N801 - botocore's name
        """Where it is, for people."""

        endpoint_url = KEY

    def __init__(self, text: bytes) -> None:
        self._text = text

    def get_object(self, Range: str, **_named: Any) -> dict[str, Any]:  # noqa: N803 - botocore's name
        """A range of it."""
        size = len(self._text)
        first, _, last = Range.removeprefix("bytes=").partition("-")
        begin = int(first) if first else max(0, size - int(last))
        end = min(int(last) + 1, size) if first and last else size
        if begin >= size:
            answer = {
                "Error": {"Code": "InvalidRange"},
                "ResponseMetadata": {"HTTPStatusCode": HTTP_RANGE_NOT_SATISFIABLE},
            }
            raise ClientError(answer, GET)
        body = io.BytesIO(self._text[begin:end])
        return {**self.head_object(), "ContentRange": f"bytes {begin}-{end - 1}/{size}", "Body": body}

    def head_object(self, **_named: Any) -> dict[str, Any]:
        """What is known of it."""
        return {"ETag": f'"{KEY}"', "ContentLength": len(self._text)}
