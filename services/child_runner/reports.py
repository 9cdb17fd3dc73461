"""What a lane says on home, how children ended, what they ask for and which ones run; and when it works again. Pure.

Past the lease nothing is said: a child that was stopped here may go on elsewhere, and must not be found ended, or
asking for what it no longer wants, meanwhile.
"""

from collections.abc import Iterator

from schemas.home import ChildrenEnded, LaneProgress, NestedRunDropped, NestedRunRequested
from services.child_runner.lane import Lane
from services.child_runner.outbox import ranges_of


def take_frames(lane: Lane, at: float, *, idle: bool) -> list[ChildrenEnded]:
    """Outcome frames that are full, old enough, or with nothing left to wait for."""
    frames: list[ChildrenEnded] = []
    if lane.mute:
        return frames
    limits = lane.limits
    for run in lane.runs.values():
        box = run.outbox
        count = len(box.outcomes)
        if not count:
            continue
        alone = idle and not run.running and not run.queue
        if alone or count >= limits.frame_children_max or at - box.first_at >= limits.linger_seconds:
            frames += box.frames(lane.number, lane.epoch, limits.frame_children_max, limits.frame_bytes_max, lane.pages)
    return frames


def take_asks(lane: Lane) -> list[NestedRunRequested | NestedRunDropped]:
    """What children ask of home."""
    if lane.mute:
        return []
    asks, lane.asks = lane.asks, []
    return asks


def take_progress(lane: Lane, at: float) -> list[LaneProgress]:
    """Which children run, by index, where that changed; at most twice a second."""
    if at - lane.progress_at < lane.limits.progress_seconds:
        return []
    lane.progress_at = at
    if lane.mute:
        return []
    out = []
    for run in lane.runs.values():
        running = ranges_of(sorted(child.index for child in run.running.values()))
        if running != run.progress:
            run.progress = running
            out.append(LaneProgress(*run.key, lane.number, running))
    return out


def wait_seconds(lane: Lane, now: int, at: float) -> float | None:
    """How long nothing will have to be done, unless something comes in."""
    waits = list(_waits(lane, now, at))
    return max(0.0, min(waits)) if waits else None


def _waits(lane: Lane, now: int, at: float) -> Iterator[float]:
    limits = lane.limits
    due_ms = lane.timers.next_ms()
    if due_ms is not None:
        yield (due_ms - now) / 1000
    if lane.asks:
        yield limits.lease_retry_seconds if lane.mute else 0.0
    if lane.refused:
        yield lane.refused_at + limits.lease_retry_seconds - at
    if lane.cramped:
        yield limits.room_retry_seconds
    if lane.journal_due:
        yield lane.journal_since + limits.journal_linger_seconds - at
    for run in lane.runs.values():
        if run.outbox.outcomes:
            yield limits.lease_retry_seconds if lane.mute else run.outbox.first_at + limits.linger_seconds - at
    if lane.frames and not lane.frames[-1].adopted:
        yield next(f for f in lane.frames if not f.adopted).at + limits.adopt_after_seconds - at
    if any(run.running or run.progress for run in lane.runs.values()):
        yield lane.progress_at + limits.progress_seconds - at
