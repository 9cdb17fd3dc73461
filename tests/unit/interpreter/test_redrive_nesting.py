"""Redrive of Parallel and inline Map: what is done stays, what failed or was cut off runs again, the rest goes on."""

import json
from typing import Any

import pytest

from maprun.interpreter import decode_execution, encode_execution
from schemas.effects import (
    TaskFailed,
    TaskRequested,
    TaskSucceeded,
    TimerFired,
    TimerRequested,
)
from tests.unit.interpreter.telling import INVOKE, Life, scope

TASK = {"Type": "Task", "Resource": INVOKE, "End": True}
PASS = {"Type": "Pass", "End": True}
DONE = {"Type": "Succeed"}
FAIL = {"Type": "Fail", "Error": "Boom"}
LARGE = "States.DataLimitExceeded"


def test_of_a_parallel_only_failed_and_aborted_branches_run_again() -> None:
    """What is done keeps its result; the others' Tasks are scheduled anew, each pointing at its own entry."""
    branches = [scope("A", TASK), scope("B", TASK), scope("C", TASK)]
    life = Life({"P": {"Type": "Parallel", "Branches": branches, "End": True}})
    tasks = life.tasks()
    life.tell(TaskSucceeded(tasks["A"].ref, b'"a"'))
    life.tell(TaskFailed(tasks["B"].ref, "Boom", "c"))
    assert life.last(4) == [
        "15 TaskFailed <- 9",
        "16 TaskStateAborted <- 15",
        "17 ParallelStateFailed <- 15",
        "18 ExecutionFailed <- 17",
    ]
    life.redrive()
    assert life.new() == [
        "19 ExecutionRedriven <- 18",
        "20 TaskScheduled <- 7",
        "21 TaskStarted <- 20",
        "22 TaskScheduled <- 10",
        "23 TaskStarted <- 22",
    ]
    again = life.tasks()
    life.tell(TaskSucceeded(again["C"].ref, b'"c"'))
    life.tell(TaskSucceeded(again["B"].ref, b'"b"'))
    assert life.output() == ["a", "b", "c"]
    assert life.last(3) == [
        "28 ParallelStateSucceeded <- 27",
        "29 ParallelStateExited <- 27",
        "30 ExecutionSucceeded <- 29",
    ]


def test_of_a_map_what_was_never_started_goes_on() -> None:
    """One at a time, the second of four fails: it runs again alone, then the two that never ran; the first is done."""
    life = Life(
        {"M": {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": scope("T", TASK), "End": True}}, [1, 2, 3, 4]
    )
    life.tell(TaskSucceeded(life.tasks()["T"].ref, b'"first"'))
    life.tell(TaskFailed(life.tasks()["T"].ref, "Boom", "c"))
    life.redrive()
    seen = []
    while life.step.ended is None:
        (task,) = life.tasks().values()
        seen.append(json.loads(task.parameters))
        life.tell(TaskSucceeded(task.ref, task.parameters))
    assert seen == [2, 3, 4]
    assert life.output() == ["first", 2, 3, 4]


LATER = {"Type": "Pass", "Parameters": {"t.$": "$$.Execution.RedriveTime"}, "End": True}
"""Fails until the execution is redriven: only then there is a RedriveTime."""


def test_a_branch_that_had_not_begun_is_entered() -> None:
    """The first branch failed at once, before the second had entered its first state: the redrive enters it."""
    life = Life({"P": {"Type": "Parallel", "Branches": [scope("L", LATER), scope("T", TASK)], "End": True}})
    assert life.last(3) == ["4 PassStateEntered <- 3", "5 ParallelStateFailed <- 4", "6 ExecutionFailed <- 5"]
    life.redrive()
    assert life.new() == [
        "7 ExecutionRedriven <- 6",
        "8 PassStateExited <- 4",
        "9 TaskStateEntered <- 3",
        "10 TaskScheduled <- 9",
        "11 TaskStarted <- 10",
    ]


def test_branches_that_a_redrive_did_not_come_to_run_in_the_next_one() -> None:
    """The first branch fails again before the second had its turn: told as aborted, not asked for, not forgotten."""
    broken = scope("B", {"Type": "Task", "Resource": INVOKE, "Parameters": {"x.$": "$.no"}, "End": True})
    first = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "Next": "B"}, **broken["States"]}}
    life = Life({"P": {"Type": "Parallel", "Branches": [first, scope("T", TASK)], "End": True}})
    life.tell(TimerFired(life.timers()[0].ref))
    for _ in range(2):
        life.redrive()
        end = len(life.events)
        assert life.new()[-4:] == [
            f"{end - 3} ExecutionRedriven <- {end - 4}",
            f"{end - 2} TaskStateAborted <- 9",
            f"{end - 1} ParallelStateFailed <- 9",
            f"{end} ExecutionFailed <- {end - 1}",
        ]
        assert life.step.effects == []


