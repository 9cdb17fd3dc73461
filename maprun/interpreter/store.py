"""A running execution as bytes and back."""

from typing import assert_never

import msgspec

from maprun.interpreter.execution import (
    MACHINE_TIMEOUT,
    UNSET,
    ChildrenWait,
    DelayWait,
    Execution,
    ExecutionHead,
    Frame,
    MapRunWait,
    RetryWait,
    TaskWait,
    Wait,
)
from maprun.language import jsontext
from maprun.language.model import Machine, MapWork, ParallelWork, State
from schemas.wire import Part

STORE_VERSION = 1


class SavedChildren(Part, frozen=True, tag=1):
    """A ChildrenWait without the items, which follow from the state's input."""

    results: list[bytes | None]
    next_index: int
    began_ms: int
    at_once_max: int
    live: list["SavedFrame"]


class SavedWait(Part, frozen=True, tag=2):
    """Any other wait: its kind, its ref, and the timer's ref or the id of MapRunStarted."""

    kind: str
    ref: str
    timer: str = ""
    started_id: int = 0


class SavedFrame(Part, frozen=True):
    """A Frame. `variables` is JSON, None when they are the parent's."""

    index: int
    state: str
    input: bytes
    last_id: int
    entered_id: int
    entered_ms: int
    variables: bytes | None
    visit: int
    visits: dict[str, int]
    attempts: list[int] | None
    retry_count: int
    wait: SavedChildren | SavedWait | None
    before_id: int = 0


class SavedExecution(Part, frozen=True):
    """An Execution."""

    version: int
    head: ExecutionHead
    events: int
    timeout: bool
    root: SavedFrame


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SavedExecution).decode


def encode_execution(execution: Execution) -> bytes:
    """The bytes of a running execution."""
    root = execution.unbound
    if root is None:
        assert execution.root is not None
        root = _saved(execution.root)
    timeout = MACHINE_TIMEOUT in execution.waits or execution.timeout
    return _encode(SavedExecution(STORE_VERSION, execution.head, execution.events, timeout, root))


def decode_execution(data: bytes) -> Execution:
    """The running execution again; `advance` joins it with its machine. Raises msgspec.DecodeError."""
    saved = _decode(data)
    execution = Execution(saved.head, None)
    execution.events = saved.events
    execution.timeout = saved.timeout
    execution.unbound = saved.root
    return execution


def bind(execution: Execution, machine: Machine) -> None:
    """Joins a decoded execution with its machine: frames, and who waits for what."""
    saved = execution.unbound
    assert saved is not None
    execution.unbound = None
    if execution.timeout:
        execution.waits[MACHINE_TIMEOUT] = None
    execution.root = _restored(execution, saved, machine, None, "")


def _saved(frame: Frame) -> SavedFrame:
    shared = frame.parent is not None and frame.variables is frame.parent.variables
    return SavedFrame(
        frame.index,
        frame.state,
        frame.input,
        frame.last_id,
        frame.entered_id,
        frame.entered_ms,
        None if shared or not frame.variables else jsontext.encode(frame.variables),
        frame.visit,
        frame.visits,
        frame.attempts,
        frame.retry_count,
        _saved_wait(frame.wait),
        frame.before_id,
    )


def _saved_wait(wait: Wait | None) -> SavedChildren | SavedWait | None:
    match wait:
        case None:
            return None
        case ChildrenWait():
            live = [_saved(child) for _, child in sorted(wait.live.items())]
            return SavedChildren(wait.results, wait.next_index, wait.began_ms, wait.at_once_max, live)
        case TaskWait():
            return SavedWait("task", wait.ref, wait.timer)
        case DelayWait():
            return SavedWait("delay", wait.ref)
        case RetryWait():
            return SavedWait("retry", wait.ref)
        case MapRunWait():
            return SavedWait("run", wait.ref, "", wait.started_id)
        case _:
            assert_never(wait)


def _restored(execution: Execution, saved: SavedFrame, machine: Machine, parent: Frame | None, path: str) -> Frame:
    frame = Frame(machine, parent, saved.index, path)
    frame.state, frame.input = saved.state, saved.input
    frame.last_id, frame.entered_id, frame.entered_ms = saved.last_id, saved.entered_id, saved.entered_ms
    frame.before_id = saved.before_id
    if saved.variables is not None:
        frame.variables = jsontext.decode(saved.variables)
    frame.visit, frame.visits = saved.visit, dict(saved.visits)
    frame.attempts = None if saved.attempts is None else list(saved.attempts)
    frame.retry_count = saved.retry_count
    match saved.wait:
        case None:
            pass
        case SavedChildren():
            _restore_children(execution, frame, saved.wait)
        case SavedWait():
            frame.wait = _restored_wait(saved.wait)
            for ref in (saved.wait.ref, saved.wait.timer):
                if ref:
                    execution.waits[ref] = frame
        case _:
            assert_never(saved.wait)
    return frame


def _restored_wait(saved: SavedWait) -> Wait:
    if saved.kind == "task":
        return TaskWait(saved.ref, saved.timer)
    if saved.kind == "run":
        return MapRunWait(saved.ref, saved.started_id)
    return DelayWait(saved.ref) if saved.kind == "delay" else RetryWait(saved.ref)


def _restore_children(execution: Execution, frame: Frame, saved: SavedChildren) -> None:
    state = frame.machine.states[frame.state]
    wait = frame.wait = ChildrenWait(UNSET, 0, saved.at_once_max, saved.began_ms)
    wait.results = list(saved.results)
    wait.next_index = saved.next_index
    for child in saved.live:
        path = f"{frame.effect_ref()}/{child.index}:"
        wait.live[child.index] = _restored(execution, child, child_machine(state, child.index), frame, path)


def child_machine(state: State, index: int) -> Machine:
    """The machine of a branch or iteration of this state."""
    work = state.work
    if isinstance(work, ParallelWork):
        return work.branches[index]
    assert isinstance(work, MapWork)
    return work.processor
