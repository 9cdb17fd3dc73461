"""EXPRESS executions are open for five minutes at most (AWS: page service-quotas)."""

import pytest

from maprun.interpreter import ExecutionHead, advance, begin
from schemas.effects import TimerFired, TimerRequested
from tests.unit.interpreter.telling import machine_of

WAIT = {"W": {"Type": "Wait", "Seconds": 600, "End": True}}


@pytest.mark.parametrize(("given", "due"), [({}, 300), ({"TimeoutSeconds": 10}, 10), ({"TimeoutSeconds": 900}, 300)])
def test_an_express_execution_times_out(given: dict[str, int], due: int) -> None:
    """After five minutes, or its own shorter timeout, it is TIMED_OUT."""
    machine = machine_of(WAIT, **given)
    step = begin(machine, ExecutionHead("a", "e", "m", "m", "r", 0, b"{}", express=True), 1_000)
    [timer] = [e for e in step.effects if isinstance(e, TimerRequested) and e.due_ms == 1_000 + due * 1_000]
    assert step.execution is not None
    ended = advance(machine, step.execution, TimerFired(timer.ref), timer.due_ms).ended
    assert ended is not None
    assert ended.status == "TIMED_OUT"


def test_a_standard_one_may_wait_as_long_as_it_likes() -> None:
    """No timer but its own."""
    step = begin(machine_of(WAIT), ExecutionHead("a", "e", "m", "m", "r", 0, b"{}"), 0)
    assert [effect.due_ms for effect in step.effects if isinstance(effect, TimerRequested)] == [600_000]


def test_one_that_ends_at_once_asks_for_no_timer() -> None:
    """The usual child waits for nothing: it costs nothing more."""
    machine = machine_of({"P": {"Type": "Pass", "End": True}})
    assert begin(machine, ExecutionHead("a", "e", "m", "m", "r", 0, b"{}", express=True), 0).effects == []
