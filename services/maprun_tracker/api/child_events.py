"""The events of children: of those that ended from home, of those that run from their lanes."""

from collections.abc import Sequence

from schemas.history import HistoryEvent, decode_events
from schemas.history_pages import ChildHistoryRequested
from schemas.ranges import pairs
from services.maprun_tracker.api import commands
from services.maprun_tracker.api.executions import ChildRef
from services.maprun_tracker.api.frames import Frames, Kept
from services.maprun_tracker.api.service import Call, Service


class ChildEvents:
    """A child's events by id, from 1 on: those in pages, of which one at a time is fetched, and those behind them."""

    def __init__(self, frames: Frames, home: int, pages: Sequence[int], behind: list[HistoryEvent]) -> None:
        self._frames = frames
        self._home = home
        self._pages: list[tuple[int, int, int]] = []  # first id, offset, events
        first_id = 1
        for offset, count in pairs(pages):
            self._pages.append((first_id, offset, count))
            first_id += count
        self.total = first_id - 1 + len(behind)
        self._first_id, self._events = first_id, behind  # those at hand
        self._behind = first_id, behind

    async def event(self, event_id: int) -> HistoryEvent:
        """The event with this id. Raises GoneError when its page is no longer kept."""
        if not 0 <= event_id - self._first_id < len(self._events):
            self._first_id, self._events = self._behind
            for first_id, offset, count in self._pages:
                if first_id <= event_id < first_id + count:
                    self._first_id, self._events = first_id, await self._frames.page(self._home, offset)
        return self._events[event_id - self._first_id]


def ended_events(frames: Frames, home: int, kept: Kept | None) -> ChildEvents:
    """Of a child that ended; none of one that never did."""
    if kept is None:
        return ChildEvents(frames, home, (), [])
    return ChildEvents(frames, home, kept.pages, [] if kept.pages else kept.events)


async def shown_of(service: Service, ref: ChildRef, call: Call) -> ChildEvents | None:
    """What has happened so far to a child that runs; None when it doesn't, or its lane says nothing in time."""
    part, run, index = ref.part, ref.run.run, ref.child.index
    lane = part.running.lane(run, index) if ref.child.status == "RUNNING" else None
    if lane is None:
        return None
    request = ChildHistoryRequested(service.command_id(call, "history"), run, lane, index)
    shown = await commands.history_shown(service.port, part, request, service.limits.shown_wait_seconds_max)
    if shown is None:
        return None
    return ChildEvents(service.frames, part.number, shown.pages, decode_events(shown.events))
