"""Root executions of EXPRESS machines on a lane: run, answered, and what a new owner makes of an earlier one's."""

import json
from typing import Any

import msgspec
import pytest

from maprun.interpreter.express import ExpressInterpreter, express_limits
from maprun.mapruns.slices import NoPace
from schemas.effects import Happening, TaskFailed, TaskSucceeded
from schemas.express import NOT_RUN, ExpressEnd, ExpressMachine, ExpressRequested, ExpressStart
from schemas.traces import span_of
from services.child_runner.express import NO_RUN, ExpressExecutions
from services.child_runner.express_histories import ExpressHistories
from services.child_runner.limits import LaneLimits
from services.child_runner.memory_budget import BudgetShare, MemoryBudget
from services.child_runner.task_calls import TaskNotStarted, TaskOver, TaskStart
from tests.unit.schemas.test_execution_logs import configuration

NOW_MS = 1_000_000
PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
TASK = {
    "StartAt": "T",
    "States": {
        "T": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "f", "Payload.$": "$"},
            "End": True,
        }
    },
}
LOOP = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "Q"}, "Q": {"Type": "Pass", "Next": "P"}}}


class Impatient(NoPace):
    """Takes one state a turn."""

    def spent(self) -> bool:
        """Always."""
        return True


def lane(
    *,
    who: str = "me",
    former_end: int = 0,
    first: int = 0,
    pace: Any = None,
    memory: int = 1 << 20,
    histories: ExpressHistories | None = None,
    **limits: Any,
) -> ExpressExecutions:
    """What a new owner begins with."""
    histories = histories or ExpressHistories(1 << 20)
    share = BudgetShare(MemoryBudget(memory))
    interpreter = ExpressInterpreter(express_limits(262_144))
    own = LaneLimits(**limits)
    return ExpressExecutions(interpreter, own, share, pace or NoPace(), first, former_end, who, histories)


def frame(*calls: int, machine: Any = PASS, asker: str = "a", carrier: str = "", name: str = "n") -> ExpressRequested:
    """A frame of starts with these calls; 0 = nobody waits."""
    made = ExpressMachine("arn:m", "m", "role", json.dumps(machine).encode())
    starts = [ExpressStart(0, f"arn:{name}:{n}", name, b'{"n":%d}' % n, NOW_MS, call) for n, call in enumerate(calls)]
    return ExpressRequested(asker, 1, (made,), tuple(starts), carrier)


def worked(executions: ExpressExecutions, now_ms: int = NOW_MS, *, may_start: bool = True) -> bool:
    """One turn."""
    return executions.work(now_ms, now_ms / 1000, may_start=may_start)


def requested(executions: ExpressExecutions, offset: int, of: ExpressRequested | None) -> None:
    """A record comes in."""
    executions.requested(offset, of, NOW_MS, NOW_MS / 1000)


def ends(executions: ExpressExecutions) -> list[ExpressEnd]:
    """All that callers are to be told now."""
    return [end for _, told in executions.take_answers() for end in told.ends]


def over(start: TaskStart, happening: Happening) -> TaskOver:
    """A call comes back."""
    return TaskOver(NO_RUN, start.position, msgspec.structs.replace(happening, ref=start.request.ref))


def test_each_caller_is_told_on_its_partition() -> None:
    """What ends at once is answered in the same turn, to the partition and under the name of who asked."""
    executions = lane()
    requested(executions, 0, frame(7, 0))
    requested(executions, 1, frame(9, asker="b", name="o"))
    worked(executions)
    answers = executions.take_answers()
    assert [(partition, told.asker, [end.call for end in told.ends]) for partition, told in answers] == [
        (1, "a", [7]),
        (1, "b", [9]),
    ]
    assert answers[0][1].ends[0] == ExpressEnd(7, "SUCCEEDED", NOW_MS, b'{"n":0}')
    assert executions.position == 2


def test_answers_are_cut_into_frames() -> None:
    """Ends that fit no frame together are told in several."""
    executions = lane(frame_bytes_max=100)
    requested(executions, 0, frame(1, 2, 3))
    worked(executions)
    assert [len(told.ends) for _, told in executions.take_answers()] == [1, 1, 1]


