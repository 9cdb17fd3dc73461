"""Operations on Map Runs, and the list of executions of one."""

import asyncio
from itertools import islice

from maprun.mapruns.requests import Refusal, parse_arn
from maprun.mapruns.verdicts import item_counts
from schemas.arns import home_of, home_of_run
from schemas.history import child_start_ms, child_stop_ms
from schemas.home import STATUS_NAMES
from services.maprun_tracker.api import shapes
from services.maprun_tracker.api.children import Child, newest_children
from services.maprun_tracker.api.errors import resource_missing
from services.maprun_tracker.api.executions import arn_of_child, find_root, name_of_child
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token
from services.maprun_tracker.limits import BLOCK_POSITIONS
from services.maprun_tracker.rows import RunRow
from services.maprun_tracker.state import Partition


async def find_run(service: Service, arn: str) -> tuple[Partition, RunRow]:
    """A Map Run. Raises Refusal (ResourceNotFound)."""
    _, rest = parse_arn(arn, ("mapRun",))
    run_id = rest[-1]
    home = home_of_run(run_id)
    if home is None or home >= service.homes:
        raise resource_missing(arn)
    row = await service.find(home, lambda part: part.run(run_id))
    if row is None or row.arn != arn:
        raise resource_missing(arn)
    return service.part(home), row


def counts_of(part: Partition, row: RunRow) -> tuple[dict[str, int], dict[str, int]]:
    """ItemCounts and executionCounts, with what runs now; while a run closes, children that go on to their end do."""
    live = part.home.state.runs.get(row.run)
    if live is None or live.phase not in {"open", "closing"}:
        return row.item_counts, row.execution_counts
    running = part.running.count(row.run, live.answered)
    # A lane tells positions; of batches the items in them are known only on average until they end.
    return item_counts(live, running, running * live.items_read // max(1, live.read))


async def describe(service: Service, ask: shapes.MapRunAsked, _call: Call) -> shapes.MapRunDescription:
    """DescribeMapRun: as live as the frames folded so far."""
    part, row = await find_run(service, ask.map_run_arn or "")
    items, executions = counts_of(part, row)
    return shapes.MapRunDescription(
        map_run_arn=row.arn,
        execution_arn=row.root_arn,
        status=row.status,
        start_date=row.started_ms / 1000,
        stop_date=row.stopped_ms / 1000 if row.status != "RUNNING" else None,
        max_concurrency=row.max_concurrency,
        tolerated_failure_percentage=row.tolerance.percentage,
        tolerated_failure_count=row.tolerance.count,
        item_counts=items,
        execution_counts=executions,
        redrive_count=row.generation,
    )


async def list_runs(service: Service, ask: shapes.ListMapRuns, _call: Call) -> shapes.MapRunList:
    """ListMapRuns, newest first."""
    arn = ask.execution_arn or ""
    parse_arn(arn, ("execution",))
    query = ("ListMapRuns", arn)
    place = read_token(ask.next_token, query, int)
    row = await find_root(service, arn)
    part = service.part(home_of(arn, service.homes))
    size = ask.max_results or service.limits.page_default
    last = len(row.runs) if place is None else min(place, len(row.runs))
    first = max(0, last - size)
    found = [run for run_id in reversed(row.runs[first:last]) if (run := part.run(run_id)) is not None]
    return shapes.MapRunList(
        map_runs=[
            shapes.MapRunItem(
                execution_arn=arn,
                map_run_arn=run.arn,
                state_machine_arn=service.names.labelled_machine(run.machine_name, run.label),
                start_date=run.started_ms / 1000,
                stop_date=run.stopped_ms / 1000 if run.status != "RUNNING" else None,
            )
            for run in found
        ],
        next_token=make_token(query, first) if first else None,
    )


async def list_children(service: Service, ask: shapes.ListExecutions) -> shapes.ExecutionList:
    """ListExecutions by mapRunArn: newest first, which is by position."""
    arn, status = ask.map_run_arn or "", ask.status_filter
    query = ("ListExecutions", arn, status, ask.redrive_filter)
    below = read_token(ask.next_token, query, int)
    part, row = await find_run(service, arn)
    if ask.redrive_filter == "REDRIVEN" or status == "PENDING_REDRIVE":
        return shapes.ExecutionList(executions=[])  # nothing is redriven in this version
    size = ask.max_results or service.limits.page_default
    found = newest_children(part, row.run, status, row.asked if below is None else min(below, row.asked))
    page = list(islice(found, size + 1))
    more = len(page) > size
    items = await _children(service, part, row, page[:size])
    return shapes.ExecutionList(executions=items, next_token=make_token(query, page[size - 1][0]) if more else None)


async def _children(service: Service, part: Partition, run: RunRow, page: list[Child]) -> list[shapes.ExecutionItem]:
    """The rows of a page; when children began and ended stands in their histories, fetched a frame at a time."""
    machine_arn = service.names.labelled_machine(run.machine_name, run.label)
    by_frame: dict[int, list[int]] = {}
    items_of: dict[int, int] = {}
    for position, status, _ in page:
        block = part.block(run.run, position // BLOCK_POSITIONS) if status else None
        if block is not None:
            place = position % BLOCK_POSITIONS
            by_frame.setdefault(block.offset(place), []).append(position)
            items_of[position] = block.items(place)
    times: dict[int, tuple[int, int]] = {}

    async def load(offset: int, positions: list[int]) -> None:
        frame = await service.frames.frame(part.number, offset)
        for position, events in service.frames.events(frame, positions).items():
            times[position] = child_start_ms(events), child_stop_ms(events)

    await asyncio.gather(*(load(offset, positions) for offset, positions in by_frame.items()))
    items = []
    for position, status, since in page:
        started, stopped = times.get(position, (since, 0))
        items.append(
            shapes.ExecutionItem(
                execution_arn=arn_of_child(service, run, position),
                state_machine_arn=machine_arn,
                name=name_of_child(run, position),
                status=STATUS_NAMES.get(status, "RUNNING"),
                start_date=started / 1000,
                stop_date=stopped / 1000 if status else None,
                map_run_arn=run.arn,
                item_count=items_of.get(position, 1),
                redrive_count=0 if status else None,
            )
        )
    return items


def check_list(ask: shapes.ListExecutions) -> None:
    """Exactly one of two members says what is listed. Raises Refusal."""
    if (ask.state_machine_arn is None) == (ask.map_run_arn is None):
        raise Refusal("ValidationException", "Exactly one of stateMachineArn and mapRunArn must be specified")
    if ask.status_filter == "PENDING_REDRIVE" and ask.map_run_arn is None:
        raise Refusal("ValidationException", "PENDING_REDRIVE can only be used with mapRunArn")
