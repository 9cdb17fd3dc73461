"""A stretch of a log read by who can't go on without its first record."""

import asyncio

import pytest

from maprun.bus.port import Record
from maprun.bus.reading import read_from


class Broker:
    """Shows nothing at first; `begins` is where its log begins."""

    def __init__(self, empty_reads: int, begins: int) -> None:
        self.empty_reads = empty_reads
        self.begins = begins
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Noted."""
        self.slept.append(seconds)

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """What is shown by now."""
        if len(self.slept) < self.empty_reads:
            return []
        return [Record(topic, partition, offset, 0, None, b"") for offset in range(max(first, self.begins), end)]


@pytest.mark.parametrize(
    ("empty_reads", "begins", "offsets", "slept"),
    [
        (0, 0, [4, 5], []),
        (2, 0, [4, 5], [0.1, 0.2]),  # a leader that is new shows them a little later
        (0, 5, [], []),  # the first one is kept no more
        (9, 0, [], [0.1, 0.2, 0.4]),
    ],
)
def test_the_first_record_is_there_or_none_is(
    empty_reads: int, begins: int, offsets: list[int], slept: list[float]
) -> None:
    """It is asked for again as long as nothing comes; what begins elsewhere is not gone on from."""
    broker = Broker(empty_reads, begins)
    records = asyncio.run(read_from(broker, "t", 0, 4, 6, (0.1, 0.2, 0.4)))  # type: ignore[arg-type]
    assert ([record.offset for record in records], broker.slept) == (offsets, slept)
