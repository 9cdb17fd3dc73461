"""The port's promises, held against a real broker."""

import asyncio

import pytest

from maprun.bus.limits import BusLimits
from maprun.bus.port import Outgoing, Port, Record, TooLargeError
from maprun.runtime.settings import Settings
from tests.integration.bus.hosting import SHORT, Enough, hosted, new_group, owned

pytestmark = pytest.mark.integration

ITEMS, JOURNAL, SIGNALS, ASKS, HOME = "items", "lane-journal", "lane-signals", "item-asks", "home"


async def _next(mailbox: object, count: int) -> list[Record]:
    got: list[Record] = []
    while len(got) < count:
        got += await asyncio.wait_for(mailbox.get(None), 10)  # type: ignore[attr-defined]
    return got


def test_records_come_back_as_they_were_sent(settings: Settings) -> None:
    """Key, value, headers, offset and partition of a record survive; a value may be None."""

    async def test(port: Port) -> None:
        first, second = await port.send(
            [
                Outgoing("machines", 1, b"value", b"key", (("name", b"1"), ("name", b"2"))),
                Outgoing("machines", 1, None, b"gone"),
            ]
        )
        assert second == first + 1
        one, two = await port.read("machines", 1, first, second + 1)
        assert (one.topic, one.partition, one.offset) == ("machines", 1, first)
        assert (one.key, one.value, one.headers) == (b"key", b"value", (("name", b"1"), ("name", b"2")))
        assert (two.key, two.value, two.headers) == (b"gone", None, ())

    hosted(settings, test)


def test_a_feed_gives_every_record_once_and_in_order(settings: Settings) -> None:
    """From its offset on, across many fetches, while records are still being written."""

    async def test(port: Port) -> None:
        start = await port.end_offset(ITEMS, 0)
        for n in range(20):
            await port.send([Outgoing(ITEMS, 0, b"%d" % n)])
        mailbox = port.mailbox()
        port.feed(ITEMS, 0, start + 5, mailbox)
        for n in range(20, 3000, 20):
            await port.send([Outgoing(ITEMS, 0, b"%d" % i) for i in range(n, n + 20)])
        records = await _next(mailbox, 2995)
        assert [(r.offset, r.value) for r in records] == [(start + n, b"%d" % n) for n in range(5, 3000)]

    hosted(settings, test, own=BusLimits(partition_fetch_bytes_max=3000))


