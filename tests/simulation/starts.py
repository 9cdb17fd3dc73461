"""Executions that Tasks start: asked for at the API's doors, as often as owners of the Tasks change."""

from typing import TYPE_CHECKING, Any

import msgspec

from maprun.integrations.executions import name_of
from maprun.mapruns.fold.state import RequestAnswered, Root
from schemas.arns import home_of
from schemas.effects import SubmissionFailed, TaskFailed, TaskRequested, TaskSubmitted
from schemas.home import ExecutionRequested
from schemas.starters import Starter
from schemas.tokens import TaskToken
from tests.simulation.callee import SECRET
from tests.simulation.definitions import CALLEE, CALLEE_DEFINITION
from tests.simulation.plays import NAMES

if TYPE_CHECKING:
    from tests.simulation.fakes import Call
    from tests.simulation.house import House
    from tests.simulation.process import Task

FOREVER_SECONDS = 5_000
"""Longer than any world goes on: such an execution ends only by being stopped."""


class Starts:
    """All of them, and what must hold: one execution for each attempt."""

    def __init__(self, house: "House") -> None:
        self.house = house
        self.asked: dict[str, ExecutionRequested | SubmissionFailed] = {}  # by token
        self.of: dict[str, str] = {}  # attempt → the execution that began for it

    def again(self, port: Any, task: "Task", request: TaskRequested) -> bool:
        """Makes the call again, if it was made before: with the same outcome, or the same request."""
        asked = self.asked.get(request.token)
        if isinstance(asked, SubmissionFailed):
            port._later(0.01, task, task.token, asked)
        elif asked is not None:
            self._ask(port, task, request, asked)
        return asked is not None

    def start(self, port: Any, task: "Task", request: TaskRequested, call: "Call", seconds: float) -> None:
        """A call comes in: refused, or an execution whose work takes so long."""
        token = SECRET.read(request.token)
        if token is None:
            self.house.world.violated(f"{request.ref} starts an execution for nobody: {request.token!r}")
        elif isinstance(call.answer, TaskFailed):
            refused = self.asked[request.token] = SubmissionFailed(request.ref, call.answer.error, call.answer.cause)
            port._later(0.01, task, task.token, refused)
        else:
            output = {} if call.answer is None else msgspec.json.decode(call.answer.output)
            given = {"seconds": FOREVER_SECONDS if call.answer is None else int(seconds), "out": output}
            asked = self.asked[request.token] = _request(token, msgspec.json.encode(given))
            self._ask(port, task, request, asked)

    def _ask(self, port: Any, task: "Task", request: TaskRequested, asked: ExecutionRequested) -> None:
        waits = task.token

        def heard(answer: RequestAnswered) -> None:
            """The answer reaches whoever called, if he is still there."""
            outcome = (
                SubmissionFailed(request.ref, answer.error, answer.message)
                if answer.error
                else TaskSubmitted(request.ref, answer.body)
            )
            port._later(0.0, task, waits, outcome)

        self.house.doors.ask(home_of(asked.arn, self.house.scenario.homes), asked, heard)

    def root_seen(self, root: Root) -> None:
        """An execution as it is after a record: of each attempt there is one."""
        starter, arn = root.request.starter, root.request.arn
        if starter is not None and self.of.setdefault(starter.attempt, arn) != arn:
            self.house.world.violated(f"{starter} started {self.of[starter.attempt]} and {arn}")


def _request(token: TaskToken, given: bytes) -> ExecutionRequested:
    name = name_of(token.attempt)
    return ExecutionRequested(
        request_id=token.attempt,
        arn=NAMES.execution(CALLEE, name),
        name=name,
        machine_arn=NAMES.machine(CALLEE),
        machine_name=CALLEE,
        machine_type="STANDARD",
        revision_id="",
        role_arn="",
        definition=CALLEE_DEFINITION,
        input=given,
        starter=Starter(token.arn, token.attempt, token.lane, parsed=True),
    )