def test_a_state_that_a_branch_was_about_to_enter_is_entered() -> None:
    """Redriven, one branch leaves its first state, then the other fails: the next redrive enters the second state."""
    twice = "States.ArrayGetItem(States.ArrayRange(1, $$.Execution.RedriveCount, 1), 1)"
    later = {"Type": "Pass", "Parameters": LATER["Parameters"], "Next": "T"}
    first = {"StartAt": "L", "States": {"L": later, "T": TASK}}
    second = scope("S", {"Type": "Pass", "Parameters": {"n.$": twice}, "End": True})
    life = Life({"P": {"Type": "Parallel", "Branches": [first, second], "End": True}})
    life.redrive()
    assert life.step.ended is not None
    end = len(life.events)
    life.redrive()
    assert life.tasks()
    assert f"{end + 3} TaskStateEntered <- 8" in life.new()


def test_branches_whose_parallel_is_retried_in_a_redrive_are_not_done_again_on_their_own() -> None:
    """One branch fails again, and the Parallel's Retry, begun anew, takes over: its siblings aren't asked for."""
    first = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "Next": "F"}, "F": FAIL}}
    retry = [{"ErrorEquals": ["Boom"], "MaxAttempts": 1}]
    branches = [first, scope("T", TASK)]
    life = Life({"P": {"Type": "Parallel", "Branches": branches, "Retry": retry, "End": True}})
    for _ in range(2):
        life.tell(TimerFired(life.timers()[0].ref))
        if life.step.ended is None:
            life.tell(TimerFired(life.timers()[0].ref))
    life.redrive()
    (timer,) = life.step.effects
    assert isinstance(timer, TimerRequested)
    assert timer.ref.endswith(":retry")


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_a_state_whose_children_end_at_once_is_left_once(kind: str) -> None:
    """All that was lost is done again without waiting: the Parallel or Map is complete, and the next state entered."""
    work: dict[str, Any] = (
        {"Branches": [scope("L", LATER)]} if kind == "Parallel" else {"ItemProcessor": scope("L", LATER)}
    )
    life = Life({"P": {"Type": kind, **work, "Next": "T"}, "T": TASK}, [1])
    life.redrive()
    assert [line.split()[1] for line in life.new()].count(f"{kind}StateExited") == 1
    life.tell(TaskSucceeded(life.tasks()["T"].ref, b"1"))
    assert life.output() == 1


def test_a_map_that_fails_after_its_redrive_points_at_its_start() -> None:
    """An item can't be selected once the lost iteration is done: the failure points at MapStateStarted, as at first."""
    state = {"Type": "Map", "MaxConcurrency": 1, "ItemSelector": {"v.$": "$$.Map.Item.Value.x"}, "End": True}
    life = Life({"M": {**state, "ItemProcessor": scope("T", TASK)}}, [{"x": 1}, {"y": 2}])
    life.tell(TaskFailed(life.tasks()["T"].ref, "Boom", "c"))
    life.redrive()
    life.tell(TaskSucceeded(life.tasks()["T"].ref, b"1"))
    assert life.step.ended is not None
    assert life.last(1) == [f"{len(life.events)} ExecutionFailed <- 3"]


def test_branches_before_and_after_their_first_state_go_on_from_where_they_were() -> None:
    """One branch failed in its second state, one was aborted in its first, one was done; all outputs come together."""
    first = {
        "StartAt": "A1",
        "States": {"A1": {"Type": "Pass", "Result": {"x": 1}, "Next": "A2"}, "A2": TASK},
    }
    life = Life(
        {"P": {"Type": "Parallel", "Branches": [first, scope("B", TASK), scope("C", PASS)], "End": True}}, {"i": 0}
    )
    ended_by = life.tasks()["A2"]
    life.tell(TaskFailed(ended_by.ref, "Boom", "c"))
    life.redrive()
    again = life.tasks()
    assert again["A2"].parameters == b'{"x":1}'
    assert again["B"].parameters == b'{"i":0}'
    for task in again.values():
        life.tell(TaskSucceeded(task.ref, task.parameters))
    assert life.output() == [{"x": 1}, {"i": 0}, {"i": 0}]


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_after_too_much_data_everything_runs_again(kind: str) -> None:
    """A Parallel or Map that failed with States.DataLimitExceeded starts from its beginning."""
    work: dict[str, Any] = (
        {"Branches": [scope("A", TASK), scope("B", TASK)]}
        if kind == "Parallel"
        else {"ItemProcessor": scope("T", TASK)}
    )
    life = Life({"P": {"Type": kind, "End": True, **work}}, [1, 2])
    first, second = (effect for effect in life.step.effects if isinstance(effect, TaskRequested))
    life.tell(TaskSucceeded(first.ref, b"1"))
    life.tell(TaskFailed(second.ref, LARGE, "c"))
    life.redrive()
    assert f"{kind}StateStarted <- 2" in life.new()[1]
    assert sum(isinstance(effect, TaskRequested) for effect in life.step.effects) == 2


