"""Map: iterations within the interpreter when inline; a Map Run asked of the host when distributed."""

from maprun.interpreter import map_run
from maprun.interpreter.children import start_child
from maprun.interpreter.dataflow import complete_text
from maprun.interpreter.execution import ChildrenWait, Frame
from maprun.interpreter.scopes import at_once_max, items_of, root_value
from maprun.interpreter.step_builder import StepBuilder
from maprun.language import jsontext
from maprun.language.model import MapWork, State
from schemas.history import EventType


def perform_map(step: StepBuilder, frame: Frame, state: State) -> None:
    """Starts the first wave of iterations, or asks for a Map Run."""
    work = state.work
    assert isinstance(work, MapWork)
    scope = step.scope(frame)
    root = root_value(frame, state, scope)
    at_once = at_once_max(work, root, scope)
    if work.distributed:
        map_run.request(step, frame, state, work, root, scope, at_once)
        return
    items = work.items(root, scope)
    count = len(items)
    started = frame.last_id = step.emit(EventType.MAP_STATE_STARTED, frame.last_id, (count,))
    limit = step.limits.inline_iterations_max
    wait = frame.wait = ChildrenWait(items, count, min(at_once or limit, limit), step.now_ms, started)
    go_on(step, frame, state, wait)


def go_on(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait) -> None:
    """Starts as many iterations as there is room for; completes the state if none is left."""
    while wait.next_index < len(wait.results) and len(wait.live) < wait.at_once_max:
        start_iteration(step, frame, state, wait, wait.began_id)
    if not wait.live:
        _all_done(step, frame, state, wait, wait.began_id)


def start_iteration(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait, previous_id: int) -> None:
    """Starts the next iteration; its input is the item, or what the ItemSelector makes of it."""
    index = wait.next_index
    text = iteration_input(step, frame, state, wait, index)
    wait.next_index += 1
    started = step.emit(EventType.MAP_ITERATION_STARTED, previous_id, (state.name, index))
    start_child(step, frame, wait, index, text, started)


def iteration_input(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait, index: int) -> bytes:
    """The item, or what the ItemSelector makes of it. Raises StatesError."""
    work = state.work
    assert isinstance(work, MapWork)
    item = items_of(step.execution, frame, wait)[index]
    if work.select is None:
        return jsontext.encode(item)
    scope = step.scope(frame, f"item {index}")
    scope.context["Map"] = {"Item": {"Index": index, "Value": item}}
    root = root_value(frame, state, scope)
    return jsontext.encode(work.select(root, scope))


def iteration_done(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait, child: Frame) -> None:
    """An iteration ended: the next one takes its place; after the last one the state's result is complete."""
    succeeded = step.emit(EventType.MAP_ITERATION_SUCCEEDED, child.last_id, (state.name, child.index))
    if wait.next_index < len(wait.results):
        start_iteration(step, frame, state, wait, child.last_id)
    elif not wait.live:
        _all_done(step, frame, state, wait, succeeded)


def _all_done(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait, previous_id: int) -> None:
    frame.last_id = previous_id
    step.emit(EventType.MAP_STATE_SUCCEEDED, previous_id)
    complete_text(step, frame, state, wait.result(), step.scope(frame, "result"))
