"""Redrive of a lane's children and of root executions: what is kept of them, and how they go on from it."""

import json
from typing import Any

import msgspec
import pytest

from maprun.interpreter import Limits, Step
from maprun.interpreter.lane_children import Children, ChildRunMachine
from maprun.interpreter.roots import RootInterpreter
from schemas.arns import Names, auto_label, child_arn, run_id
from schemas.effects import (
    MapRunRedriveRequested,
    MapRunRequested,
    MapRunStarted,
    StopAsked,
    TaskFailed,
    TaskRequested,
    TaskSucceeded,
)
from schemas.history import decode_events, encode_events
from schemas.home import ABORTED, FAILED, ExecutionRequested
from schemas.lanes import Cause, Place, RedrivenChild, RunOpened
from schemas.plan import MapRunPlan
from tests.unit.interpreter.telling import INVOKE, scope, short

HOME = 5
CHILD = Place(7, 0)
RUN = run_id(HOME, "arn:root", "M#1.0")
MACHINE_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
CONTEXT = {"Type": "Task", "Resource": INVOKE, "Parameters": {"i.$": "$", "e.$": "$$.Execution"}, "End": True}
FAILURE = ("Boom", "c")


def children(processor: dict[str, Any], child_type: str = "STANDARD", limits: Limits | None = None) -> ChildRunMachine:
    """The children of a run of this processor."""
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": child_type}}
    states = {"M": {"Type": "Map", "ItemProcessor": {**config, **processor}, "End": True}}
    definition = json.dumps({"StartAt": "M", "States": states}).encode()
    plan = MapRunPlan("M", "lab", "EXPRESS" if child_type == "EXPRESS" else "STANDARD")
    opened = RunOpened(
        Cause(HOME, 1, 0), RUN, 0, 1, plan, definition, "lab", "arn:root", "arn:run", MACHINE_ARN, "m", "arn:role"
    )
    return Children(Names(), limits).compile_run(opened)


def asked(step: Step) -> TaskRequested:
    """The one Task a step asks for."""
    (task,) = (effect for effect in step.effects if isinstance(effect, TaskRequested))
    return task


def failed(machine: ChildRunMachine, step: Step) -> Step:
    """The Task a step asks for fails; the step's events are the whole history."""
    last = machine.advance(step.execution, TaskFailed(asked(step).ref, *FAILURE), 50)
    last.events = [*step.events, *last.events]
    assert last.ended is not None
    return last


def redriven_child(machine: ChildRunMachine, last: Step, redrive_count: int = 0) -> RedrivenChild:
    """What is published of a child that ended so."""
    history = msgspec.Raw(encode_events(last.events))
    return RedrivenChild(FAILED, redrive_count, history, machine.remains(last))


def test_a_standard_child_goes_on_from_what_failed() -> None:
    """Its history goes on; name and start stay, RedriveCount counts, and each life has its own idempotency keys."""
    machine = children(scope("T", CONTEXT))
    step = machine.begin(CHILD, b'{"n": 1}', 10)
    keys = {machine.effect_key(7, 0, asked(step).ref)}
    for count in (1, 2):
        last = failed(machine, step)
        end = len(last.events)
        step = machine.redrive(CHILD, redriven_child(machine, last, count - 1), 1_000 * count)
        assert short(step.events)[:end] == short(last.events)
        assert short(step.events)[end:] == [
            f"{end + 1} ExecutionRedriven <- {end}",
            f"{end + 2} TaskScheduled <- 2",
            f"{end + 3} TaskStarted <- {end + 2}",
        ]
        parameters = json.loads(asked(step).parameters)
        assert parameters["i"] == {"n": 1}
        assert parameters["e"]["RedriveCount"] == count
        assert parameters["e"]["RedriveTime"] == f"1970-01-01T00:00:0{count}.000Z"
        assert parameters["e"]["StartTime"] == "1970-01-01T00:00:00.010Z"
        assert parameters["e"]["Id"] == child_arn(
            Names().child_prefix("m", "lab", express=False), RUN, 7, express=False
        )
        keys.add(machine.effect_key(7, count, asked(step).ref))
    assert len(keys) == 3
    done = machine.advance(step.execution, TaskSucceeded(asked(step).ref, b"1"), 3_000)
    assert done.ended is not None
    assert (done.ended.status, machine.remains(done)) == ("SUCCEEDED", b"")


