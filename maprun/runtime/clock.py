"""The only place where this system reads a clock; pure rooms get `now` as an argument."""

import functools
import time


@functools.cache
def _beginning() -> tuple[int, int, int]:
    """A clock that counts suspensions where there is one; at first use: the wall clock in ms, and that clock in ns."""
    passing: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return passing, time.time_ns() // 1_000_000, time.clock_gettime_ns(passing)


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
    passing, began_ms, began_ns = _beginning()
    return began_ms + (time.clock_gettime_ns(passing) - began_ns) // 1_000_000


def monotonic_seconds() -> float:
    """Seconds that never go back, from an origin of no meaning: leases, timeouts, rates."""
    return time.monotonic()
