"""The histories of children: kept while they run, said with their end; those that grow long go in pages. Pure."""

from typing import Any

from schemas.history import EventType, HistoryEvent
from schemas.home import ABORTED, FAILED, SUCCEEDED, TIMED_OUT
from schemas.lanes import RedrivenChild
from services.child_runner.child_logs import ChildLogs
from services.child_runner.history_pages import HistoryPages
from services.child_runner.lane_run import Child, LaneRun
from services.child_runner.limits import LaneLimits
from services.child_runner.long_history import LongHistory
from services.child_runner.machine import Step

PAGED_EVENTS_MIN = 64
"""Fewer events make no page before their child ends: most children have fewer, and nothing is asked about them."""
_STATUS = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": TIMED_OUT, "ABORTED": ABORTED}


def earlier_history(earlier: RedrivenChild, step: Step) -> LongHistory | None:
    """The history with which a redriven child goes on, if it stands in pages and this first step doesn't begin anew."""
    if not earlier.pages or (step.events and step.events[0].type == EventType.EXECUTION_STARTED):
        return None
    return LongHistory.of_earlier(earlier)


class Histories:
    """What becomes of the events that steps bring."""

    def __init__(self, limits: LaneLimits, pages: HistoryPages, logs: ChildLogs) -> None:
        self.logs = logs
        self._page_bytes_max = limits.history_page_bytes_max
        self._entry_bytes_max = limits.entry_bytes_max
        self._pages = pages

    def keep(self, run: LaneRun, child: Child, execution: Any, events: list[HistoryEvent]) -> None:
        """New events of a child: they stay in memory until they make a page."""
        if run.logging:
            self.logs.grew(run, child, events)
        child.events += events
        if len(child.events) < PAGED_EVENTS_MIN or execution is None:
            return
        so_far = run.machine.history_bytes(execution)
        if so_far - child.paged_bytes >= self._page_bytes_max:
            child.history = self._pages.cut(run, child.position, child.history, child.events)
            child.events = []
            child.paged_bytes = so_far

    def fits(self, run: LaneRun, child: Child) -> bool:
        """True once the events that are in no page fit a record, and all pages are on home: then it can be shown."""
        if len(run.machine.pack(child.events)) > self._page_bytes_max:
            child.history = self._pages.cut(run, child.position, child.history, child.events)
            child.events = []
            child.paged_bytes = run.machine.history_bytes(child.execution)
        return child.history is None or not child.history.unwritten

    def answer(
        self,
        run: LaneRun,
        place: tuple[int, int, int, int],
        step: Step,
        events: list[HistoryEvent],
        history: LongHistory | None,
        at_seconds: float,
    ) -> None:
        """The end and history of the child with this position, index, number of items and redrives, for home.

        `events` are those that are in no page of its `history` yet.
        """
        position, index, items, redrives = place
        assert step.ended is not None
        status = _STATUS[step.ended.status]
        entry = run.machine.pack(events) if history is None else b""
        if history is not None or len(entry) > self._page_bytes_max:
            history = self._pages.cut(run, position, history, events)
            entry = history.entry()
        elif status == SUCCEEDED and not redrives:  # as most do
            run.outbox.add(position, status, items, entry, at_seconds, index)
            return
        largest_bytes = len(entry) if history is None else max(len(entry), history.largest_bytes)
        remains = b""
        if largest_bytes > self._entry_bytes_max:
            status, entry, history = FAILED, self._too_large(run, events, history, largest_bytes), None
        elif status != SUCCEEDED and not run.express:
            remains = run.machine.remains(step)
            if len(entry) + len(remains) > self._entry_bytes_max:
                remains = b""  # then it starts from its beginning
        outcome = (position, status, items, entry, index)
        if history is not None:
            self._pages.answer(run, history, (outcome, redrives, remains), at_seconds)
            return
        if redrives or remains:
            run.outbox.keep_for_redrive(position, redrives, remains)
        run.outbox.add(position, status, items, entry, at_seconds, index)

    def _too_large(
        self, run: LaneRun, events: list[HistoryEvent], history: LongHistory | None, largest_bytes: int
    ) -> bytes:
        """A history of which one event fits no record is cut to how it began and why it failed."""
        cause = (
            f"An event of the execution history has a size of {largest_bytes} bytes, exceeding the maximum of "
            f"{self._entry_bytes_max} bytes."
        )
        first, last = (events[0], events[-1]) if history is None else (history.first, history.last)
        failed = HistoryEvent(EventType.EXECUTION_FAILED, 0, last.at_ms, ("States.DataLimitExceeded", cause))
        return run.machine.pack([first, failed])
