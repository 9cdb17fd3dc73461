"""Root executions and workers of an activity: who is given which attempt, over homes, whatever is sent twice."""

import json
from typing import Any

import pytest

from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import ActivityTaskWaits, HistoryGrew, Output, Send, StartTask
from maprun.mapruns.fold.repeats import ANSWER_KEPT_MS, ANSWERS_KEPT
from maprun.mapruns.fold.state import HomeState, RequestAnswered, decode_state, encode_state
from schemas import topics
from schemas.activities import (
    ActivityRequested,
    ActivityTaskAnswered,
    ActivityTaskAsked,
    ActivityTaskRequested,
    ActivityTaskWithdrawn,
    TaskForWorker,
)
from schemas.arns import Names, child_arn, home_of, run_id
from schemas.effects import ActivityTaskStarted, TaskSucceeded
from schemas.history import SHAPES
from schemas.home import CallbackReceived, ExecutionRequested, HomeRecord, StopRequested, TimerDue
from schemas.lanes import ChildCallbackReceived
from schemas.tokens import NO_LANE, TokenSecret, attempt_of
from schemas.wire import Decoder

NAMES = Names()
HOMES = 2
ACTIVITY = NAMES.activity("a")
THERE = home_of(ACTIVITY, HOMES)
REF = "T#1.0"
_tasks = Decoder(TaskForWorker)


def named(home: int, n: int) -> str:
    """The ARN of an execution that lives on this home."""
    names = (NAMES.execution("m", f"e{n}-{i}") for i in range(100))
    return next(arn for arn in names if home_of(arn, HOMES) == home)


class Town:
    """Two homes, each stored and taken up again before each record; what one sends to another comes `times`."""

    def __init__(self, times: int = 2, *, made: bool = True) -> None:
        self.interpreter = RootInterpreter(None, TokenSecret(b"secret"))
        self.times = times
        self.homes = [self._fold(HomeState(home=home)) for home in range(HOMES)]
        self.offsets, self.now = [-1] * HOMES, 1_000_000
        self.histories: dict[str, list[Any]] = {}
        self.lost: list[type] = []  # messages of these types get lost
        if made:
            self.put(ActivityRequested("made", "create", ACTIVITY, "a"), THERE)

    def _fold(self, state: HomeState) -> Home:
        return Home(state, self.interpreter, NAMES, HOMES, 4)

    def put(self, record: HomeRecord, place: int) -> list[Output]:
        """A record comes to a home; what follows, there and elsewhere."""
        self.offsets[place] += 1
        self.now += 1
        fold = self.homes[place]
        self.homes[place] = self._fold(decode_state(encode_state(fold.state, self.interpreter), self.interpreter))
        outputs = self.homes[place].apply(self.offsets[place], self.now, record)
        for output in list(outputs):
            match output:
                case Send(topic=topics.HOME.name, partition=there, message=message):
                    for _ in range(0 if type(message) in self.lost else self.times):
                        outputs += self.put(message, there)  # type: ignore[arg-type]
                case HistoryGrew():
                    self.histories.setdefault(output.arn, []).extend(output.events)
                case _:
                    pass
        return outputs

    def start(self, arn: str, given: object, **more: Any) -> list[Output]:
        """Starts an execution of one Task that a worker does."""
        state = {"Type": "Task", "Resource": ACTIVITY, "End": True, **more}
        definition = json.dumps({"StartAt": "T", "States": {"T": state}}).encode()
        name, machine = arn.rpartition(":")[2], NAMES.machine("m")
        text = json.dumps(given).encode()
        request = ExecutionRequested(arn, arn, name, machine, "m", "STANDARD", "", "role", definition, text)
        return self.put(request, home_of(arn, HOMES))

    def ask(self, request_id: str) -> list[TaskForWorker | str]:
        """A worker asks; all that it is answered, errors by name."""
        return answers(self.put(ActivityTaskAsked(request_id, ACTIVITY, "me"), THERE), request_id)

    def succeed(self, task: TaskForWorker) -> list[str]:
        """The worker is done; what it is answered."""
        record = CallbackReceived(f"s-{task.attempt}", task.execution, task.lane, TaskSucceeded(task.attempt, b"1"))
        outputs = self.put(record, home_of(task.execution, HOMES))
        return [output.error for output in outputs if isinstance(output, RequestAnswered)]

    def kinds(self, arn: str) -> list[str]:
        """The history of an execution behind its beginning."""
        return [SHAPES[event.type][0] for event in self.histories[arn]][2:]

    @property
    def waiting(self) -> dict[str, Any]:
        """The attempts that wait."""
        return self.homes[THERE].state.activity_tasks.get(ACTIVITY, {})