@pytest.mark.parametrize("child_type", ["EXPRESS", "STANDARD"])
def test_a_child_that_left_nothing_starts_anew(child_type: str) -> None:
    """A new history from its first input at the time of the redrive, under refs that it never used before."""
    machine = children(scope("T", CONTEXT), child_type)
    step = machine.begin(CHILD, b'{"n": 1}', 10)
    last = failed(machine, step)
    if child_type == "EXPRESS":
        assert machine.remains(last) == b""
    again = machine.redrive(CHILD, RedrivenChild(FAILED, 0, msgspec.Raw(encode_events(last.events)), b""), 2_000)
    assert short(again.events) == short(step.events)
    assert [event.at_ms for event in again.events] == [2_000] * 4
    assert asked(again).ref != asked(step).ref
    shown = json.loads(asked(again).parameters)
    assert (shown["i"], shown["e"]["RedriveCount"]) == ({"n": 1}, 1)
    assert shown["e"]["StartTime"] == shown["e"]["RedriveTime"] == "1970-01-01T00:00:02.000Z"


def test_a_child_that_started_anew_can_be_redriven_from_where_it_fails_next() -> None:
    """Its second life leaves remains again; the third goes on from them, with refs of its own."""
    machine = children(scope("T", CONTEXT))
    first = machine.begin(CHILD, b"1", 10)
    history = msgspec.Raw(encode_events(failed(machine, first).events))
    second = machine.redrive(CHILD, RedrivenChild(FAILED, 0, history, b""), 20)
    third = machine.redrive(CHILD, redriven_child(machine, failed(machine, second), 1), 30)
    assert len({asked(step).ref for step in (first, second, third)}) == 3
    assert third.events[-3].details == (2,)


def test_remains_are_small() -> None:
    """Of a child that failed in its first state its input isn't kept twice; some tens of bytes are left."""
    machine = children(scope("T", CONTEXT))
    last = failed(machine, machine.begin(CHILD, json.dumps({"text": "x" * 10_000}).encode(), 10))
    assert 0 < len(machine.remains(last)) < 50
    step = machine.redrive(CHILD, redriven_child(machine, last), 20)
    assert len(asked(step).parameters) > 10_000


def test_a_stopped_child_goes_on() -> None:
    """A child that its closing run stopped is redriven from the Task that was under way."""
    machine = children(scope("T", CONTEXT))
    step = machine.begin(CHILD, b"1", 10)
    last = machine.advance(step.execution, StopAsked("", "The map run was aborted"), 50)
    history = msgspec.Raw(encode_events([*step.events, *last.events]))
    again = machine.redrive(CHILD, RedrivenChild(ABORTED, 0, history, machine.remains(last)), 60)
    assert short(again.events)[4:] == [
        "5 ExecutionAborted <- 0",
        "6 ExecutionRedriven <- 5",
        "7 TaskScheduled <- 2",
        "8 TaskStarted <- 7",
    ]


def test_a_child_with_a_full_history_is_answered_as_it_was() -> None:
    """It can't be redriven: same status, error and history, whatever it left."""
    machine = children(scope("T", CONTEXT), limits=Limits(events_max=7))
    last = failed(machine, machine.begin(CHILD, b"1", 10))
    assert machine.remains(last) == b""
    again = machine.redrive(CHILD, redriven_child(machine, last), 60)
    assert again.events == last.events
    assert again.ended == last.ended
    assert again.execution is None


