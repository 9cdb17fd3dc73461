"""A fold for tests, and what to read off its outputs."""

from typing import Any

import msgspec

from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import (
    Output,
    Send,
)
from maprun.mapruns.fold.state import HomeState, RequestAnswered
from schemas import topics
from schemas.home import (
    ExecutionRequested,
)
from tests.unit.mapruns.programs import HOMES, LANES, NAMES, Programs, request


class Folding:
    """A fold that numbers its records itself."""

    def __init__(self, state: HomeState | None = None) -> None:
        self.home = Home(state or HomeState(home=0), Programs(), NAMES, HOMES, LANES)
        self.now = 1_000_000

    @property
    def state(self) -> HomeState:
        """What it knows."""
        return self.home.state

    def put(self, *records: Any) -> list[Output]:
        """Folds records in; the outputs of the last one."""
        outputs: list[Output] = []
        for record in records:
            self.now += 10
            outputs = self.home.apply(self.state.offset + 1, self.now, record)
        return outputs

    def started(self, *steps: Any, name: str = "x", **over: Any) -> tuple[ExecutionRequested, list[Output]]:
        """Starts a program."""
        asked = request(name, list(steps), **over)
        return asked, self.put(asked)

    def run_of(self, *steps: Any, name: str = "x") -> str:
        """Starts a program that begins with a Map Run; the run's id."""
        self.started(*steps, name=name)
        return next(reversed(self.state.runs))


def answers(outputs: list[Output]) -> list[RequestAnswered]:
    """The answers to requests among the outputs."""
    return [output for output in outputs if isinstance(output, RequestAnswered)]


def sent(outputs: list[Output], kind: type) -> list[Any]:
    """The messages of this type among the outputs."""
    return [output.message for output in outputs if isinstance(output, Send) and isinstance(output.message, kind)]


def statuses(outputs: list[Output]) -> list[str]:
    """The status changes among the outputs."""
    events = [o.message for o in outputs if isinstance(o, Send) and o.topic == topics.EXECUTION_EVENTS.name]
    return [msgspec.json.decode(event)["detail"]["status"] for event in events if isinstance(event, bytes)]


def status_event(outputs: list[Output]) -> Any:
    """The last status change among the outputs, whole."""
    return msgspec.json.decode([o.message for o in outputs if isinstance(o, Send) and isinstance(o.message, bytes)][-1])
