"""Executions that a root execution's Task starts: the word of their end, over homes, and their stop."""

import json
from typing import Any

import msgspec
import pytest

from maprun.integrations.executions import execution_of, name_of, withdrawn_cause
from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import HistoryGrew, Output, Send
from maprun.mapruns.fold.state import HomeState, RequestAnswered, Root, decode_state, encode_state
from schemas import topics
from schemas.arns import Names, child_arn, home_of, run_id
from schemas.effects import SubmissionFailed, TaskRequested, TaskSubmitted, TaskSucceeded
from schemas.history import SHAPES
from schemas.home import CallbackReceived, ExecutionRequested, HomeRecord, ParentTaskSubmitted, StopRequested, TimerDue
from schemas.starters import Starter, StartWithdrawn
from schemas.tokens import NO_LANE, TokenSecret, attempt_of

SECRET = TokenSecret(b"secret")
NAMES = Names()
HOMES = 2
PARENT = NAMES.execution("parent", "p")
REF = "T#1.0"
ATTEMPT = attempt_of(PARENT, REF)
CALLEE_MACHINE = NAMES.machine("callee")
CALLEE = NAMES.execution("callee", name_of(ATTEMPT))
WAITS = {"Type": "Wait", "Seconds": 9, "End": True}


def start(arn: str, state: dict[str, Any], request_id: str, starter: Starter | None = None) -> ExecutionRequested:
    """The request for an execution of a machine with one state."""
    machine, name = arn.split(":")[6:]
    definition = json.dumps({"StartAt": "T", "States": {"T": state}}).encode()
    return ExecutionRequested(
        request_id,
        arn,
        name,
        NAMES.machine(machine),
        machine,
        "STANDARD",
        "",
        "role",
        definition,
        b'{"i":1}',
        "",
        None,
        starter,
    )


def task(pattern: str, **more: Any) -> dict[str, Any]:
    """The parent's only state."""
    parameters = {"StateMachineArn": CALLEE_MACHINE, "Input": {"i": 1}}
    resource = f"arn:aws:states:::states:startExecution{pattern}"
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **more}


class Town:
    """Two homes, each stored and taken up again before each record; what one sends to another comes twice."""

    def __init__(self, pattern: str = ".sync", **more: Any) -> None:
        self.interpreter = RootInterpreter(None, SECRET)
        self.homes = [self._fold(HomeState(home=home)) for home in range(HOMES)]
        self.offsets, self.now = [-1] * HOMES, 1_000_000
        self.roots: dict[str, Root] = {}
        self.histories: dict[str, list[Any]] = {}
        self.starter = Starter(PARENT, ATTEMPT, NO_LANE, pattern == ".sync:2")
        self.put(start(PARENT, task(pattern, **more), "user"))

    def _fold(self, state: HomeState) -> Home:
        return Home(state, self.interpreter, NAMES, HOMES, 4)

    def put(self, record: HomeRecord, home: int | None = None) -> list[Output]:
        """A record comes to its home; what follows, there and elsewhere."""
        place = home_of(getattr(record, "arn", ""), HOMES) if home is None else home
        self.offsets[place] += 1
        self.now += 1
        fold = self.homes[place]
        self.homes[place] = self._fold(decode_state(encode_state(fold.state, self.interpreter), self.interpreter))
        outputs = self.homes[place].apply(self.offsets[place], self.now, record)
        for output in list(outputs):
            match output:
                case Send(topic=topics.HOME.name, partition=there, message=message):
                    for _ in range(2):
                        outputs += self.put(message, there)  # type: ignore[arg-type]
                case HistoryGrew():
                    self.histories.setdefault(output.arn, []).extend(output.events)
                case _ if hasattr(output, "root"):
                    self.roots[output.root.request.arn] = output.root
        return outputs

    def started(self, state: dict[str, Any] = WAITS) -> None:
        """The callee starts, and the parent's owner hears so."""
        self.put(start(CALLEE, state, ATTEMPT, self.starter))
        self.put(ParentTaskSubmitted(PARENT, TaskSubmitted(REF, b'{"ExecutionArn":"x","StartDate":1}')))

    def end(self) -> None:
        """The callee's Wait is over."""
        (ref,) = self.roots[CALLEE].timers
        self.put(TimerDue(CALLEE, ref))


