"""Whether what a process uses stays the same over hours: slopes of samples, and what is said of each."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Points = Sequence[tuple[float, float]]  # seconds, value
Kind = Literal["flat", "steady"]
_HOUR = 3600.0
WARM_UP_SHARE = 1 / 3
"""Of the time watched: caches, pools and heaps fill, and nothing has been deleted yet."""
FASTER_MAX = 1.5
_POINTS_MIN = 6


class Bound(msgspec.Struct, frozen=True):
    """What a measure may do. `flat`: grow by `slack`, or `share` of itself, over the time that is judged.

    `steady`: grow, but not faster in the second half than in the first: what is kept for longer than was watched.
    """

    kind: Kind
    slack: float
    share: float = 0.0


class Judged(msgspec.Struct, frozen=True):
    """One measure, from the end of the warm-up on."""

    name: str
    first: float
    last: float
    an_hour: float  # its slope
    wrong: str = ""


def slope(points: Points) -> float:
    """A second: the median slope of all pairs, so that single peaks change nothing (Theil and Sen)."""
    slopes = [(b - a) / (t - s) for n, (s, a) in enumerate(points) for t, b in points[n + 1 :] if t > s]
    return statistics.median(slopes) if slopes else 0.0


def judge(name: str, points: Points, bound: Bound) -> Judged:
    """What is to be said of one measure."""
    judged = points[int(len(points) * WARM_UP_SHARE) :]
    if len(judged) < _POINTS_MIN:
        return Judged(name, 0.0, 0.0, 0.0, f"{len(points)} samples say nothing")
    a_second, seconds = slope(judged), judged[-1][0] - judged[0][0]
    ends = max(1, len(judged) // 10)
    first = statistics.median(value for _, value in judged[:ends])
    last = statistics.median(value for _, value in judged[-ends:])
    wrong = ""
    if bound.kind == "flat":
        grown, allowed = a_second * seconds, max(bound.slack, bound.share * first)
        if grown > allowed:
            wrong = f"grew by {grown:,.1f}, and may by {allowed:,.1f}"
    else:
        middle = len(judged) // 2
        before, after = slope(judged[: middle + 1]), slope(judged[middle:])
        if (after - FASTER_MAX * max(before, 0.0)) * seconds / 2 > bound.slack:
            wrong = f"grew by {before * _HOUR:,.1f} an hour at first and by {after * _HOUR:,.1f} later"
    return Judged(name, first, last, a_second * _HOUR, wrong)


def judge_all(measures: Mapping[str, Points], bounds: Mapping[str, Bound]) -> list[Judged]:
    """The same for each measure; `bounds` has the kind of a measure, the word before its first colon."""
    return [judge(name, points, bounds[name.partition(":")[0]]) for name, points in sorted(measures.items())]
