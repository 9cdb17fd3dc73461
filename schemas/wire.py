"""The two base classes of everything on the wire, and the one way to write and read it."""

from collections.abc import Callable
from types import UnionType
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Fact(msgspec.Struct, frozen=True, array_like=True, tag=True, omit_defaults=False, gc=False):
    """A tagged message: a past-tense fact or an asked-for one (rule R1).

    Encoded as a msgpack array `[tag, field, field, …]`. Compatibility is append-only (rule R7): new fields go to
    the end and have a default, a retired field keeps its place, a changed meaning is a new message.
    A message holds values and never itself, so the garbage collector need not look into it, or into a `Part`.
    """


class Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A piece of a message that never travels alone. Append-only, like `Fact`."""


def encode(value: Fact | Part) -> bytes:
    """The bytes of one message."""
    return _encoder.encode(value)


def encoded_bytes(value: Fact | Part) -> int:
    """How many bytes a message, or a piece of one, takes on the wire. Exact: no field of it can be forgotten."""
    return len(_encoder.encode(value))


class Decoder(Generic[T]):
    """Reads messages of one kind (or union). Not thread-safe."""

    def __init__(self, kind: type[T] | UnionType) -> None:
        self._decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(kind).decode

    def decode(self, data: bytes) -> T:
        """The message. Raises msgspec.DecodeError (or ValidationError) when the bytes are none.

        Text that is not UTF-8 makes msgspec raise an error of another family, which would pass by every reader's guard
        and end its process, again at each start.
        """
        try:
            message: T = self._decode(data)
        except (UnicodeDecodeError, RecursionError) as error:
            raise msgspec.DecodeError(str(error)) from error
        return message


_encoder = msgspec.msgpack.Encoder()
