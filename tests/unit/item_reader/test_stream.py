"""The item stream: positions and batches are the same wherever reading was broken off and resumed."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.plan import ItemBatcherPlan
from services.item_reader.stream import Checkpoint, ItemStream, decode_checkpoint


class Chunk(msgspec.Struct):
    """What the test's source gives."""

    items: list[bytes]
    keys: list[str] | None
    checkpoint: bytes
    ended: bool
    source: str = ""
    share: float = 0.0


class ListSource:
    """A source over a list; its checkpoint is the index, and it gives chunks of the sizes it is told to."""

    pin = b"v1"

    def __init__(self, items: list[bytes], at: bytes, sizes: list[int]) -> None:
        self.items = items
        self.at = int(at or b"0")
        self.sizes = sizes
        self.reads = 0

    def read(self, count: int, bytes_max: int) -> Chunk:  # noqa: ARG002 - its items are small
        """The next chunk; possibly empty although more follows."""
        size = min(count, self.sizes[self.reads % len(self.sizes)])
        self.reads += 1
        part = self.items[self.at : self.at + size]
        self.at += len(part)
        share = self.at / max(1, len(self.items))
        return Chunk(part, None, str(self.at).encode(), self.at >= len(self.items), share=share)

    def close(self) -> None:
        """Nothing is open."""


def identity(_index: int, _key: str | None, value: bytes, _source: str) -> bytes:
    """An ItemSelector that takes the item itself."""
    return value


def opened(
    items: list[bytes], sizes: list[int], checkpoint: bytes, index: int, batcher: ItemBatcherPlan | None
) -> ItemStream:
    """A stream over the items from a checkpoint on."""
    at = decode_checkpoint(checkpoint)
    return ItemStream(ListSource(items, at.source, sizes), "s3://b/k", at, index, batcher, identity)


item_lists = st.lists(st.integers(0, 10**6).map(lambda n: str(n).encode()), max_size=40)
chunk_sizes = st.lists(st.integers(0, 7), min_size=1, max_size=5).filter(any)
batchers = st.one_of(
    st.none(),
    st.builds(ItemBatcherPlan, st.integers(1, 7), st.just(0), st.sampled_from([b"", b'{"a":1}'])),
    st.builds(ItemBatcherPlan, st.integers(0, 7), st.integers(20, 60), st.just(b"")),
)


