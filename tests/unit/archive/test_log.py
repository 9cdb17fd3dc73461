"""An archive: rows go to the topic first, and whatever becomes of the store, it ends with what stands there."""

import asyncio
from collections.abc import Iterable
from typing import Any

from maprun.archive.log import Archive, home_prefix
from maprun.archive.store import MemoryStore
from maprun.bus.port import Outgoing
from schemas.archives import ExecutionsArchived
from schemas.wire import encode
from tests.unit.archive.topic import Topic

HOME = 3
TOPIC = "archive"
BYTES_MAX = 1_000
A, B, C = (home_prefix(HOME) + b"e" + bytes(15) + bytes([n]) for n in (1, 2, 3))


def opened(topic: Topic, store: MemoryStore) -> Archive:
    """An archive that has caught up."""
    port: Any = topic
    archive = Archive(port, TOPIC, HOME, store, ExecutionsArchived, BYTES_MAX)
    asyncio.run(archive.catch_up())
    return archive


def put(topic: Topic, archive: Archive, rows: Iterable[tuple[bytes, bytes, int]]) -> None:
    """Rows are archived."""

    async def work() -> None:
        pages = archive.pages(rows)
        offsets = await topic.send([Outgoing(TOPIC, HOME, encode(page)) for page in pages])
        assert all(len(value) <= BYTES_MAX for value in topic.values)
        await archive.written(pages, offsets)

    asyncio.run(work())


def test_a_store_that_was_lost_is_filled_from_the_topic() -> None:
    """A new store has all rows, also one that fits no record and was cut."""
    topic = Topic()
    large = bytes(range(256)) * 20
    put(topic, opened(topic, MemoryStore()), [(A, b"a", 1), (B, large, 2), (C, b"", 3)])
    again = opened(topic, MemoryStore())
    assert [again.get(key) for key in (A, B, C)] == [b"a", large, b""]
    assert again.first(B, B) == (B, large)
    assert list(again.scan(A, C)) == [(A, b"a"), (B, large)]
    assert list(again.scan_back(A, C)) == [(B, large), (A, b"a")]


def test_who_falls_while_a_row_is_archived_again_harms_nothing() -> None:
    """Another owner's bytes for the same row may differ; of their pieces only some came to the topic."""
    topic = Topic()
    archive = opened(topic, MemoryStore())
    put(topic, archive, [(B, bytes(3_000), 2)])
    pages = archive.pages([(B, b"\x01" * 2_500, 2)])
    asyncio.run(topic.send([Outgoing(TOPIC, HOME, encode(page)) for page in pages[:-1]]))
    assert opened(topic, MemoryStore()).get(B) == bytes(3_000)
    asyncio.run(topic.send([Outgoing(TOPIC, HOME, encode(page)) for page in pages]))
    assert opened(topic, MemoryStore()).get(B) == b"\x01" * 2_500


def test_a_row_that_lacks_pieces_is_none() -> None:
    """The topic no longer keeps its first ones: it is too old, and nobody is shown a part of it."""
    topic = Topic()
    put(topic, opened(topic, MemoryStore()), [(A, b"a", 1), (B, bytes(3_000), 2), (C, b"c", 3)])
    topic.start = 1
    again = opened(topic, MemoryStore())
    assert (again.get(B), again.first(B, B), again.get(C)) == (None, None, b"c")
    assert list(again.scan(A, C)) == list(again.scan_back(A, C)) == []


def test_pieces_that_do_not_name_their_row_are_read() -> None:
    """Versions before 2026-12 told pieces apart by number alone."""
    topic = Topic()
    keys = [home_prefix(HOME) + b"p" + B[2:] + number.to_bytes(4, "big") for number in range(2)]
    rows = (b"first, ", b"second", b"\1" + (2).to_bytes(4, "big"))
    page = ExecutionsArchived(HOME, 1, (*keys, B), rows, "")
    asyncio.run(topic.send([Outgoing(TOPIC, HOME, encode(page))]))
    assert opened(topic, MemoryStore()).get(B) == b"first, second"


def test_an_old_store_reads_what_it_lacks() -> None:
    """A store of earlier ends as one that was never away, and reads no page twice."""
    topic = Topic()
    store = MemoryStore()
    archive = opened(topic, store)
    put(topic, archive, [(A, b"a", 1)])
    old = store.copy()
    put(topic, archive, [(B, b"b", 2)])
    topic.values[0] = b"read again, it would be unreadable"
    again = opened(topic, old)
    assert (again.get(A), again.get(B)) == (b"a", b"b")


def test_what_another_owner_wrote_is_read_before_ones_own() -> None:
    """The position never passes a page that is not in the store: a successor on this disk would lack it for ever."""
    topic = Topic()
    store = MemoryStore()
    mine, other = opened(topic, store), opened(topic, MemoryStore())
    put(topic, other, [(A, b"a", 1)])
    put(topic, mine, [(B, b"b", 2)])
    assert mine.get(A) == b"a"
    topic.values[0] = b""
    assert opened(topic, store).get(A) == b"a"


def test_pages_of_another_home_count_for_nothing() -> None:
    """A store, and pages, of a cluster whose logs were made anew tell of executions that nobody knows."""
    old, new = Topic("of old"), Topic()
    store = MemoryStore()
    put(old, opened(old, store), [(A, b"a", 1)])
    new.values.append(old.values[0])
    again = opened(new, store)
    assert again.get(A) is None


def test_what_is_old_enough_leaves_the_store() -> None:
    """Rows go with the page they came in, unless a later page has them too."""
    topic = Topic()
    archive = opened(topic, MemoryStore())
    put(topic, archive, [(A, b"a", 10), (B, bytes(3_000), 10)])
    put(topic, archive, [(A, b"again", 20), (C, b"c", 20)])
    assert archive.expire(10) == 0
    while archive.expire(11):
        pass
    assert [archive.get(key) for key in (A, B, C)] == [b"again", None, b"c"]
    while archive.expire(21):
        pass
    assert [archive.get(key) for key in (A, B, C)] == [None, None, None]
    head = home_prefix(HOME)
    assert [key[2:3] for key, _ in archive._store.scan(head, head + b"\xff")] == [b"@"]


def test_what_the_topic_keeps_no_longer_is_not_waited_for() -> None:
    """A store that is older than the topic's beginning goes on from there."""
    topic = Topic()
    archive = opened(topic, MemoryStore())
    put(topic, archive, [(A, b"a", 1)])
    put(topic, archive, [(B, b"b", 2)])
    topic.start = 1
    again = opened(topic, MemoryStore())
    assert (again.get(A), again.get(B)) == (None, b"b")


def test_an_unreadable_record_is_passed_over() -> None:
    """Garbage on the topic costs its own page alone."""
    topic = Topic()
    topic.values.append(b"\x00garbage")
    archive = opened(topic, MemoryStore())
    put(topic, archive, [(A, b"a", 1)])
    assert opened(topic, MemoryStore()).get(A) == b"a"
