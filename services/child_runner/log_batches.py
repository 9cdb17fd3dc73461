"""Records of `execution-logs` as batches for CloudWatch Logs' PutLogEvents, within its bounds. Pure."""

import datetime as dt
from collections.abc import Iterable

import msgspec

from maprun.bus.port import Record
from schemas.execution_logs import GROUP_HEADER

BYTES_MAX, EVENT_BYTES = 1_048_576, 26
"""Of one batch; and what each event is counted with beside its message. No record is so short that a batch could have
10,000 events, which is AWS's other bound; and none spans more than a day, for a stream is of a day."""
_ARN_MACHINE = 6


class LogEvent(msgspec.Struct, frozen=True, order=True):
    """One event as PutLogEvents takes it. In order of time, as it must be; events of one moment stay as they came."""

    timestamp: int
    place: int
    message: str


class LogBatch(msgspec.Struct, frozen=True):
    """Events of one stream of a log group."""

    group: str  # its name
    stream: str
    events: list[LogEvent]


class _Logged(msgspec.Struct):
    """What a record says of itself."""

    execution_arn: str
    event_timestamp: str


_decoder = msgspec.json.Decoder(_Logged)


def log_batches(records: Iterable[Record]) -> list[LogBatch]:
    """Batches of these records; those without a log group, or that can't be read, are left out."""
    events: dict[tuple[str, str], list[LogEvent]] = {}
    for place, record in enumerate(records):
        group = group_of(dict(record.headers).get(GROUP_HEADER, b"").decode(errors="replace"))
        try:
            logged = _decoder.decode(record.value or b"")
            event = LogEvent(int(logged.event_timestamp), place, (record.value or b"").decode())
            stream = _stream(logged.execution_arn, event.timestamp, record.partition)
        except (msgspec.DecodeError, ValueError, OverflowError, IndexError):
            continue
        if group:
            events.setdefault((group, stream), []).append(event)
    return [LogBatch(group, stream, part) for (group, stream), found in events.items() for part in _parts(found)]


def group_of(arn: str) -> str:
    """The name of a log group from its ARN, `arn:aws:logs:region:account:log-group:name:*`; empty if it is none."""
    parts = arn.split(":", 6)
    return parts[6].removesuffix(":*") if len(parts) > _ARN_MACHINE else ""


def _stream(arn: str, at_ms: int, partition: int) -> str:
    """The stream of an execution's events: that of its machine, its day and its partition."""
    machine = arn.split(":")[_ARN_MACHINE]
    day = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).date().isoformat()
    return f"states/{machine}/{day}/{partition}"


def _parts(events: list[LogEvent]) -> Iterable[list[LogEvent]]:
    part: list[LogEvent] = []
    size = 0
    for event in sorted(events):
        takes = len(event.message.encode()) + EVENT_BYTES
        if part and size + takes > BYTES_MAX:
            yield part
            part, size = [], 0
        part.append(event)
        size += takes
    yield part
