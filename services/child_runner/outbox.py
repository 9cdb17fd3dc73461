"""Outcomes on their way to home: gathered by run, cut into frames by count and bytes."""

from operator import itemgetter

from schemas.history_pages import PagedHistory
from schemas.home import REJECTED, Afterlife, ChildrenEnded
from schemas.pages import Pages
from schemas.ranges import ranges_of, ranges_of_ascending

Outcome = tuple[int, int, int, bytes, int]
"""Position, status, items, entry (msgpack: the history, or the input of who never started), index."""


class Outbox:
    """The outcomes of one run on one lane that are not on home yet, and why its first REJECTED child was refused."""

    __slots__ = ("afterlives", "bytes", "error", "first_seconds", "generation", "outcomes", "paged", "run")

    def __init__(self, run: str, generation: int) -> None:
        self.run = run
        self.generation = generation
        self.outcomes: list[Outcome] = []
        self.afterlives: dict[int, tuple[int, bytes]] = {}  # position → redrive count, remains
        self.paged: dict[int, tuple[int, ...]] = {}  # position → where the pages of its history stand
        self.bytes = 0
        self.first_seconds = 0.0
        self.error = ("", "")

    def add(self, position: int, status: int, items: int, entry: bytes, at_seconds: float, index: int) -> None:
        """One more, at this monotonic time."""
        if not self.outcomes:
            self.first_seconds = at_seconds
        self.outcomes.append((position, status, items, entry, index))
        self.bytes += len(entry)

    def keep_for_redrive(self, position: int, redrives: int, remains: bytes) -> None:
        """What a redrive needs of a child that is added as well."""
        if redrives or remains:
            self.afterlives[position] = (redrives, remains)

    def name_pages(self, position: int, pages: tuple[int, ...]) -> None:
        """Where the history of a child stands that is added as well: flat, as in PagedHistory."""
        if pages:
            self.paged[position] = pages

    def frames(self, lane: int, epoch: int, children_max: int, bytes_max: int, pages: Pages) -> list[ChildrenEnded]:
        """Everything, as frames; the outbox is empty afterwards."""
        outcomes, left = self.outcomes, self.afterlives
        outcomes.sort(key=itemgetter(0))
        self.outcomes, self.bytes = [], 0
        frames = []
        start = 0
        while start < len(outcomes):
            end, size = start, 0
            while end < len(outcomes) and end - start < children_max and (size < bytes_max or end == start):
                size += len(outcomes[end][3])
                if left and outcomes[end][0] in left:
                    size += len(left[outcomes[end][0]][1])
                end += 1
            frames.append(self._frame(outcomes[start:end], lane, epoch, pages))
            start = end
        self.afterlives, self.paged = {}, {}
        return frames

    def _frame(self, part: list[Outcome], lane: int, epoch: int, pages: Pages) -> ChildrenEnded:
        positions, statuses, items, entries, indexes = zip(*part, strict=True)
        rejected = REJECTED in statuses
        left, paged = self.afterlives, self.paged
        afterlives = [Afterlife(slot, *left[p]) for slot, p in enumerate(positions) if p in left] if left else []
        return ChildrenEnded(
            self.run,
            self.generation,
            lane,
            ranges_of_ascending(positions),
            bytes(statuses),
            () if items.count(1) == len(items) else items,
            pages.pack(entries),
            epoch,
            *(self.error if rejected else ("", "")),
            ranges_of(indexes) if self.generation else (),
            pages.pack_afterlives(afterlives),
            tuple(PagedHistory(slot, paged[p]) for slot, p in enumerate(positions) if p in paged) if paged else (),
        )