@pytest.mark.parametrize(("pattern", "payload"), [(".sync", '{"i":1}'), (".sync:2", {"i": 1})])
def test_the_parent_hears_of_the_end(pattern: str, payload: object) -> None:
    """As DescribeExecution has it; input and output are texts with `.sync` and JSON with `.sync:2`."""
    town = Town(pattern)
    town.started()
    assert town.roots[PARENT].status == "RUNNING"
    town.end()
    parent, callee = town.roots[PARENT], town.roots[CALLEE]
    assert parent.status == "SUCCEEDED"
    assert json.loads(parent.output) == {
        "ExecutionArn": CALLEE,
        "Input": payload,
        "InputDetails": {"Included": True},
        "Name": name_of(ATTEMPT),
        "Output": payload,
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
        "StartDate": callee.started_ms,
        "StateMachineArn": CALLEE_MACHINE,
        "Status": "SUCCEEDED",
        "StopDate": callee.stopped_ms,
    }


def test_a_task_hears_by_which_alias_its_execution_was_started() -> None:
    """And which version ran, among the members in their order; the context knows the machine by that ARN."""
    town = Town(".sync:2")
    by = {"Type": "Pass", "Parameters": {"by.$": "$$.StateMachine.Id"}, "End": True}
    request = start(CALLEE, by, ATTEMPT, town.starter)
    outputs = town.put(msgspec.structs.replace(request, version=3, alias="live"))
    heard = json.loads(town.roots[PARENT].output)
    assert heard["Output"] == {"by": f"{CALLEE_MACHINE}:live"}
    assert list(heard)[-6:] == [
        "StartDate",
        "StateMachineAliasArn",
        "StateMachineArn",
        "StateMachineVersionArn",
        "Status",
        "StopDate",
    ]
    assert heard["StateMachineVersionArn"] == f"{CALLEE_MACHINE}:3"
    events = [o.message for o in outputs if isinstance(o, Send) and o.topic == topics.EXECUTION_EVENTS.name]
    details = [json.loads(event)["detail"] for event in events if isinstance(event, bytes)]
    shown = [
        (detail["status"], detail["stateMachineVersionArn"], detail["stateMachineAliasArn"])
        for detail in details
        if detail["executionArn"] == CALLEE
    ]
    by_both = (f"{CALLEE_MACHINE}:3", f"{CALLEE_MACHINE}:live")
    assert shown == [("RUNNING", *by_both), ("SUCCEEDED", *by_both)]


@pytest.mark.parametrize("qualifier", ["", ":3", ":live"])
def test_the_execution_that_a_task_waits_for_is_its_machines(qualifier: str) -> None:
    """Whatever version or alias it is started by: so it is found again when it is to be stopped."""
    parameters = json.dumps({"StateMachineArn": CALLEE_MACHINE + qualifier}).encode()
    asked = TaskRequested(REF, "arn:aws:states:::states:startExecution.sync", parameters)
    assert execution_of(asked, ATTEMPT) == CALLEE


@pytest.mark.parametrize("pattern", [".sync", ".sync:2"])
def test_a_failure_is_states_task_failed_with_the_execution_as_its_cause(pattern: str) -> None:
    """Whatever the error was; input is a text in both patterns."""
    town = Town(pattern)
    town.started({"Type": "Fail", "Error": "Mine", "Cause": "because"})
    parent = town.roots[PARENT]
    assert (parent.status, parent.error) == ("FAILED", "States.TaskFailed")
    cause = json.loads(parent.cause or "")
    assert [cause[name] for name in ("Error", "Cause", "Status", "Input")] == ["Mine", "because", "FAILED", '{"i":1}']
    assert cause["RedriveStatus"] == "REDRIVABLE"
    assert "Output" not in cause


