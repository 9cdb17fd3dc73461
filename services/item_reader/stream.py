"""The stream of one run's positions: items of a source, or batches of them, resumable at every position."""

from typing import Protocol

import msgspec

from maprun.mapruns.batches import fill_batch
from schemas.plan import BuildInput, ItemBatcherPlan

SOURCE_ITEMS_MAX = 2_000
"""Items taken from a source at once."""
SOURCE_BYTES_MAX = 1 << 20
"""Bytes of items taken from a source at once, about."""


class Chunk(Protocol):
    """What a source gave at once (see maprun.aws.sources)."""

    @property
    def items(self) -> list[bytes]:
        """JSON texts."""
        ...

    @property
    def keys(self) -> list[str] | None:
        """The member names, when an object is iterated."""
        ...

    @property
    def checkpoint(self) -> bytes:
        """Where to go on, directly after the last item."""
        ...

    @property
    def ended(self) -> bool:
        """True when nothing follows."""
        ...

    @property
    def source(self) -> str:
        """Map.Item.Source of these items where a source is made of several objects, else empty."""
        ...

    @property
    def share(self) -> float:
        """How much of the source was given with them, from 0 to 1; 0 = not known."""
        ...


class Source(Protocol):
    """A bounded, resumable stream of items (see maprun.aws.sources)."""

    @property
    def pin(self) -> bytes:
        """The version that is read."""
        ...

    def read(self, count: int, bytes_max: int) -> Chunk:
        """At most `count` items, about `bytes_max` bytes; blocks."""
        ...

    def close(self) -> None:
        """Lets go of what is open."""
        ...


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """Where to go on: `skip` items after the source's own checkpoint."""

    source: bytes = b""
    skip: int = 0


class Positions(msgspec.Struct, frozen=True):
    """Consecutive positions. `counts` is empty when each holds one item, `keys` when none has a key.

    `sources` holds the Map.Item.Source of each position, or one for all; empty where it is that of the whole source.
    """

    payloads: list[bytes]
    keys: list[str]
    counts: list[int]
    item_first: int
    items: int
    checkpoint: bytes
    ended: bool  # nothing follows
    sources: list[str] = []
    share: float = 0.0  # of the source that was read for them, from 0 to 1; 0 = not known


_json = msgspec.json.Encoder()


def decode_checkpoint(data: bytes) -> Checkpoint:
    """A stream's checkpoint; empty bytes are the beginning."""
    return msgspec.msgpack.decode(data, type=Checkpoint) if data else Checkpoint()


