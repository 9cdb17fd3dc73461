"""What the reader decides of an ask: which windows are still to be served, how they are cut, what it says. Pure."""

import hashlib
from collections import deque

import msgspec

from maprun.integrations.resources import READ_LISTING, parse_resource
from schemas.asks import ItemsConfirmed, ItemsRequested
from schemas.home import ItemsRead, SourceEnded, SourceFailed, SourceOpened
from schemas.lanes import ItemFrame
from schemas.plan import MapRunPlan
from schemas.quotas import CAUSE_LENGTH_MAX, ERROR_LENGTH_MAX
from schemas.wire import encoded_bytes
from services.item_reader.stream import ItemStream, Positions

Ask = ItemsRequested | ItemsConfirmed
Window = tuple[int, int, int]
"""(first, count, lane)."""
LISTING_CHANGED = "The objects listed under the prefix changed while the Map Run was reading them."


class ReaderLimits(msgspec.Struct, frozen=True):
    """Bounds of reading (rule R9)."""

    part_items_max: int = 2_000  # positions read and published at once
    frame_bytes_max: int = 512 << 10  # of items in one frame, about; a single item may be larger
    item_bytes_max: int = 9 << 20  # the JSON of one item: AWS's 8 MB record, grown by names and escapes, fits a record
    home_bytes_max: int = 4 << 20  # of outcomes read from home at once, about, for a redrive
    home_records_max: int = 512
    idle_seconds: float = 30.0
    # Open sources of the whole process, beside those being read: three ranges of 4 MB each, 768 MB in all at the worst.
    streams_open_max: int = 64
    retry_pauses_seconds: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 4.0)


class Listed(msgspec.Struct, frozen=True):
    """Positions of a listing that were read and said, and are published once they are confirmed."""

    fact: ItemsRead
    frames: list[tuple[int, ItemFrame]]  # (lane, frame)


