"""Pages of ListExecutions over ten million children, in the midst of a redrive: `python -m tests.bench.bench_lists`.

Finds rows only, in a table in memory; reading the histories of a page's children from home comes on top, which
`bench_tracker` measures.
"""

import asyncio
import random
import sys
import time

import msgspec

from schemas.home import FAILED, SUCCEEDED, ItemsRead, RedriveRequested, SourceEnded, StopRequested
from schemas.wire import encode
from services.maprun_tracker import rows
from services.maprun_tracker.api.run_children import Listing
from services.maprun_tracker.blocks import Block
from services.maprun_tracker.flush import restore
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import BLOCK_POSITIONS, TrackerLimits
from services.maprun_tracker.rows import RunRow
from services.maprun_tracker.state import Partition
from tests.unit.mapruns.generations import Child, outcome
from tests.unit.tracker import fakes

HOME = 1
FAILED_PER_CENT = 2
PAGE = 1_000


def redriven() -> tuple[Partition, str]:
    """A partition whose one Map Run failed and is being redriven."""
    interpreter = fakes.FakeInterpreter()
    flusher, _ = restore(
        HOME,
        {},
        (),
        lambda state, _: fakes.fold(state, interpreter),
        fakes.archive(HOME, interpreter),
        interpreter,
        TrackerLimits(),
    )
    request = fakes.execution(HOME)
    run = fakes.run_of(request)
    facts = [
        request,
        ItemsRead(run, 0, 0, 2, 2, 2, b""),
        SourceEnded(run, 0, 2),
        StopRequested("s", request.arn),
        outcome(0, {0: Child(0, FAILED), 1: Child(1, FAILED)}, run=run),
        RedriveRequested("r", request.arn),
    ]
    for offset, fact in enumerate(facts):
        record_arrived(flusher.part, offset, 1_000 + offset, encode(fact))
    assert flusher.part.home.state.runs[run].generation == 1
    return flusher.part, run


def filled(part: Partition, run: str, children: int) -> dict[bytes, bytes]:
    """The blocks of so many children, some failed; one in each block ended again since the redrive."""
    rng, stored = random.Random(1), dict[bytes, bytes]()
    for number in range(-(-children // BLOCK_POSITIONS)):
        block = Block()
        ends = (FAILED if rng.random() * 100 < FAILED_PER_CENT else SUCCEEDED for _ in range(BLOCK_POSITIONS))
        block.put(0, bytes(ends), (), 4)
        block.put(0, bytes((FAILED,)), (), 6 + number)
        stored[rows.block_key(HOME, run, number)] = rows.wrap(0, 0, block.encode(part.codec))
    return stored


def all_pages(part: Partition, row: RunRow, status: str | None, pages_max: int) -> str:
    """The first pages of one filter, and how long they took."""
    took: list[float] = []
    listed, below = 0, [row.index_end]
    part.blocks.clear()
    while below and len(took) < pages_max:
        began = time.perf_counter()
        found = asyncio.run(Listing(part, row, status, None).page(below.pop(), PAGE))
        took.append(1e3 * (time.perf_counter() - began))
        listed += len(found.children)
        below += [] if found.below is None else [found.below]
    took.sort()
    return f"{listed:,} rows on {len(took)} pages, p50 {took[len(took) // 2]:.1f} ms, slowest {took[-1]:.1f} ms"


def main() -> None:
    """Runs it."""
    children = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    part, run = redriven()
    known = part.run(run)
    assert known is not None
    row = msgspec.structs.replace(known, index_end=children)
    part.dirty_blocks.clear()
    part.stored = filled(part, run, children)
    size = sum(map(len, part.stored.values()))
    print(f"{children:,} children in {len(part.stored):,} blocks, {size / children:.3f} bytes a child")
    for status in (None, "SUCCEEDED", "FAILED", "PENDING_REDRIVE", "ABORTED"):
        print(f"{status or 'all'}: {all_pages(part, row, status, 300)}")


if __name__ == "__main__":
    main()
