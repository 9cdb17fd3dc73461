"""Root executions for the fold of home: its port to the interpreter, with machines compiled once."""

from typing import Any

import msgspec

from maprun.interpreter import (
    ExecutionHead,
    Limits,
    Spent,
    Step,
    advance,
    begin,
    decode_execution,
    encode_execution,
    go_on,
    never_spent,
    redrive,
)
from maprun.language import Machine
from maprun.language.machines import Machines
from schemas.effects import Happening
from schemas.history import child_output, decode_events
from schemas.home import ExecutionRequested, alias_arn_of, version_arn_of
from schemas.pages import Pages
from schemas.tokens import TokenSecret


class RootInterpreter:
    """Implements `maprun.mapruns.fold.state.Interpreter`. Not thread-safe."""

    def __init__(self, limits: Limits | None = None, secret: TokenSecret | None = None) -> None:
        """`secret` is needed by machines that wait for callbacks."""
        self._limits = limits or Limits()
        self._secret = secret or TokenSecret()
        self._machines = Machines()
        self._pages = Pages()

    def _machine(self, request: ExecutionRequested) -> Machine:
        return self._machines.compiled(request.definition, request.machine_type)

    def begin(self, request: ExecutionRequested, now_ms: int, spent: Spent = never_spent) -> Step:
        """Starts a root execution."""
        head = ExecutionHead(
            arn=request.arn,
            name=request.name,
            machine_arn=request.machine_arn,
            machine_name=request.machine_name,
            role_arn=request.role_arn,
            start_ms=now_ms,
            input=request.input,
            express=request.machine_type == "EXPRESS",
            version_arn=version_arn_of(request),
            alias_arn=alias_arn_of(request),
        )
        return begin(self._machine(request), head, now_ms, self._limits, spent, self._secret)

    def advance(
        self,
        request: ExecutionRequested,
        execution: Any,
        happening: Happening,
        now_ms: int,
        spent: Spent = never_spent,
    ) -> Step:
        """Tells a root execution what happened."""
        return advance(self._machine(request), execution, happening, now_ms, self._limits, spent)

    def redrive(self, request: ExecutionRequested, remains: Any, now_ms: int, spent: Spent = never_spent) -> Step:
        """Goes on with a root execution that ended unsuccessfully, from its last step's remains."""
        return redrive(self._machine(request), remains, now_ms, self._limits, spent)

    def go_on(self, step: Step, spent: Spent = never_spent) -> None:
        """Takes a step that has more to do further."""
        go_on(step, spent)

    def encode(self, execution: Any) -> bytes:
        """The bytes of a running execution, or of what remains of one."""
        return encode_execution(execution)

    def decode(self, data: bytes) -> Any:
        """The execution again."""
        return decode_execution(data, self._secret)

    def child_outputs(self, page: bytes) -> list[bytes]:
        """The outputs of the children in a page of histories, empty for those that did not succeed."""
        return [_output(entry) for entry in self._pages.unpack(page)]


def _output(entry: msgspec.Raw) -> bytes:
    data = bytes(entry)
    if data[1:2] in {b"\xc4", b"\xc5", b"\xc6"}:  # bytes, no event: an input, or [item, key, source]; it never started
        return b""
    return child_output(decode_events(data)) or b""
