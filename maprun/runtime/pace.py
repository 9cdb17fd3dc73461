"""How long one owner works before the others on its loop, and the group's heartbeats, get their turn."""

from maprun.runtime import clock

SLICE_SECONDS = 0.05
"""A loop that is held no longer answers requests and heartbeats in time, however many owners take turns on it."""


class LoopPace:
    """The present slice of a process's loop: between two awaits nobody else runs, so all its owners may share one."""

    __slots__ = ("_end", "_seconds")

    def __init__(self, seconds: float = SLICE_SECONDS) -> None:
        self._seconds = seconds
        self._end = 0.0

    def begin(self) -> None:
        """An await came back: a new slice begins."""
        self._end = clock.monotonic_seconds() + self._seconds

    def spent(self) -> bool:
        """True once the slice is used up."""
        return clock.monotonic_seconds() >= self._end