@pytest.mark.parametrize(("kind", "status"), [("Succeed", "Succeeded"), ("Fail", "Failed")])
def test_an_end_before_the_answer_to_the_start_counts(kind: str, status: str) -> None:
    """The answer then comes too late; the history tells of the submission all the same, in its place."""
    town = Town()
    town.put(start(CALLEE, {"Type": kind}, ATTEMPT, town.starter))
    assert town.roots[PARENT].status == status.upper()
    kinds = [SHAPES[event.type][0] for event in town.histories[PARENT]]
    assert kinds[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", f"Task{status}"]
    submitted = town.histories[PARENT][4].details[-1]
    assert json.loads(submitted) == {"ExecutionArn": CALLEE, "StartDate": town.roots[CALLEE].started_ms}
    assert town.put(ParentTaskSubmitted(PARENT, TaskSubmitted(REF, b"{}"))) == []


def test_the_answer_to_the_start_is_heard_once() -> None:
    """Two owners of home may both have made the call; the history tells of one submission."""
    town = Town()
    town.started()
    assert town.put(ParentTaskSubmitted(PARENT, TaskSubmitted(REF, b"{}"))) == []
    assert town.put(ParentTaskSubmitted(PARENT, SubmissionFailed(REF, "E", "c"))) == []


def stop_parent(town: Town) -> None:
    """StopExecution."""
    town.put(StopRequested("stop", PARENT, "", ""))


def time_out(town: Town) -> None:
    """TimeoutSeconds of the Task pass."""
    town.put(TimerDue(PARENT, f"{REF}:timeout"))


@pytest.mark.parametrize("over", [stop_parent, time_out])
def test_a_started_execution_is_stopped_once_nobody_waits(over: Any) -> None:
    """In AWS's words; a word that comes twice does no more."""
    town = Town(TimeoutSeconds=5)
    town.started()
    over(town)
    callee = town.roots[CALLEE]
    assert (callee.status, callee.cause) == ("ABORTED", withdrawn_cause(PARENT))
    assert town.roots[PARENT].status in {"ABORTED", "FAILED"}


@pytest.mark.parametrize("over", [stop_parent, time_out])
def test_a_start_that_comes_after_its_withdrawal_begins_nothing(over: Any) -> None:
    """It may hang on its way while the parent ends; each repeat hears the same."""
    town = Town(TimeoutSeconds=5)
    over(town)
    for _ in range(2):
        outputs = town.put(start(CALLEE, WAITS, ATTEMPT, town.starter))
        (answer,) = (o for o in outputs if isinstance(o, RequestAnswered))
        assert answer.error == "TaskTimedOut"
    assert CALLEE not in town.roots


def test_a_withdrawal_leaves_a_strangers_execution_alone() -> None:
    """The user's Name was taken by another execution: the Task's own start was refused, nothing is to be stopped."""
    town = Town()
    town.put(start(CALLEE, WAITS, "somebody else"))
    stop_parent(town)
    assert town.roots[CALLEE].status == "RUNNING"


def test_a_task_joins_a_running_execution_of_the_same_name_and_input() -> None:
    """As StartExecution does; it is told of the end, and the first starter is too."""
    town = Town()
    town.put(start(CALLEE, WAITS, "somebody else"))
    town.started()
    town.end()
    assert town.roots[PARENT].status == "SUCCEEDED"


def test_a_task_that_joined_and_waits_no_more_is_forgotten() -> None:
    """The execution goes on for whoever started it."""
    town = Town()
    town.put(start(CALLEE, WAITS, "somebody else"))
    town.started()
    stop_parent(town)
    assert town.roots[CALLEE].status == "RUNNING"
    assert town.roots[CALLEE].starters == []


def test_an_output_that_is_too_large_fails_the_task() -> None:
    """Input and output together stand in the result of the Task, which has AWS's limit."""
    town = Town()
    town.started({"Type": "Pass", "Result": "x" * 262_000, "End": True})
    assert town.roots[PARENT].error == "States.DataLimitExceeded"


def test_the_word_to_a_child_goes_to_its_home() -> None:
    """The home stands in the child's ARN, and its lane in the token."""
    run = run_id(1, NAMES.execution("m", "other"), "Map#1")
    arn = child_arn(NAMES.child_prefix("m", "Map", express=False), run, 3, express=False)
    town = Town()
    outputs = town.put(start(CALLEE, {"Type": "Succeed"}, "a", Starter(arn, "a", 2)))
    (sent,) = (o for o in outputs if isinstance(o, Send) and isinstance(o.message, CallbackReceived))
    assert sent.partition == 1
    assert isinstance(sent.message, CallbackReceived)
    assert (sent.message.arn, sent.message.lane, sent.message.request_id) == (arn, 2, "")
    assert isinstance(sent.message.callback, TaskSucceeded)


def test_a_withdrawal_is_handed_on_to_the_home_of_the_execution() -> None:
    """Lanes write it on the home of their run, which may be another."""
    town = Town()
    town.started()
    town.put(StartWithdrawn("", CALLEE, ATTEMPT, "gone"), 1 - home_of(CALLEE, HOMES))
    assert (town.roots[CALLEE].status, town.roots[CALLEE].cause) == ("ABORTED", "gone")
    failed = town.roots[PARENT]
    assert (failed.status, failed.error) == ("FAILED", "States.TaskFailed")
