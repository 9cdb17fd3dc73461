"""Result records in AWS's shapes, built from the pages of an outcome frame as bytes: no dict and no copy a child.

Members and their order as recorded on AWS (facts, section 1.6): PascalCase, alphabetical, payloads as JSON strings,
dates as ISO 8601 with milliseconds.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from maprun.mapruns.results.stages import NEVER_STARTED
from maprun.mapruns.run import Run
from schemas.arns import Names, child_express_id, child_name
from schemas.home import PAGE_SLOTS, STATUS_NAMES, SUCCEEDED, ChildrenEnded
from schemas.pages import Pages

FILES = ("SUCCEEDED", "FAILED", "PENDING")
"""Which files there are; every answered child stands in exactly one."""
Slots = Iterable[tuple[int, int, int]]
"""(slot, child index, count) of neighbours in a frame, ascending."""

_json = msgspec.json.Encoder().encode
_value = msgspec.msgpack.Decoder().decode
_array = msgspec.json.Decoder(list[msgspec.Raw])
_any = msgspec.json.Decoder()


Shaped = tuple[list[bytes], list[bytes], list[bytes]]
"""Records by the file they belong to, in the order of `FILES`."""


class ResultShape(msgspec.Struct, frozen=True, array_like=True):
    """What the records of one run have in common: with it and a frame any process makes the same bytes."""

    run: str
    machine_name: str
    label: str
    express: bool
    lines: bool
    transformation: str


def shape_of(run: Run) -> ResultShape:
    """The shape of a run with a writer."""
    writer = run.plan.writer
    assert writer is not None
    express, lines = run.plan.child_type == "EXPRESS", writer.output_type == "JSONL"
    return ResultShape(run.run, run.machine_name, run.label, express, lines, writer.transformation)


class Shaper:
    """Shapes the children of one run. Not thread-safe."""

    def __init__(self, shape: ResultShape, names: Names, pages: Pages) -> None:
        self._pages = pages
        self._second = -1
        self._second_text = b""
        self._succeeded, self._failed = _templates(shape, names)
        # Functions, not methods of this one: it would be part of a circle, and wait for the collector with its pages.
        self._put: Callable[[Shaper, list[bytes], int, int, list[msgspec.Raw]], None] = {
            "COMPACT": Shaper._compact,
            "FLATTEN": Shaper._flatten_lines if shape.lines else Shaper._flatten,
        }.get(shape.transformation, Shaper._full)

    def shape(self, frame: ChildrenEnded, slots: Slots) -> Shaped:
        """The records of these slots of a frame, in slot order."""
        succeeded: list[bytes] = []
        failed: list[bytes] = []
        pending: list[bytes] = []
        statuses, put = frame.statuses, self._put
        redrives = {at: a.redrive_count for at, a in self._pages.unpack_afterlives(frame.afterlives).items()}
        for start, index, count in slots:
            shift = index - start
            slot, end = start, start + count
            while slot < end:
                first = slot - slot % PAGE_SLOTS
                until = min(end, first + PAGE_SLOTS)
                entries = self._pages.unpack_events(frame.pages[first // PAGE_SLOTS])
                for at in range(slot, until):
                    status = statuses[at]
                    redriven = redrives.get(at, 0) if redrives else 0
                    if status == SUCCEEDED:
                        put(self, succeeded, at + shift, redriven, entries[at - first])
                    elif status in NEVER_STARTED:
                        pending.append(_pending(entries[at - first]))
                    else:
                        failed.append(self._fail(at + shift, status, redriven, entries[at - first]))
                slot = until
        return succeeded, failed, pending

    def _full(self, out: list[bytes], index: int, redriven: int, events: list[msgspec.Raw]) -> None:
        started, ended = _value(events[0]), _value(events[-1])
        digits = b"%08x" % index
        out.append(
            self._succeeded
            % (
                digits,
                digits,
                _json(started[3][0].decode(errors="replace")),
                digits,
                _json(ended[3][0].decode(errors="replace")),
                redriven,
                self._date(started[2]),
                self._date(ended[2]),
            )
        )

    def _fail(self, index: int, status: int, redriven: int, events: list[msgspec.Raw]) -> bytes:
        started, ended = _value(events[0]), _value(events[-1])
        digits = b"%08x" % index
        error, cause = ended[3] if len(ended[3]) > 1 else (None, None)
        return self._failed % (
            b'"Cause":%b,' % _json(cause) if cause else b"",
            b'"Error":%b,' % _json(error) if error else b"",
            digits,
            digits,
            _json(started[3][0].decode(errors="replace")),
            digits,
            redriven,
            self._date(started[2]),
            STATUS_NAMES[status].encode(),
            self._date(ended[2]),
        )

    def _compact(self, out: list[bytes], _index: int, _redriven: int, events: list[msgspec.Raw]) -> None:
        out.append(_one_line(_value(events[-1])[3][0]))

    def _flatten(self, out: list[bytes], _index: int, _redriven: int, events: list[msgspec.Raw]) -> None:
        inside = flat(_value(events[-1])[3][0])
        if inside:
            out.append(inside)

    def _flatten_lines(self, out: list[bytes], _index: int, _redriven: int, events: list[msgspec.Raw]) -> None:
        output: bytes = _value(events[-1])[3][0]
        if output.lstrip()[:1] == b"[":
            out.extend(_one_line(bytes(member)) for member in _array.decode(output))
        else:
            out.append(_one_line(output))

    def _date(self, at_ms: int) -> bytes:
        """ISO 8601 with milliseconds. Neighbours share their second, which is written out once."""
        second, ms = divmod(at_ms, 1000)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.").encode()
        return b"%s%03dZ" % (self._second_text, ms)


def flat(output: bytes) -> bytes:
    """An output as members of an enclosing array: the members of an array, else the value itself."""
    text = output.strip()
    return text[1:-1].strip() if text[:1] == b"[" else text


def _templates(shape: ResultShape, names: Names) -> tuple[bytes, bytes]:
    """A succeeded and a failed record of a run, with holes for what differs from child to child.

    The index stands up to three times in a record: twice in an EXPRESS child's ARN, where a STANDARD one's has a hole
    of no width, and once in the name.
    """
    run, express = shape.run, shape.express
    prefix = _literal(names.child_prefix(shape.machine_name, shape.label, express=express))
    digits = len("00000000")
    name = b"%b" + _literal(child_name(run, 0)[digits:])
    arn = prefix + name + (b":%b" + _literal(child_express_id(run, 0)[digits:]) if express else b"%.0b")
    machine = _literal(_json(names.labelled_machine(shape.machine_name, shape.label)).decode())
    head = b'"ExecutionArn":"' + arn + b'","Input":%b,"InputDetails":{"Included":true},"Name":"' + name + b'",'
    succeeded = (
        b"{" + head + b'"Output":%b,"OutputDetails":{"Included":true},"RedriveCount":%d,'
        b'"RedriveStatus":"NOT_REDRIVABLE",'
        b'"RedriveStatusReason":"Execution is SUCCEEDED and cannot be redriven","StartDate":"%b",'
        b'"StateMachineArn":' + machine + b',"Status":"SUCCEEDED","StopDate":"%b"}'
    )
    failed = (
        b"{%b%b" + head + b'"OutputDetails":{"Included":true},"RedriveCount":%d,'
        b'"RedriveStatus":"REDRIVABLE_BY_MAP_RUN","StartDate":"%b",'
        b'"StateMachineArn":' + machine + b',"Status":"%b","StopDate":"%b"}'
    )
    return succeeded, failed


def _literal(text: str) -> bytes:
    return text.encode().replace(b"%", b"%%")


def _pending(events: list[msgspec.Raw]) -> bytes:
    """A child that never started: its one entry is its input."""
    text: bytes = _value(events[0])
    return b'{"Input":%b,"InputDetails":{"Included":true},"Status":"PENDING"}' % _json(text.decode(errors="replace"))


def _one_line(payload: bytes) -> bytes:
    """A payload without line breaks: the caller's own text may have some between its tokens."""
    return payload if b"\n" not in payload else _json(_any.decode(payload))
