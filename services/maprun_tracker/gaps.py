"""What a record that comes means when Faust hands out others than were asked for, and when a recovery stands still."""

from enum import Enum

SEEK_AGAIN_SECONDS = 1.0
GAP_SECONDS_MAX = 20.0
RECOVERY_STILL_SECONDS_MAX = 15.0


class Came(Enum):
    """What to do with a record."""

    FOLLOWS = "fold it"
    FIRST = "fold it: retention took what was before"
    SEEK = "go back to what lacks"
    WAIT = "pass it over: what lacks is on its way"
    LOST = "home was cut off behind the table"


class Gap:
    """The records that lack on one home.

    Faust hands out what it fetched before it was put elsewhere, and drops what it fetched while a rebalance holds its
    flow up. So a gap is healed by going back, again each second; one that stays is real.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._sought_at = 0.0
        self._came = -1

    def judge(self, have: int, offset: int, now: float) -> Came:
        """What the record at `offset` means to a fold that has all up to `have` (-1 = none); `now` in seconds."""
        if offset <= have + 1:
            self._since = None
            return Came.FOLLOWS
        if self._since is None:
            self._since = self._sought_at = now
            self._came = offset
            return Came.SEEK
        if have < 0 and offset == self._came:
            return Came.FIRST
        if now - self._since > GAP_SECONDS_MAX:
            return Came.LOST
        if now - self._sought_at > SEEK_AGAIN_SECONDS:
            self._sought_at = now
            return Came.SEEK
        return Came.WAIT


class Recovery:
    """Whether the recovery of the table gets on: Faust's can stand still for ever, without a word."""

    def __init__(self, now: float) -> None:
        self._to_go = 0
        self._moved_at = now

    def still(self, to_go: int, now: float) -> bool:
        """True when the same number of rows has been left to read for too long; 0 = nothing is to be read."""
        if not to_go or to_go != self._to_go:
            self._to_go, self._moved_at = to_go, now
        return now - self._moved_at > RECOVERY_STILL_SECONDS_MAX