@pytest.mark.parametrize("damaged", ["history", "remains"])
def test_a_child_that_can_not_be_read_fails_alone(damaged: str) -> None:
    """Damage to one child's past ends that child as FAILED with States.Runtime, with a history that can be read."""
    machine = children(scope("T", CONTEXT))
    last = failed(machine, machine.begin(CHILD, b"1", 10))
    child = redriven_child(machine, last)
    broken = {"history": msgspec.Raw(b"\xc1"), "remains": b"\x93\x02\x00\x01"}
    again = machine.redrive(CHILD, msgspec.structs.replace(child, **{damaged: broken[damaged]}), 60)
    assert again.ended is not None
    assert (again.ended.status, again.ended.error) == ("FAILED", "States.Runtime")
    assert decode_events(machine.pack(again.events)) == again.events
    assert len(again.events) == (2 if damaged == "history" else len(last.events) + 1)


# ---------------------------------------------------------------------- nested Map Runs


def nested(name: str, label: str = "") -> dict[str, Any]:
    """A distributed Map state."""
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
    state = {"Type": "Map", "ItemProcessor": {**config, **scope(f"in {name}", {"Type": "Pass", "End": True})}}
    return {**state, "End": True, **({"Label": label} if label else {})}


@pytest.mark.parametrize(("name", "label"), [("N", "mine"), ("N", ""), ("#1.0/0:N", ""), ("2/xM", "")])
def test_the_arn_of_a_nested_map_run(name: str, label: str) -> None:
    """Id and ARN follow from the child and the ref, as home derives them, on whatever path the state lies."""
    machine = children(scope("P", {"Type": "Parallel", "Branches": [scope(name, nested(name, label))], "End": True}))
    step = machine.begin(CHILD, b"[1]", 10)
    (request,) = step.effects
    assert isinstance(request, MapRunRequested)
    parent = child_arn(Names().child_prefix("m", "lab", express=False), RUN, 7, express=False)
    run = run_id(HOME, parent, request.ref)
    shown = label or auto_label(MACHINE_ARN, name)
    assert machine.map_run_arn(7, request.ref) == (run, Names().map_run("m", shown, run))


def test_a_child_redrives_its_nested_map_run() -> None:
    """The same ref, so the same run and ARN; when the child starts anew instead, it is another run."""
    machine = children(scope("N", nested("N")))
    step = machine.begin(CHILD, b"[1]", 10)
    (request,) = step.effects
    run, arn = machine.map_run_arn(7, request.ref)
    started = machine.advance(step.execution, MapRunStarted(request.ref, arn), 20)
    last = machine.advance(started.execution, StopAsked(), 30)
    last.events = [*step.events, *started.events, *last.events]
    again = machine.redrive(CHILD, redriven_child(machine, last), 40)
    assert again.effects == [MapRunRedriveRequested(request.ref)]
    anew = machine.redrive(CHILD, RedrivenChild(ABORTED, 0, msgspec.Raw(encode_events(last.events)), b""), 40)
    (request,) = anew.effects
    assert machine.map_run_arn(7, request.ref)[0] != run


# ---------------------------------------------------------------------- root executions


def test_a_root_execution_goes_on_from_stored_remains() -> None:
    """The fold stores what remains of a root execution with its snapshot, and redrives it from there."""
    roots = RootInterpreter()
    definition = json.dumps({"StartAt": "T", "States": {"T": CONTEXT}}).encode()
    request = ExecutionRequested("r", "arn:e", "e", MACHINE_ARN, "m", "STANDARD", "1", "arn:role", definition, b"1")
    step = roots.begin(request, 10)
    last = roots.advance(request, step.execution, TaskFailed(asked(step).ref, *FAILURE), 20)
    again = roots.redrive(request, roots.decode(roots.encode(last.remains)), 30)
    assert short(again.events, 7) == ["7 ExecutionRedriven <- 6", "8 TaskScheduled <- 2", "9 TaskStarted <- 8"]
    done = roots.advance(request, again.execution, TaskSucceeded(asked(again).ref, b'"ok"'), 40)
    assert done.ended is not None
    assert done.ended.output == b'"ok"'