def answers(outputs: list[Output], request_id: str) -> list[TaskForWorker | str]:
    """The answers to a worker among these."""
    found = [each for each in outputs if isinstance(each, RequestAnswered) and each.request_id == request_id]
    return [each.error or _tasks.decode(each.body) for each in found]


def test_workers_are_given_attempts_in_the_order_they_came() -> None:
    """Of executions of all homes, each once, with its input; then nothing."""
    town = Town()
    arns = [named(n % HOMES, n) for n in range(4)]
    for n, arn in enumerate(arns):
        outputs = town.start(arn, {"n": n})
        assert not [each for each in outputs if isinstance(each, StartTask)]
        assert [each.arn for each in outputs if isinstance(each, ActivityTaskWaits)][:1] == [ACTIVITY]
    for n, arn in enumerate(arns):
        task, *_ = town.ask(f"r{n}")
        assert task == TaskForWorker(arn, NO_LANE, attempt_of(arn, REF), b'{"n":%d}' % n)
        assert town.succeed(task) == [""]
        assert town.kinds(arn)[:3] == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]
    assert town.ask("r9") == [TaskForWorker()]
    assert (town.waiting, [home.state.roots for home in town.homes]) == ({}, [{}, {}])


def test_a_request_that_comes_again_is_given_the_same_attempt() -> None:
    """As long as that is the worker's; when it is over, the next one."""
    town = Town()
    first, second = named(0, 1), named(1, 2)
    town.start(first, 1)
    town.start(second, 2)
    [task, *_] = town.ask("r1")
    [again, *_] = town.ask("r1")
    assert task == again
    assert isinstance(task, TaskForWorker)
    assert town.succeed(task) == [""]
    [other, *_] = town.ask("r1")
    assert isinstance(other, TaskForWorker)
    assert other.execution == second


def test_an_attempt_that_stands_in_line_though_a_worker_has_it_is_given_to_nobody() -> None:
    """Its request came again late: the attempt's home refuses, and the worker is given the next one."""
    town = Town()
    first, second = named(0, 1), named(1, 2)
    town.start(first, 1)
    town.ask("r1")
    town.put(ActivityTaskRequested("", ACTIVITY, first, NO_LANE, attempt_of(first, REF)), 0)
    town.start(second, 2)
    assert list(town.waiting) == [attempt_of(first, REF), attempt_of(second, REF)]
    [task, *_] = town.ask("r2")
    assert isinstance(task, TaskForWorker)
    assert task.execution == second
    assert town.kinds(first) == ["ActivityScheduled", "ActivityStarted"]


@pytest.mark.parametrize("kind", [CallbackReceived, ActivityTaskAnswered])
def test_a_worker_that_got_no_word_asks_again_and_gets_it(kind: type) -> None:
    """Whichever way it was lost."""
    town = Town()
    arn = named(0, 1)
    town.start(arn, 1)
    town.lost = [kind]
    assert town.ask("r1") == []
    town.lost = []
    [task, *_] = town.ask("r1")
    assert isinstance(task, TaskForWorker)
    assert task.execution == arn
    assert town.kinds(arn) == ["ActivityScheduled", "ActivityStarted"]


def test_an_execution_that_ends_takes_its_attempt_back() -> None:
    """The next worker is given the next one's."""
    town = Town()
    arn, other = named(1 - THERE, 1), named(THERE, 2)
    town.start(arn, 1)
    town.start(other, 2)
    outputs = town.put(StopRequested("stop", arn), 1 - THERE)
    withdrawn = [each.message for each in outputs if isinstance(each, Send) and each.topic == topics.HOME.name]
    assert withdrawn == [ActivityTaskWithdrawn("", ACTIVITY, attempt_of(arn, REF))]
    [task, *_] = town.ask("r1")
    assert isinstance(task, TaskForWorker)
    assert task.execution == other


