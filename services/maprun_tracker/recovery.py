"""The rows of a home as its changelog has them, read by the bus like everything else that a position is kept for."""

from collections.abc import AsyncIterator

from maprun.bus.port import Port
from services.maprun_tracker.topology import CHANGELOG

OFFSETS_AT_ONCE = 1_000
"""Of one read. Rows are kilobytes, the largest half a megabyte."""
Change = tuple[bytes, bytes | None]
"""A key, and its row from there on; None = it is deleted."""


async def changes_of(port: Port, home: int) -> AsyncIterator[tuple[list[Change], int]]:
    """All changes of a home's rows in the order they were written, some at a time, and how many offsets are to go.

    What is written meanwhile is left out: a reader sees the rows as they were at one moment, as after a kill.
    """
    at = await port.start_offset(CHANGELOG, home)
    end = await port.end_offset(CHANGELOG, home)
    while at < end:
        behind = min(at + OFFSETS_AT_ONCE, end)
        records = await port.read(CHANGELOG, home, at, behind)
        at = behind
        yield [(record.key, record.value) for record in records if record.key is not None], end - at
