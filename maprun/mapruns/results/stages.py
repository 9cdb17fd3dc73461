"""Children of earlier generations, found again in the outcome frames on home that they ended in.

A stage of a redrive says which frames; the fold's own rule says which of their entries count. The item-reader publishes
the children again, the result export writes those that a generation didn't reach.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from maprun.mapruns.child_sets import ChildSet
from maprun.mapruns.intervals import Intervals
from maprun.mapruns.ledger import accept, indexed
from schemas.asks import RedriveStage, StageCut
from schemas.home import ABORTED, FAILED, PAGE_SLOTS, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT, ChildrenEnded
from schemas.pages import Pages

LOST = frozenset({FAILED, TIMED_OUT, ABORTED})
NEVER_STARTED = frozenset({RETURNED, REJECTED})


class Slots(msgspec.Struct, frozen=True):
    """Neighbouring slots of a frame, all of a stage: the first one's place in the stage, and its child's index."""

    slot: int
    rank: int
    index: int
    count: int


class StagedChild(msgspec.Struct, frozen=True):
    """A child as it stands in its frame. `entry` is the list of its events, or of what a never started one left.

    `pages` are where a long history stands, as in PagedHistory.
    """

    index: int
    items: int
    status: int
    redrive_count: int
    entry: msgspec.Raw
    remains: bytes
    pages: tuple[int, ...] = ()


class StageLedger:
    """One stage: frames of home in order in, which of their slots belong to it out. A frame seen again adds nothing."""

    def __init__(self, run: str, stage: RedriveStage, statuses: frozenset[int] | None = None) -> None:
        """`statuses`: how they ended, if not as the stage says."""
        self._run = run
        self._stage = stage
        self._answered = Intervals()
        self._mask = _mask(statuses or (LOST if stage.lost else NEVER_STARTED))
        self._rank = -stage.skip  # of the next one
        self._cuts = [_Cut(cut) for cut in stage.cuts]

    @classmethod
    def succeeded(cls, run: str, stage: RedriveStage) -> "StageLedger":
        """A stage of children that succeeded."""
        return cls(run, stage, frozenset({SUCCEEDED}))

    @property
    def found(self) -> int:
        """Children of the stage that were found, of `count`."""
        return min(self._stage.count, max(0, self._rank))

    @property
    def complete(self) -> bool:
        """True when no further frame can hold one."""
        return self.found == self._stage.count

    def take(self, frame: ChildrenEnded) -> list[Slots]:
        """The slots of a frame that belong to the stage, ascending in slot and rank."""
        if frame.run != self._run or frame.generation != self._stage.generation:
            return []
        out: list[Slots] = []
        wanted = _wanted(frame, self._answered, self._stage.asked, self._mask)
        for cut in self._cuts:
            wanted = cut.left(wanted)
        for slot, index, count in wanted:
            skipped = max(0, -self._rank)
            taken = min(count, self._stage.count - self._rank) - skipped
            if taken > 0:
                out.append(Slots(slot + skipped, self._rank + skipped, index + skipped, taken))
            self._rank += count
        return out


class _Cut:
    """What one cut of a stage leaves, frame after frame."""

    def __init__(self, cut: StageCut) -> None:
        self._skip = cut.skip
        self._children = ChildSet.decode(cut.children)
        self._inside = cut.inside

    def left(self, slots: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
        """Of neighbours (slot, child index, count) those that it leaves."""
        for slot, index, count in slots:
            skipped = min(self._skip, count)
            self._skip -= skipped
            for first, length in self._children.parts(index + skipped, count - skipped, inside=self._inside):
                yield slot + first - index, first, length


def children(frame: ChildrenEnded, slots: Sequence[Slots], pages: Pages) -> Iterator[StagedChild]:
    """The children in these slots; only pages that hold one are unpacked."""
    afterlives = pages.unpack_afterlives(frame.afterlives) if slots else {}
    paged = {history.slot: history.pages for history in frame.paged}
    page, entries = -1, list[msgspec.Raw]()
    for run in slots:
        for i in range(run.count):
            slot = run.slot + i
            if slot // PAGE_SLOTS != page:
                page = slot // PAGE_SLOTS
                entries = pages.unpack(frame.pages[page])
            afterlife = afterlives.get(slot)
            yield StagedChild(
                run.index + i,
                frame.items[slot] if frame.items else 1,
                frame.statuses[slot],
                afterlife.redrive_count if afterlife is not None else 0,
                entries[slot % PAGE_SLOTS],
                afterlife.remains if afterlife is not None else b"",
                paged.get(slot, ()),
            )


def _mask(statuses: frozenset[int]) -> bytes:
    """A table for bytes.translate: 1 for these statuses, else 0."""
    return bytes(status in statuses for status in range(256))


def _wanted(frame: ChildrenEnded, answered: Intervals, asked: int, mask: bytes) -> Iterator[tuple[int, int, int]]:
    """(slot, child index, count) of neighbours that count for the first time and end as the mask says."""
    pieces = accept(answered, asked, frame.ranges)
    marks = frame.statuses.translate(mask)
    if 1 not in marks:
        return
    for slot, index, count in indexed(frame, pieces):
        end = slot + count
        start = marks.find(1, slot, end)
        while start >= 0:
            stop = marks.find(0, start, end)
            stop = end if stop < 0 else stop
            yield start, index + start - slot, stop - start
            start = marks.find(1, stop, end)
