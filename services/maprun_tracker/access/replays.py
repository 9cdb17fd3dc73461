"""Signatures that were used: a copy that comes late is refused, though its date would still be good for minutes.

A signature names its second, not its request: equal calls of one second have the same one (boto3 signs no id of the
call), and all are meant. So a request that may change something is let in for some seconds after the first one that was
signed so, and no longer.
"""

import datetime as dt

from services.maprun_tracker.access.signatures import SKEW_SECONDS_MAX, Claim

TOGETHER_SECONDS_MAX = 30
"""For so long after the first one others are taken for calls of the same second, which came by slower ways."""
KEPT_MAX = 500_000
"""Signatures in memory, some 60 MB: 1,600 requests a second over all the time that a date is good for. Beyond it the
oldest seconds are forgotten."""
_DIGITS = 16  # of a signature: 64 bits, drawn by HMAC


class Replays:
    """The signatures that a process has seen, by their dates: whole seconds are forgotten."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._seen: dict[str, dict[int, int]] = {}  # date → signature → epoch second of its first use
        self._kept = 0

    def in_time(self, claim: Claim, now: dt.datetime) -> bool:
        """Whether the signature of a verified claim is new, or was new a moment ago."""
        seen = self._seen.get(claim.amz_date)
        if seen is None:
            self._forget(now)
            seen = self._seen[claim.amz_date] = {}
        second, known = int(now.timestamp()), len(seen)
        first = seen.setdefault(int(claim.signature[:_DIGITS], 16), second)
        self._kept += len(seen) - known
        return second - first <= TOGETHER_SECONDS_MAX

    def _forget(self, now: dt.datetime) -> None:
        """Forgets the seconds whose dates are no longer good, and the oldest ones of too many."""
        oldest_good = f"{now - dt.timedelta(seconds=SKEW_SECONDS_MAX):%Y%m%dT%H%M%SZ}"
        for amz_date in sorted(self._seen):
            if amz_date >= oldest_good and self._kept <= self._kept_max:
                break
            self._kept -= len(self._seen.pop(amz_date))