def test_feeds_of_many_partitions_come_independently(settings: Settings) -> None:
    """A record on one partition comes at once although polls over others wait, and a new feed needn't wait either."""

    async def test(port: Port) -> None:
        mailbox = port.mailbox()
        for partition in range(8):
            port.feed(JOURNAL, partition, await port.end_offset(JOURNAL, partition), mailbox)
        await asyncio.sleep(1.2)  # all are quiet now
        loop = asyncio.get_running_loop()
        took = []
        for n in range(16):
            began = loop.time()
            await port.send([Outgoing(JOURNAL, n % 8, b"x")])
            await _next(mailbox, 1)
            took.append(loop.time() - began)
        late = port.mailbox()
        began = loop.time()
        port.feed(JOURNAL, 3, await port.end_offset(JOURNAL, 3) - 1, late)
        await _next(late, 1)
        took.append(loop.time() - began)
        print("seconds from send to mailbox:", [round(t, 4) for t in took])
        assert sorted(took)[len(took) // 2] < 0.05
        assert max(took) < 0.4

    hosted(settings, test)


def test_two_feeds_of_one_partition_each_give_everything(settings: Settings) -> None:
    """At places of their own, begun at once or later, quiet or busy: neither misses a record of the other."""

    async def test(port: Port) -> None:
        start = await port.end_offset(ITEMS, 4)
        await port.send([Outgoing(ITEMS, 4, b"%d" % n) for n in range(50)])
        boxes = [port.mailbox() for _ in range(4)]
        for n, box in enumerate(boxes):
            port.feed(ITEMS, 4, start + n, box)
        got = [await _next(box, 50 - n) for n, box in enumerate(boxes)]
        for n in range(50, 56):
            await asyncio.sleep(0.02 * 3 ** (n - 50))  # from busy to quiet for seconds
            await port.send([Outgoing(ITEMS, 4, b"%d" % n)])
            for records, box in zip(got, boxes, strict=True):
                records.extend(await _next(box, 1))
        for n, records in enumerate(got):
            assert [r.value for r in records] == [b"%d" % k for k in range(n, 56)]

    hosted(settings, test)


def test_a_paused_feed_rests_and_goes_on_where_it_was(settings: Settings) -> None:
    """After a pause nothing new is fetched; after resume nothing is missing."""

    async def test(port: Port) -> None:
        start = await port.end_offset(ITEMS, 1)
        mailbox = port.mailbox()
        feed = port.feed(ITEMS, 1, start, mailbox)
        await port.send([Outgoing(ITEMS, 1, b"a")])
        await _next(mailbox, 1)
        feed.pause()
        await asyncio.sleep(0.2)
        await port.send([Outgoing(ITEMS, 1, b"b")])
        under_way = await mailbox.get(0.3)
        await port.send([Outgoing(ITEMS, 1, b"c")])
        assert await mailbox.get(0.5) == []
        feed.resume()
        rest = under_way + await _next(mailbox, 2 - len(under_way))
        assert [r.value for r in rest] == [b"b", b"c"]
        feed.close()
        await port.send([Outgoing(ITEMS, 1, b"d")])
        assert all(r.value != b"d" for r in await mailbox.get(0.3))

    hosted(settings, test)


def test_a_feed_that_is_not_read_stops_fetching(settings: Settings) -> None:
    """What lies in a mailbox stays within the limit and one fetch more, and all of it comes in the end."""
    own = BusLimits(feed_bytes_max=1 << 20, partition_fetch_bytes_max=1 << 20)

    async def test(port: Port) -> None:
        start = await port.end_offset(ITEMS, 2)
        for _ in range(16):
            await port.send([Outgoing(ITEMS, 2, bytes(500_000))])
        mailbox = port.mailbox()
        feed = port.feed(ITEMS, 2, start, mailbox)
        await asyncio.sleep(1.0)
        assert 1 << 20 <= feed.waiting_bytes <= 2 << 20  # type: ignore[attr-defined]
        assert len(await _next(mailbox, 16)) == 16

    hosted(settings, test, own=own)


def test_big_records_pass(settings: Settings) -> None:
    """A record close to the limit is sent, fed and read; one above it is refused, with all of its list."""

    async def test(port: Port) -> None:
        big = bytes(8_000_000)
        start = await port.end_offset(ITEMS, 3)
        offsets = await port.send([Outgoing(ITEMS, 3, big), Outgoing(ITEMS, 3, b"small"), Outgoing(ITEMS, 3, big)])
        assert offsets == [start, start + 1, start + 2]
        mailbox = port.mailbox()
        port.feed(ITEMS, 3, start, mailbox)
        assert [len(r.value or b"") for r in await _next(mailbox, 3)] == [8_000_000, 5, 8_000_000]
        assert [r.offset for r in await port.read(ITEMS, 3, start + 1, start + 3)] == [start + 1, start + 2]
        with pytest.raises(TooLargeError):
            await port.send([Outgoing(ITEMS, 3, b"before"), Outgoing(ITEMS, 3, bytes(SHORT.record_bytes_max))])
        assert await port.send([Outgoing(ITEMS, 3, b"after")]) == [start + 3]

    hosted(settings, test)


def test_a_read_ends_at_the_end_of_the_log(settings: Settings) -> None:
    """Asked for more than there is, a read answers what there is."""

    async def test(port: Port) -> None:
        [offset] = await port.send([Outgoing(SIGNALS, 0, b"last")])
        assert [r.value for r in await port.read(SIGNALS, 0, offset, offset + 10)] == [b"last"]
        assert await port.read(SIGNALS, 0, offset + 1, offset + 10) == []

    hosted(settings, test)


def test_what_was_trimmed_is_passed(settings: Settings) -> None:
    """A feed or a read from before the log's start begins at its start; deleting what is gone does no harm."""

    async def test(port: Port) -> None:
        offsets = await port.send([Outgoing(SIGNALS, 1, b"%d" % n) for n in range(10)])
        for before in (offsets[7], offsets[3], offsets[-1] + 100):  # the last one is refused, and only logged
            await port.trim(SIGNALS, 1, before)
        assert await port.start_offset(SIGNALS, 1) == offsets[7]
        mailbox = port.mailbox()
        port.feed(SIGNALS, 1, 0, mailbox)
        assert [r.offset for r in await _next(mailbox, 3)] == offsets[7:]
        assert [r.offset for r in await port.read(SIGNALS, 1, 0, offsets[-1] + 1)] == offsets[7:]

    hosted(settings, test)


def test_broker_timestamps_steer_the_clock(settings: Settings) -> None:
    """On home a record carries the broker's time, and `now_ms` is never behind a record that was acknowledged."""

    async def test(port: Port) -> None:
        [offset] = await port.send([Outgoing(HOME, 0, b"not a fact")])
        [record] = await port.read(HOME, 0, offset, offset + 1)
        assert 0 <= port.now_ms() - record.timestamp_ms < 5_000

    hosted(settings, test)


def test_an_owner_goes_on_from_what_it_committed(settings: Settings) -> None:
    """A position noted before the end of a process is where the next one begins; a group that is new begins at 0."""
    group = new_group()
    seen: dict[int, int] = {}

    async def first(port: Port, partition: int) -> None:
        assert await port.committed(ASKS, partition) == 0
        assert port.lease_ok()
        port.commit(ASKS, partition, 7 + partition)
        seen[partition] = 0
        if len(seen) == settings.homes:
            raise Enough
        await port.sleep(60)

    async def second(port: Port, partition: int) -> None:
        port.commit(ASKS, partition, 1)  # comes by again after an older snapshot: the group's position stands
        seen[partition] = await port.committed(ASKS, partition)
        with pytest.raises(AssertionError, match="goes back"):
            port.commit(ASKS, partition, 0)
        if all(seen.values()):
            raise Enough
        await port.sleep(60)

    owned(settings, ASKS, group, first)
    owned(settings, ASKS, group, second)
    assert seen == {p: 7 + p for p in range(settings.homes)}


def test_a_bug_in_an_owner_ends_the_process(settings: Settings) -> None:
    """An exception that is no BusError comes out of the host's run."""

    async def owner(port: Port, partition: int) -> None:
        await port.sleep(0.01)
        raise ZeroDivisionError(partition)

    with pytest.raises(ZeroDivisionError):
        owned(settings, ASKS, new_group(), owner)


def test_a_bug_beside_an_owner_ends_the_process(settings: Settings) -> None:
    """An exception of a spawned coroutine counts as its owner's."""

    async def beside() -> None:
        await asyncio.sleep(0.01)
        raise ZeroDivisionError

    async def owner(port: Port, _partition: int) -> None:
        port.spawn(beside())
        await port.sleep(60)

    with pytest.raises(ZeroDivisionError):
        owned(settings, ASKS, new_group(), owner)


def test_a_bus_error_starts_the_owner_again(settings: Settings) -> None:
    """A feed beyond the end of its log is refused, and the owner begins anew with a port of its own."""
    began: list[int] = []

    async def owner(port: Port, partition: int) -> None:
        if partition:
            await port.sleep(60)
        began.append(partition)
        if len(began) == 3:
            raise Enough
        mailbox = port.mailbox()
        port.feed(SIGNALS, 2, 1_000_000, mailbox)
        await mailbox.get(None)

    owned(settings, ASKS, new_group(), owner)
    assert len(began) == 3
