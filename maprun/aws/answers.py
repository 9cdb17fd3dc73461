"""What S3 servers answer, looked at before it is used: members that must be there, ETags, pages that no S3 gives."""

from collections.abc import Mapping
from typing import Any

from maprun.aws.errors import AwsRoomError

SHOWN_BYTES = 60
# Operations whose answers are XML documents; objects themselves may be anything.
_XML_OPERATIONS = ("ListObjectsV2", "CreateMultipartUpload", "CompleteMultipartUpload")
_HTTP_OK_FIRST, _HTTP_OK_LAST = 200, 299


class BadAnswerError(AwsRoomError):
    """An answer that no S3 gives, or without what is needed: asking again brings the same."""


def member(answer: Mapping[str, Any], name: str, operation: str, address: str, endpoint: str) -> Any:
    """A member that S3's answer to an operation must have. Raises BadAnswerError, which says what is missing where."""
    found = answer.get(name)
    if found is None or found == "":
        kind = answer.get("ContentType", "")
        page = f", and a body of type {kind}" if "html" in kind else ""
        raise BadAnswerError(
            f"S3 at {endpoint} sent no {name} in its answer to {operation} of {address}{page}: "
            f"it is no S3, or one that leaves out what maprun needs (docs/s3-servers.md)"
        )
    return found


def bare_etag(text: str) -> str:
    """An ETag without its quotes and without the mark of a weak one: servers differ in both."""
    return text.removeprefix("W/").strip('"')


def quoted_etag(text: str) -> str:
    """An ETag as AWS writes it; nothing stays nothing."""
    bare = bare_etag(text)
    return f'"{bare}"' if bare else ""


def refuse_pages(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """A hook of botocore's, before it parses: what begins like no XML is no answer of S3's, whatever its status says.

    botocore takes such an answer with status 200 for one that broke off, which would be asked for again and again.
    """
    status = response_dict["status_code"]
    if operation_model.name not in _XML_OPERATIONS or not _HTTP_OK_FIRST <= status <= _HTTP_OK_LAST:
        return
    body: bytes = response_dict["body"].lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = str(response_dict.get("headers", {}).get("content-type", ""))
    if body and (body[:1] != b"<" or "html" in kind or body[:14].lower() in {b"<!doctype html", b"<html"}):
        shown = body[:SHOWN_BYTES].decode(errors="replace")
        raise BadAnswerError(
            f"What answers {operation_model.name} is no S3: it sent {shown!r} (type {kind or 'not given'}). "
            "Look at AWS_ENDPOINT_URL_S3"
        )
