"""Which error names a retrier or catcher answers to, and how long a retrier waits."""

import hashlib
from dataclasses import dataclass

from schemas.effects import REDRIVEN_IN_PART
from schemas.quotas import DATA_LIMIT_EXCEEDED, SECONDS_MAX

TERMINAL = "States.Runtime"
"""Neither retried nor caught, whatever the definition says (facts, section 3.9)."""

ONLY_BY_NAME = frozenset({DATA_LIMIT_EXCEEDED, REDRIVEN_IN_PART})
INTERVAL_SECONDS, ATTEMPTS_MAX, BACKOFF_RATE = 1, 3, 2.0


def error_matches(names: frozenset[str], error: str | None) -> bool:
    """True if `ErrorEquals` names this error. `None` is a failure without an error name."""
    if error == TERMINAL:
        return False
    if error is not None and error in names:
        return True
    if error == "States.HeartbeatTimeout" and "States.Timeout" in names:
        return True
    if error in ONLY_BY_NAME:
        return False
    if "States.ALL" in names:
        return True
    return "States.TaskFailed" in names and error not in ("States.Timeout", "States.HeartbeatTimeout")


@dataclass(frozen=True, slots=True)
class Retrier:
    """One entry of Retry."""

    errors: frozenset[str]
    interval_seconds: int = INTERVAL_SECONDS
    attempts_max: int = ATTEMPTS_MAX
    backoff_rate: float = BACKOFF_RATE
    delay_seconds_max: int | None = None
    jitter: bool = False

    def delay_ms(self, attempt: int, seed: str) -> int:
        """How long to wait before retry number `attempt` (from 1); full jitter is drawn from the seed."""
        longest = float(self.delay_seconds_max if self.delay_seconds_max is not None else SECONDS_MAX)
        try:
            seconds = min(self.interval_seconds * self.backoff_rate ** (attempt - 1), longest)
        except OverflowError:
            seconds = longest
        if self.jitter:
            chance = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big")
            seconds *= chance / 2**64
        return round(seconds * 1000)
