"""The plan of a Map Run, made once more: its Map state is entered again with what the execution's history tells."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from maprun.interpreter import ExecutionHead, Limits
from maprun.interpreter.execution import Execution, Frame
from maprun.interpreter.kinds import KINDS
from maprun.interpreter.map_state import perform_map
from maprun.interpreter.step_builder import StepBuilder
from maprun.language.errors import StatesError
from maprun.language.model import Machine, MapWork, ParallelWork
from schemas.effects import MapRunRequested
from schemas.plan import MapRunPlan

Json = Mapping[str, Any]
_LIMITS = Limits(plan_bytes_max=1 << 30)  # it was accepted once


class UnknownPlanError(Exception):
    """The history doesn't tell what the Map Run began with; the message says why."""


class Begun(msgspec.Struct, frozen=True):
    """What a Map state had when its Map Run began."""

    state: str
    input: bytes
    entered_ms: int
    retry_count: int
    variables: dict[str, Any]
    redrive_count: int
    redrive_ms: int


def begun_of(events: Sequence[Json], map_run_arn: str) -> Begun:
    """What a history, as GetExecutionHistory gives it, tells of the beginning of a Map Run. Raises UnknownPlanError."""
    by_id = {event["id"]: event for event in events}
    started = next((event for event in events if _started(event) == map_run_arn), None)
    if started is None:
        raise UnknownPlanError(f"the execution's history does not tell of {map_run_arn}")
    entered, attempts = None, 0
    for event in _before(by_id, started):
        attempts += event["type"] == "MapStateStarted"
        if event["type"] == "MapStateEntered":
            entered = event
            break
    if entered is None:
        raise UnknownPlanError("the execution's history does not tell how its Map state was entered")
    details = entered["stateEnteredEventDetails"]
    redrives = [event for event in events if event["type"] == "ExecutionRedriven" and event["id"] < started["id"]]
    return Begun(
        state=details["name"],
        input=details.get("input", "{}").encode(),
        entered_ms=_ms(entered),
        retry_count=max(0, attempts - 1),
        variables=_variables(by_id, entered),
        redrive_count=len(redrives),
        redrive_ms=_ms(redrives[-1]) if redrives else 0,
    )


def _started(event: Json) -> str:
    details: Json = event.get("mapRunStartedEventDetails", {})
    return str(details.get("mapRunArn", ""))


def _before(by_id: Mapping[int, Json], event: Json) -> Iterator[Json]:
    """The events that led to one, the nearest first."""
    while (found := by_id.get(event.get("previousEventId", 0))) is not None:
        yield found
        event = found


def _variables(by_id: Mapping[int, Json], entered: Json) -> dict[str, Any]:
    """The variables that the Map state saw: what states before it assigned, the newest first."""
    found: dict[str, Any] = {}
    inside = ""  # a Parallel or Map that was left again: what its branches assigned, they assigned for themselves
    for event in _before(by_id, entered):
        kind, details = event["type"], event.get("stateExitedEventDetails", {})
        if inside:
            if kind.endswith("StateEntered") and event["stateEnteredEventDetails"]["name"] == inside:
                inside = ""
            continue
        if kind == "MapIterationStarted":
            raise UnknownPlanError(
                "its Map state stands in an iteration of an inline Map, whose item history does not tell"
            )
        for name, text in details.get("assignedVariables", {}).items():
            found.setdefault(name, msgspec.json.decode(text))
        if kind in {"ParallelStateExited", "MapStateExited"}:
            inside = details["name"]
    return found


def _ms(event: Json) -> int:
    seconds: float = event["timestamp"]
    return round(seconds * 1000)


def plan_of(machine: Machine, head: ExecutionHead, begun: Begun) -> MapRunPlan:
    """The plan that the Map state makes of it. Raises UnknownPlanError."""
    holder = next((each for each in _machines(machine) if begun.state in each.states), None)
    if holder is None:
        raise UnknownPlanError(f"the execution's definition has no state {begun.state!r}")
    frame = Frame(holder, None, 0, "")
    frame.state, frame.input, frame.variables = begun.state, begun.input, begun.variables
    frame.entered_ms, frame.retry_count = begun.entered_ms, begun.retry_count
    head = msgspec.structs.replace(head, redrive_count=begun.redrive_count, redrive_ms=begun.redrive_ms)
    step = StepBuilder(Execution(head, frame), begun.entered_ms, _LIMITS, KINDS)
    try:
        perform_map(step, frame, holder.states[begun.state])
    except StatesError as error:
        raise UnknownPlanError(f"the Map state fails when it is entered again: {error.error}: {error.cause}") from error
    plan = next((effect.plan for effect in step.effects if isinstance(effect, MapRunRequested)), None)
    if plan is None:
        raise UnknownPlanError(f"the state {begun.state!r} is no distributed Map")
    return plan


def _machines(machine: Machine) -> Iterator[Machine]:
    """A machine and all within it."""
    yield machine
    for state in machine.states.values():
        if isinstance(state.work, ParallelWork):
            for branch in state.work.branches:
                yield from _machines(branch)
        elif isinstance(state.work, MapWork):
            yield from _machines(state.work.processor)
