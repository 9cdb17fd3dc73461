"""Calls made again after a pause: bounded, with backoff and jitter, each said in the log; sleep and chance injected."""

import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec
from botocore.exceptions import ClientError

from maprun.aws.errors import is_transient, status_of
from maprun.runtime import logs

T = TypeVar("T")

WINDOW_SECONDS = 10.0
LINES_A_WINDOW_MAX = 20


class FailedAttempt(msgspec.Struct, frozen=True):
    """An attempt after which the call is made again: of an `operation` such as GetObject on an `address`."""

    operation: str
    address: str
    attempt: int  # 1, 2, …
    error: Exception


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often and after which pauses a call is made again, and who hears of it.

    Ten attempts with these pauses ride out about 20 s: longer than it takes a local S3 to be started again.
    """

    sleep: Callable[[float], object]  # seconds
    chance: Callable[[], float]  # [0, 1)
    warn: Callable[[FailedAttempt], None] = lambda _failed: None
    attempts_max: int = 10
    pause_first_seconds: float = 0.1
    pause_max_seconds: float = 8.0

    def pause(self, failed: FailedAttempt) -> None:
        """Says and waits, after the `attempt`-th failure in a row: doubled each time, half of it left to chance."""
        self.warn(failed)
        full = min(self.pause_max_seconds, self.pause_first_seconds * 2 ** (failed.attempt - 1))
        self.sleep(full * (0.5 + 0.5 * self.chance()))

    def call(self, operation: str, address: str, work: Callable[[], T]) -> T:
        """The result of `work`, made again while its error is transient; the last error as it came."""
        attempt = 0
        while True:
            try:
                return work()
            except Exception as error:
                attempt += 1
                if attempt >= self.attempts_max or not is_transient(error):
                    raise
                failed = FailedAttempt(operation, address, attempt, error)
            self.pause(failed)


class RetryWarnings:
    """Says failed attempts in the log, the first at once; of very many, some are only counted in the next line."""

    def __init__(self, monotonic: Callable[[], float], say: Callable[..., object] | None = None) -> None:
        self._monotonic = monotonic
        self._say = say or logs.logger("aws").warning
        self._lock = threading.Lock()
        self._begun = float("-inf")
        self._lines = 0
        self._unsaid = 0

    def __call__(self, failed: FailedAttempt) -> None:
        """Says it, unless this window has had its lines."""
        with self._lock:
            now = self._monotonic()
            if now - self._begun >= WINDOW_SECONDS:
                self._begun, self._lines = now, 0
            if self._lines >= LINES_A_WINDOW_MAX:
                self._unsaid += 1
                return
            self._lines += 1
            unsaid, self._unsaid = self._unsaid, 0
        error = failed.error
        self._say(
            "s3_call_failed_is_made_again",
            operation=failed.operation,
            address=failed.address,
            attempt=failed.attempt,
            status=status_of(error) if isinstance(error, ClientError) else None,
            error=f"{type(error).__name__}: {error}",
            **({"others_unsaid": unsaid} if unsaid else {}),
        )
