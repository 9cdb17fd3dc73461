"""Histories that are too long for one record: their events go to home in pages, and only then is the end said. Pure.

A page is said before the frame that names it, so the frame can name its offset. What was said of a child whose lane
goes to another owner is garbage: nothing names it.
"""

from collections import deque
from collections.abc import Sequence

from schemas.history import HistoryEvent
from schemas.history_pages import HistoryPage
from schemas.pages import Pages
from schemas.wire import encode
from services.child_runner.lane_run import LaneRun
from services.child_runner.limits import LaneLimits
from services.child_runner.long_history import Answer, LongHistory

PAGES_AT_ONCE_MAX = 8
"""Pages said in one turn: some MB, then others get theirs."""


class HistoryPages:
    """Pages on their way to home, and children whose end waits for them."""

    def __init__(self, epoch: int, limits: LaneLimits) -> None:
        self._epoch = epoch
        self._limits = limits
        self._pages = Pages()
        self._unsaid: deque[tuple[HistoryPage, LongHistory, LaneRun]] = deque()
        self._said: deque[tuple[HistoryPage, LongHistory, LaneRun]] = deque()

    def cut(
        self, run: LaneRun, position: int, history: LongHistory | None, events: Sequence[HistoryEvent]
    ) -> LongHistory:
        """Cuts the newest events of a child into pages; the history that they belong to, a new one if it had none."""
        history = history or LongHistory(events[0])
        group: list[bytes] = []
        size = 0
        for event in events:
            data = encode(event)
            if group and size + len(data) > self._limits.history_page_bytes_max:
                self._page(run, position, history, group)
                group, size = [], 0
            group.append(data)
            size += len(data)
            history.note(event)
            history.largest_bytes = max(history.largest_bytes, len(data))
        if group:
            self._page(run, position, history, group)
        return history

    def _page(self, run: LaneRun, position: int, history: LongHistory, group: list[bytes]) -> None:
        if history.largest_bytes > self._limits.entry_bytes_max:
            return  # one event fits no record: the child will be answered so
        first_id = history.events - len(group) + 1
        events = self._pages.pack_events(group)
        page = HistoryPage(*run.key, position, self._epoch, first_id, len(group), events)
        history.unwritten += 1
        self._unsaid.append((page, history, run))

    def answer(self, run: LaneRun, history: LongHistory, answer: Answer, at_seconds: float) -> None:
        """A child with a long history ended: its end is said once its pages are on home."""
        history.answer = answer
        if not history.unwritten:
            self._answered(run, history, at_seconds)

    def _answered(self, run: LaneRun, history: LongHistory, at_seconds: float) -> None:
        assert history.answer is not None
        (position, status, items, entry, index), redrives, remains = history.answer
        run.outbox.name_pages(position, tuple(history.pages))
        run.outbox.keep_for_redrive(position, redrives, remains)
        run.outbox.add(position, status, items, entry, at_seconds, index)

    @property
    def waiting(self) -> bool:
        """True while pages are to be said."""
        return bool(self._unsaid)

    def take(self) -> list[HistoryPage]:
        """The next pages."""
        taken: list[HistoryPage] = []
        while self._unsaid and len(taken) < PAGES_AT_ONCE_MAX:
            said = self._unsaid.popleft()
            if not said[2].over:
                self._said.append(said)
                taken.append(said[0])
        return taken

    def acknowledged(self, page: HistoryPage, offset: int, at_seconds: float) -> None:
        """The page that was taken first, of those not acknowledged yet, is on home."""
        said, history, run = self._said.popleft()
        assert said is page, "pages are acknowledged in the order in which they were taken"
        history.pages += (offset, page.count)
        history.unwritten -= 1
        if history.answer is not None and not history.unwritten and not run.over:
            self._answered(run, history, at_seconds)
