"""Which children of a run there are, newest first, found through the blocks' headers and never by a scan of all."""

import heapq
from collections.abc import Iterator

from schemas.home import STATUS_NAMES
from services.maprun_tracker import rows
from services.maprun_tracker.blocks import SHOWN, counts_of_row
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.state import Partition

STATUS_OF = {name: status for status, name in STATUS_NAMES.items()}
Child = tuple[int, int, int]
"""Position, status (0 = running), and since when it runs (epoch ms; 0 when it ended)."""


def newest_children(part: Partition, run: str, status: str | None, below: int) -> Iterator[Child]:
    """The children of a run under position `below`, of one status or of all, newest first."""
    wanted: list[Iterator[Child]] = []
    if status is None or status == "RUNNING":
        wanted.append(_running(part, run, below))
    if status is None or status in STATUS_OF:
        wanted.append(_ended(part, run, STATUS_OF.get(status or "", 0), below))
    return heapq.merge(*wanted, reverse=True)


def _running(part: Partition, run: str, below: int) -> Iterator[Child]:
    live = part.home.state.runs.get(run)
    for position, since in part.running.newest(run) if live is not None else ():
        if position < below and not part.status(run, position):
            yield position, 0, since


def _ended(part: Partition, run: str, status: int, below: int) -> Iterator[Child]:
    if below <= 0:
        return
    last = (below - 1) // BLOCK_POSITIONS
    for number in range(last, -1, -1):
        if not _may_hold(part, run, number, status):
            continue
        block = part.block(run, number)
        place = below - number * BLOCK_POSITIONS if number == last else BLOCK_POSITIONS
        while block is not None and (place := block.newest(place, status)) >= 0:
            yield number * BLOCK_POSITIONS + place, block.status(place), 0


def _may_hold(part: Partition, run: str, number: int, status: int) -> bool:
    if (run, number) in part.blocks:
        return True
    row = part.stored.get(rows.block_key(part.number, run, number))
    if row is None:
        return False
    counts = counts_of_row(row)
    return counts[status] > 0 if status else any(counts[s] for s in SHOWN)
