"""How many children a lane may run of a Map Run, as the checker sees it."""

from schemas.effects import StopAsked
from services.child_runner.lane_run import Child, LaneRun


def started_too_many(run: LaneRun, had: frozenset[int], quota: int) -> bool:
    """True if a child started though as many as the quota ran; `had` are those that ran before.

    After the quota was lowered those that run go on. While the run closes, children that an earlier owner ran are
    brought back whatever the quota: each of them does nothing but have its past happen again, and is stopped.
    """
    started = run.running.keys() - had
    if len(run.running) <= quota or not started:
        return False
    return not (run.closing and all(_only_brought_back(run.running[position]) for position in started))


def _only_brought_back(child: Child) -> bool:
    """True while its past happens again, if a stop is the first thing that it will hear."""
    return child.past is not None and bool(child.inbox) and isinstance(child.inbox[0][0], StopAsked)
