"""`GET /maprun/errors`: what a Map Run's unsuccessful children ended with, counted by error and pattern of cause.

Nothing is kept for it: a part of the children is looked up in the index blocks and in the frames of home that tell of
their ends, and the token says where the next part begins. So an answer is bounded, each child is counted once, and the
sum of the parts is exact, however many kinds of failure there are.
"""

import asyncio
from typing import Final

import msgspec

from schemas.history import child_cause, child_error, child_stop_ms
from schemas.ranges import ranges_of
from services.maprun_tracker.api import own_inputs, own_shapes
from services.maprun_tracker.api.causes import cause_pattern
from services.maprun_tracker.api.executions import arn_of_child
from services.maprun_tracker.api.frames import Kept
from services.maprun_tracker.api.run_children import UNSUCCESSFUL, Child, Listing
from services.maprun_tracker.api.runs import find_run, kept_of_page, within_frames
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token
from services.maprun_tracker.rows import RunRow

SAMPLES_MAX: Final = 3
"""Executions named in one cluster."""
_CHILDREN_PER_TURN = 200


class _Cluster(msgspec.Struct):
    """A cluster while it is counted."""

    count: int
    first_ms: int
    last_ms: int
    sample: str | None
    arns: list[str]
    indexes: list[int]  # descending


async def errors(service: Service, ask: own_inputs.ErrorsAsked, _call: Call) -> own_shapes.ErrorClusters:
    """The clusters of the next part of the children, the highest indexes first."""
    arn = ask.map_run_arn or ""
    query = ("errors", arn)
    below = read_token(ask.next_token, query, int)
    part, run = await find_run(service, arn)
    at = run.index_end if below is None else max(0, min(below, run.index_end))
    found = await Listing(part, run, UNSUCCESSFUL, None).page(at, service.limits.errors_children_max)
    page = within_frames(found.children, service.limits.list_frames_max)
    end = found.below if len(page) == len(found.children) else page[-1].index
    kept = await kept_of_page(service, part, page)
    return own_shapes.ErrorClusters(
        map_run_arn=arn,
        children_counted=len(page),
        clusters=await _clusters(service, run, page, kept, named=ask.children == "true"),
        next_token=make_token(query, end) if end else None,
    )


async def _clusters(
    service: Service, run: RunRow, page: list[Child], kept: dict[int, Kept], *, named: bool
) -> list[own_shapes.ErrorCluster]:
    """The children of a part by how they ended, the most frequent first."""
    clusters: dict[tuple[str, str | None, str | None], _Cluster] = {}
    for place, child in enumerate(page):
        if place % _CHILDREN_PER_TURN == 0:
            await asyncio.sleep(0)  # others are answered meanwhile
        told = kept.get(child.index)
        error, cause = (None, None) if told is None else (child_error(told.events), child_cause(told.events))
        ended_ms = (run.stopped_ms or run.started_ms) if told is None else child_stop_ms(told.events)
        key = (child.status, error or None, cause_pattern(cause) if cause else None)
        cluster = clusters.setdefault(key, _Cluster(0, ended_ms, ended_ms, cause or None, [], []))
        cluster.count += 1
        if named:
            cluster.indexes.append(child.index)
        cluster.first_ms, cluster.last_ms = min(cluster.first_ms, ended_ms), max(cluster.last_ms, ended_ms)
        if len(cluster.arns) < SAMPLES_MAX:
            cluster.arns.append(arn_of_child(service, run, child.index))
    shown = [
        own_shapes.ErrorCluster(
            status=status,
            error=error,
            cause_pattern=pattern,
            count=cluster.count,
            first_date=cluster.first_ms / 1000,
            last_date=cluster.last_ms / 1000,
            cause_sample=cluster.sample,
            execution_arns=cluster.arns,
            children=ranges_of(reversed(cluster.indexes)) if named else None,
        )
        for (status, error, pattern), cluster in clusters.items()
    ]
    return sorted(shown, key=lambda cluster: -cluster.count)