class ItemStream:
    """Reads positions in order. Every call blocks on the source, so it runs in a thread, one call at a time."""

    def __init__(
        self,
        source: Source,
        text: str,
        checkpoint: Checkpoint,
        item_index: int,
        batcher: ItemBatcherPlan | None,
        build: BuildInput | None,
    ) -> None:
        self.source = source
        self.text = text  # Map.Item.Source
        self.item_index = item_index
        self.batcher = batcher
        self.build = build
        self._base = checkpoint.source  # the source's checkpoint before the buffered chunk
        self._items: list[bytes] = []
        self._keys: list[str] = []
        self._source = ""  # of the chunk's items
        self._at = 0  # items of the chunk that were taken
        self._next = checkpoint.source  # the source's checkpoint behind the buffered chunk
        self._ended = False
        self._share_before = self._share = 0.0  # of the source: before and behind the buffered chunk
        self._fill()
        self._skip(checkpoint.skip)

    def _fill(self) -> None:
        """Buffers the next chunk, if the buffered one is used up and there is one."""
        while self._at >= len(self._items) and not self._ended:
            self._base = self._next
            chunk = self.source.read(SOURCE_ITEMS_MAX, SOURCE_BYTES_MAX)
            self._items, self._keys, self._at = chunk.items, chunk.keys or [], 0
            self._source = chunk.source
            known = self._share if self._share or not self._base else chunk.share  # opened in the midst: no part of it
            self._share_before, self._share = known, chunk.share
            self._next, self._ended = chunk.checkpoint, chunk.ended

    def _skip(self, count: int) -> None:
        while count > 0 and self._at < len(self._items):
            step = min(count, len(self._items) - self._at)
            self._at += step
            count -= step
            self._fill()

    @property
    def ended(self) -> bool:
        """True when no item is left."""
        return self._ended and self._at >= len(self._items)

    def skip_positions(self, count: int) -> int:
        """Passes over positions that others publish; how many there were."""
        left = count
        while left > 0 and not self.ended:
            left -= len(self.read(left, SOURCE_BYTES_MAX).payloads)
        return count - left

    def read(self, count: int, bytes_max: int) -> Positions:
        """Up to `count` positions and about `bytes_max` bytes of them; at least one unless the source has ended."""
        first = self.item_index
        if self.batcher is not None:
            return self._read_batches(count, bytes_max, first)
        payloads: list[bytes] = []
        keys: list[str] = []
        sources: list[str] = []
        size = 0
        while len(payloads) < count and (size < bytes_max or not payloads) and not self.ended:
            if payloads and bool(keys) != bool(self._keys):
                break  # an object without keys after one with keys, or the other way
            room = min(count - len(payloads), len(self._items) - self._at)
            part = self._items[self._at : self._at + room]
            part = _within(part, bytes_max - size) if size + sum(map(len, part)) > bytes_max else part
            if not part:
                if payloads:
                    break
                part = self._items[self._at : self._at + 1]
            payloads += part
            keys += self._keys[self._at : self._at + len(part)]
            sources += [self._source] * len(part)
            size += sum(map(len, part))
            self._at += len(part)
            self.item_index += len(part)
            self._fill()
        return Positions(
            payloads,
            keys,
            [],
            first,
            len(payloads),
            self.checkpoint(),
            self.ended,
            _briefly(sources),
            self._share_read(),
        )

    def _share_read(self) -> float:
        """How much of the source lies before the next item: a part of the buffered chunk counts by its items."""
        if not self._share:
            return 0.0
        done = self._at / len(self._items) if self._items else 1.0
        return self._share_before + done * (self._share - self._share_before)

    def checkpoint(self) -> bytes:
        """Where to go on, directly after the last position."""
        if self._at >= len(self._items):
            return msgspec.msgpack.encode(Checkpoint(self._next, 0))
        return msgspec.msgpack.encode(Checkpoint(self._base, self._at))

    def _read_batches(self, count: int, bytes_max: int, first: int) -> Positions:
        payloads: list[bytes] = []
        counts: list[int] = []
        size = 0
        while len(payloads) < count and (size < bytes_max or not payloads) and not self.ended:
            payload, items = self._batch()
            payloads.append(payload)
            counts.append(items)
            size += len(payload)
        return Positions(
            payloads, [], counts, first, sum(counts), self.checkpoint(), self.ended, share=self._share_read()
        )

    def _batch(self) -> tuple[bytes, int]:
        """One batch, closed by a rule that depends on nothing but the items from its first one on."""
        assert self.batcher is not None
        return fill_batch(self.batcher, self._built, self._taken)

    def _built(self) -> bytes | None:
        """The input that the next item would have alone; None after the last one."""
        if self.ended:
            return None
        assert self.build is not None
        key = self._keys[self._at] if self._keys else None
        return self.build(self.item_index, key, self._items[self._at], self._source or self.text)

    def _taken(self) -> None:
        """The next item is in the batch."""
        self._at += 1
        self.item_index += 1
        self._fill()


def _briefly(sources: list[str]) -> list[str]:
    """One for all where all are the same, none where that is the whole source's."""
    if sources and sources.count(sources[0]) == len(sources):
        return sources[:1] if sources[0] else []
    return sources


def _within(items: list[bytes], bytes_max: int) -> list[bytes]:
    size = 0
    for i, item in enumerate(items):
        size += len(item)
        if size > bytes_max:
            return items[:i]
    return items
