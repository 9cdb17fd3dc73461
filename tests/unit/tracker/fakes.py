"""A tiny interpreter and makers of records, for tests of the tracker's fold."""

import asyncio
from typing import Any

import msgspec

from maprun.archive.store import MemoryStore
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.state import Archive, HomeState
from maprun.mapruns.limits import MapRunLimits, limits_taken
from maprun.mapruns.slices import Spent
from schemas.arns import Names, home_of, run_id
from schemas.effects import (
    Effect,
    Happening,
    MapRunFailed,
    MapRunRedriven,
    MapRunRedriveRequested,
    MapRunRequested,
    MapRunStarted,
    StopAsked,
)
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.home import PAGE_SLOTS, RETURNED, ChildrenEnded, ExecutionRequested
from schemas.pages import Pages
from schemas.plan import MapRunPlan
from services.maprun_tracker.archive import EndedExecutions
from services.maprun_tracker.flush import Flusher, restore
from services.maprun_tracker.limits import TrackerLimits
from tests.unit.archive.topic import Topic

HOMES, LANES = 2, 4
NAMES = Names()
MACHINE = NAMES.machine("m")
DEFINITION = b'{"StartAt":"Map","States":{"Map":{"Type":"Map","End":true}}}'
PAGES = Pages()


class Ended(msgspec.Struct):
    """How a fake execution ended."""

    status: str
    output: bytes = b""
    error: str | None = None
    cause: str | None = None


class Step(msgspec.Struct):
    """One step of a fake execution."""

    execution: Any
    effects: list[Effect]
    events: list[Any]
    ended: Ended | None = None
    remains: Any = None
    more: bool = False


class FakeInterpreter:
    """Executions that start one Map Run and end with it; the input of the execution is the plan's item array."""

    def __init__(self, plan: MapRunPlan | None = None, event_bytes: int = 0) -> None:
        self.plan = plan or MapRunPlan(
            state="Map", label="L", child_type="STANDARD", tolerated_failure_percentage=100.0
        )
        self.padding = b"x" * event_bytes

    def begin(self, request: ExecutionRequested, now_ms: int, _spent: Spent) -> Step:
        """Three events and a Map Run."""
        events = [
            HistoryEvent(EventType.EXECUTION_STARTED, 0, now_ms, (request.input, request.role_arn)),
            HistoryEvent(EventType.MAP_STATE_ENTERED, 0, now_ms, ("Map", request.input + self.padding)),
            HistoryEvent(EventType.MAP_STATE_STARTED, 2, now_ms, (0,)),
        ]
        return Step({"n": 3}, [MapRunRequested("m", self.plan)], events)

    def advance(
        self, request: ExecutionRequested, execution: Any, happening: Happening, now_ms: int, _spent: Spent
    ) -> Step:
        """One event for whatever happens; everything but the run's start ends it."""
        n = execution["n"] + 1
        del request
        if isinstance(happening, MapRunStarted):
            event = HistoryEvent(EventType.MAP_RUN_STARTED, n - 1, now_ms, (happening.map_run_arn,))
            return Step({"n": n}, [], [event])
        if isinstance(happening, MapRunRedriven):
            arn, count = happening.map_run_arn, happening.redrive_count
            return Step({"n": n}, [], [HistoryEvent(EventType.MAP_RUN_REDRIVEN, 3, now_ms, (arn, count))])
        if isinstance(happening, StopAsked):
            aborted = HistoryEvent(EventType.EXECUTION_ABORTED, 0, now_ms, (happening.error, happening.cause))
            ended = Ended("ABORTED", b"", happening.error, happening.cause)
            return Step(None, [], [aborted], ended, {"n": n})
        if isinstance(happening, MapRunFailed):
            failed = HistoryEvent(EventType.EXECUTION_FAILED, n - 1, now_ms, (happening.error, happening.cause))
            return Step(None, [], [failed], Ended("FAILED", b"", happening.error, happening.cause), {"n": n})
        event = HistoryEvent(EventType.EXECUTION_SUCCEEDED, n - 1, now_ms, (b'"' + self.padding + b'"',))
        return Step(None, [], [event], Ended("SUCCEEDED", b'"done"'))

    def redrive(self, request: ExecutionRequested, remains: Any, now_ms: int, _spent: Spent) -> Step:
        """One event, and the Map Run once more."""
        del request
        event = HistoryEvent(EventType.EXECUTION_REDRIVEN, remains["n"], now_ms, (1,))
        return Step({"n": remains["n"] + 1}, [MapRunRedriveRequested("m")], [event])

    def go_on(self, step: Any, _spent: Spent) -> None:
        """No step has more to do."""
        raise AssertionError(step)

    def encode(self, execution: Any) -> bytes:
        """Its bytes."""
        return msgspec.msgpack.encode(execution)

    def decode(self, data: bytes) -> Any:
        """The execution again."""
        return msgspec.msgpack.decode(data)

    def child_outputs(self, page: bytes) -> list[bytes]:
        """One small output for each child."""
        return [b"1" for _ in PAGES.unpack(page)]


