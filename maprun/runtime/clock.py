"""The only place where this system reads a clock; pure rooms get `now` as an argument."""

import time


def wall_ms() -> int:
    """Epoch milliseconds of the wall clock. It may step back; deadlines use `monotonic_seconds`."""
    return time.time_ns() // 1_000_000


def wall_seconds() -> float:
    """Epoch seconds of the wall clock."""
    return time.time()


def monotonic_seconds() -> float:
    """Seconds that never go back, from an origin of no meaning: leases, timeouts, rates."""
    return time.monotonic()
