"""`GET /maprun/children`: the children of a Map Run that are as one asks, by status, error, texts, time and redrives.

A part of the children is looked at for one answer, as for their errors; the token says where the next part begins. So
an answer may hold few children, or none, and yet have a token.
"""

import asyncio
from typing import Final

import msgspec

from schemas.history import child_cause, child_error, child_input, child_output
from services.maprun_tracker.api import own_inputs, own_shapes
from services.maprun_tracker.api.causes import cause_pattern
from services.maprun_tracker.api.executions import ChildRef
from services.maprun_tracker.api.frames import Kept
from services.maprun_tracker.api.run_children import Listing
from services.maprun_tracker.api.runs import find_run, item_of, kept_of_page, within_frames
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token

CAUSE_CHARS_MAX: Final = 1_000
"""Of a cause in a list."""
_CHILDREN_PER_TURN: Final = 200
_OVER: Final = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})


async def children(service: Service, ask: own_inputs.ChildrenAsked, _call: Call) -> own_shapes.FoundChildren:
    """The next page, newest first, which is by index."""
    arn, limits = ask.map_run_arn or "", service.limits
    query = ("children", *msgspec.structs.astuple(msgspec.structs.replace(ask, next_token=None, max_results=None)))
    below = read_token(ask.next_token, query, int)
    part, run = await find_run(service, arn)
    at = run.index_end if below is None else max(0, min(below, run.index_end))
    size = ask.max_results or limits.page_default
    looked_at_max = limits.errors_children_max if _by_content(ask) else size
    listing = Listing(part, run, ask.status, None, latest=ask.redrive is not None)
    found = await listing.page(at, looked_at_max)
    page = within_frames(found.children, limits.list_frames_max)
    end = found.below if len(page) == len(found.children) else page[-1].index
    kept = await kept_of_page(service, part, page)
    rows: list[own_shapes.FoundChild] = []
    for number, child in enumerate(page, 1):
        if number % _CHILDREN_PER_TURN == 0:
            await asyncio.sleep(0)  # others are answered meanwhile
        row = _row(service, ChildRef(part, run, child), kept.get(child.index))
        if _as_asked(ask, row, kept.get(child.index)):
            rows.append(row)
            if len(rows) == size:
                page = page[:number]
                end = child.index if number < len(found.children) else end
                break
    return own_shapes.FoundChildren(
        map_run_arn=arn,
        children_looked_at=len(page),
        executions=rows,
        next_token=make_token(query, end) if end else None,
    )


def _by_content(ask: own_inputs.ChildrenAsked) -> bool:
    """True if it takes more than the index of children to know which are meant."""
    asked = (ask.error, ask.cause_pattern, ask.text, ask.min_seconds, ask.max_seconds, ask.min_redrives)
    return any(each is not None for each in asked)


def _row(service: Service, ref: ChildRef, kept: Kept | None) -> own_shapes.FoundChild:
    item = item_of(service, ref, kept)
    over = kept is not None and item.status in _OVER
    error = child_error(kept.events) if kept is not None and over else None
    cause = child_cause(kept.events) if kept is not None and over else None
    return own_shapes.FoundChild(
        **msgspec.structs.asdict(item),
        error=error or None,
        cause=cause[:CAUSE_CHARS_MAX] if cause else None,
    )


def _as_asked(ask: own_inputs.ChildrenAsked, row: own_shapes.FoundChild, kept: Kept | None) -> bool:
    """What is asked of an end holds of no child that goes on."""
    seconds = None if row.stop_date is None else row.stop_date - row.start_date
    if ask.error is not None and row.error != ask.error:
        return False
    if ask.cause_pattern is not None:
        cause = None if row.cause is None or kept is None else child_cause(kept.events)
        if cause is None or cause_pattern(cause) != ask.cause_pattern:
            return False
    if ask.min_seconds is not None and (seconds is None or seconds < ask.min_seconds):
        return False
    if ask.max_seconds is not None and (seconds is None or seconds > ask.max_seconds):
        return False
    if ask.min_redrives is not None and (row.redrive_count or 0) < ask.min_redrives:
        return False
    return ask.text is None or _holds(ask.text.lower().encode(), row, kept)


def _holds(text: bytes, row: own_shapes.FoundChild, kept: Kept | None) -> bool:
    """Whether a text (of small letters) stands in the child's name, input, output, error or cause."""
    said = [row.name.encode()]
    if kept is not None:
        said += [child_input(kept.events), child_output(kept.events) or b""]
        said += [(part or "").encode() for part in (child_error(kept.events), child_cause(kept.events))]
    return any(text in part.lower() for part in said)
