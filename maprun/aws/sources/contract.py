"""What every source of items offers, and the positions it can be opened at again."""

from typing import NamedTuple, Protocol

import msgspec

from maprun.aws.errors import SourceError

RECORD_BYTES_MAX = 8 * 1024 * 1024  # one record of a source (input-output-itemreader, "Quotas")


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """Consecutive items. `items` are compact JSON texts; `keys` the member names when an object is iterated.

    `checkpoint` resumes directly after the last item. `bytes_read` counts the bytes of the source (uncompressed) that
    these items took. `ended`: there is nothing after them. `source` is their Map.Item.Source where a source is made
    of several objects (a chunk's items are of one), else empty. `share` is how much of the source has been given with
    them, from 0 to 1, as far as that is known before its end; 0 = it isn't (of a listing nobody knows the length).
    """

    items: list[bytes]
    keys: list[str] | None
    checkpoint: bytes
    ended: bool
    bytes_read: int
    source: str = ""
    share: float = 0.0


class BadRecordError(SourceError):
    """A record can't be read; `byte` and `records` count what is good before it in the text that a parser was given."""

    def __init__(self, cause: str, byte: int, records: int) -> None:
        super().__init__(cause)
        self.byte = byte
        self.records = records


class Source(Protocol):
    """A stream of items. Blocking; used by one thread at a time."""

    @property
    def pin(self) -> bytes:
        """Fixes the version of the object: to be handed to every later opening in the same run; b"" for listings."""
        ...

    @property
    def pinned(self) -> bool:
        """False for listings, which may differ when they are read again."""
        ...

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items: at most `count`, about `bytes_max` bytes of JSON, at least one unless the source ended.

        Raises SourceError; what was not returned can be read again from the last checkpoint.
        """
        ...

    def close(self) -> None:
        """Gives back memory and connections; reading afterwards is a mistake."""
        ...


class Rows(NamedTuple):
    """Items of a text of whole lines; `ends` holds the offset right after each, None where every line is one item.

    `consumed` counts the bytes of the text that are done with, skipped blank lines included.
    """

    items: list[bytes]
    ends: list[int] | None
    consumed: int


class Checkpoint(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A place between two items: byte offset (uncompressed), items before it, and a listing's last key.

    `container` tells a JSON document's kind: "[" or "{", empty for the others. Of rows in groups `offset` is the group
    and `row` the next row in it.
    """

    offset: int = 0
    items: int = 0
    container: str = ""
    after_key: str = ""
    row: int = 0


class Pin(msgspec.Struct, frozen=True, array_like=True):
    """The version of an object that a run reads: ETag with its quotes, bytes, S3 version id ("" = none).

    `headers` are the names in a CSV's first row, kept when they are short so that resuming needs no extra read.
    `at_seconds` is S3's clock when the version was learned (epoch seconds, 0 = unknown): what a manifest names must not
    have been written later.
    """

    etag: str
    size_bytes: int
    version_id: str = ""
    headers: tuple[str, ...] | None = None
    at_seconds: int = 0


def load_checkpoint(data: bytes) -> Checkpoint:
    """The checkpoint in `data`; b"" is the beginning."""
    return msgspec.msgpack.decode(data, type=Checkpoint) if data else Checkpoint()


def load_pin(data: bytes) -> Pin | None:
    """The pin in `data`; None when the source isn't pinned yet."""
    return msgspec.msgpack.decode(data, type=Pin) if data else None


def dump(value: Checkpoint | Pin) -> bytes:
    """The bytes of a checkpoint or pin."""
    return msgspec.msgpack.encode(value)


class Budget:
    """How many items a source may still give under MaxItems."""

    def __init__(self, max_items: int, given: int) -> None:
        if max_items < 0:
            raise SourceError("field MaxItems must be positive")  # AWS's words, recorded
        self._max = max_items
        self.given = given

    def allowed(self, count: int) -> int:
        """`count`, or what is left of MaxItems if that is less."""
        return count if self._max == 0 else min(count, self._max - self.given)

    def share(self, of_source: float) -> float:
        """How much has been given of what is to be given: of the source, or of MaxItems if that ends it sooner."""
        return max(of_source, self.given / self._max) if self._max else of_source

    @property
    def spent(self) -> bool:
        """True once MaxItems is reached."""
        return self._max > 0 and self.given >= self._max
