"""Starts of EXPRESS machines: what may start one, and how starts travel together."""

import msgspec

from maprun.requests.checks import Refusal, machine_of_arn
from maprun.requests.registry import MachineRegistry
from maprun.requests.starts import Start, Traced, as_given, chosen_to_start
from schemas.arns import Names, qualified
from schemas.execution_logs import logging_of
from schemas.express import NOBODY_WAITS, ExpressMachine, ExpressRequested, ExpressStart

EXPRESS = "EXPRESS"
_START_BYTES = 512
"""What a start takes in a frame beside its texts, at most: ARN, name, numbers."""


def unsupported_type() -> Refusal:
    """The operation is one for machines of the other type."""
    return Refusal("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")


def express_start(
    start: Start,
    machines: MachineRegistry,
    names: Names,
    execution_id: str,
    now_ms: int,
    call: int = NOBODY_WAITS,
    traced: Traced = as_given,
) -> tuple[ExpressMachine, ExpressStart]:
    """What to run for a request that was checked. Names need not be unique: each execution has an id of its own.

    Raises Refusal (StateMachineDoesNotExist).
    """
    name = execution_id if start.name is None else start.name
    text = b"{}" if start.input is None else start.input
    arn = names.express(machine_of_arn(start.machine_arn)[0], name, execution_id)
    found = chosen_to_start(start, machines, arn)
    machine, revision, spec = found.machine, found.revision, found.revision.spec
    version_arn = qualified(machine.arn, revision.version) if revision.version else ""
    alias_arn = qualified(machine.arn, found.alias) if found.alias else ""
    trace_header = traced(start.trace_header, spec.tracing, arn)
    named = ExpressMachine(
        machine.arn, machine.name, spec.role_arn, spec.definition, logging_of(spec.logging), version_arn, alias_arn
    )
    return named, ExpressStart(0, arn, name, text, now_ms, call, trace_header)


class FrameBuilder:
    """Puts starts into frames of about so many bytes, a single one may be larger; each frame names a machine once."""

    def __init__(self, asker: str, answers: int, bytes_max: int, carrier: str = "") -> None:
        self._asker = asker
        self._answers = answers
        self._carrier = carrier
        self._bytes_max = bytes_max
        self._clear()

    def _clear(self) -> None:
        self._machines: dict[ExpressMachine, int] = {}
        self._starts: list[ExpressStart] = []
        self._bytes = 0

    def add(self, machine: ExpressMachine, start: ExpressStart) -> ExpressRequested | None:
        """Adds a start; the frame before it, if that has no room for it."""
        named = 0 if machine in self._machines else len(machine.definition)
        full = None
        if self._starts and self._bytes + _START_BYTES + len(start.input) + named > self._bytes_max:
            full, named = self.take(), len(machine.definition)
        number = self._machines.setdefault(machine, len(self._machines))
        self._starts.append(msgspec.structs.replace(start, machine=number))
        self._bytes += _START_BYTES + len(start.input) + named
        return full

    def take(self) -> ExpressRequested:
        """The frame so far; a new one begins."""
        starts, machines = tuple(self._starts), tuple(self._machines)
        self._clear()
        return ExpressRequested(self._asker, self._answers, machines, starts, self._carrier)