def test_the_position_waits_for_what_runs() -> None:
    """A successor reads again what has not ended, and nothing of what was read before it."""
    executions = lane()
    requested(executions, 3, frame(0))
    requested(executions, 4, frame(0, machine=WAIT, name="w"))
    requested(executions, 5, frame(0, name="z"))
    worked(executions)
    assert executions.position == 4
    worked(executions, NOW_MS + 60_000)
    assert executions.position == 6


def test_what_a_former_owner_may_have_begun() -> None:
    """What nobody waits for is run, perhaps again; whose caller waits is told that nobody can say whether it ran."""
    executions = lane(former_end=1)
    requested(executions, 0, frame(5, 0, machine=TASK))
    requested(executions, 1, frame(6, machine=TASK, name="o"))
    worked(executions)
    assert [(end.call, end.status) for end in ends(executions)] == [(5, NOT_RUN)]
    _, starts = executions.take_calls()
    assert [json.loads(start.request.parameters)["Payload"]["n"] for start in starts] == [1, 0]


def test_a_task_has_the_same_key_when_it_is_called_again() -> None:
    """The callee of an execution that is begun again can know the call."""
    keys = []
    for former_end in (0, 1):
        executions = lane(former_end=former_end)
        requested(executions, 0, frame(0, machine=TASK))
        worked(executions)
        keys.append(executions.take_calls()[1][0].key)
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("happening", "status"), [(TaskSucceeded("", b'{"r":1}'), "SUCCEEDED"), (TaskFailed("", "E", "why"), "FAILED")]
)
def test_a_task_s_outcome_goes_on(happening: Happening, status: str) -> None:
    """An execution goes on with what its call brought; a second outcome of it changes nothing."""
    executions = lane()
    requested(executions, 0, frame(1, machine=TASK))
    worked(executions)
    start = executions.take_calls()[1][0]
    executions.call_over(over(start, happening), NOW_MS, 0.0)
    executions.call_over(over(start, happening), NOW_MS, 0.0)
    assert [end.status for end in ends(executions)] == [status]
    assert executions.position == 1


def test_calls_wait_for_the_lease() -> None:
    """Without a lease nothing is begun; a call that was not made is made later."""
    executions = lane()
    requested(executions, 0, frame(1, machine=TASK))
    assert not worked(executions, may_start=False)
    assert executions.wait_seconds(NOW_MS, 0.0) == LaneLimits().lease_retry_seconds
    worked(executions)
    start = executions.take_calls()[1][0]
    executions.call_over(TaskNotStarted(start), NOW_MS, NOW_MS / 1000)
    assert executions.take_calls()[1] == []
    worked(executions, NOW_MS + 1_000)
    assert executions.take_calls()[1] == [start]


def test_time_is_over_after_five_minutes() -> None:
    """An execution that waits longer ends as TIMED_OUT, and its calls are given up."""
    executions = lane()
    requested(executions, 0, frame(1, machine=TASK))
    worked(executions)
    executions.take_calls()
    worked(executions, NOW_MS + 299_999)
    assert ends(executions) == []
    worked(executions, NOW_MS + 300_000)
    assert [end.status for end in ends(executions)] == ["TIMED_OUT"]
    assert len(executions.take_calls()[0]) == 1


def test_time_is_over_for_what_never_waits() -> None:
    """A loop that waits for nothing takes its turns for five minutes, while others run, and then ends."""
    executions = lane(pace=Impatient())
    requested(executions, 0, frame(1, machine=LOOP))
    requested(executions, 1, frame(2, name="o"))
    for _ in range(10):
        assert worked(executions)
    assert [end.call for end in ends(executions)] == [2]
    worked(executions, NOW_MS + 300_000)
    assert [(end.call, end.status) for end in ends(executions)] == [(1, "TIMED_OUT")]
    assert executions.position == 2


