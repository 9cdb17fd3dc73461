"""How long one owner works before the others on its loop, and the group's heartbeats, get their turn."""

from maprun.runtime import clock

SLICE_SECONDS = 0.02
"""A loop that is held no longer answers requests and heartbeats in time, however many owners take turns on it."""


class LoopPace:
    """The present slice of a process's loop: between two awaits nobody else runs, so all its owners may share one.

    The clock is looked at once in `asked_a_look` times that it is asked: where each answer is for microseconds of work,
    looking costs more than the work it could save.
    """

    __slots__ = ("_asked_a_look", "_end", "_seconds", "_to_look")

    def __init__(self, seconds: float = SLICE_SECONDS, asked_a_look: int = 1) -> None:
        self._seconds = seconds
        self._asked_a_look = asked_a_look
        self._to_look = asked_a_look
        self._end = 0.0

    def begin(self) -> None:
        """An await came back: a new slice begins."""
        self._end = clock.monotonic_seconds() + self._seconds
        self._to_look = self._asked_a_look

    def spent(self) -> bool:
        """True once the slice is used up, and from then on."""
        self._to_look -= 1
        if self._to_look > 0:
            return False
        if clock.monotonic_seconds() >= self._end:
            return True
        self._to_look = self._asked_a_look
        return False