def test_nested_maps_keep_what_is_done_at_every_depth() -> None:
    """Of two inner Maps of two items, one item fails: it and what it cut off run again, what was done doesn't."""
    inner = {"Type": "Map", "ItemProcessor": scope("T", TASK), "End": True}
    life = Life({"M": {"Type": "Map", "ItemProcessor": scope("I", inner), "End": True}}, [[1, 2], [3, 4]])
    tasks = {effect.parameters: effect for effect in life.step.effects if isinstance(effect, TaskRequested)}
    life.tell(TaskSucceeded(tasks[b"1"].ref, b"10"))
    life.tell(TaskSucceeded(tasks[b"4"].ref, b"40"))
    life.tell(TaskFailed(tasks[b"2"].ref, "Boom", "c"))
    life.redrive()
    again = {effect.parameters: effect for effect in life.step.effects if isinstance(effect, TaskRequested)}
    assert sorted(again) == [b"2", b"3"]
    life.tell(TaskFailed(again[b"3"].ref, "Boom", "c"))
    life.redrive()
    again = {effect.parameters: effect for effect in life.step.effects if isinstance(effect, TaskRequested)}
    assert sorted(again) == [b"2", b"3"]
    for text, task in again.items():
        life.tell(TaskSucceeded(task.ref, text + b"0"))
    assert life.output() == [[10, 20], [30, 40]]


def test_a_state_that_retries_a_map_forgets_what_was_lost_before() -> None:
    """A retried Map starts from its beginning; a redrive goes on from its last attempt, not from an earlier one."""
    retry = [{"ErrorEquals": ["Boom"], "MaxAttempts": 1}]
    life = Life({"M": {"Type": "Map", "ItemProcessor": scope("T", TASK), "Retry": retry, "End": True}}, [1, 2])
    tasks = {effect.parameters: effect for effect in life.step.effects if isinstance(effect, TaskRequested)}
    life.tell(TaskSucceeded(tasks[b"1"].ref, b"10"))
    life.tell(TaskFailed(tasks[b"2"].ref, "Boom", "c"))
    life.tell(TimerFired(life.timers()[0].ref))
    tasks = {effect.parameters: effect for effect in life.step.effects if isinstance(effect, TaskRequested)}
    life.tell(TaskFailed(tasks[b"1"].ref, "Boom", "c"))
    life.redrive()
    assert sum(isinstance(effect, TaskRequested) for effect in life.step.effects) == 2


ITEMS = [
    "{% [1..3].($random()) %}",
    "{% $states.context.Execution.RedriveCount = 0 ? [1,2,3] : [7,8,9] %}",
    "{% [1..3].($ & $now()) %}",
]


@pytest.mark.parametrize("items", ITEMS)
@pytest.mark.parametrize("restored", [False, True])
def test_the_items_of_a_map_are_those_it_began_with(items: str, restored: bool) -> None:
    """Chance, time and the redrive's own count don't change them, though they are computed again after a restore."""
    state = {
        "Type": "Map",
        "Items": items,
        "MaxConcurrency": 1,
        "ItemProcessor": scope("T", {**TASK, "Arguments": "{% $states.input %}"}),
    }
    whole = Life({"M": {**state, "End": True}}, QueryLanguage="JSONata")
    life = Life({"M": {**state, "End": True}}, QueryLanguage="JSONata")
    while whole.step.ended is None:
        whole.tell(TaskSucceeded(whole.tasks()["T"].ref, whole.tasks()["T"].parameters))
    life.tell(TaskSucceeded(life.tasks()["T"].ref, life.tasks()["T"].parameters))
    for _ in range(2):
        life.tell(TaskFailed(life.tasks()["T"].ref, "Boom", "c"))
        if restored:
            assert life.step.remains is not None
            life.step.remains = decode_execution(encode_execution(life.step.remains))
        life.redrive()
    while life.step.ended is None:
        life.tell(TaskSucceeded(life.tasks()["T"].ref, life.tasks()["T"].parameters))
    assert life.output() == whole.output()
