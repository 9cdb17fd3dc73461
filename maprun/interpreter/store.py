"""An execution as bytes and back: a running one, or what remains of one for a redrive."""

from typing import assert_never

import msgspec

from maprun.interpreter.execution import (
    NO_SECRET,
    UNSET,
    Beginning,
    ChildrenWait,
    DelayWait,
    Execution,
    ExecutionHead,
    Frame,
    MapRunWait,
    RetryWait,
    TaskWait,
    Wait,
    ref_prefix,
    timeout_ref,
)
from maprun.language import jsontext
from maprun.language.model import Machine
from schemas.tokens import TokenSecret
from schemas.wire import Part

STORE_VERSION = 2
"""What wrote it: 1 knew no redrive."""


class SavedChildren(Part, frozen=True, tag=1):
    """A ChildrenWait without the items, which follow from the state's input."""

    results: list[bytes | None]
    next_index: int
    began_ms: int
    at_once_max: int
    live: list["SavedFrame"]
    began_id: int = 0
    beginning: Beginning | None = None


class SavedWait(Part, frozen=True, tag=2):
    """Any other wait: its kind, its ref, and what a TaskWait has of timers or what a MapRunWait knows."""

    kind: str
    ref: str
    timer: str = ""
    started_id: int = 0
    began_id: int = 0
    redriving: bool = False
    heartbeat: str = ""
    heartbeat_seconds: int = 0
    submitted: bool = False
    timeout_seconds: int = 0
    parameters: bytes = b""


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
    events_count: int
    timeout_pending: bool
    root: SavedFrame
    events_bytes: int = 0


class SavedRemains(Part, frozen=True):
    """What a redrive needs of a child beside its history and its name; `redrive_ms` is when it was redriven last.

    The input of `root` is empty when it is the child's own.
    """

    version: int
    redrive_ms: int
    root: SavedFrame


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SavedExecution).decode
_decode_remains = msgspec.msgpack.Decoder(SavedRemains).decode


def encode_execution(execution: Execution) -> bytes:
    """The bytes of a running execution, or of what remains of one."""
    timeout = timeout_ref(execution.head) in execution.waits or execution.timeout_pending
    root = _saved_root(execution)
    execution.weigh()
    return _encode(
        SavedExecution(STORE_VERSION, execution.head, execution.events_count, timeout, root, execution.events_bytes)
    )


def encode_remains(remains: Execution) -> bytes:
    """The bytes of what remains of a child, without what its history holds."""
    root = _saved_root(remains)
    if root.input == remains.head.input:
        root = msgspec.structs.replace(root, input=b"")
    return _encode(SavedRemains(STORE_VERSION, remains.head.redrive_ms, root))


def decode_remains(
    data: bytes, head: ExecutionHead, events_count: int, events_bytes: int, secret: TokenSecret = NO_SECRET
) -> Execution:
    """What remains of the child with this head, whose history has so many events. Raises msgspec.DecodeError."""
    saved = _decode_remains(data)
    execution = Execution(msgspec.structs.replace(head, redrive_ms=saved.redrive_ms), None, secret)
    execution.events_count = events_count
    execution.events_bytes = events_bytes
    root = saved.root
    execution.unbound = root if root.input else msgspec.structs.replace(root, input=head.input)
    return execution


def decode_execution(data: bytes, secret: TokenSecret = NO_SECRET) -> Execution:
    """The execution again; `advance` or `redrive` joins it with its machine. Raises msgspec.DecodeError."""
    saved = _decode(data)
    execution = Execution(saved.head, None, secret)
    execution.events_count = saved.events_count
    execution.events_bytes = saved.events_bytes
    execution.timeout_pending = saved.timeout_pending
    execution.unbound = saved.root
    return execution