def test_what_runs_for_long_is_carried() -> None:
    """An execution that runs for long is written again; the position passes its first record once that is there."""
    executions = lane(carry_after_seconds=5.0)
    requested(executions, 0, frame(4, 0, machine=WAIT))
    worked(executions)
    assert executions.take_carried(NOW_MS / 1000 + 4) == []
    [carried] = executions.take_carried(NOW_MS / 1000 + 5)
    assert [(start.call, start.input) for start in carried.starts] == [(4, b""), (0, b'{"n":1}')]
    assert (carried.carrier, executions.position) == ("me", 0)
    requested(executions, 1, carried)
    assert executions.position == 1
    worked(executions, NOW_MS + 60_000)
    assert [end.status for end in ends(executions)] == ["SUCCEEDED"]
    assert executions.position == 2
    successor = lane(who="another", former_end=2, first=1)
    requested(successor, 1, carried)
    worked(successor)
    assert [(end.call, end.status) for end in ends(successor)] == [(4, NOT_RUN)]
    worked(successor, NOW_MS + 60_000)
    assert successor.position == 2


def test_what_an_overtaken_owner_carries_is_passed_over() -> None:
    """It tells of executions whose first records the new owner reads itself: they would run twice at once."""
    executions = lane(former_end=1)
    requested(executions, 1, frame(0, machine=TASK, carrier="former"))
    worked(executions)
    assert executions.take_calls()[1] == []
    assert executions.position == 2


def test_an_execution_that_runs_is_not_begun_again() -> None:
    """A client that got no answer to StartExecution asks again, under the same ARN: one execution runs."""
    executions = lane()
    requested(executions, 0, frame(0, machine=TASK))
    requested(executions, 1, frame(0, machine=TASK))
    worked(executions)
    assert len(executions.take_calls()[1]) == 1
    assert executions.position == 0


def test_events_are_logged_as_steps_bring_them() -> None:
    """With the machine's configuration alone, each under its id; of what ends at once and of what waits."""
    executions = lane()
    for offset, states in enumerate((PASS, TASK)):
        asked = frame(0, machine=states, name=f"n{offset}")
        [machine] = asked.machines
        logging = msgspec.structs.replace(machine, logging=configuration("ALL"))
        requested(executions, offset, msgspec.structs.replace(asked, machines=(logging,)))
    requested(executions, 2, frame(0, name="silent"))
    worked(executions)
    executions.call_over(over(executions.take_calls()[1][0], TaskSucceeded("", b"{}")), NOW_MS, 0.0)
    logged = [(arn, json.loads(record.value)) for arn, record in executions.take_logs()]
    assert [(arn, record["id"]) for arn, record in logged] == [
        *(("arn:n0:0", str(n)) for n in range(1, 5)),
        *(("arn:n1:0", str(n)) for n in range(1, 8)),
    ]
    assert logged[-1][1]["type"] == "ExecutionSucceeded"


def test_memory_is_bounded() -> None:
    """Where the process has no room one execution runs, the others wait for it."""
    executions = lane(memory=1)
    requested(executions, 0, frame(0, 0, 0, machine=TASK))
    assert not worked(executions)
    [first] = executions.take_calls()[1]
    executions.call_over(over(first, TaskSucceeded("", b"{}")), NOW_MS, 0.0)
    worked(executions)
    assert len(executions.take_calls()[1]) == 1


def test_a_machine_that_cannot_be_read_fails_its_executions_alone() -> None:
    """A definition that this version can't compile is the end of its execution, not of the lane."""
    executions = lane()
    requested(executions, 0, frame(1, machine={"StartAt": "X"}))
    requested(executions, 1, None)
    requested(executions, 2, frame(2, name="o"))
    worked(executions)
    assert [(end.call, end.status, end.error) for end in ends(executions)] == [
        (1, "FAILED", "States.Runtime"),
        (2, "SUCCEEDED", None),
    ]


def test_a_call_belongs_to_the_trace_of_its_execution() -> None:
    """With the attempt as the parent."""
    executions = lane()
    asked = frame(0, machine=TASK)
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
    [plain] = asked.starts
    starts = (msgspec.structs.replace(plain, trace_header=header),)
    requested(executions, 0, msgspec.structs.replace(asked, starts=starts))
    worked(executions)
    _, [start] = executions.take_calls()
    assert start.request.trace == f"Root=1-5759e988-bd862e3fe1be46a994272793;Parent={span_of(start.key)};Sampled=0"
