"""How many error events a process has logged, by name: since its start, and within the last hour."""

from collections import Counter, deque

NAMES_MAX = 100
"""Events that are told apart; names are written in code, those of libraries by their logger."""
OTHERS = "others"
_MINUTES = 60


class ErrorCounts:
    """Counts by minute. Errors are rare: a few operations for each are no matter."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self._minutes: deque[tuple[int, Counter[str]]] = deque()

    def add(self, name: str, at_seconds: float) -> None:
        """An error event, at this time of a clock that never goes back."""
        if name not in self.total and len(self.total) >= NAMES_MAX:
            name = OTHERS
        self.total[name] += 1
        minute = int(at_seconds // 60)
        if not self._minutes or self._minutes[-1][0] != minute:
            self._forget(minute)
            self._minutes.append((minute, Counter()))
        self._minutes[-1][1][name] += 1

    def within_hour(self, at_seconds: float) -> dict[str, int]:
        """The error events of the last 60 minutes, by name."""
        self._forget(int(at_seconds // 60))
        counted: Counter[str] = Counter()
        for _, names in self._minutes:
            counted += names
        return dict(counted)

    def _forget(self, minute: int) -> None:
        while self._minutes and self._minutes[0][0] <= minute - _MINUTES:
            self._minutes.popleft()
