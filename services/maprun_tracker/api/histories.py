"""GetExecutionHistory: roots from their pages, children from the frames that answered them; EXPRESS roots by lanes."""

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from maprun.requests.checks import Refusal, parse_arn
from schemas.arns import home_of
from schemas.history import HistoryEvent, event_to_api
from services.maprun_tracker.api import inputs, shapes
from services.maprun_tracker.api.child_events import ended_events, shown_of
from services.maprun_tracker.api.errors import express_history_missing, history_gone
from services.maprun_tracker.api.executions import find_child, find_root, kept_of
from services.maprun_tracker.api.frames import GoneError
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.api.tokens import make_token, read_token
from services.maprun_tracker.history_pages import page_of
from services.maprun_tracker.rows import RootRow
from services.maprun_tracker.state import Partition

_decode_event = msgspec.msgpack.Decoder(HistoryEvent).decode


async def get(service: Service, ask: inputs.HistoryAsked, call: Call) -> shapes.History:
    """GetExecutionHistory of a STANDARD execution."""
    arn = ask.execution_arn or ""
    parse_arn(arn, ("execution",))
    return await history(service, ask, call)


async def get_any(service: Service, ask: inputs.HistoryAsked, call: Call) -> shapes.History:
    """The history of any execution: those of EXPRESS children are kept here, and of EXPRESS roots those of late."""
    kind, rest = parse_arn(ask.execution_arn or "", ("execution", "express"))
    if kind == "express" and "/" not in rest[0]:
        return await _of_express_root(service, ask)
    return await history(service, ask, call)


async def _of_express_root(service: Service, ask: inputs.HistoryAsked) -> shapes.History:
    """One page of what the lane that ran it tells. Raises Refusal when none knows it."""
    arn, reverse = ask.execution_arn or "", bool(ask.reverse_order)
    query = ("GetExecutionHistory", arn, reverse)
    lane, first = read_token(ask.next_token, query, tuple[int, int]) or (None, 0)
    size = ask.max_results or service.limits.page_default
    shown = await service.express.history(service.port, arn, first, size, reverse=reverse, lane=lane)
    if shown is None:
        raise express_history_missing(arn)
    first = first or (shown.total if reverse else 1)
    ids = range(first, 0, -1) if reverse else range(first, shown.total + 1)
    data = ask.include_execution_data is not False
    events = [event_to_api(event, n, include_data=data) for n, event in zip(ids, shown.events, strict=False)]
    more = ids[len(events) :]
    return shapes.History(events=events, next_token=make_token(query, (shown.lane, more[0])) if more else None)


async def history(service: Service, ask: inputs.HistoryAsked, call: Call) -> shapes.History:
    """One page of events. Of a child that runs its lane is asked; else there are those of its last end."""
    arn = ask.execution_arn or ""
    reverse = bool(ask.reverse_order)
    query = ("GetExecutionHistory", arn, reverse)
    place = read_token(ask.next_token, query, int)
    size = ask.max_results or service.limits.page_default
    data = ask.include_execution_data is not False
    if "/" in arn.split(":")[6]:
        ref = await find_child(service, arn)
        so_far = await shown_of(service, ref, call)
        kept = await kept_of(service, ref) if so_far is None else None
        if so_far is None and kept is None and ref.child.offset >= 0:
            raise history_gone(arn)
        events: Events = so_far or ended_events(service.frames, ref.part.number, kept)
    else:
        row = await find_root(service, arn)
        events = RootEvents(service.part(home_of(arn, service.homes)), row)
    total = events.total
    first = place if place is not None else (total if reverse else 1)
    if not 0 <= first <= total + 1:
        raise Refusal("InvalidToken", "Invalid Token: 'Invalid token'")
    shown: list[dict[str, Any]] = []
    size_bytes = 0
    event_id = first
    for event_id in _ids(first, total, reverse=reverse):
        if len(shown) >= size or size_bytes > service.limits.history_bytes_max:
            return shapes.History(events=shown, next_token=make_token(query, event_id))
        try:
            event = await events.event(event_id)
        except GoneError as gone:
            raise history_gone(arn) from gone
        size_bytes += sum(len(d) for d in event.details if isinstance(d, bytes | str))
        shown.append(event_to_api(event, event_id, include_data=data))
    return shapes.History(events=shown)


def _ids(first: int, total: int, *, reverse: bool) -> Iterator[int]:
    return iter(range(first, 0, -1) if reverse else range(first, total + 1))


class Events(Protocol):
    """The events of an execution by id, from 1 on."""

    total: int

    async def event(self, event_id: int) -> HistoryEvent:
        """The event with this id."""
        ...


class RootEvents:
    """The events of a root execution; decodes a page at a time."""

    def __init__(self, part: Partition, row: RootRow) -> None:
        self.total = row.events
        self._part = part
        self._row = row
        self._page = -1
        self._events: list[bytes] = []

    async def event(self, event_id: int) -> HistoryEvent:
        """The event with this id."""
        page = page_of(self._row.pages, event_id)
        if page != self._page:
            self._page, self._events = page, self._part.history_page(self._row, page)
        return _decode_event(self._events[event_id - self._row.pages[page]])
