"""Parallel and inline Map: order, failure, concurrency, scopes."""

from maprun.interpreter import Step, advance
from maprun.language import Machine
from schemas.effects import EffectCancelled, TaskFailed, TaskRequested, TaskSucceeded
from tests.unit.interpreter.telling import INVOKE, failure_of, output_of, scope, short, start

TASK = {"Type": "Task", "Resource": INVOKE, "End": True}


def asked(step: Step) -> list[TaskRequested]:
    """The Tasks a step asks for."""
    return [effect for effect in step.effects if isinstance(effect, TaskRequested)]


def answer(machine: Machine, step: Step, request: TaskRequested, output: bytes = b"1") -> Step:
    """The request succeeds."""
    assert step.execution is not None
    return advance(machine, step.execution, TaskSucceeded(request.ref, output), 1)


def test_branches_give_an_array_in_the_order_of_the_definition() -> None:
    """The branch that ends last gives the Succeeded and Exited events their previous id; the array keeps its order."""
    machine, step = start({"P": {"Type": "Parallel", "Branches": [scope("A", TASK), scope("B", TASK)], "End": True}})
    first, second = asked(step)
    middle = answer(machine, step, second, b'"B"')
    last = answer(machine, middle, first, b'"A"')
    assert last.ended is not None
    assert last.ended.output == b'["A","B"]'
    events = [*step.events, *middle.events, *last.events]
    assert short(events)[-5:] == [
        "12 TaskSucceeded <- 6",
        "13 TaskStateExited <- 12",
        "14 ParallelStateSucceeded <- 13",
        "15 ParallelStateExited <- 13",
        "16 ExecutionSucceeded <- 15",
    ]


def test_a_failing_branch_ends_its_siblings() -> None:
    """The siblings' Tasks are given up and told of as aborted, all pointing at what failed; Catch goes on."""
    state = {
        "Type": "Parallel",
        "Branches": [scope("A", TASK), scope("B", TASK), scope("C", {"Type": "Wait", "Seconds": 9, "End": True})],
        "Catch": [{"ErrorEquals": ["Boom"], "Next": "End"}],
        "Next": "End",
    }
    machine, step = start({"P": state, "End": {"Type": "Succeed"}})
    first, second = asked(step)
    assert step.execution is not None
    count = len(step.events)
    last = advance(machine, step.execution, TaskFailed(first.ref, "Boom", "c"), 1)
    assert short(last.events, count + 1) == [
        "11 TaskFailed <- 6",
        "12 TaskStateAborted <- 11",
        "13 WaitStateAborted <- 11",
        "14 ParallelStateFailed <- 11",
        "15 ParallelStateExited <- 14",
        "16 SucceedStateEntered <- 15",
        "17 SucceedStateExited <- 16",
        "18 ExecutionSucceeded <- 17",
    ]
    cancelled = [effect.ref for effect in last.effects if isinstance(effect, EffectCancelled)]
    assert second.ref in cancelled
    assert len(cancelled) == 2


def test_max_concurrency_bounds_the_iterations_at_once() -> None:
    """MaxConcurrency 2 of 5: two at first, one more for each that ends; the results keep the order of the items."""
    state = {"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": scope("T", TASK), "End": True}
    machine, step = start({"M": state}, [0, 1, 2, 3, 4])
    running, most, done = asked(step), 0, 0
    while step.ended is None:
        most = max(most, len(running))
        request = running.pop()
        done += 1
        step = answer(machine, step, request, request.parameters)
        running += asked(step)
    assert (most, done, step.ended.output) == (2, 5, b"[0,1,2,3,4]")


def test_no_more_than_forty_iterations_run_at_once() -> None:
    """Without MaxConcurrency, AWS runs about forty inline iterations at once."""
    _, step = start({"M": {"Type": "Map", "ItemProcessor": scope("T", TASK), "End": True}}, list(range(100)))
    assert len(asked(step)) == 40


def test_an_empty_map_succeeds_at_once() -> None:
    """No items: Started with length 0, Succeeded, an empty array."""
    _, step = start({"M": {"Type": "Map", "ItemProcessor": scope("T", TASK), "End": True}}, [])
    assert short(step.events)[2:] == [
        "3 MapStateStarted <- 2",
        "4 MapStateSucceeded <- 3",
        "5 MapStateExited <- 3",
        "6 ExecutionSucceeded <- 5",
    ]