def bind(execution: Execution, machine: Machine) -> None:
    """Joins a decoded execution with its machine: frames, and who waits for what."""
    saved = execution.unbound
    assert saved is not None
    execution.unbound = None
    if execution.timeout_pending:
        execution.waits[timeout_ref(execution.head)] = None
    execution.root = _restored(execution, saved, machine, None, ref_prefix(execution.head.redrive_count))


def _saved_root(execution: Execution) -> SavedFrame:
    if isinstance(execution.unbound, SavedFrame):
        return execution.unbound
    assert execution.root is not None
    return _saved(execution.root)


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
            return SavedChildren(
                wait.results, wait.next_index, wait.began_ms, wait.at_once_max, live, wait.began_id, wait.beginning
            )
        case TaskWait():
            return SavedWait(
                "task",
                wait.ref,
                wait.timer,
                heartbeat=wait.heartbeat,
                heartbeat_seconds=wait.heartbeat_seconds,
                submitted=wait.submitted,
                timeout_seconds=wait.timeout_seconds,
                parameters=wait.parameters,
            )
        case DelayWait():
            return SavedWait("delay", wait.ref)
        case RetryWait():
            return SavedWait("retry", wait.ref)
        case MapRunWait():
            return SavedWait("run", wait.ref, "", wait.started_id, wait.began_id, wait.redriving)
        case _:
            assert_never(wait)


def _restored(execution: Execution, saved: SavedFrame, machine: Machine, parent: Frame | None, path: str) -> Frame:
    frame = Frame(machine, parent, saved.index, path)
    frame.state, frame.input = saved.state, saved.input
    frame.last_id, frame.entered_id, frame.entered_ms = saved.last_id, saved.entered_id, saved.entered_ms
    frame.before_id = saved.before_id
    if saved.variables is not None:
        frame.variables = jsontext.decode(saved.variables)
        outer = parent.variables if parent is not None else {}
        own = {name: len(jsontext.encode(value)) for name, value in frame.variables.items() if name not in outer}
        frame.sizes = own or None
    frame.visit, frame.visits = saved.visit, dict(saved.visits)
    frame.attempts = None if saved.attempts is None else list(saved.attempts)
    frame.retry_count = saved.retry_count
    match saved.wait:
        case None:
            pass
        case SavedChildren():
            _restore_children(execution, frame, saved.wait)
        case SavedWait():
            frame.wait = _restored_wait(saved.wait, frame)
            for ref in (saved.wait.ref, saved.wait.timer, saved.wait.heartbeat):
                if ref:
                    execution.waits[ref] = frame
        case _:
            assert_never(saved.wait)
    return frame


def _restored_wait(saved: SavedWait, frame: Frame) -> Wait:
    if saved.kind == "task":
        return TaskWait(
            saved.ref,
            saved.timer,
            saved.heartbeat,
            saved.heartbeat_seconds,
            submitted=saved.submitted,
            timeout_seconds=saved.timeout_seconds,
            parameters=saved.parameters,
        )
    if saved.kind == "run":
        return MapRunWait(saved.ref, _began_id(saved, frame), saved.started_id, redriving=saved.redriving)
    return DelayWait(saved.ref) if saved.kind == "delay" else RetryWait(saved.ref)


def _began_id(saved: SavedWait | SavedChildren, frame: Frame) -> int:
    """Version 1 did not keep it: what the state's work began with came right after the state was entered."""
    return saved.began_id or frame.entered_id + 1


def _restore_children(execution: Execution, frame: Frame, saved: SavedChildren) -> None:
    state = frame.machine.states[frame.state]
    wait = frame.wait = ChildrenWait(UNSET, 0, saved.at_once_max, saved.began_ms, _began_id(saved, frame))
    wait.beginning = saved.beginning
    wait.results = list(saved.results)
    wait.next_index = saved.next_index
    for child in saved.live:
        path = f"{frame.effect_ref()}/{child.index}:"
        wait.live[child.index] = _restored(execution, child, state.child_machine(child.index), frame, path)
