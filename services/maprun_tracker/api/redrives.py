"""`POST /maprun/redrive`: redrives an execution so that of one of its Map Runs only chosen children run again.

Which children those are comes with the request. Each is looked up as it stands here; the fold redrives them if the run
is still as it was then.
"""

import asyncio
from typing import Final

import msgspec

from maprun.mapruns.child_sets import ChildSet
from maprun.mapruns.redrives import CHOSEN_BYTES_MAX, NESTED, LostChild, chosen_of
from maprun.mapruns.run import Run
from maprun.requests.checks import Refusal
from maprun.requests.starts import derived_id
from schemas.arns import child_of_arn, run_tail
from schemas.home import ChosenChildren, RedriveRequested
from schemas.ranges import pairs
from services.maprun_tracker.api import own_inputs
from services.maprun_tracker.api.runs import find_run
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.blocks import LOST
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.rows import RunRow
from services.maprun_tracker.state import Partition

_CHILDREN_PER_TURN: Final = 5_000


async def redrive_children(service: Service, ask: own_inputs.RedriveChildren, call: Call) -> msgspec.Raw:
    """Redrives the chosen children. Raises Refusal as RedriveExecution; ValidationException where one is not lost."""
    arn, token = ask.map_run_arn or "", ask.client_token
    part, row = await find_run(service, arn)
    if row.execution_arn != row.root_arn:
        raise Refusal("ValidationException", NESTED)
    children = _children(row, ask)
    await service.folded(part.number)  # a child's end, or the run's, may be on its way
    run = _run_over(part, row)
    # without a run there is nothing to choose: the fold says why, or that this same request was carried out before
    chosen = ChosenChildren(row.run, row.generation, b"", (), ())
    if run is not None and run.generation == row.generation:
        chosen = await _chosen(part, run, children)
    request_id = derived_id("redrive", row.root_arn, token) if token else service.command_id(call, "redrive")
    return msgspec.Raw(await service.command(part.number, RedriveRequested(request_id, row.root_arn, chosen)))


def _children(row: RunRow, ask: own_inputs.RedriveChildren) -> ChildSet:
    """The children that are named, which may be none of the run's. Raises Refusal (ValidationException)."""
    if not ask.children and not ask.execution_arns:
        raise Refusal("ValidationException", "Neither children nor executionArns name a child execution.")
    if len(ask.children) % 2 or any(number < 0 for number in ask.children):
        raise Refusal("ValidationException", "'children' are pairs of a first index and a count.")
    ranges = list(pairs(ask.children))
    for arn in ask.execution_arns:
        child = child_of_arn(arn)
        if child is None or child.run_tail != run_tail(row.run):
            raise Refusal("ValidationException", f"'{arn}' is no child execution of the Map Run.")
        ranges.append((child.index, 1))
    if any(first + count > row.index_end for first, count in ranges):
        raise Refusal("ValidationException", f"The Map Run has {row.index_end} child executions; one is past them.")
    return ChildSet(ranges)


def _run_over(part: Partition, row: RunRow) -> Run | None:
    """The run as its redrive finds it; None while it goes on, or when nothing of it is kept for one."""
    root = part.home.state.roots.get(row.root_arn)
    if root is None:
        ended = part.home.ended(row.root_arn)
        root = None if ended is None else ended.root
    return None if root is None else root.kept.get(row.run)


async def _chosen(part: Partition, run: Run, children: ChildSet) -> ChosenChildren:
    """What the fold is told of them. Raises Refusal (ValidationException)."""
    lost: list[LostChild] = []
    for number, index in enumerate(children):
        if number % _CHILDREN_PER_TURN == 0:
            await asyncio.sleep(0)  # others are answered meanwhile
        block, place = part.block(run.run, index // BLOCK_POSITIONS), index % BLOCK_POSITIONS
        status = 0 if block is None else block.status(place)
        if block is None or status not in LOST:
            raise _not_lost(index)
        lost.append(LostChild(index, status, block.offset(place), block.items(place)))
    try:
        chosen = chosen_of(run, lost)
    except LookupError as missing:
        raise _not_lost(missing.args[0]) from None
    if len(chosen.children) > CHOSEN_BYTES_MAX:
        message = f"{len(lost)} child executions are scattered too far to be chosen; redrive the whole execution."
        raise Refusal("ValidationException", message)
    return chosen


def _not_lost(index: int) -> Refusal:
    return Refusal("ValidationException", f"Child execution {index} has not failed, timed out or been aborted.")
