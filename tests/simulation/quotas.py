"""How many children a lane may run of a Map Run, as the checker sees it."""

from collections.abc import Callable

from services.child_runner.lane_run import LaneRun


def started_too_many(run: LaneRun, had: frozenset[int], quota: int, ran_before: Callable[[int], bool]) -> bool:
    """True if a child started though as many as the quota ran; `had` are those that ran before the turn.

    After the quota was lowered those that run go on; so do those that ran under an earlier owner of the lane.
    """
    return len(run.running) > quota and any(not ran_before(position) for position in run.running.keys() - had)
