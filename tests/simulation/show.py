"""A trace for people: each record decoded, long values cut."""

from typing import Any

import msgspec

from schemas import topics
from schemas.activities import ActivityWritten
from schemas.asks import ItemAsk
from schemas.home import HomeRecord
from schemas.lanes import ItemFrame, JournalRecord, LaneSignal
from schemas.machines import MachineWritten

_DECODERS: dict[str, Any] = {
    topics.HOME.name: msgspec.msgpack.Decoder(HomeRecord),
    topics.ITEM_ASKS.name: msgspec.msgpack.Decoder(ItemAsk),
    topics.ITEMS.name: msgspec.msgpack.Decoder(ItemFrame),
    topics.LANE_SIGNALS.name: msgspec.msgpack.Decoder(LaneSignal),
    topics.LANE_JOURNAL.name: msgspec.msgpack.Decoder(JournalRecord),
    topics.MACHINES.name: msgspec.msgpack.Decoder(MachineWritten | ActivityWritten),
}
_HIDDEN = {"plan", "definition", "pages", "spec", "label", "root_arn", "map_run_arn", "machine_arn", "machine_name"}
_VALUE_CHARS_MAX = 90


def line(now: float, what: str, data: tuple[bytes, ...]) -> str:
    """One line of the trace."""
    topic = what[2:].split("/", maxsplit=1)[0] if what.startswith("+ ") else ""
    decoder = _DECODERS.get(topic)
    if decoder is not None:
        try:
            return f"{now:9.4f} {what} {_shown(decoder.decode(data[0]))}"
        except msgspec.DecodeError:
            return f"{now:9.4f} {what} unreadable: {data[0][:60]!r}"
    return f"{now:9.4f} {what} " + " ".join(repr(part[:120]) for part in data if part)


def _shown(value: Any) -> str:
    if isinstance(value, msgspec.Struct):
        fields = (f for f in value.__struct_fields__ if f not in _HIDDEN)
        parts = ", ".join(f"{f}={_shown(v)}" for f in fields if (v := getattr(value, f)) not in ("", b"", (), None))
        return f"{type(value).__name__}({parts})"
    if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        return "[" + ", ".join(_shown(v) for v in value[:12]) + ("…]" if len(value) > 12 else "]")
    text = repr(value)
    return text if len(text) <= _VALUE_CHARS_MAX else text[:_VALUE_CHARS_MAX] + "…"
