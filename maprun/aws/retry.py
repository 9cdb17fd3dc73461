"""Calls made again after a pause: bounded, with backoff and jitter, with sleep and chance injected."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from maprun.aws.errors import is_transient

T = TypeVar("T")


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often and after which pauses a call is made again.

    Ten attempts with these pauses ride out about 20 s: longer than it takes a local S3 to be started again.
    """

    sleep: Callable[[float], object]  # seconds
    chance: Callable[[], float]  # [0, 1)
    attempts_max: int = 10
    pause_first_seconds: float = 0.1
    pause_max_seconds: float = 8.0

    def pause(self, failures: int) -> None:
        """Waits after the `failures`-th failure in a row (1, 2, …): doubled each time, half of it left to chance."""
        full = min(self.pause_max_seconds, self.pause_first_seconds * 2 ** (failures - 1))
        self.sleep(full * (0.5 + 0.5 * self.chance()))

    def call(self, work: Callable[[], T]) -> T:
        """The result of `work`, made again while its error is transient; the last error as it came."""
        failures = 0
        while True:
            try:
                return work()
            except Exception as error:
                failures += 1
                if failures >= self.attempts_max or not is_transient(error):
                    raise
            self.pause(failures)
