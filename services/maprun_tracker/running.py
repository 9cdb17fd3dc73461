"""Which children run now, as the lanes last reported: for people, never for decisions."""

from collections.abc import Iterator, Sequence

from schemas.home import LaneProgress
from services.maprun_tracker.rows import Running

Span = tuple[int, int, int]
"""First child index, count, and since when (epoch ms) they are known to run."""


def spans_of(known: Sequence[Span], reported: Sequence[int], now_ms: int) -> list[Span]:
    """The ranges `reported` (flat, ascending), each part with the time at which it was first reported."""
    spans: list[Span] = []
    k = 0
    numbers = iter(reported)
    for first, count in zip(numbers, numbers, strict=True):
        at, end = first, first + count
        while k < len(known) and known[k][0] + known[k][1] <= at:
            k += 1
        j = k
        while at < end:
            if j < len(known) and known[j][0] < end:
                start, length, since = known[j]
                if start > at:
                    spans.append((at, start - at, now_ms))
                    at = start
                stop = min(end, start + length)
                if stop > at:
                    spans.append((at, stop - at, since))
                at = max(at, stop)
                j += 1
            else:
                spans.append((at, end - at, now_ms))
                at = end
    return spans


class RunningChildren:
    """By run and lane: the spans that the newest LaneProgress reported."""

    def __init__(self, stored: Sequence[Running] = ()) -> None:
        self._spans: dict[str, dict[int, list[Span]]] = {}
        for entry in stored:
            numbers = iter(entry.ranges)
            self._spans.setdefault(entry.run, {})[entry.lane] = list(zip(numbers, numbers, numbers, strict=True))

    def lane_reported(self, record: LaneProgress, now_ms: int) -> None:
        """Takes over what a lane reports."""
        lanes = self._spans.setdefault(record.run, {})
        lanes[record.lane] = spans_of(lanes.get(record.lane, ()), record.running, now_ms)

    def run_over(self, run: str) -> None:
        """Nothing of this run runs any more."""
        self._spans.pop(run, None)

    def stored(self) -> tuple[Running, ...]:
        """For the mark."""
        return tuple(
            Running(run, lane, tuple(number for span in spans for number in span))
            for run, lanes in self._spans.items()
            for lane, spans in lanes.items()
        )

    def spans(self, run: str) -> Iterator[Span]:
        """What all lanes reported of a run, in no order; children that ended since then among it."""
        for spans in self._spans.get(run, {}).values():
            yield from spans

    def lane(self, run: str, index: int) -> int | None:
        """The lane that a child is known to run on; None when it isn't."""
        lanes = self._spans.get(run, {})
        return next(
            (lane for lane, spans in lanes.items() for first, n, _ in spans if first <= index < first + n), None
        )

    def since(self, run: str, index: int) -> int | None:
        """Since when a child is known to run; None when it isn't."""
        for first, count, since in self.spans(run):
            if first <= index < first + count:
                return since
        return None
