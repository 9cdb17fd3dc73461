"""Sets of positions as sorted disjoint intervals: small when positions come mostly in order, exact always."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Intervals:
    """A set of non-negative integers. `starts[i] <= x < ends[i]`, intervals sorted and not touching."""

    __slots__ = ("ends", "starts")

    def __init__(self, flat: Iterable[int] = ()) -> None:
        """From flat (first, count, first, count, …), in any order."""
        self.starts: list[int] = []
        self.ends: list[int] = []
        numbers = iter(flat)
        for first, count in zip(numbers, numbers, strict=True):
            self.add(first, count)

    def flat(self) -> tuple[int, ...]:
        """Flat (first, count, …), ascending."""
        return tuple(n for s, e in zip(self.starts, self.ends, strict=True) for n in (s, e - s))

    def __contains__(self, position: int) -> bool:
        i = bisect_right(self.starts, position) - 1
        return i >= 0 and position < self.ends[i]

    def __len__(self) -> int:
        return sum(self.ends) - sum(self.starts)

    def __iter__(self) -> Iterator[int]:
        for s, e in zip(self.starts, self.ends, strict=True):
            yield from range(s, e)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intervals) and self.starts == other.starts and self.ends == other.ends

    __hash__ = None  # type: ignore[assignment]  # it changes

    def overlaps(self, first: int, count: int) -> bool:
        """True if any of [first, first + count) is in the set."""
        i = bisect_left(self.starts, first + count) - 1
        return count > 0 and i >= 0 and self.ends[i] > first

    def covers(self, first: int, count: int) -> bool:
        """True if all of [first, first + count) is in the set."""
        if count <= 0:
            return True
        i = bisect_right(self.starts, first) - 1
        return i >= 0 and self.ends[i] >= first + count

    def add(self, first: int, count: int) -> None:
        """Adds [first, first + count)."""
        if count <= 0:
            return
        starts, ends = self.starts, self.ends
        end = first + count
        lo = bisect_left(ends, first)  # the first interval that touches or follows
        hi = bisect_right(starts, end)  # behind the last one that touches
        if lo < hi:
            first = min(first, starts[lo])
            end = max(end, ends[hi - 1])
        starts[lo:hi] = [first]
        ends[lo:hi] = [end]

    def prefix(self) -> int:
        """The first position that is missing: everything below it is in the set."""
        return self.ends[0] if self.starts and self.starts[0] == 0 else 0

    def missing(self, first: int, count: int) -> list[tuple[int, int]]:
        """The parts (first, count) of [first, first + count) that are not in the set."""
        out: list[tuple[int, int]] = []
        end = first + count
        i = bisect_right(self.ends, first)
        while first < end:
            if i == len(self.starts) or self.starts[i] >= end:
                out.append((first, end - first))
                break
            if self.starts[i] > first:
                out.append((first, self.starts[i] - first))
            first = self.ends[i]
            i += 1
        return out
