"""Root executions of EXPRESS machines for a lane: begun with what their request says, machines compiled once."""

from typing import Any

from maprun.interpreter.broken import broken
from maprun.interpreter.execution import ExecutionHead, Limits
from maprun.interpreter.step import Step, advance, begin, effect_key, go_on
from maprun.interpreter.step_builder import Ended, Spent, never_spent
from maprun.language import Machine
from maprun.language.machines import Machines
from schemas.effects import Happening
from schemas.express import NOBODY_WAITS, ExpressMachine, ExpressStart
from schemas.history import EventType, HistoryEvent

_UNBOUNDED = 1 << 62


def express_limits(payload_bytes_max: int) -> Limits:
    """AWS bounds the time of an EXPRESS execution, and neither the number nor the size of its events."""
    return Limits(payload_bytes_max, events_max=_UNBOUNDED, history_bytes_max=_UNBOUNDED)


class ExpressInterpreter:
    """Takes root executions of EXPRESS machines step by step. Not thread-safe."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._machines = Machines()

    def begin(self, machine: ExpressMachine, start: ExpressStart, now_ms: int, spent: Spent = never_spent) -> Step:
        """Starts an execution; one that is begun again, after its lane changed hands, begins with the same ARN."""
        head = ExecutionHead(
            arn=start.arn,
            name=start.name,
            machine_arn=machine.arn,
            machine_name=machine.name,
            role_arn=machine.role_arn,
            start_ms=start.started_ms,
            input=start.input,
            express=True,
            version_arn=machine.version_arn,
            alias_arn=machine.alias_arn,
            synchronous=start.call != NOBODY_WAITS,
        )
        try:
            return begin(self._compiled(machine), head, now_ms, self._limits, spent)
        except Exception as bug:  # noqa: BLE001 - the execution's dead letter
            started = HistoryEvent(EventType.EXECUTION_STARTED, 0, now_ms, (start.input, machine.role_arn))
            return broken([started], now_ms, bug)

    def advance(
        self, machine: ExpressMachine, execution: Any, happening: Happening, now_ms: int, spent: Spent = never_spent
    ) -> Step:
        """Tells an execution what happened."""
        try:
            return advance(self._compiled(machine), execution, happening, now_ms, self._limits, spent)
        except Exception as bug:  # noqa: BLE001 - as above
            return broken([], now_ms, bug)

    def go_on(self, step: Step, spent: Spent = never_spent) -> Step:
        """Takes a step that has more to do further; the step to go on with."""
        try:
            go_on(step, spent)
        except Exception as bug:  # noqa: BLE001 - as above
            assert step.unfinished is not None
            return broken(step.events, step.unfinished.now_ms, bug)
        return step

    def timed_out(self, now_ms: int) -> Step:
        """The last step of an execution whose time is over in the midst of a step that never waits."""
        event = HistoryEvent(EventType.EXECUTION_TIMED_OUT, 0, now_ms, ("States.Timeout", None))
        return Step(None, [], [event], Ended("TIMED_OUT"))

    def effect_key(self, start: ExpressStart, ref: str) -> str:
        """The idempotency key of an effect: the same when the execution is begun again."""
        return effect_key(start.arn, 0, ref)

    def ends_ms(self, machine: ExpressMachine, began_ms: int) -> int:
        """When the time of an execution is over that began then (epoch milliseconds)."""
        own, most = self._compiled(machine).timeout_seconds, self._limits.express_seconds_max
        return began_ms + 1000 * (most if own is None else min(own, most))

    def _compiled(self, machine: ExpressMachine) -> Machine:
        return self._machines.compiled(machine.definition, "EXPRESS")
