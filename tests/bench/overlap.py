"""How many of some intervals were open at once, at most and for how long: what `in flight` means here."""

import math
from collections.abc import Iterable, Sequence

import msgspec


class Overlap(msgspec.Struct, frozen=True):
    """The most that were open at once, and for how long exactly so many were (in the unit of the times)."""

    most: int
    time_at_most: int
    first_at_most: int  # when so many were open for the first time; 0 if none was ever


def overlap(changes: Iterable[tuple[int, int]]) -> Overlap:
    """Of (time, +1 or -1), in any order: at one and the same time what ends is counted before what begins.

    That is the reading in favour of whoever is measured: times are rounded, and a slot may be taken again at once.
    """
    most = held = first = 0
    spent: dict[int, int] = {}
    before = 0
    for at, delta in sorted(changes):
        spent[held] = spent.get(held, 0) + at - before
        before = at
        held += delta
        if held > most:
            most, first = held, at
    return Overlap(most, spent.get(most, 0) if most else 0, first)


def of_intervals(intervals: Iterable[tuple[int, int]]) -> Overlap:
    """Of half-open intervals [start, stop); one that is empty counts for nothing."""
    return overlap(change for start, stop in intervals for change in ((start, 1), (stop, -1)) if stop > start)


def level(changes: Iterable[tuple[int, int]], until: int) -> int:
    """How many were open just after a time."""
    return sum(delta for at, delta in changes if at <= until)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them don't exceed; 0.0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
