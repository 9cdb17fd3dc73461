"""Histories of children: frames and pages of home fetched by offset, kept for a while, a child's events taken out."""

import asyncio
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from maprun.mapruns.fold.home import decode_record
from schemas.history import HistoryEvent, decode_events
from schemas.history_pages import HistoryPage
from schemas.home import PAGE_SLOTS, ChildrenEnded
from schemas.pages import Pages
from schemas.ranges import pairs

Read = Callable[[int, int], Awaitable[bytes | None]]
"""The value of the record at (home, offset); None when home no longer holds it."""

Stored = ChildrenEnded | HistoryPage


class Kept(msgspec.Struct, frozen=True):
    """What a frame tells of a child: its history, and how often it was redriven by then.

    Of a long history `events` are the first, the last ExecutionRedriven and the last; `pages` says where all stand, as
    flat (offset, events there).
    """

    events: list[HistoryEvent]
    redrive_count: int
    pages: tuple[int, ...] = ()


class GoneError(Exception):
    """Home no longer holds this record: it is older than home's retention."""

    retriable = False


class Frames:
    """A cache of frames and pages, bounded by bytes."""

    def __init__(self, read: Read, bytes_max: int, at_once_max: int) -> None:
        self._read = read
        self._bytes_max = bytes_max
        self._at_once = asyncio.Semaphore(at_once_max)
        self._records: OrderedDict[tuple[int, int], tuple[Stored, int]] = OrderedDict()
        self._bytes = 0
        self._coming: dict[tuple[int, int], asyncio.Future[Stored]] = {}
        self._pages = Pages()

    async def frame(self, home: int, offset: int) -> ChildrenEnded:
        """The frame at an offset of home. Raises Unavailable when it can't be read now, GoneError when never again."""
        record = await self._record(home, offset)
        if not isinstance(record, ChildrenEnded):
            raise GoneError(f"There is no frame at offset {offset} of home {home} any more.")
        return record

    async def page(self, home: int, offset: int) -> list[HistoryEvent]:
        """The events of the page at an offset of home. Raises as `frame`."""
        record = await self._record(home, offset)
        if not isinstance(record, HistoryPage):
            raise GoneError(f"There is no page of a history at offset {offset} of home {home} any more.")
        return self._pages.unpack_history(record)

    async def _record(self, home: int, offset: int) -> Stored:
        key = (home, offset)
        had = self._records.get(key)
        if had is not None:
            self._records.move_to_end(key)
            return had[0]
        coming = self._coming.get(key)
        if coming is None:
            coming = self._coming[key] = asyncio.ensure_future(self._fetch(home, offset))
            coming.add_done_callback(lambda _: self._coming.pop(key, None))
        return await asyncio.shield(coming)

    async def _fetch(self, home: int, offset: int) -> Stored:
        async with self._at_once:
            value = await self._read(home, offset)
        record = decode_record(value) if value is not None else None
        if not isinstance(record, ChildrenEnded | HistoryPage):
            raise GoneError(f"The record at offset {offset} of home {home} is no longer kept.")
        size = len(value or b"")
        self._records[home, offset] = (record, size)
        self._bytes += size
        while self._bytes > self._bytes_max and len(self._records) > 1:
            self._bytes -= self._records.popitem(last=False)[1][1]
        return record

    def children(self, frame: ChildrenEnded, indexes: Sequence[int]) -> dict[int, Kept]:
        """What the frame that answered these children tells of them."""
        slots = slots_of(frame, indexes)
        afterlives = self._pages.unpack_afterlives(frame.afterlives) if frame.generation else {}
        paged = {history.slot: history.pages for history in frame.paged}
        by_page: dict[int, list[int]] = {}
        for index, slot in slots.items():
            by_page.setdefault(slot // PAGE_SLOTS, []).append(index)
        out: dict[int, Kept] = {}
        for page, members in by_page.items():
            entries = self._pages.unpack(frame.pages[page])
            for index in members:
                afterlife = afterlives.get(slots[index])
                events = decode_events(bytes(entries[slots[index] % PAGE_SLOTS]))
                redrives = 0 if afterlife is None else afterlife.redrive_count
                out[index] = Kept(events, redrives, paged.get(slots[index], ()))
        return out


def slots_of(frame: ChildrenEnded, indexes: Sequence[int]) -> dict[int, int]:
    """The slots of the children with these indexes: of one that stands in a frame twice, the first."""
    wanted = sorted(indexes)
    out: dict[int, int] = {}
    slot = 0
    for first, count in pairs(frame.indexes or frame.ranges):
        for index in wanted[bisect_left(wanted, first) : bisect_left(wanted, first + count)]:
            out.setdefault(index, slot + index - first)
        slot += count
    return out
