"""Outcomes on their way to home: gathered by run, cut into frames by count and bytes."""

from operator import itemgetter

import msgspec

from schemas.home import REJECTED, ChildrenEnded
from schemas.pages import Pages


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How one child was answered. `entry` is msgpack: its history, or its input when it never started."""

    position: int
    status: int
    items: int
    entry: bytes


class Outbox:
    """The outcomes of one run on one lane that are not on home yet, and why its first REJECTED child was refused."""

    __slots__ = ("bytes", "error", "first_at", "generation", "outcomes", "run")

    def __init__(self, run: str, generation: int) -> None:
        self.run = run
        self.generation = generation
        self.outcomes: list[tuple[int, int, int, bytes]] = []  # position, status, items, entry
        self.bytes = 0
        self.first_at = 0.0
        self.error = ("", "")

    def add(self, position: int, status: int, items: int, entry: bytes, at: float) -> None:
        """One more; `at` is monotonic seconds."""
        if not self.outcomes:
            self.first_at = at
        self.outcomes.append((position, status, items, entry))
        self.bytes += len(entry)

    def frames(self, lane: int, epoch: int, children_max: int, bytes_max: int, pages: Pages) -> list[ChildrenEnded]:
        """Everything, as frames; the outbox is empty afterwards."""
        outcomes = self.outcomes
        outcomes.sort(key=itemgetter(0))
        self.outcomes, self.bytes = [], 0
        frames = []
        start = 0
        while start < len(outcomes):
            end, size = start, 0
            while end < len(outcomes) and end - start < children_max and (size < bytes_max or end == start):
                size += len(outcomes[end][3])
                end += 1
            frames.append(self._frame(outcomes[start:end], lane, epoch, pages))
            start = end
        return frames

    def _frame(self, part: list[tuple[int, int, int, bytes]], lane: int, epoch: int, pages: Pages) -> ChildrenEnded:
        positions, statuses, items, entries = zip(*part, strict=True)
        rejected = REJECTED in statuses
        return ChildrenEnded(
            self.run,
            self.generation,
            lane,
            ranges_of(positions),
            bytes(statuses),
            () if items.count(1) == len(items) else items,
            pages.pack(entries),
            epoch,
            *(self.error if rejected else ("", "")),
        )


def ranges_of(positions: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    """Ascending positions as flat (first, count, …)."""
    if positions and positions[-1] - positions[0] == len(positions) - 1:
        return (positions[0], len(positions))
    flat: list[int] = []
    first = last = -2
    for position in positions:
        if position == last + 1:
            last = position
            continue
        if first >= 0:
            flat += (first, last - first + 1)
        first = last = position
    if first >= 0:
        flat += (first, last - first + 1)
    return tuple(flat)
