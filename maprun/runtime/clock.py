"""The only place where this system reads a clock; pure rooms get `now` as an argument."""

import time

_PASSED: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # where there is one that counts suspensions
_BEGAN_MS = time.time_ns() // 1_000_000
_BEGAN_NS = time.clock_gettime_ns(_PASSED)


def wall_ms() -> int:
    """Epoch milliseconds of the wall clock. It may step back; deadlines use `monotonic_seconds`."""
    return time.time_ns() // 1_000_000


def wall_seconds() -> float:
    """Epoch seconds of the wall clock."""
    return time.time()


def steady_ms() -> int:
    """Epoch milliseconds that take no step: the wall clock as the process found it, and what has passed since.

    The time for which the machine was suspended counts. Where the wall clock was wrong at first, this stays wrong.
    """
    return _BEGAN_MS + (time.clock_gettime_ns(_PASSED) - _BEGAN_NS) // 1_000_000


def monotonic_seconds() -> float:
    """Seconds that never go back, from an origin of no meaning: leases, timeouts, rates."""
    return time.monotonic()
