"""Children of Map Runs for a lane: one machine a run, compiled once, with the names its children carry."""

from collections.abc import Callable
from typing import Any

from maprun.interpreter import Ended, ExecutionHead, Limits, Step, advance, begin, effect_key, input_builder
from maprun.language import Machine, compile_machine
from schemas.arns import Names, child_arn, child_name
from schemas.effects import Happening
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.lanes import RunOpened
from schemas.plan import MapRunPlan

Build = Callable[[int, str | None, bytes, str], bytes]
MACHINES_KEPT = 1_000
"""Compiled definitions kept; the one used longest ago goes first."""


class ChildRunMachine:
    """The children of one run: their machine, their names, their ItemSelector."""

    def __init__(self, machine: Machine, opened: RunOpened, names: Names, limits: Limits) -> None:
        self._limits = limits
        self.machine = machine.processor(opened.plan.state)
        self.build: Build = input_builder(machine, opened.plan)
        self.pack: Callable[[list[HistoryEvent]], bytes] = encode_events
        self._run = opened.run
        self._express = opened.plan.child_type == "EXPRESS"
        self._prefix = names.child_prefix(opened.machine_name, opened.label, express=self._express)
        self._machine_arn = names.labelled_machine(opened.machine_name, opened.label)
        self._machine_name = opened.machine_name
        self._role_arn = opened.role_arn

    def begin(self, index: int, child_input: bytes, now_ms: int) -> Step:
        """Starts the child with this index."""
        head = ExecutionHead(
            arn=self._arn(index),
            name=child_name(self._run, index),
            machine_arn=self._machine_arn,
            machine_name=self._machine_name,
            role_arn=self._role_arn,
            start_ms=now_ms,
            input=child_input,
            express=self._express,
        )
        try:
            return begin(self.machine, head, now_ms, self._limits)
        except Exception as bug:  # noqa: BLE001 - the child's dead letter, as the fold has one for a root execution
            started = HistoryEvent(EventType.EXECUTION_STARTED, 0, now_ms, (child_input, self._role_arn))
            return _broken([started], now_ms, bug)

    def advance(self, execution: Any, happening: Happening, now_ms: int) -> Step:
        """Tells a child what happened."""
        try:
            return advance(self.machine, execution, happening, now_ms, self._limits)
        except Exception as bug:  # noqa: BLE001 - as above
            return _broken([], now_ms, bug)

    def effect_key(self, index: int, ref: str) -> str:
        """The idempotency key of an effect of the child with this index."""
        return effect_key(self._arn(index), 0, ref)

    def _arn(self, index: int) -> str:
        return child_arn(self._prefix, self._run, index, express=self._express)


def _broken(events: list[HistoryEvent], now_ms: int, bug: Exception) -> Step:
    """A child that a bug ends: it fails alone. Raised, it would end the lane's owner, and every successor's too."""
    cause = f"The execution cannot be continued: {type(bug).__name__}: {bug}"
    failed = HistoryEvent(EventType.EXECUTION_FAILED, 0, now_ms, ("States.Runtime", cause))
    return Step(None, [], [*events, failed], Ended("FAILED", b"", "States.Runtime", cause))


class Children:
    """Makes `ChildRunMachine`s; compiles a definition once for all runs of it."""

    def __init__(self, names: Names, limits: Limits | None = None) -> None:
        self._names = names
        self._limits = limits or Limits()
        self._machines: dict[bytes, Machine] = {}

    def compile_run(self, opened: RunOpened) -> ChildRunMachine:
        """The children of a run that was opened on a lane."""
        return ChildRunMachine(self._machine(opened.definition), opened, self._names, self._limits)

    def builder(self, definition: bytes, plan: MapRunPlan) -> Build:
        """The ItemSelector of a run, for a reader that builds batches."""
        return input_builder(self._machine(definition), plan)

    def _machine(self, definition: bytes) -> Machine:
        machine = self._machines.pop(definition, None) or compile_machine(definition)
        self._machines[definition] = machine
        if len(self._machines) > MACHINES_KEPT:
            del self._machines[next(iter(self._machines))]
        return machine
