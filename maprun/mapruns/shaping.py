"""Result records in AWS's shapes, built from the pages of an outcome frame as bytes: no dict and no copy a child.

Members and their order as recorded on AWS (facts, section 1.6): PascalCase, alphabetical, payloads as JSON strings,
dates as ISO 8601 with milliseconds.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from maprun.mapruns.ledger import Piece
from maprun.mapruns.run import Run
from schemas.arns import Names, child_arn, child_name
from schemas.home import (
    ABORTED,
    FAILED,
    PAGE_SLOTS,
    REJECTED,
    RETURNED,
    STATUS_NAMES,
    SUCCEEDED,
    TIMED_OUT,
    ChildrenEnded,
)
from schemas.pages import Pages

FILES = ("SUCCEEDED", "FAILED", "PENDING")
"""Which files there are; every answered child stands in exactly one."""
FILE_OF = {
    SUCCEEDED: "SUCCEEDED",
    FAILED: "FAILED",
    TIMED_OUT: "FAILED",
    ABORTED: "FAILED",
    RETURNED: "PENDING",
    REJECTED: "PENDING",
}

_SUCCEEDED_MIDDLE = (
    b',"OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE",'
    b'"RedriveStatusReason":"Execution is SUCCEEDED and cannot be redriven","StartDate":"'
)
_FAILED_MIDDLE = (
    b'","OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"REDRIVABLE_BY_MAP_RUN","StartDate":"'
)

_json = msgspec.json.Encoder().encode
_slot_decoder = msgspec.msgpack.Decoder(list[list[msgspec.Raw]])
_value = msgspec.msgpack.Decoder().decode
_array = msgspec.json.Decoder(list[msgspec.Raw])
_any = msgspec.json.Decoder()


class Shaper:
    """Shapes the children of one run. Not thread-safe."""

    def __init__(self, run: Run, names: Names, pages: Pages) -> None:
        writer = run.plan.writer
        assert writer is not None
        self._run = run.run
        self._express = run.plan.child_type == "EXPRESS"
        self._prefix = names.child_prefix(run.machine_name, run.label, express=self._express)
        self._machine = b',"StateMachineArn":' + _json(names.labelled_machine(run.machine_name, run.label))
        self._pages = pages
        self._second = -1
        self._second_text = b""
        self.lines = writer.output_type == "JSONL"
        self._succeeded: Callable[[int, list[msgspec.Raw]], list[bytes]] = {
            "COMPACT": self._compact,
            "FLATTEN": self._flatten_lines if self.lines else self._flatten,
        }.get(writer.transformation, self._full)

    def shape(self, frame: ChildrenEnded, pieces: Sequence[Piece]) -> dict[str, list[bytes]]:
        """The records of these slots of a frame, by the file they belong to, in slot order."""
        out: dict[str, list[bytes]] = {}
        statuses = frame.statuses
        succeeded = self._succeeded
        for piece in pieces:
            shift = piece.position - piece.slot
            slot, end = piece.slot, piece.slot + piece.count
            while slot < end:
                page = slot // PAGE_SLOTS
                first = page * PAGE_SLOTS
                slots = self._pages.unpack_events(frame.pages[page])
                until = min(end, first + PAGE_SLOTS)
                for at in range(slot, until):
                    status = statuses[at]
                    events = slots[at - first]
                    if status == SUCCEEDED:
                        out.setdefault("SUCCEEDED", []).extend(succeeded(at + shift, events))
                    elif status in (RETURNED, REJECTED):
                        out.setdefault("PENDING", []).append(_pending(events))
                    else:
                        out.setdefault("FAILED", []).append(self._failed(at + shift, status, events))
                slot = until
        return out

    def _names(self, index: int) -> tuple[bytes, bytes]:
        name = child_name(self._run, index)
        arn = child_arn(self._prefix, self._run, index, express=self._express) if self._express else self._prefix + name
        return arn.encode(), name.encode()

    def _full(self, index: int, events: list[msgspec.Raw]) -> list[bytes]:
        started, ended = _value(events[0]), _value(events[-1])
        arn, name = self._names(index)
        return [
            b"".join(
                (
                    b'{"ExecutionArn":"',
                    arn,
                    b'","Input":',
                    _text(started[3][0]),
                    b',"InputDetails":{"Included":true},"Name":"',
                    name,
                    b'","Output":',
                    _text(ended[3][0]),
                    _SUCCEEDED_MIDDLE,
                    self._date(started[2]),
                    b'"',
                    self._machine,
                    b',"Status":"SUCCEEDED","StopDate":"',
                    self._date(ended[2]),
                    b'"}',
                )
            )
        ]

    def _failed(self, index: int, status: int, events: list[msgspec.Raw]) -> bytes:
        started, ended = _value(events[0]), _value(events[-1])
        arn, name = self._names(index)
        details = ended[3]
        error, cause = (details[0], details[1]) if len(details) > 1 else (None, None)
        return b"".join(
            (
                b"{",
                b'"Cause":' + _json(cause) + b"," if cause else b"",
                b'"Error":' + _json(error) + b"," if error else b"",
                b'"ExecutionArn":"',
                arn,
                b'","Input":',
                _text(started[3][0]),
                b',"InputDetails":{"Included":true},"Name":"',
                name,
                _FAILED_MIDDLE,
                self._date(started[2]),
                b'"',
                self._machine,
                b',"Status":"',
                STATUS_NAMES[status].encode(),
                b'","StopDate":"',
                self._date(ended[2]),
                b'"}',
            )
        )

    def _compact(self, _index: int, events: list[msgspec.Raw]) -> list[bytes]:
        return [_one_line(_value(events[-1])[3][0])]

    def _flatten(self, _index: int, events: list[msgspec.Raw]) -> list[bytes]:
        output: bytes = _value(events[-1])[3][0].strip()
        inside = output[1:-1].strip() if output[:1] == b"[" else output
        return [inside] if inside else []

    def _flatten_lines(self, _index: int, events: list[msgspec.Raw]) -> list[bytes]:
        output: bytes = _value(events[-1])[3][0]
        if output.lstrip()[:1] != b"[":
            return [_one_line(output)]
        return [_one_line(bytes(member)) for member in _array.decode(output)]

    def _date(self, at_ms: int) -> bytes:
        """ISO 8601 with milliseconds. Neighbours share their second, which is written out once."""
        second, ms = divmod(at_ms, 1000)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.").encode()
        return b"%s%03dZ" % (self._second_text, ms)


def _pending(events: list[msgspec.Raw]) -> bytes:
    """A child that never started: its one entry is its input."""
    return b'{"Input":' + _text(_value(events[0])) + b',"InputDetails":{"Included":true},"Status":"PENDING"}'


def _text(payload: Any) -> bytes:
    """A payload as a JSON string that holds it."""
    return _json(payload.decode(errors="replace") if isinstance(payload, bytes) else payload)


def _one_line(payload: bytes) -> bytes:
    """A payload without line breaks: the caller's own text may have some between its tokens."""
    return payload if b"\n" not in payload else _json(_any.decode(payload))
