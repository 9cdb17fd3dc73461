"""Records of one partition on their way into a mailbox, and their decoding."""

from collections.abc import Callable
from typing import Protocol

from aiokafka.record.memory_records import MemoryRecords

from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.port import BusError, Record


class CorruptRecordError(BusError):
    """A batch of records whose checksum is wrong arrived; fetched again it may be whole."""


class Kick(Protocol):
    """Who fetches for feeds."""

    def kick(self) -> None:
        """Something can be fetched that could not before."""
        ...


class KafkaFeed:
    """One partition being read. The fetcher asks `ready`, fetches from `position` on and calls `arrived`."""

    __slots__ = (
        "_bytes_max",
        "_fetcher",
        "_mailbox",
        "_paused",
        "_waiting",
        "closed",
        "end",
        "held",
        "not_before",
        "on_error",
        "partition",
        "poll",
        "position",
        "quiet",
        "topic",
    )

    def __init__(
        self, fetcher: Kick, topic: str, partition: int, offset: int, mailbox: KafkaMailbox, bytes_max: int
    ) -> None:
        self._fetcher = fetcher
        self._mailbox = mailbox
        self._bytes_max = bytes_max
        self._paused = False
        self._waiting = 0  # bytes delivered and not taken yet
        self.topic = topic
        self.partition = partition
        self.position = offset  # of the next record to fetch
        self.end = -1  # of the partition, as of the last answer
        self.closed = False
        self.poll: object | None = None  # the request that is under way for it; answers to others are passed over
        self.held = False  # while its position is looked into
        self.quiet = False  # nothing came with its last answer
        self.not_before = 0.0  # monotonic; after an error
        self.on_error: Callable[[Exception], None] | None = None

    def ready(self) -> bool:
        """Whether a request should be made for it now."""
        return self.poll is None and self.wants()

    def wants(self) -> bool:
        """Whether its records are wanted at present."""
        return not (self.held or self._paused or self.closed) and self._waiting < self._bytes_max

    @property
    def waiting_bytes(self) -> int:
        """Bytes that lie in the mailbox."""
        return self._waiting

    @property
    def behind(self) -> int:
        """Records of the partition that are not fetched yet, as of the last answer."""
        return max(0, self.end - self.position)

    def pause(self) -> None:
        """No more records until `resume`, but for those under way."""
        self._paused = True

    def resume(self) -> None:
        """Goes on."""
        if self._paused:
            self._paused = False
            self.quiet = False
            self._fetcher.kick()

    def close(self) -> None:
        """Ends the feed."""
        self.closed = True

    def arrived(self, records: list[Record], position: int, size: int) -> None:
        """Hands records over; `position` is where the next fetch begins, `size` their bytes."""
        self.position = position
        if records:
            self._waiting += size
            self._mailbox.deliver(records, self._taken if self._waiting == size else None)

    def failed(self, error: Exception) -> None:
        """Ends the feed and tells its owner."""
        self.closed = True
        if self.on_error is not None:
            self.on_error(error)

    def _taken(self) -> None:
        """The mailbox was emptied."""
        full = self._waiting >= self._bytes_max
        self._waiting = 0
        if full:
            self._fetcher.kick()


def decode(topic: str, partition: int, data: bytes, position: int) -> tuple[list[Record], int]:
    """The records of one partition's part of a fetch answer from `position` on, and the position after them.

    A batch cut off at the end (brokers cut at a size) is left for the next fetch. Raises CorruptRecordError.
    """
    records: list[Record] = []
    memory = MemoryRecords(data)
    while memory.has_next():
        batch = memory.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordError(f"{topic}/{partition} near offset {position}: wrong checksum")
        if not batch.is_control_batch:
            for raw in batch:
                if raw.offset >= position:
                    headers = raw.headers
                    records.append(
                        Record(
                            topic,
                            partition,
                            raw.offset,
                            raw.timestamp,
                            raw.key,
                            raw.value,
                            tuple(headers) if headers else (),
                        )
                    )
        # Beyond the last record: compaction takes records out of a batch, and its end must be passed all the same.
        position = max(position, batch.next_offset)
    return records, position