def fold(
    state: HomeState, interpreter: FakeInterpreter, limits: MapRunLimits | None = None, archive: Archive | None = None
) -> Home:
    """A home fold over the fake interpreter, which judges by these limits."""
    if limits is not None:
        state.limits = limits_taken(limits)
    return Home(state, interpreter, NAMES, HOMES, LANES, limits, archive)


def archive(
    home: int, interpreter: FakeInterpreter, topic: Topic | None = None, store: MemoryStore | None = None
) -> EndedExecutions:
    """The archive of a home that has caught up with its topic."""
    port: Any = topic or Topic()
    made = EndedExecutions(port, home, store or MemoryStore(), interpreter, 2_000)
    if topic is not None:
        asyncio.run(made.log.catch_up())
    return made


def fresh(home: int, interpreter: FakeInterpreter, start: int = 0) -> Flusher:
    """A home that nothing is known of yet."""

    def make(state: HomeState, archive: Archive) -> Home:
        return fold(state, interpreter, None, archive)

    return restore(home, {}, (), make, archive(home, interpreter), interpreter, TrackerLimits(), start)[0]


def execution(home: int, number: int = 0, request_id: str = "") -> ExecutionRequested:
    """A request whose execution lives on `home`, started by the machine, by a version or by an alias in turn."""
    arn, name = "", ""
    for i in range(1_000):
        name = f"e{number}-{i}"
        arn = NAMES.execution("m", name)
        if home_of(arn, HOMES) == home:
            break
    return ExecutionRequested(
        request_id or f"r-{name}",
        arn,
        name,
        MACHINE,
        "m",
        "STANDARD",
        "rev",
        "role",
        DEFINITION,
        b"[1]",
        version=number % 3,
        alias="live" if number % 3 == 2 else "",
    )


def run_of(request: ExecutionRequested) -> str:
    """The id of the Map Run that a fake execution starts."""
    return run_id(home_of(request.arn, HOMES), request.arn, "m")


def child_events(position: int, status: int) -> bytes:
    """The entry of one child in a page."""
    if status >= RETURNED:
        return msgspec.msgpack.encode([b'{"p":%d}' % position])
    last = {
        1: HistoryEvent(EventType.EXECUTION_SUCCEEDED, 1, 2_000 + position, (b'{"o":%d}' % position,)),
        2: HistoryEvent(EventType.EXECUTION_FAILED, 1, 2_000 + position, ("E", f"cause {position}")),
        3: HistoryEvent(EventType.EXECUTION_TIMED_OUT, 1, 2_000 + position, (None, None)),
        4: HistoryEvent(EventType.EXECUTION_ABORTED, 0, 2_000 + position, (None, None)),
    }[status]
    started = HistoryEvent(EventType.EXECUTION_STARTED, 0, 1_000 + position, (b'{"p":%d}' % position, "role"))
    return encode_events([started, last])


def children_ended(run: str, lane: int, ranges: tuple[int, ...], statuses: bytes) -> ChildrenEnded:
    """A frame with a history for each of its slots."""
    positions = [p for first, count in zip(ranges[::2], ranges[1::2], strict=True) for p in range(first, first + count)]
    slots = [child_events(p, s) for p, s in zip(positions, statuses, strict=True)]
    assert len(PAGES.pack(slots)) == -(-len(slots) // PAGE_SLOTS)
    return ChildrenEnded(run, 0, lane, ranges, statuses, (), PAGES.pack(slots), 0)