def limits_of(value_bytes_max: int) -> ReaderLimits:
    """The limits when whatever is sent fits a record whose value has `value_bytes_max`."""
    usual = ReaderLimits()
    return ReaderLimits(
        frame_bytes_max=min(usual.frame_bytes_max, value_bytes_max // 8),
        item_bytes_max=min(usual.item_bytes_max, value_bytes_max // 10 * 9),
        home_bytes_max=min(usual.home_bytes_max, value_bytes_max),
    )


def is_listing(plan: MapRunPlan) -> bool:
    """True if the source can't be pinned."""
    return plan.reader is not None and parse_resource(plan.reader.resource) == READ_LISTING


def windows_of(flat: tuple[int, ...]) -> list[Window]:
    """(first, count, lane) of an ask's windows."""
    return list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


def still_to_serve(ask: ItemsRequested, served: int) -> list[Window]:
    """The windows of an ask without what this process has published already."""
    todo = []
    for first, count, lane in windows_of(ask.windows):
        start = max(first, served)
        if start < first + count:
            todo.append((start, first + count - start, lane))
    return todo


def lost_of(ask: ItemsRequested) -> int:
    """Positions of children that ended unsuccessfully before: the first ones of a redrive."""
    return sum(stage.count for stage in ask.stages if stage.lost)


def staged_of(ask: ItemsRequested) -> int:
    """Positions of all children of earlier generations; the source's come behind them."""
    return sum(stage.count for stage in ask.stages)


def border(ask: ItemsRequested, position: int) -> int | None:
    """Where the kind of positions that this one is of ends: lost children, never started ones; None for the source."""
    lost, staged = lost_of(ask), staged_of(ask)
    return lost if position < lost else staged if position < staged else None


def source_first(ask: ItemsRequested) -> int:
    """The position that the ask's checkpoint and item index belong to."""
    return max(ask.position, staged_of(ask))


def index_of(ask: Ask, position: int) -> int:
    """The index of the child that a position of the source becomes."""
    if not ask.generation:
        return position
    first = ask.first if isinstance(ask, ItemsConfirmed) else staged_of(ask)
    return ask.index_first + position - first


def take_part(todo: deque[Window], limits: ReaderLimits, end: int | None = None) -> list[Window]:
    """Takes as many windows as are read at once, none past `end`; a large one is split."""
    part: list[Window] = []
    room = limits.part_items_max if not todo or end is None else min(limits.part_items_max, end - todo[0][0])
    while todo and room > 0:
        first, count, lane = todo.popleft()
        if count > room:
            todo.appendleft((first + room, count - room, lane))
            count = room
        part.append((first, count, lane))
        room -= count
    return part


def give_back(todo: deque[Window], part: list[Window], done: int) -> None:
    """Puts back what a part has beyond its first `done` positions."""
    end = part[0][0] + done
    for first, count, lane in reversed(part):
        if first + count > end:
            todo.appendleft((max(first, end), first + count - max(first, end), lane))


def read_part(stream: ItemStream, windows: list[Window], limits: ReaderLimits) -> list[tuple[Positions, int]]:
    """Reads windows (blocking): positions with their lane, each no larger than a frame; less at the source's end."""
    out: list[tuple[Positions, int]] = []
    for _, count, lane in windows:
        left = count
        while left and not stream.ended:
            positions = stream.read(left, limits.frame_bytes_max)
            left -= len(positions.payloads)
            out.append((positions, lane))
    return out


def item_too_large(read: list[tuple[Positions, int]], limits: ReaderLimits) -> str:
    """Why an item among these fits no record; empty when all do."""
    for positions, _ in read:
        for i, payload in enumerate(positions.payloads):
            size = len(payload) + len(_at(positions.keys, i)) + len(_at(positions.sources, i))
            if size > limits.item_bytes_max:
                return (
                    f"Item {positions.item_first + i} has a size of {size} bytes, exceeding the maximum of "
                    f"{limits.item_bytes_max} bytes."
                )
    return ""


def _at(texts: list[str], i: int) -> bytes:
    """The text of item `i`, in UTF-8; empty where there is none, or one for all."""
    return texts[i].encode(errors="replace") if i < len(texts) else b""


def fitting(frame: ItemFrame, bytes_max: int) -> list[ItemFrame]:
    """The frame in parts of at most `bytes_max` bytes each, names and keys counted; a single item may be larger."""
    count = len(frame.items)
    if count < 2 or encoded_bytes(frame) <= bytes_max:  # noqa: PLR2004 - a pair can be parted
        return [frame]
    half = count // 2
    return [*fitting(_part(frame, 0, half), bytes_max), *fitting(_part(frame, half, count), bytes_max)]


def _part(frame: ItemFrame, start: int, end: int) -> ItemFrame:
    """The items [start, end) of a frame, whose indexes are one stretch."""
    return msgspec.structs.replace(
        frame,
        first=frame.first + start,
        items=frame.items[start:end],
        item_first=frame.item_first + (sum(frame.counts[:start]) if frame.counts else start),
        keys=frame.keys[start:end],
        counts=frame.counts[start:end],
        sources=frame.sources[start:end],
        indexes=(frame.indexes[0] + start, end - start) if frame.indexes else (),
    )


def frames_of(
    ask: Ask, first: int, read: list[tuple[Positions, int]], text: str, bytes_max: int
) -> list[tuple[int, ItemFrame]]:
    """The item frames of what was read, from position `first` on, each with its lane."""
    out = []
    for positions, lane in read:
        frame = ItemFrame(
            ask.run,
            ask.generation,
            first,
            tuple(positions.payloads),
            positions.sources[0] if len(positions.sources) == 1 else text,
            positions.item_first,
            tuple(positions.keys),
            tuple(positions.counts) if ask.plan.batcher is not None else (),
            built=ask.plan.batcher is not None,
            indexes=(index_of(ask, first), len(positions.payloads)) if ask.generation else (),
            sources=tuple(positions.sources) if len(positions.sources) > 1 else (),
        )
        out += [(lane, part) for part in fitting(frame, 2 * bytes_max)]
        first += len(positions.payloads)
    return out


def void_frames(ask: ItemsConfirmed) -> list[tuple[int, ItemFrame]]:
    """Frames for positions that the fold counts as published and whose items can't be had any more: empty texts.

    Some of them may be published already, by a process that died in the midst; lanes keep what they know. Without these
    the rest would be owed an answer for ever, and the run would never close.
    """
    return [
        (
            lane,
            ItemFrame(
                ask.run,
                ask.generation,
                first,
                (b"",) * count,
                "",
                indexes=(index_of(ask, first), count) if ask.generation else (),
            ),
        )
        for first, count, lane in windows_of(ask.windows)
    ]


def items_read(ask: Ask, first: int, read: list[tuple[Positions, int]], *, digest: bool) -> ItemsRead:
    """What was read, with where to go on; of a listing with the digest that tells it from another listing."""
    payloads = [payload for positions, _ in read for payload in positions.payloads]
    # The object that each item comes from belongs to what is confirmed; a plain listing has none.
    told = [*payloads, *(source.encode(errors="replace") for positions, _ in read for source in _each(positions))]
    return ItemsRead(
        ask.run,
        ask.generation,
        first,
        len(payloads),
        sum(positions.items for positions, _ in read),
        sum(map(len, payloads)),
        read[-1][0].checkpoint if read else b"",
        hashlib.blake2b(b"\n".join(told), digest_size=16).digest() if digest else b"",
        share=read[-1][0].share if read else 0.0,
    )


def _each(positions: Positions) -> list[str]:
    """The source of each position, however briefly they are told; empty where it is the whole source's."""
    return positions.sources * len(positions.payloads) if len(positions.sources) == 1 else positions.sources


def source_opened(ask: Ask, pin: bytes) -> SourceOpened:
    """The version the source has now."""
    return SourceOpened(ask.run, ask.generation, pin)


def source_ended(ask: Ask, total: int) -> SourceEnded:
    """How many positions the source holds."""
    return SourceEnded(ask.run, ask.generation, total)


def source_failed(ask: Ask, error: str, cause: str) -> SourceFailed:
    """Why the source can't be read."""
    return SourceFailed(ask.run, ask.generation, error[:ERROR_LENGTH_MAX], cause[:CAUSE_LENGTH_MAX])
