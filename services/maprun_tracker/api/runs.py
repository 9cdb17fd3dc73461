"""Operations on Map Runs, and the list of executions of one."""

import asyncio
import contextlib
from collections.abc import Sequence

from maprun.mapruns.run import Run
from maprun.mapruns.verdicts import item_counts
from maprun.requests.checks import Refusal, parse_arn
from schemas.arns import home_of, home_of_run
from schemas.home import MapRunUpdateRequested
from services.maprun_tracker.api import inputs, own_shapes, shapes
from services.maprun_tracker.api.descriptions import ChildTimes
from services.maprun_tracker.api.errors import resource_missing
from services.maprun_tracker.api.executions import ChildRef, arn_of_child, find_child, find_root, name_of_child
from services.maprun_tracker.api.frames import GoneError, Kept
from services.maprun_tracker.api.run_children import PENDING_REDRIVE, RUNNING, Child, Listing
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token
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
    running = part.running_now(row.run)
    # A lane tells positions; of batches the items in them are known only on average until they end.
    return item_counts(live, running, running * live.items_read // max(1, live.read))


async def describe(service: Service, ask: inputs.MapRunAsked, _call: Call) -> shapes.MapRunDescription:
    """DescribeMapRun: as live as the frames folded so far."""
    return description_of(*await find_run(service, ask.map_run_arn or ""))


def description_of(part: Partition, row: RunRow) -> shapes.MapRunDescription:
    """A Map Run as it stands."""
    items, executions = counts_of(part, row)
    return shapes.MapRunDescription(
        map_run_arn=row.arn,
        execution_arn=row.execution_arn,
        status=row.status,
        start_date=row.started_ms / 1000,
        stop_date=row.stopped_ms / 1000 if row.status != "RUNNING" else None,
        max_concurrency=row.max_concurrency,
        tolerated_failure_percentage=row.tolerance.percentage,
        tolerated_failure_count=row.tolerance.count,
        item_counts=items,
        execution_counts=executions,
        redrive_count=row.generation,
        redrive_date=row.redriven_ms / 1000 if row.generation else None,
    )


async def progress(service: Service, ask: inputs.MapRunAsked, _call: Call) -> own_shapes.MapRunProgress:
    """How much of its source a Map Run has read, and how many items that lets expect."""
    part, row = await find_run(service, ask.map_run_arn or "")
    live = part.home.state.runs.get(row.run)
    total = row.item_counts["total"]
    if live is None or is_read(live):
        return own_shapes.MapRunProgress(
            map_run_arn=row.arn, items_read=total, source_ended=True, source_share_read=1.0, items_expected=total
        )
    return own_shapes.MapRunProgress(
        map_run_arn=row.arn,
        items_read=live.items_read,
        source_ended=False,
        source_share_read=live.source_share or None,
        items_expected=expected_of(live, total),
    )


def is_read(live: Run) -> bool:
    """Whether it is known how many items a Map Run has."""
    return live.source_over or (live.total is not None and not live.chosen)


def expected_of(live: Run, total: int) -> int | None:
    """How many items a Map Run will have that counts `total` by now; None while nothing lets that be expected."""
    if is_read(live):
        return total
    share = live.source_share
    left = round(live.source_items * (1 / share - 1)) if share else 0
    return max(total, live.items_read) + left if share else None


async def update(service: Service, ask: inputs.UpdateMapRun, call: Call) -> shapes.Nothing:
    """UpdateMapRun: the fold of home decides whether the run still goes on."""
    part, row = await find_run(service, ask.map_run_arn or "")
    wanted = MapRunUpdateRequested(
        service.command_id(call, "update-map-run"),
        row.run,
        ask.max_concurrency,
        ask.tolerated_failure_count,
        ask.tolerated_failure_percentage,
    )
    try:
        await service.command(part.number, wanted)
    except Refusal as refusal:
        if refusal.code != "ValidationException":
            raise
        raise Refusal(refusal.code, refusal.message, "CANNOT_UPDATE_COMPLETED_MAP_RUN") from None
    return shapes.Nothing()


async def list_runs(service: Service, ask: inputs.ListMapRuns, _call: Call) -> shapes.MapRunList:
    """ListMapRuns of a root execution, or of a child that started nested ones; newest first."""
    arn = ask.execution_arn or ""
    _, rest = parse_arn(arn, ("execution",))
    query = ("ListMapRuns", arn)
    place = read_token(ask.next_token, query, int)
    if "/" in rest[0]:
        part = (await find_child(service, arn)).part
        runs: Sequence[str] = part.runs_of_child(arn)
    else:
        runs = (await find_root(service, arn)).runs
        part = service.part(home_of(arn, service.homes))
    size = ask.max_results or service.limits.page_default
    last = len(runs) if place is None else max(0, min(place, len(runs)))
    first = max(0, last - size)
    found = [run for run_id in reversed(runs[first:last]) if (run := part.run(run_id)) is not None]
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


async def list_children(service: Service, ask: inputs.ListExecutions) -> shapes.ExecutionList:
    """ListExecutions by mapRunArn: newest first, which is by index. Pages may be short, as AWS's may."""
    arn, status = ask.map_run_arn or "", ask.status_filter
    query = ("ListExecutions", arn, status, ask.redrive_filter)
    below = read_token(ask.next_token, query, int)
    part, row = await find_run(service, arn)
    redriven = None if ask.redrive_filter is None else ask.redrive_filter == "REDRIVEN"
    size = ask.max_results or service.limits.page_default
    listing = Listing(part, row, status, redriven)
    found = await listing.page(row.index_end if below is None else max(0, min(below, row.index_end)), size)
    page = within_frames(found.children, service.limits.list_frames_max)
    end = found.below if len(page) == len(found.children) else page[-1].index
    items = await _items(service, part, row, page)
    return shapes.ExecutionList(executions=items, next_token=make_token(query, end) if end else None)


def within_frames(page: list[Child], frames_max: int) -> list[Child]:
    """The first children of a page, whose histories stand in so many frames at most."""
    frames: set[int] = set()
    for place, child in enumerate(page):
        frames.add(child.offset)
        if len(frames) > frames_max:
            return page[:place]
    return page


async def kept_of_page(service: Service, part: Partition, page: list[Child]) -> dict[int, Kept]:
    """What home tells of these children's ends, by index, a frame at a time; frames that are gone are left out."""
    by_frame: dict[int, list[int]] = {}
    for child in page:
        if child.offset >= 0:
            by_frame.setdefault(child.offset, []).append(child.index)
    kept: dict[int, Kept] = {}

    async def load(offset: int, indexes: list[int]) -> None:
        with contextlib.suppress(GoneError):  # home keeps it no more: the row stands without
            frame = await service.frames.frame(part.number, offset)
            kept.update(service.frames.children(frame, indexes))

    await asyncio.gather(*(load(offset, indexes) for offset, indexes in by_frame.items()))
    return kept


async def _items(service: Service, part: Partition, run: RunRow, page: list[Child]) -> list[shapes.ExecutionItem]:
    """The rows of a page; when children began and ended stands in their histories."""
    kept = await kept_of_page(service, part, page)
    return [item_of(service, ChildRef(part, run, child), kept.get(child.index)) for child in page]


def item_of(service: Service, ref: ChildRef, kept: Kept | None) -> shapes.ExecutionItem:
    """A child's row in a list; `kept` is what home tells of its last end."""
    run, child = ref.run, ref.child
    ended = child.status not in {RUNNING, PENDING_REDRIVE}
    if kept is not None:
        times = ChildTimes.of(ref, kept)
    else:
        times = ChildTimes(child.since_ms or run.started_ms, run.stopped_ms or run.started_ms, 0, 0)
    return shapes.ExecutionItem(
        execution_arn=arn_of_child(service, run, child.index),
        state_machine_arn=service.names.labelled_machine(run.machine_name, run.label),
        name=name_of_child(run, child.index),
        status=child.status,
        start_date=times.started_ms / 1000,
        stop_date=times.stopped_ms / 1000 if ended else None,
        map_run_arn=run.arn,
        item_count=child.items,
        redrive_count=times.redrive_count if kept is not None else None,
        redrive_date=times.redriven_ms / 1000 if times.redriven_ms else None,
    )


def check_list(ask: inputs.ListExecutions) -> None:
    """Exactly one of two members says what is listed. Raises Refusal."""
    if (ask.state_machine_arn is None) == (ask.map_run_arn is None):
        raise Refusal("ValidationException", "Exactly one of stateMachineArn and mapRunArn must be specified")
    if ask.status_filter == "PENDING_REDRIVE" and ask.map_run_arn is None:
        raise Refusal("ValidationException", "PENDING_REDRIVE can only be used with mapRunArn")
