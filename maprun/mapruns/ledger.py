"""Which entries of an outcome frame count: the first answer to a position that was asked for, and no other."""

from collections.abc import Iterator, Sequence

import msgspec

from maprun.mapruns.intervals import Intervals
from schemas.home import ChildrenEnded
from schemas.ranges import pairs


class Piece(msgspec.Struct, frozen=True):
    """Accepted entries that lie together: `count` slots from `slot`, answering positions from `position`."""

    slot: int
    position: int
    count: int


def accept(answered: Intervals, asked: int, ranges: Sequence[int]) -> list[Piece]:
    """Adds what is new among `ranges` (flat, in slot order) to `answered` and says which slots that was.

    Positions at or past `asked` were never asked for and are left out. Scheduler, tracker and export decide with this
    one function, so they can't disagree about a winner.
    """
    pieces: list[Piece] = []
    slot = 0
    for first, count in pairs(ranges):
        for start, length in answered.missing(first, min(count, asked - first)):
            answered.add(start, length)
            pieces.append(Piece(slot + start - first, start, length))
        slot += count
    return pieces


def below(pieces: Sequence[Piece], position: int) -> list[Piece]:
    """The parts of these pieces that answer positions below one."""
    cut = [Piece(p.slot, p.position, min(p.count, position - p.position)) for p in pieces]
    return [piece for piece in cut if piece.count > 0]


def tally(frame: ChildrenEnded, pieces: Sequence[Piece]) -> dict[int, tuple[int, int]]:
    """Children and items of the accepted slots, by status."""
    counts: dict[int, tuple[int, int]] = {}
    for piece in pieces:
        end = piece.slot + piece.count
        statuses = frame.statuses[piece.slot : end]
        for status in set(statuses):
            children = statuses.count(status)
            if frame.items:
                items = sum(n for n, s in zip(frame.items[piece.slot : end], statuses, strict=True) if s == status)
            else:
                items = children
            had = counts.get(status, (0, 0))
            counts[status] = (had[0] + children, had[1] + items)
    return counts


def indexed(frame: ChildrenEnded, pieces: Sequence[Piece]) -> Iterator[tuple[int, int, int]]:
    """(slot, child index, count) of accepted slots: neighbours in the frame with neighbouring indexes together."""
    if not frame.indexes:
        yield from ((piece.slot, piece.position, piece.count) for piece in pieces)
        return
    ranges = list(pairs(frame.indexes))
    at, first = 0, 0  # of the range that the slot lies in: its number, and its first slot
    for piece in pieces:
        slot, end = piece.slot, piece.slot + piece.count
        while slot < end:
            while slot >= first + ranges[at][1]:
                first += ranges[at][1]
                at += 1
            index, length = ranges[at]
            count = min(end, first + length) - slot
            yield slot, index + slot - first, count
            slot += count