@given(item_lists.filter(bool), chunk_sizes, batchers, st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_the_share_that_was_read_grows_to_the_whole(
    items: list[bytes], sizes: list[int], batcher: ItemBatcherPlan | None, reads: list[int]
) -> None:
    """Of a source that tells its share every position has one, never less than the one before, 1 with the last."""
    stream = opened(items, sizes, b"", 0, batcher)
    shares: list[float] = []
    while not stream.ended:
        shares.append(stream.read(reads[len(shares) % len(reads)], 1 << 20).share)
    assert shares == sorted(shares)
    assert (shares[0] > 0, shares[-1]) == (True, 1.0)


@given(item_lists, chunk_sizes, chunk_sizes, batchers, st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_resuming_changes_nothing(
    items: list[bytes], sizes: list[int], other: list[int], batcher: ItemBatcherPlan | None, reads: list[int]
) -> None:
    """Read in one go, or broken off after every read and opened again at its checkpoint: the same positions."""
    whole = opened(items, sizes, b"", 0, batcher)
    expected: list[bytes] = []
    while not whole.ended:
        expected += whole.read(5, 1 << 20).payloads
    got: list[bytes] = []
    checkpoint, index, done, turn = b"", 0, False, 0
    while not done:
        stream = opened(items, other, checkpoint, index, batcher)
        if stream.ended:
            break
        part = stream.read(reads[turn % len(reads)], 30)
        turn += 1
        got += part.payloads
        assert part.item_first == index
        checkpoint, index, done = part.checkpoint, index + part.items, part.ended
    assert expected == got
    assert index == len(items)


@given(item_lists.filter(bool), chunk_sizes, st.integers(1, 5), st.integers(20, 60))
def test_batches_keep_their_limits(items: list[bytes], sizes: list[int], count: int, size: int) -> None:
    """A batch holds at most MaxItemsPerBatch items and MaxInputBytesPerBatch bytes, unless one item alone is larger."""
    stream = opened(items, sizes, b"", 0, ItemBatcherPlan(count, size, b""))
    seen: list[object] = []
    while not stream.ended:
        for payload in stream.read(3, 1 << 20).payloads:
            batch = msgspec.json.decode(payload)["Items"]
            assert len(batch) <= count
            assert len(payload) <= size or len(batch) == 1
            seen += batch
    assert seen == [msgspec.json.decode(item) for item in items]


@given(item_lists, chunk_sizes, st.integers(0, 50))
def test_skipping_is_reading(items: list[bytes], sizes: list[int], skip: int) -> None:
    """Positions passed over are exactly those that reading would have given."""
    stream = opened(items, sizes, b"", 0, None)
    stream.skip_positions(skip)
    rest: list[bytes] = []
    while not stream.ended:
        rest += stream.read(4, 1 << 20).payloads
    assert rest == items[skip:]


def test_checkpoint_is_stable() -> None:
    """The bytes of a checkpoint are those of earlier releases: a run that is open goes on after an upgrade."""
    assert decode_checkpoint(b"\x92\xc4\x01x\x03") == Checkpoint(b"x", 3)


class ManySource(ListSource):
    """A source of objects: the items of each chunk are of the object that the chunk names, with keys in some."""

    def __init__(self, objects: list[tuple[str, bool, int]], at: bytes) -> None:
        items = [f"{name}{n}".encode() for name, _, count in objects for n in range(count)]
        super().__init__(items, at, [100])
        self.of = [(name, keyed) for name, keyed, count in objects for _ in range(count)]

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items of one object."""
        of = self.of[self.at : self.at + 1]
        same = 0
        while self.of[self.at + same : self.at + same + 1] == of and of:
            same += 1
        chunk = super().read(min(count, max(1, same)), bytes_max)
        if of:
            name, keyed = of[0]
            chunk.source = name
            chunk.keys = [f"key of {item.decode()}" for item in chunk.items] if keyed else None
        return chunk


objects = st.lists(st.tuples(st.sampled_from(["s3://b/x", "s3://b/y", "s3://b/z"]), st.booleans(), st.integers(0, 4)))


@given(objects, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_every_position_has_the_source_and_key_of_its_object(
    content: list[tuple[str, bool, int]], counts: list[int]
) -> None:
    """Sources and keys stay beside their items however many objects a read spans, and whoever reads on."""
    expected = [
        (f"{name}{n}".encode(), name, f"key of {name}{n}" if keyed else None)
        for name, keyed, count in content
        for n in range(count)
    ]
    found: list[tuple[bytes, str, str | None]] = []
    checkpoint, n = b"", 0
    while True:
        at = decode_checkpoint(checkpoint)
        stream = ItemStream(ManySource(content, at.source), "whole", at, len(found), None, None)
        if stream.ended:
            break
        read = stream.read(counts[n % len(counts)], 1 << 20)
        n += 1
        size = len(read.payloads)
        assert size
        assert len(read.keys) in {0, size}
        sources = read.sources * size if len(read.sources) == 1 else read.sources
        keys: list[str | None] = [*read.keys] or [None] * size
        found += zip(read.payloads, sources, keys, strict=True)
        checkpoint = read.checkpoint
    assert found == expected


def test_a_batch_is_built_with_each_item_s_own_source() -> None:
    """ItemSelector sees the object its item is of, also where one batch holds items of several objects."""
    told: list[str] = []

    def build(_index: int, _key: str | None, value: bytes, source: str) -> bytes:
        told.append(source)
        return value

    source = ManySource([("s3://b/x", False, 2), ("s3://b/y", False, 1)], b"")
    at = decode_checkpoint(b"")
    read = ItemStream(source, "whole", at, 0, ItemBatcherPlan(3), build).read(1, 1000)
    assert (read.counts, told) == ([3], ["s3://b/x", "s3://b/x", "s3://b/y"])
