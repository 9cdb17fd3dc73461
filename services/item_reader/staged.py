"""How children of earlier generations are published again: what of them travels, how it is cut, what is said. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from maprun.mapruns.results.stages import StagedChild
from schemas.asks import ItemsRequested
from schemas.home import ItemsRead
from schemas.lanes import ItemFrame, RedrivenChild
from schemas.ranges import ranges_of
from schemas.wire import encode
from services.item_reader.handlers import ReaderLimits, Window


class StagedItem(msgspec.Struct, frozen=True):
    """A child of an earlier generation as its lane gets it."""

    child: StagedChild
    payload: bytes
    alone: bool = False  # its input is to be built again: it has a frame of its own
    key: str | None = None
    source: str = ""


def staged_item(child: StagedChild, *, lost: bool) -> StagedItem:
    """What is published of a child: its whole past if it ended unsuccessfully, else its input.

    A refused child whose input could not be built left (item, key, source), and is built again.
    """
    if lost:
        past = RedrivenChild(child.status, child.redrive_count, child.entry, child.remains, child.pages)
        return StagedItem(child, encode(past))
    entry: list[Any] = msgspec.msgpack.decode(child.entry)
    if len(entry) == 1:
        return StagedItem(child, entry[0])
    item, key, source = entry
    return StagedItem(child, item, alone=True, key=key, source=source)


def frames(
    ask: ItemsRequested, windows: list[Window], items: Sequence[StagedItem], limits: ReaderLimits, *, lost: bool
) -> list[tuple[int, ItemFrame]]:
    """The frames of children that begin with the first of these windows, each with its lane."""
    out = []
    taken = 0
    for first, count, lane in windows:
        end = min(taken + count, len(items))
        start = taken
        while taken < end:
            group = _together(items, taken, end, limits)
            out.append((lane, _frame(ask, first + taken - start, group, lost=lost)))
            taken += len(group)
    return out


def _together(items: Sequence[StagedItem], start: int, end: int, limits: ReaderLimits) -> Sequence[StagedItem]:
    """As many as one frame holds; at least one."""
    stop, size = start + 1, len(items[start].payload)
    while stop < end and not items[start].alone and not items[stop].alone and size < limits.frame_bytes_max:
        size += len(items[stop].payload)
        stop += 1
    return items[start:stop]


def _frame(ask: ItemsRequested, first: int, group: Sequence[StagedItem], *, lost: bool) -> ItemFrame:
    head = group[0]
    counts = tuple(item.child.items for item in group)
    return ItemFrame(
        ask.run,
        ask.generation,
        first,
        tuple(item.payload for item in group),
        head.source,
        head.child.index if head.alone else 0,
        (head.key,) if head.key is not None else (),
        () if counts.count(1) == len(counts) else counts,
        built=not lost and not head.alone,
        indexes=ranges_of(item.child.index for item in group),
        redriven=lost,
    )


def read(ask: ItemsRequested, first: int, items: Sequence[StagedItem], *, lost: bool) -> ItemsRead:
    """What was read of earlier generations. The source is where it was."""
    redriven: dict[int, list[int]] = {}
    for item in items if lost else ():
        tally = redriven.setdefault(item.child.status, [0, 0])
        tally[0] += 1
        tally[1] += item.child.items
    return ItemsRead(
        ask.run,
        ask.generation,
        first,
        len(items),
        sum(item.child.items for item in items),
        sum(len(item.payload) for item in items),
        ask.checkpoint,
        redriven=tuple(n for status in sorted(redriven) for n in (status, *redriven[status])),
    )


def too_large(items: Sequence[StagedItem], limits: ReaderLimits) -> str:
    """Why a child among these fits no record; empty when all do."""
    for item in items:
        if len(item.payload) > limits.item_bytes_max:
            return (
                f"Child execution {item.child.index} has a history and state of {len(item.payload)} bytes, exceeding "
                f"the maximum of {limits.item_bytes_max} bytes that can be redriven."
            )
    return ""
