"""Helpers of the interpreter's tests: machines from dicts, events in short, an execution through its redrives."""

import json
from typing import Any

from maprun.interpreter import ExecutionHead, Limits, Step, advance, begin, redrive
from maprun.language import Machine, compile_machine
from schemas.effects import EffectCancelled, Happening, MapRunRedriveRequested, TaskRequested, TimerRequested
from schemas.history import SHAPES, HistoryEvent

ARN = "arn:aws:states:eu-west-1:123456789012:execution:m:e"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:f"
INVOKE = "arn:aws:states:::lambda:invoke"


def machine_of(states: dict[str, Any], **fields: Any) -> Machine:
    """A machine that starts at the first of these states."""
    return compile_machine(json.dumps({"StartAt": next(iter(states)), "States": states, **fields}).encode())


def head_of(value: Any) -> ExecutionHead:
    """The head of an execution with this input."""
    return ExecutionHead(ARN, "e", "arn:m", "m", "arn:role", 0, json.dumps(value).encode())


def start(states: dict[str, Any], value: Any = None, **fields: Any) -> tuple[Machine, Step]:
    """A machine of these states, begun at time 0."""
    machine = machine_of(states, **fields)
    return machine, begin(machine, head_of({} if value is None else value), 0)


def short(events: list[HistoryEvent], first_id: int = 1) -> list[str]:
    """`id Type <- previous id` of each event."""
    return [f"{at} {SHAPES[event.type][0]} <- {event.previous_id}" for at, event in enumerate(events, first_id)]


def output_of(states: dict[str, Any], value: Any = None, **fields: Any) -> Any:
    """The output of a machine that needs nobody."""
    _, step = start(states, value, **fields)
    assert step.ended is not None
    assert step.ended.status == "SUCCEEDED", step.ended
    return json.loads(step.ended.output)


def failure_of(states: dict[str, Any], value: Any = None, **fields: Any) -> tuple[str | None, str | None]:
    """(error, cause) of a machine that fails by itself."""
    _, step = start(states, value, **fields)
    assert step.ended is not None
    assert step.ended.status == "FAILED", step.ended
    return step.ended.error, step.ended.cause


def scope(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """A branch or processor of one state."""
    return {"StartAt": name, "States": {name: state}}


class Life:
    """One execution through its redrives: its whole history, and the Tasks it waits for by the name of their state."""

    def __init__(self, states: dict[str, Any], value: Any = None, limits: Limits | None = None, **fields: Any) -> None:
        self.machine: Machine = machine_of(states, **fields)
        self.limits = limits or Limits()
        self.now_ms = 0
        self.events: list[Any] = []
        self.refs: list[str] = []
        self._take(begin(self.machine, head_of({} if value is None else value), 0, self.limits))

    def _take(self, step: Step) -> None:
        self.step = step
        self.events += step.events
        asked = [
            effect.ref for effect in step.effects if not isinstance(effect, EffectCancelled | MapRunRedriveRequested)
        ]
        assert not set(asked) & set(self.refs), "a ref names one effect for ever"
        self.refs += asked

    def tell(self, happening: Happening) -> None:
        """It happens."""
        assert self.step.execution is not None
        self._take(advance(self.machine, self.step.execution, happening, self.now_ms, self.limits))

    def redrive(self) -> None:
        """It is redriven, ten seconds later."""
        self.now_ms += 10_000
        assert self.step.remains is not None
        self._take(redrive(self.machine, self.step.remains, self.now_ms, self.limits))

    def last(self, count: int) -> list[str]:
        """The last events in short."""
        return short(self.events)[-count:]

    def new(self) -> list[str]:
        """The events of the last step in short."""
        return short(self.step.events, len(self.events) - len(self.step.events) + 1)

    def tasks(self) -> dict[str, TaskRequested]:
        """The Tasks the last step asks for, by state."""
        return {effect.state: effect for effect in self.step.effects if isinstance(effect, TaskRequested)}

    def timers(self) -> list[TimerRequested]:
        """The timers the last step asks for."""
        return [effect for effect in self.step.effects if isinstance(effect, TimerRequested)]

    def output(self) -> Any:
        """The output of an execution that succeeded."""
        assert self.step.ended is not None
        assert self.step.ended.status == "SUCCEEDED", self.step.ended
        return json.loads(self.step.ended.output)
