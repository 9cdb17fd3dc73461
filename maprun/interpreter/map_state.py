"""Map: iterations within the interpreter when inline; a Map Run asked of the host when distributed."""

from typing import Any

from maprun.interpreter import map_run
from maprun.interpreter.children import start_child
from maprun.interpreter.dataflow import complete_text, effective_input
from maprun.interpreter.execution import UNSET, ChildrenWait, Execution, Frame
from maprun.interpreter.numbers import whole_number
from maprun.interpreter.run import Run, scope_of
from maprun.language import jsontext
from maprun.language.errors import runtime_error
from maprun.language.model import MapWork, State
from maprun.language.scope import Scope
from schemas.history import EventType


def perform_map(run: Run, frame: Frame, state: State) -> None:
    """Starts the first wave of iterations, or asks for a Map Run."""
    work = state.work
    assert isinstance(work, MapWork)
    scope = run.scope(frame)
    root = {"input": frame.decoded()} if state.jsonata else effective_input(frame, state, scope)
    at_once = _concurrency(state, work, root, scope)
    if work.distributed:
        map_run.request(run, frame, state, work, root, scope, at_once)
        return
    items = work.items(root, scope)
    count = len(items)
    started = frame.last_id = run.emit(EventType.MAP_STATE_STARTED, frame.last_id, (count,))
    limit = run.limits.inline_iterations_max
    wait = frame.wait = ChildrenWait(items, count, min(at_once or limit, limit), run.now_ms, started)
    go_on(run, frame, state, wait)


def go_on(run: Run, frame: Frame, state: State, wait: ChildrenWait) -> None:
    """Starts as many iterations as there is room for; completes the state if none is left."""
    while wait.next_index < len(wait.results) and len(wait.live) < wait.at_once_max:
        start_iteration(run, frame, state, wait, wait.began_id)
    if not wait.live:
        _all_done(run, frame, state, wait.began_id, wait)


def _concurrency(state: State, work: MapWork, root: Any, scope: Scope) -> int:
    at_once = whole_number(work.max_concurrency, root, scope, "MaxConcurrency") or 0
    if at_once < 0:
        raise runtime_error(f"MaxConcurrency cannot be negative: {at_once}")
    assert state.kind == "Map"
    return at_once


def start_iteration(run: Run, frame: Frame, state: State, wait: ChildrenWait, previous_id: int) -> None:
    """Starts the next iteration; its input is the item, or what the ItemSelector makes of it."""
    index = wait.next_index
    text = _iteration_input(run, frame, state, index)
    wait.next_index += 1
    started = run.emit(EventType.MAP_ITERATION_STARTED, previous_id, (state.name, index))
    start_child(run, frame, wait, index, text, started)


def _iteration_input(run: Run, frame: Frame, state: State, index: int) -> bytes:
    work = state.work
    assert isinstance(work, MapWork)
    item = items_of(run.execution, frame)[index]
    if work.select is None:
        return jsontext.encode(item)
    scope = run.scope(frame, f"item {index}")
    scope.context["Map"] = {"Item": {"Index": index, "Value": item}}
    root = {"input": frame.decoded()} if state.jsonata else effective_input(frame, state, scope)
    return jsontext.encode(work.select(root, scope))


def items_of(execution: Execution, frame: Frame) -> Any:
    """The items an inline Map iterates over; after a restore they are computed again from the same input."""
    wait = frame.wait
    assert isinstance(wait, ChildrenWait)
    if wait.items is UNSET:
        state = frame.machine.states[frame.state]
        scope = scope_of(execution, frame, "", wait.began_ms, wait.beginning)
        root = {"input": frame.decoded()} if state.jsonata else effective_input(frame, state, scope)
        work = state.work
        assert isinstance(work, MapWork)
        _concurrency(state, work, root, scope)
        wait.items = work.items(root, scope)
    return wait.items


def iteration_done(run: Run, frame: Frame, state: State, wait: ChildrenWait, child: Frame) -> None:
    """An iteration ended: the next one takes its place; after the last one the state's result is complete."""
    succeeded = run.emit(EventType.MAP_ITERATION_SUCCEEDED, child.last_id, (state.name, child.index))
    if wait.next_index < len(wait.results):
        start_iteration(run, frame, state, wait, child.last_id)
    elif not wait.live:
        _all_done(run, frame, state, succeeded, wait)


def _all_done(run: Run, frame: Frame, state: State, previous_id: int, wait: ChildrenWait) -> None:
    frame.last_id = previous_id
    run.emit(EventType.MAP_STATE_SUCCEEDED, previous_id)
    complete_text(run, frame, state, wait.result(), run.scope(frame, "result"))