def test_what_a_worker_has_may_time_out() -> None:
    """From its start on; its late word is refused, and the next attempt stands in line."""
    town = Town()
    arn = named(0, 1)
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 1}]
    town.start(arn, 1, TimeoutSeconds=5, Retry=retry)
    root = town.homes[0].state.roots[arn]
    assert root.timers == {}
    [task, *_] = town.ask("r1")
    for _ in range(2):
        [timer] = town.homes[0].state.roots[arn].timers
        town.put(TimerDue(arn, timer), 0)
    assert isinstance(task, TaskForWorker)
    assert town.succeed(task) == ["TaskTimedOut"]
    assert list(town.waiting) == [attempt_of(arn, "T#1.1")]


def test_an_activity_that_is_not_there_fails_the_execution_and_refuses_the_worker() -> None:
    """The one with States.Runtime before anything is scheduled, the other with ActivityDoesNotExist."""
    town = Town(made=False)
    arn = named(0, 1)
    town.start(arn, 1)
    assert town.kinds(arn) == ["ExecutionFailed"]
    assert town.homes[0].state.ended[arn].status == "FAILED"
    assert town.ask("r1") == ["ActivityDoesNotExist"]


def test_attempts_outlive_their_activity() -> None:
    """Deleted, it gives none away; made anew, it has those that waited."""
    town = Town()
    town.start(named(0, 1), 1)
    town.put(ActivityRequested("gone", "delete", ACTIVITY, "a"), THERE)
    assert town.ask("r1") == ["ActivityDoesNotExist"]
    town.put(ActivityRequested("anew", "create", ACTIVITY, "a"), THERE)
    [task, *_] = town.ask("r2")
    assert isinstance(task, TaskForWorker)
    assert task.input == b"1"


def test_requests_of_workers_are_forgotten() -> None:
    """After a quarter of an hour, or when too many came since: nobody makes them again."""
    town = Town()
    state = town.homes[THERE].state
    town.start(named(0, 1), 1)
    town.ask("r1")
    town.ask("r2")
    state = town.homes[THERE].state
    assert list(state.activity_workers) == ["r1"]
    taken = state.activity_workers["r1"]
    state.activity_workers |= {str(n): taken for n in range(ANSWERS_KEPT)}
    town.ask("r3")
    assert "r1" not in town.homes[THERE].state.activity_workers
    town.now += ANSWER_KEPT_MS + 1_000
    town.ask("r4")
    assert town.homes[THERE].state.activity_workers == {}


def test_of_a_child_its_lane_decides() -> None:
    """The child's home hands the worker on to it; where there is no such run it refuses."""
    town = Town()
    run = run_id(1 - THERE, "root", "x")
    arn = child_arn(NAMES.child_prefix("m", "L", express=False), run, 7, express=False)
    town.put(ActivityTaskRequested(run, ACTIVITY, arn, 2, "a" * 32), 1 - THERE)
    assert list(town.waiting) == ["a" * 32]
    assert town.ask("r1") == [TaskForWorker()]


def test_a_worker_for_a_child_reaches_its_lane() -> None:
    """As a signal, with the home that its answer goes to."""
    town = Town(times=1)
    definition = {
        "StartAt": "M",
        "States": {
            "M": {
                "Type": "Map",
                "End": True,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "T",
                    "States": {"T": {"Type": "Task", "Resource": ACTIVITY, "End": True}},
                },
            }
        },
    }
    parent, machine = named(1 - THERE, 1), NAMES.machine("m")
    text = json.dumps(definition).encode()
    town.put(ExecutionRequested("p", parent, "p", machine, "m", "STANDARD", "", "r", text, b"[1]"), 1 - THERE)
    [run] = town.homes[1 - THERE].state.runs
    arn = child_arn(NAMES.child_prefix("m", "L", express=False), run, 0, express=False)
    lane = next(iter(town.homes[1 - THERE].state.runs[run].lanes))
    town.put(ActivityTaskRequested(run, ACTIVITY, arn, lane, "a" * 32), 1 - THERE)
    outputs = town.put(ActivityTaskAsked("r1", ACTIVITY, "me"), THERE)
    [signal] = [each for each in outputs if isinstance(each, Send) and each.topic == topics.LANE_SIGNALS.name]
    assert isinstance(signal.message, ChildCallbackReceived)
    assert (signal.partition, signal.message.index) == (lane, 0)
    assert signal.message.callback == ActivityTaskStarted("a" * 32, "me", "r1", THERE)
    outputs = town.put(ActivityTaskAnswered("r1", THERE, "a" * 32, b"1"), THERE)
    assert answers(outputs, "r1") == [TaskForWorker(arn, lane, "a" * 32, b"1")]
