"""The two base classes of everything on the wire, and the one way to write and read it."""

import msgspec


class Fact(msgspec.Struct, frozen=True, array_like=True, tag=True, omit_defaults=False):
    """A tagged message: a past-tense fact or an asked-for one (rule R1).

    Encoded as a msgpack array `[tag, field, field, …]`. Compatibility is append-only (rule R7): new fields go to
    the end and have a default, a retired field keeps its place, a changed meaning is a new message.
    """


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a message that never travels alone. Append-only, like `Fact`."""


def encode(value: Fact | Part) -> bytes:
    """The bytes of one message."""
    return _encoder.encode(value)


_encoder = msgspec.msgpack.Encoder()
