"""Feeds and the decoding of what brokers answer."""

import asyncio

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from maprun.bus.feeds import CorruptRecordError, KafkaFeed, decode
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.port import Record


def _batch(count: int, base: int) -> bytearray:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for n in range(count):
        builder.append(n, timestamp=1_000 + n, key=b"k", value=b"%d" % n, headers=[("h", b"v")] if n % 2 else [])
    raw = bytearray(builder.build())
    raw[0:8] = base.to_bytes(8, "big")  # the base offset stands before the part that the checksum covers
    return raw


class _Fetcher:
    def __init__(self) -> None:
        self.kicks = 0

    def kick(self) -> None:
        """Counts."""
        self.kicks += 1


def test_records_before_the_position_are_left_out() -> None:
    """Brokers answer whole batches; what was fetched before must not come twice."""
    records, position = decode("items", 3, bytes(_batch(5, 100) + _batch(2, 105)), 103)
    assert [(r.offset, r.value) for r in records] == [(103, b"3"), (104, b"4"), (105, b"0"), (106, b"1")]
    assert position == 107
    assert records[0] == Record("items", 3, 103, 1_003, b"k", b"3", (("h", b"v"),))
    assert records[1].headers == ()


def test_a_batch_cut_off_is_left_for_the_next_fetch() -> None:
    """The position stays at the last whole batch."""
    records, position = decode("items", 0, bytes(_batch(2, 0) + _batch(2, 2)[:-3]), 0)
    assert [r.offset for r in records] == [0, 1]
    assert position == 2


def test_a_wrong_checksum_is_noticed() -> None:
    """A flipped bit is an error that may pass, never a record."""
    raw = _batch(2, 0)
    raw[-1] ^= 1
    with pytest.raises(CorruptRecordError):
        decode("items", 0, bytes(raw), 0)


def test_a_full_mailbox_holds_its_feed_until_it_is_emptied() -> None:
    """At the limit a feed isn't ready; emptying the mailbox makes it ready and asks for a fetch."""

    async def test() -> None:
        fetcher, mailbox = _Fetcher(), KafkaMailbox(asyncio.get_running_loop())
        feed = KafkaFeed(fetcher, "items", 0, 7, mailbox, 1_000)
        record = Record("items", 0, 7, 0, None, b"x")
        feed.arrived([record], 8, 600)
        assert feed.ready()
        feed.arrived([record], 9, 600)
        assert not feed.ready()
        assert fetcher.kicks == 0
        assert len(await mailbox.get(None)) == 2
        assert feed.ready()
        assert (feed.waiting_bytes, feed.position, fetcher.kicks) == (0, 9, 1)

    asyncio.run(test())


def test_pause_and_close_keep_a_feed_from_being_fetched() -> None:
    """Paused it comes back by resume, closed never."""

    async def test() -> None:
        fetcher = _Fetcher()
        feed = KafkaFeed(fetcher, "items", 0, 0, KafkaMailbox(asyncio.get_running_loop()), 1_000)
        feed.pause()
        assert not feed.ready()
        feed.resume()
        assert feed.ready()
        assert fetcher.kicks == 1
        feed.close()
        assert not feed.ready()

    asyncio.run(test())
