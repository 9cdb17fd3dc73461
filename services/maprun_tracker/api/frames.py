"""Histories of children: frames of home fetched by offset, kept for a while, one child's events taken out."""

import asyncio
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from maprun.mapruns.home import decode_record
from maprun.mapruns.ledger import pairs
from schemas.history import HistoryEvent, decode_events
from schemas.home import PAGE_SLOTS, ChildrenEnded
from schemas.pages import Pages
from services.maprun_tracker.api.errors import Unavailable

Read = Callable[[int, int], Awaitable[bytes | None]]
"""The value of the record at (home, offset); None when home no longer holds it."""


class Frames:
    """A cache of frames, bounded by bytes."""

    def __init__(self, read: Read, bytes_max: int, at_once_max: int) -> None:
        self._read = read
        self._bytes_max = bytes_max
        self._at_once = asyncio.Semaphore(at_once_max)
        self._frames: OrderedDict[tuple[int, int], tuple[ChildrenEnded, int]] = OrderedDict()
        self._bytes = 0
        self._coming: dict[tuple[int, int], asyncio.Future[ChildrenEnded]] = {}
        self._pages = Pages()

    async def frame(self, home: int, offset: int) -> ChildrenEnded:
        """The frame at an offset of home. Raises Unavailable when it can't be read."""
        key = (home, offset)
        had = self._frames.get(key)
        if had is not None:
            self._frames.move_to_end(key)
            return had[0]
        coming = self._coming.get(key)
        if coming is None:
            coming = self._coming[key] = asyncio.ensure_future(self._fetch(home, offset))
            coming.add_done_callback(lambda _: self._coming.pop(key, None))
        return await asyncio.shield(coming)

    async def _fetch(self, home: int, offset: int) -> ChildrenEnded:
        async with self._at_once:
            value = await self._read(home, offset)
        record = decode_record(value) if value is not None else None
        if not isinstance(record, ChildrenEnded):
            raise Unavailable(f"The history at offset {offset} of home {home} is no longer kept.")
        size = len(value or b"")
        self._frames[home, offset] = (record, size)
        self._bytes += size
        while self._bytes > self._bytes_max and len(self._frames) > 1:
            self._bytes -= self._frames.popitem(last=False)[1][1]
        return record

    def events(self, frame: ChildrenEnded, positions: Sequence[int]) -> dict[int, list[HistoryEvent]]:
        """The events of these children in the frame that answered them."""
        slots = slots_of(frame, positions)
        by_page: dict[int, list[int]] = {}
        for position, slot in slots.items():
            by_page.setdefault(slot // PAGE_SLOTS, []).append(position)
        out: dict[int, list[HistoryEvent]] = {}
        for page, members in by_page.items():
            entries = self._pages.unpack(frame.pages[page])
            for position in members:
                out[position] = decode_events(bytes(entries[slots[position] % PAGE_SLOTS]))
        return out


def slots_of(frame: ChildrenEnded, positions: Sequence[int]) -> dict[int, int]:
    """The slots of these positions: of one that stands in a frame twice, the first."""
    wanted = sorted(positions)
    out: dict[int, int] = {}
    slot = 0
    for first, count in pairs(frame.ranges):
        for position in wanted[bisect_left(wanted, first) : bisect_left(wanted, first + count)]:
            out.setdefault(position, slot + position - first)
        slot += count
    return out
