"""Which children of a run there are, newest first, found through the blocks' headers and never by a scan of all.

Newest first is by index: it never changes, so a page that follows another repeats nothing and leaves nothing out,
whatever happens in between.
"""

import asyncio
from itertools import islice

import msgspec

from maprun.mapruns.child_sets import ChildSet
from schemas.home import STATUS_NAMES
from services.maprun_tracker.blocks import LOST, SHOWN, Block, Wanted, row_may_hold
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.rows import RunRow
from services.maprun_tracker.running import Span
from services.maprun_tracker.state import Partition

RUNNING, PENDING_REDRIVE = "RUNNING", "PENDING_REDRIVE"
UNSUCCESSFUL = "UNSUCCESSFUL"
"""Not a status: asks a Listing for all that failed, timed out, was aborted, or waits to be redriven."""
_BLOCKS_PER_TURN = 16
STATUS_OF = {name: status for status, name in STATUS_NAMES.items()}


class Child(msgspec.Struct, frozen=True):
    """A child that runs or ran. `offset` is that of the frame of home that tells of its last end; -1 = none does.

    `since_ms` says since when it is known to run, 0 = it doesn't. `items` is 1 while that isn't known.
    """

    index: int
    status: str
    offset: int
    since_ms: int = 0
    items: int = 1


class Found(msgspec.Struct, frozen=True):
    """A page of children, and the index under which the next page begins; None when there is none."""

    children: list[Child]
    below: int | None


def child_of(part: Partition, run: RunRow, index: int) -> Child | None:
    """One child as it stands; None when it never started."""
    live = part.home.state.runs.get(run.run)
    since = live.answers_first if live is not None else 0
    block = part.block(run.run, index // BLOCK_POSITIONS)
    place = index % BLOCK_POSITIONS
    status = 0 if block is None else block.status(place)
    if block is None or not status or block.offset(place) < since:
        at = part.running.since(run.run, index) if live is not None else None
        if at is not None:
            return _running(block, index, at)
    if block is None or status not in SHOWN:
        return None
    child = _ended(block, index)
    waits = status in LOST and block.offset(place) < since
    if waits and live is not None and live.chosen:
        waits = index in ChildSet.decode(live.chosen)
    return msgspec.structs.replace(child, status=PENDING_REDRIVE) if waits else child


def _ended(block: Block, index: int) -> Child:
    place = index % BLOCK_POSITIONS
    return Child(index, STATUS_NAMES[block.status(place)], block.offset(place), 0, block.items(place))


def _running(block: Block | None, index: int, since_ms: int) -> Child:
    place = index % BLOCK_POSITIONS
    if block is None or block.status(place) not in SHOWN:
        return Child(index, RUNNING, -1, since_ms)
    return Child(index, RUNNING, block.offset(place), since_ms, block.items(place))


class Listing:
    """A query for children of a run: of one status or of all (None), redriven ones or others or both (None)."""

    def __init__(
        self, part: Partition, run: RunRow, status: str | None, redriven: bool | None, *, latest: bool = False
    ) -> None:
        """`latest`: only those that the latest redrive has run, or runs."""
        self._part = part
        self._run = run
        self._status = status
        self._redriven = redriven
        live = part.home.state.runs.get(run.run)
        self._since = live.answers_first if live is not None else 0
        self._latest = latest
        self._chosen = ChildSet.decode(live.chosen) if live is not None and live.chosen else None
        self._wanted = self._answers()

    def _answers(self) -> Wanted | None:
        """What is looked for in blocks; None = nothing there."""
        if self._latest:
            own = {None: SHOWN, UNSUCCESSFUL: LOST}.get(self._status, (STATUS_OF.get(self._status or "", 0),))
            return Wanted(own, self._redriven, self._run.generation_offset, earlier=False) if any(own) else None
        if self._status is None:
            return Wanted(SHOWN, self._redriven)
        if self._status == PENDING_REDRIVE:
            return Wanted(LOST, self._redriven, self._since, earlier=True) if self._since else None
        if self._status == UNSUCCESSFUL:
            return Wanted(LOST, self._redriven)
        status = STATUS_OF.get(self._status)
        if status is None:
            return None
        if self._chosen is not None:  # what was not chosen is what it was
            return Wanted((status,), self._redriven)
        return Wanted((status,), self._redriven, self._since, False if self._since and status in LOST else None)

    async def page(self, below: int, size: int) -> Found:
        """The newest `size` children with indexes under `below`; fewer when too many blocks had to be opened."""
        spans = self._spans_by_block(below)
        found: list[Child] = []
        opened = 0
        for number in range(-(-below // BLOCK_POSITIONS) - 1, -1, -1):
            if number not in spans and not self._may_hold(number):
                continue
            if opened == self._part.limits.list_blocks_max:
                return Found(found, (number + 1) * BLOCK_POSITIONS)
            opened += 1
            if opened % _BLOCKS_PER_TURN == 0:
                await asyncio.sleep(0)  # others are answered meanwhile
            found += self._of_block(number, spans.get(number, []), below, size + 1 - len(found))
            if len(found) > size:
                return Found(found[:size], found[size - 1].index)
        return Found(found, None)

    def _spans_by_block(self, below: int) -> dict[int, list[Span]]:
        """What runs, by the block it lies in."""
        out: dict[int, list[Span]] = {}
        if self._status not in {None, RUNNING, PENDING_REDRIVE, UNSUCCESSFUL} or self._run.status != RUNNING:
            return out
        for first, count, since in self._part.running.spans(self._run.run):
            at, end = first, min(below, first + count)
            while at < end:
                number = at // BLOCK_POSITIONS
                length = min(end, (number + 1) * BLOCK_POSITIONS) - at
                out.setdefault(number, []).append((at, length, since))
                at += length
        return out

    def _may_hold(self, number: int) -> bool:
        if self._wanted is None:
            return False
        if (self._run.run, number) in self._part.blocks:
            return True
        row = self._part.block_row(self._run.run, number)
        return row is not None and row_may_hold(row, self._wanted)

    def _of_block(self, number: int, spans: list[Span], below: int, most: int) -> list[Child]:
        """The newest `most` children of a block, newest first."""
        block = self._part.block(self._run.run, number)
        base = number * BLOCK_POSITIONS
        running = {
            index: since
            for first, count, since in spans
            for index in range(first, first + count)
            if block is None or not self._answered(block, index - base)
        }
        found: list[Child] = []
        if self._status in {None, RUNNING}:
            started = (_running(block, index, since) for index, since in running.items())
            found = [c for c in started if self._redriven is None or self._redriven == (c.offset >= 0)]
        if block is not None and self._wanted is not None:
            places = block.newest(min(below - base, BLOCK_POSITIONS), self._wanted)
            others = (self._as_it_stands(block, base, place) for place in places if base + place not in running)
            if self._chosen is not None and self._status not in {None, UNSUCCESSFUL}:
                others = (child for child in others if child.status == self._status)
            found += islice(others, most)
        found.sort(key=lambda child: child.index, reverse=True)
        return found[:most]

    def _answered(self, block: Block, place: int) -> bool:
        return block.status(place) > 0 and block.offset(place) >= self._since

    def _as_it_stands(self, block: Block, base: int, place: int) -> Child:
        child = _ended(block, base + place)
        waits = block.status(place) in LOST and not self._answered(block, place)
        if waits and self._chosen is not None:
            waits = child.index in self._chosen
        return msgspec.structs.replace(child, status=PENDING_REDRIVE) if waits else child
