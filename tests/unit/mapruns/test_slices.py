"""A record whose root execution takes long, folded slice by slice."""

import json

import msgspec

from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import Output, RootChanged
from maprun.mapruns.fold.state import HomeState, encode_state
from schemas.home import ExecutionRequested, RedriveRequested, StopRequested, TimerDue
from tests.unit.mapruns.programs import HOMES, LANES, NAMES, request

PASSES = 60
MACHINE = {
    "StartAt": "W",
    "States": {
        "W": {"Type": "Wait", "Seconds": 1, "Next": "S0"},
        **{f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(PASSES)},
        f"S{PASSES}": {"Type": "Fail", "Error": "Bad", "Cause": "it is"},
    },
}


class Every:
    """Spent each so many times that it is asked."""

    def __init__(self, states: int) -> None:
        self.states = states
        self.asked = 0

    def __call__(self) -> bool:
        """Counts."""
        self.asked += 1
        return self.asked % self.states == 0


def records() -> list[ExecutionRequested | TimerDue | RedriveRequested | StopRequested]:
    """An execution that waits, passes through many states, fails, and is redriven; then another one is stopped."""
    one = msgspec.structs.replace(request("one", []), definition=json.dumps(MACHINE).encode())
    two = msgspec.structs.replace(request("two", []), definition=json.dumps(MACHINE).encode())
    due = TimerDue(one.arn, "W#1.0")
    return [one, two, due, RedriveRequested("r", one.arn), StopRequested("s", two.arn)]


def folded(states: int) -> tuple[list[list[Output]], bytes, int]:
    """The outputs of each record, the state behind them, and how often the fold paused."""
    interpreter = RootInterpreter()
    home = Home(HomeState(home=0), interpreter, NAMES, HOMES, LANES)
    outputs, pauses, spent = [], 0, Every(states)
    for offset, record in enumerate(records()):
        folding = home.folding(offset, 1_000 * offset, record, spent)
        while True:
            try:
                next(folding)
            except StopIteration as end:
                outputs.append([output for output in end.value if not isinstance(output, RootChanged)])
                break
            assert home.offset == offset - 1, "what is folded in part is not folded"
            pauses += 1
        assert home.offset == offset
    return outputs, encode_state(home.state, interpreter), pauses


def test_where_the_fold_pauses_changes_nothing() -> None:
    """Folded in slices of any length, records bring the same outputs and the same state to the byte."""
    whole, state, none = folded(10**9)
    assert none == 0
    for states in (1, 2, 7):
        outputs, again, pauses = folded(states)
        assert pauses > PASSES // states // 2
        assert again == state
        assert outputs == whole
