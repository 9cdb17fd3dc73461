"""The inputs of children: built of items, checked, or refused. Pure."""

import msgspec

from maprun.language.errors import StatesError
from schemas.home import REJECTED
from schemas.lanes import ChildAdopted, ItemFrame, RedrivenChild
from schemas.quotas import CAUSE_LENGTH_MAX
from schemas.wire import Decoder
from services.child_runner.lane_run import LaneRun, Waiting
from services.child_runner.limits import LaneLimits

_entries = msgspec.msgpack.Encoder()
_redriven: Decoder[RedrivenChild] = Decoder(RedrivenChild)
VOID_CAUSE = "The items of this Map Run changed, or went away, before they could be read."


def read_redriven(raw: bytes) -> RedrivenChild:
    """The child that an item of a redriven frame is. Raises msgspec.DecodeError: no reader writes another."""
    return _redriven.decode(raw)


def refuse(
    run: LaneRun, waiting: Waiting, position: int, refused: StatesError, at_seconds: float, bytes_max: int
) -> None:
    """The input can't be built: the run fails for it. The item's key and source go along, for a redrive builds anew."""
    frame = waiting.items
    assert frame is not None, "who is adopted has an input"
    i = position - waiting.base
    items, index = frame.counts[i] if frame.counts else 1, waiting.indexes[i]
    key = frame.keys[i] if frame.keys else None
    entry = [frame.items[i]] if frame.built else [frame.items[i], key, frame.source_of(i)]
    if len(entry[0] or b"") > bytes_max:
        entry[0] = b""  # an item that fits no answer can't be had any more
    run.outbox.error = (refused.error, refused.cause[:CAUSE_LENGTH_MAX])
    run.outbox.add(position, REJECTED, items, _entries.encode(entry), at_seconds, index)


def built(run: LaneRun, waiting: Waiting, position: int, limits: LaneLimits) -> bytes:
    """The input of the child at a position whose item stands in a frame. Raises StatesError."""
    frame = waiting.items
    assert frame is not None, "adopted children have their input"
    i = position - waiting.base
    raw = frame.items[i]
    if not raw:
        raise StatesError("States.ItemReaderFailed", VOID_CAUSE)
    child_input = raw if frame.built else _built_of_item(run, frame, i)
    if len(child_input) > limits.input_bytes_max:
        cause = (
            f"The input of child execution {waiting.indexes[i]} has a size of {len(child_input)} bytes, "
            f"exceeding the maximum of {limits.input_bytes_max} bytes."
        )
        raise StatesError("States.DataLimitExceeded", cause)
    return child_input


def _built_of_item(run: LaneRun, frame: ItemFrame, i: int) -> bytes:
    key = frame.keys[i] if frame.keys else None
    try:
        return run.machine.build(frame.item_first + i, key, frame.items[i], frame.source_of(i))
    except StatesError:
        raise
    except Exception as bug:  # a bug refuses the item; raised, it would end the lane's owner and every successor's
        raise StatesError("States.Runtime", f"The input cannot be built: {type(bug).__name__}: {bug}") from bug


def to_adopt(run: LaneRun, waiting: Waiting, position: int, limits: LaneLimits) -> ChildAdopted | StatesError:
    """A waiting child as the journal keeps it; or why it has no input."""
    frame = waiting.items
    if frame is None:
        known = run.memory.adopted[position]
        assert known.input is not None, "who asks for it has it read before"
        return ChildAdopted(*run.key, position, known.input, known.items, known.index, known.redriven)
    i = position - waiting.base
    redriven = frame.redriven and bool(frame.items[i])
    try:
        child_input = frame.items[i] if redriven else built(run, waiting, position, limits)
    except StatesError as refused:
        return refused
    items = frame.counts[i] if frame.counts else 1
    return ChildAdopted(*run.key, position, child_input, items, waiting.indexes[i], redriven)
