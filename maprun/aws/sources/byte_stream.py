"""The bytes of one version of an S3 object, in order, from any offset, fetched ahead of their parser."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from maprun.aws.clients import S3
from maprun.aws.sources.contract import Pin
from maprun.aws.sources.object_reads import ObjectName, ObjectReads, get_arguments

T = TypeVar("T")

RANGE_BYTES_FIRST = 256 * 1024  # a reader that is asked for few items reads little …
# … a steady one pays the cost of a request once in 4 MB: with one range ahead an open source holds at most
# 3 * 4 MB (parsed, fetched, and both while they are joined), so that a hundred runs fit into a gigabyte …
RANGE_BYTES_MAX = 4 * 1024 * 1024
RANGE_BYTES_AHEAD = 2 * 1024 * 1024  # … and from this size on the next range comes while this one is parsed


def begin_stream(s3: S3, name: ObjectName, pin: Pin | None) -> None:
    """Has the first request of an ObjectStream under way before that is opened, where the light path can do it."""
    first = f"0-{RANGE_BYTES_FIRST - 1}" if pin is None else f"0-{min(RANGE_BYTES_FIRST, pin.size_bytes) - 1}"
    if s3.light is not None and (pin is None or pin.size_bytes):
        s3.light.begin(get_arguments(name, first, pin))


class ByteStream(Protocol):
    """Bytes in order with a buffer in front: `buffer[start:]` is what lies at `offset`."""

    buffer: bytes
    start: int
    offset: int
    pin: Pin

    @property
    def share(self) -> float:
        """How much of the object lies before `offset`, from 0 to 1; about that much where it is compressed."""
        ...

    def fill(self) -> bool:
        """Appends more bytes to the buffer; False when there are none."""
        ...

    def advance(self, count: int) -> None:
        """Drops `count` bytes from the front."""
        ...

    def close(self) -> None:
        """Forgets the buffer; nothing can be read any more."""
        ...


class Ahead(Generic[T]):
    """One piece of work under way in a thread of its own, which never keeps the process from ending."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._results: list[T] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="source-ahead", daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Waits for what the work gives, or raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except Exception as error:  # noqa: BLE001 - handed to whoever waits: lost, it would look like the source's end
            self._error = error


class ObjectStream:
    """An object as a ByteStream."""

    def __init__(self, s3: S3, name: ObjectName, pin: Pin | None, offset: int, not_after: int = 0) -> None:
        self._reads = ObjectReads(s3, name, pin, f"0-{RANGE_BYTES_FIRST - 1}", not_after)
        self._fetched = offset
        self._range_bytes = RANGE_BYTES_FIRST
        self._ahead: Ahead[bytes] | None = None
        self.buffer = b""
        self.start = 0
        self.offset = offset
        self.pin = self._reads.pin

    @property
    def share(self) -> float:
        """How much of the object lies before `offset`."""
        return self.offset / self.pin.size_bytes if self.pin.size_bytes else 1.0

    def advance(self, count: int) -> None:
        """Drops `count` bytes from the front."""
        self.start += count
        self.offset += count

    def fill(self) -> bool:
        """Fetches the next range; False at the object's end. Raises SourceError."""
        data = self.fetch()
        if not data:
            return False
        self.buffer = self.buffer[self.start :] + data
        self.start = 0
        return True

    def close(self) -> None:
        """Forgets the buffer; a fetch under way ends unheard."""
        self.buffer = b""
        self.start = 0
        self._ahead = None
        self._reads.forget_opened()

    def fetch(self) -> bytes:
        """The next bytes of the object, b"" at its end. Raises SourceError."""
        ahead, self._ahead = self._ahead, None
        data = ahead.result() if ahead is not None else self._fetch_next()
        if self._range_bytes >= RANGE_BYTES_AHEAD and self._fetched < self.pin.size_bytes:
            self._ahead = Ahead(self._fetch_next)
        return data

    def _fetch_next(self) -> bytes:
        """The next range; used by one thread at a time."""
        first = self._fetched
        if first >= self.pin.size_bytes:
            return b""
        end = min(first + self._range_bytes, self.pin.size_bytes)
        data = self._reads.read(first, end)
        self._reads.forget_opened()
        self._range_bytes = min(self._range_bytes * 2, RANGE_BYTES_MAX)
        self._fetched = end
        return data
