"""The inputs of children: built of items, checked, or refused. Pure."""

from typing import TYPE_CHECKING

import msgspec

from maprun.interpreter.failure import CAUSE_LENGTH_MAX
from maprun.language.errors import StatesError
from schemas.home import REJECTED
from schemas.lanes import ItemFrame, RedrivenChild
from schemas.wire import Decoder
from services.child_runner.state import LaneRun, Waiting

if TYPE_CHECKING:
    from services.child_runner.lane import Lane

_entries = msgspec.msgpack.Encoder()
_redriven: Decoder[RedrivenChild] = Decoder(RedrivenChild)
VOID_CAUSE = "The items of this Map Run changed, or went away, before they could be read."


def read_redriven(raw: bytes) -> RedrivenChild:
    """The child that an item of a redriven frame is. Raises msgspec.DecodeError: no reader writes another."""
    return _redriven.decode(raw)


def refuse(run: LaneRun, waiting: Waiting, position: int, refused: StatesError, at: float, bytes_max: int) -> None:
    """The input can't be built: the run fails for it. The item's key and source go along, for a redrive builds anew."""
    frame = waiting.items
    entry: list[bytes | str | None]
    if frame is None:
        adopted = run.memory.adopted[position]
        entry, items, index = [adopted.input], adopted.items, adopted.index
    else:
        i = position - waiting.base
        items, index = frame.counts[i] if frame.counts else 1, waiting.indexes[i]
        key = frame.keys[i] if frame.keys else None
        entry = [frame.items[i]] if frame.built else [frame.items[i], key, frame.source_of(i)]
    if len(entry[0] or b"") > bytes_max:
        entry[0] = b""  # an item that fits no answer can't be had any more
    run.outbox.error = (refused.error, refused.cause[:CAUSE_LENGTH_MAX])
    run.outbox.add(position, REJECTED, items, _entries.encode(entry), at, index)


def checked(lane: "Lane", index: int, child_input: bytes) -> bytes:
    """The input of the child with this index, if it is no larger than AWS lets it be. Raises StatesError."""
    if len(child_input) > lane.limits.input_bytes_max:
        cause = (
            f"The input of child execution {index} has a size of {len(child_input)} bytes, "
            f"exceeding the maximum of {lane.limits.input_bytes_max} bytes."
        )
        raise StatesError("States.DataLimitExceeded", cause)
    return child_input


def built(run: LaneRun, frame: ItemFrame, i: int) -> bytes:
    """The input of the child at place `i` of a frame. Raises StatesError."""
    raw = frame.items[i]
    if not raw:
        raise StatesError("States.ItemReaderFailed", VOID_CAUSE)
    if frame.built:
        return raw
    key = frame.keys[i] if frame.keys else None
    source = frame.sources[i] if frame.sources else frame.source
    try:
        return run.machine.build(frame.item_first + i, key, raw, source)
    except StatesError:
        raise
    except Exception as bug:  # a bug refuses the item; raised, it would end the lane's owner and every successor's
        raise StatesError("States.Runtime", f"The input cannot be built: {type(bug).__name__}: {bug}") from bug
