"""Page tokens: opaque to users, bound to the query that gave them."""

import base64
import binascii
import hashlib
from typing import TypeVar

import msgspec

from services.maprun_tracker.api.errors import token_invalid

T = TypeVar("T")


def make_token(query: tuple[object, ...], place: object) -> str:
    """A token that leads back to `place` in this query."""
    return base64.urlsafe_b64encode(_digest(query) + msgspec.msgpack.encode(place)).decode()


def read_token(token: str | None, query: tuple[object, ...], kind: type[T]) -> T | None:
    """The place that a token leads to; None without a token. Raises Refusal (InvalidToken)."""
    if token is None:
        return None
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
        if data[:8] != _digest(query):
            raise token_invalid()
        return msgspec.msgpack.decode(data[8:], type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise token_invalid() from None


def _digest(query: tuple[object, ...]) -> bytes:
    return hashlib.blake2b(repr(query).encode(), digest_size=8).digest()