def test_a_failing_iteration_aborts_the_others() -> None:
    """MapIterationFailed for the one, TaskStateAborted and MapIterationAborted for each other, then MapStateFailed."""
    machine, step = start({"M": {"Type": "Map", "ItemProcessor": scope("T", TASK), "End": True}}, [0, 1])
    assert step.execution is not None
    count = len(step.events)
    last = advance(machine, step.execution, TaskFailed(asked(step)[0].ref, "Boom", "c"), 1)
    failed = count + 1
    assert short(last.events, failed) == [
        f"{failed} TaskFailed <- 8",
        f"{failed + 1} MapIterationFailed <- {failed}",
        f"{failed + 2} TaskStateAborted <- {failed}",
        f"{failed + 3} MapIterationAborted <- {failed}",
        f"{failed + 4} MapStateFailed <- {failed}",
        f"{failed + 5} ExecutionFailed <- {failed + 4}",
    ]


def test_variables_are_read_from_outside_and_written_inside_only() -> None:
    """An iteration sees the variables around it, its own assignments end with it, siblings see nothing."""
    inner = {
        "StartAt": "I",
        "States": {
            "I": {"Type": "Pass", "Assign": {"mine.$": "$"}, "Next": "J"},
            "J": {"Type": "Pass", "Parameters": {"mine.$": "$mine", "outer.$": "$outer"}, "End": True},
        },
    }
    states = {
        "A": {"Type": "Pass", "Assign": {"outer": "o"}, "Next": "M"},
        "M": {"Type": "Map", "ItemProcessor": inner, "ResultPath": "$.out", "ItemsPath": "$.items", "Next": "Z"},
        "Z": {"Type": "Pass", "Parameters": {"outer.$": "$outer", "out.$": "$.out"}, "End": True},
    }
    out = [{"mine": 1, "outer": "o"}, {"mine": 2, "outer": "o"}]
    assert output_of(states, {"items": [1, 2]}) == {"outer": "o", "out": out}


def test_assignments_see_the_values_from_before_the_state() -> None:
    """Two variables can be swapped in one state."""
    states = {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x.$": "$y", "y.$": "$x"}, "Next": "C"},
        "C": {"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y"}, "End": True},
    }
    assert output_of(states) == {"x": 2, "y": 1}


def test_a_selector_that_leads_nowhere_fails_the_map() -> None:
    """The error is States.Runtime and names the field, the path and the input."""
    state = {"Type": "Map", "ItemProcessor": scope("T", TASK), "ItemSelector": {"a.$": "$.no"}, "ItemsPath": "$.i"}
    error, cause = failure_of({"M": {**state, "End": True}}, {"i": [1]})
    assert error == "States.Runtime"
    assert cause == (
        "An error occurred while executing the state 'M' (entered at the event id #2). "
        "The JSONPath '$.no' specified for the field 'a.$' could not be found in the input '{\"i\":[1]}'"
    )


def test_runtime_errors_are_never_retried_or_caught() -> None:
    """States.Runtime of an inner state ends the execution through Retry and Catch of everything around it."""
    inner = scope("I", {"Type": "Pass", "Parameters": {"x.$": "$.no"}, "End": True})
    caught = [{"ErrorEquals": ["States.ALL"], "Next": "C"}]
    state = {"Type": "Parallel", "Branches": [inner], "Catch": caught, "Retry": [{"ErrorEquals": ["States.ALL"]}]}
    error, _ = failure_of({"P": {**state, "Next": "C"}, "C": {"Type": "Succeed"}})
    assert error == "States.Runtime"


def test_the_history_ends_at_its_limit() -> None:
    """An endless loop ends with event 25,000, ExecutionFailed."""
    states = {
        "A": {"Type": "Pass", "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": True, "Next": "S"}], "Default": "A"},
        "S": {"Type": "Succeed"},
    }
    _, step = start(states)
    assert step.ended is not None
    assert step.ended.cause == "The execution reached the maximum number of history events (25000)."
    assert short(step.events)[-1].startswith("25000 ExecutionFailed")
