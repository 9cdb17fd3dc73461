"""What the children of runs log, as their steps bring events: at least once, for a past done again is logged again.

Pure.
"""

from collections.abc import Sequence

from schemas.arns import home_of_run
from schemas.execution_logs import LogRecord, log_records
from schemas.history import EventType, HistoryEvent
from services.child_runner.lane_run import Child, LaneRun


class ChildLogs:
    """Gathers records until the lane's owner publishes them."""

    def __init__(self) -> None:
        self._records: list[tuple[int, str, LogRecord]] = []

    def grew(self, run: LaneRun, child: Child, events: Sequence[HistoryEvent]) -> None:
        """New events of a child that runs."""
        self.log(run, child.index, child.redrives, child.events_logged, events)
        child.events_logged += len(events)

    def log(self, run: LaneRun, index: int, redrives: int, before: int, events: Sequence[HistoryEvent]) -> None:
        """Events behind the first `before`. Of a redriven child the first step brings those of earlier lives too."""
        new = next((n for n in reversed(range(len(events))) if redrives and _redriven(events[n])), 0)
        home, arn = home_of_run(run.opened.run), run.machine.arn(index)
        assert home is not None
        records = log_records(run.logging, arn, redrives, before + new + 1, events[new:])
        self._records += ((home, arn, record) for record in records)

    def take(self) -> list[tuple[int, str, LogRecord]]:
        """What is to be published: (home, ARN, record)."""
        taken, self._records = self._records, []
        return taken


def _redriven(event: HistoryEvent) -> bool:
    return event.type == EventType.EXECUTION_REDRIVEN
