"""`GET /maprun/states`: how long the states of a Map Run's children take, by those that ended last.

Nothing is kept for it: the newest children are looked up, and their histories read in the frames of home that tell of
their ends. A history that is long enough to stand in pages is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Final

import msgspec

from schemas.history import SHAPES, EventType, HistoryEvent
from services.maprun_tracker.api import inputs, watching_shapes
from services.maprun_tracker.api.rules import Rule
from services.maprun_tracker.api.run_children import Listing
from services.maprun_tracker.api.runs import find_run, kept_of_page, within_frames
from services.maprun_tracker.api.service import Call, Service

CHILDREN_MAX: Final = 200
_FRAMES_MAX: Final = 64
_ENTERED: Final = range(EventType.TASK_STATE_ENTERED, EventType.FAIL_STATE_ENTERED + 1)
_EXITED: Final = range(EventType.TASK_STATE_EXITED, EventType.SUCCEED_STATE_EXITED + 1)


class StatesAsked(inputs.Input, frozen=True, kw_only=True):
    """Input of `GET /maprun/states`."""

    rules: ClassVar[Mapping[str, Rule]] = {"map_run_arn": inputs.LONG_ARN}
    map_run_arn: str | None = None


class Visit(msgspec.Struct, frozen=True):
    """One stay in a state. `left` is false when the execution ended in it."""

    state: str
    type: str
    milliseconds: int
    left: bool


async def states(service: Service, ask: StatesAsked, _call: Call) -> watching_shapes.StateTimes:
    """The states that the newest children went through, the longest first by what they took together."""
    arn = ask.map_run_arn or ""
    part, run = await find_run(service, arn)
    found = await Listing(part, run, None, None).page(run.index_end, CHILDREN_MAX)
    page = within_frames([child for child in found.children if child.offset >= 0], _FRAMES_MAX)
    kept = [each for each in (await kept_of_page(service, part, page)).values() if not each.pages]
    visits: defaultdict[tuple[str, str], list[Visit]] = defaultdict(list)
    for each in kept:
        for visit in visits_of(each.events):
            visits[visit.state, visit.type].append(visit)
    times = [_times(state, kind, stays) for (state, kind), stays in visits.items()]
    return watching_shapes.StateTimes(
        map_run_arn=arn,
        children_counted=len(kept),
        states=sorted(times, key=lambda each: (-each.total_seconds, each.name)),
    )


def visits_of(events: Iterable[HistoryEvent]) -> Iterator[Visit]:
    """The stays in states that a history tells of, each from its entry to its exit, or to the history's end."""
    entered: defaultdict[str, list[HistoryEvent]] = defaultdict(list)
    last_ms = 0
    for event in events:
        last_ms = event.at_ms
        if event.type in _ENTERED:
            entered[str(event.details[0])].append(event)
        elif event.type in _EXITED and entered[str(event.details[0])]:
            began = entered[str(event.details[0])].pop(0)  # iterations of one state are alike: the first in, first out
            yield _visit(began, event.at_ms, left=True)
    for began in (each for waiting in entered.values() for each in waiting):
        yield _visit(began, last_ms, left=began.type == EventType.FAIL_STATE_ENTERED)


def _visit(entered: HistoryEvent, until_ms: int, *, left: bool) -> Visit:
    kind = SHAPES[entered.type][0].removesuffix("StateEntered")
    return Visit(str(entered.details[0]), kind, until_ms - entered.at_ms, left)


def _times(state: str, kind: str, visits: list[Visit]) -> watching_shapes.StateTime:
    sorted_ms = sorted(visit.milliseconds for visit in visits)
    return watching_shapes.StateTime(
        name=state,
        type=kind,
        visits=len(visits),
        ended_in_it=sum(not visit.left for visit in visits),
        total_seconds=sum(sorted_ms) / 1000,
        median_seconds=sorted_ms[len(sorted_ms) // 2] / 1000,
        p95_seconds=sorted_ms[len(sorted_ms) * 95 // 100] / 1000,
        max_seconds=sorted_ms[-1] / 1000,
    )
