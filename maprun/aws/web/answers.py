"""What an answer over HTTP is for a Task: Headers, ResponseBody, StatusCode, StatusText."""

import re
from typing import Any

import msgspec

from maprun.aws.lambda_answers import payload_json
from maprun.aws.web.client import WebAnswer

_CHARSET = re.compile(r"(?i);\s*charset\s*=\s*\"?([\w.:-]+)")
_BINARY = ("image/", "video/", "audio/", "application/octet-stream")
_JSON = re.compile(r"(?:application|text)/(?:[\w.+-]+\+)?json")


class UnreadableError(ValueError):
    """An answer that is no text; the message says why."""


def text_of(answer: WebAnswer) -> str:
    """The body as text. Raises UnreadableError for what AWS doesn't take: pictures, bytes."""
    content_type = answer.header("content-type")
    media = media_of(answer)
    if media.startswith(_BINARY):
        raise UnreadableError(f"The response has the content type '{media}', which is not supported")
    charset = _CHARSET.search(content_type)
    try:
        return answer.body.decode(charset[1] if charset else "utf-8")
    except (UnicodeDecodeError, LookupError):
        raise UnreadableError("The response can't be read as a string") from None


def media_of(answer: WebAnswer) -> str:
    """The media type, in lower case; empty if none is given."""
    return answer.header("content-type").partition(";")[0].strip().lower()


def is_json(answer: WebAnswer) -> bool:
    """True for what its content type says is JSON."""
    return _JSON.fullmatch(media_of(answer)) is not None


def result_of(answer: WebAnswer, text: str) -> bytes:
    """The Task's result. JSON stands in it as JSON, whatever else as a string."""
    headers: dict[str, list[str]] = {}
    spelling: dict[str, str] = {}
    for name, value in answer.headers:
        headers.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
    parsed = is_json(answer) and text.strip()
    body: Any = msgspec.Raw(payload_json(text.encode(errors="replace"))) if parsed else text
    result = {
        "Headers": headers,
        "ResponseBody": body,
        "StatusCode": answer.status,
        "StatusText": answer.reason,
    }
    return msgspec.json.encode(result)
