"""A lane under one claim: what it writes fits the log, and one bad record or bug never ends it."""

from typing import Any

import pytest

from maprun.bus.port import Record
from maprun.interpreter.lane_children import Children
from maprun.runtime.limits import Limits
from schemas import topics
from schemas.arns import Names
from schemas.effects import TaskSucceeded
from schemas.home import FAILED, REJECTED
from schemas.lanes import Cause, ChildAdopted, ChildAdvanced, ItemFrame, LaneAdvanced, LaneSignal, Place, RunOpened
from schemas.pages import Pages
from schemas.plan import MapRunPlan
from schemas.wire import Decoder, encode
from services.child_runner.journal import LaneMemory
from services.child_runner.journal_pieces import cut
from services.child_runner.lane import Lane
from services.child_runner.limits import LaneLimits
from services.child_runner.owner import unreadable_frame

RUN = "1f2e3d4c-0000-4000-a000-000000000001"
DEFINITION = (
    b'{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED",'
    b'"ExecutionType":"STANDARD"},"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}}}}'
)


def opened(quota: int = 100) -> RunOpened:
    """A run of STANDARD children that wait for an hour."""
    plan = MapRunPlan("M", "M", "STANDARD")
    arn = "arn:aws:states:us-east-1:123456789012:mapRun:m/M:1"
    return RunOpened(Cause(0, 1, 0), RUN, 0, quota, plan, DEFINITION, "M", "root", arn, "machine", "m", "role")


class Broken:
    """A machine with a bug in it."""

    def begin(self, _place: Place, _child_input: bytes, _now_ms: int) -> Any:
        """Never begins."""
        raise ZeroDivisionError("division by zero")

    def build(self, _index: int, _key: str | None, _item: bytes, _source: str) -> bytes:
        """Never builds."""
        raise ZeroDivisionError("division by zero")


def lane_of(compile_run: Any, quota: int = 100) -> Lane:
    """A lane that knows the run."""
    lane = Lane(0, LaneMemory(), compile_run, LaneLimits())
    lane.signal(0, opened(quota), 1_000, 0.0)
    return lane


def frame(items: tuple[bytes, ...], first: int = 0) -> ItemFrame:
    """Items of the run."""
    return ItemFrame(RUN, 0, first, items, "")


def test_adopted_inputs_are_journaled_in_records_that_fit() -> None:
    """Sixty waiting children of 200 KB pass into the journal at once, in records far below the broker's limit."""
    lane = lane_of(Children(Names("us-east-1", "123456789012")).compile_run)
    for offset in range(60):
        lane.items(offset, frame((b'"' + b"x" * 200_000 + b'"',), offset), 0.0)
    lane.work(1_000, 0.0)
    lane.store.adopt_old(2.0)
    records = lane.take_journal(3.0)
    assert max(len(encode(record)) for record in records) < Limits().record_bytes_max // 2
    assert sum(len(record.adopted) for record in records) == 60
    assert [record.items for record in records] == [0] * (len(records) - 1) + [60]


def test_pieces_of_a_record_say_the_same() -> None:
    """Folded one after the other they leave the memory that the whole record leaves; the order of facts stays."""
    adopted = tuple(ChildAdopted("r", 0, i, b"x" * 400, 1, i) for i in range(9))
    told = TaskSucceeded("t", b"y" * 300)
    advanced = tuple(ChildAdvanced("r", 0, i % 3, i, None if i < 3 else told) for i in range(9))
    whole = LaneAdvanced(-1, 7, 5, (), advanced, adopted, ("old",))
    pieces = cut(whole, (3, 2), 1_000, 500)
    assert len(pieces) > 4
    assert [(piece.items, piece.signals) for piece in pieces[:-1]] == [(3, 2)] * (len(pieces) - 1)
    one, many = LaneMemory(), LaneMemory()
    one.apply(0, whole)
    for offset, piece in enumerate(pieces):
        many.apply(offset, piece)
    assert [m.runs["r", 0].past for m in (one, many)] == [one.runs["r", 0].past] * 2
    assert [{p: a.input for p, a in m.runs["r", 0].adopted.items()} for m in (one, many)] == [
        dict.fromkeys(range(9), b"x" * 400)
    ] * 2
    assert (one.items, one.signals, one.over, one.bytes) == (many.items, many.signals, many.over, many.bytes)
    assert cut(whole, (3, 2), 1 << 20, 500) == [whole]
    assert max(len(piece.advanced) for piece in cut(whole, (3, 2), 1 << 20, 2)) == 2


def test_a_bug_that_meets_one_child_refuses_it_alone() -> None:
    """A builder's bug answers the child as REJECTED with the bug's words; the lane goes on."""
    broken = Broken()
    lane = lane_of(lambda _opened: broken)
    lane.items(0, frame((b"1", b"2")), 0.0)
    lane.work(1_000, 0.0)
    pages = Pages()
    [answer] = lane.runs[RUN].outbox.frames(0, 0, 10, 1 << 20, pages)
    assert answer.statuses == bytes((REJECTED, REJECTED))
    assert answer.error == "States.Runtime"
    assert "ZeroDivisionError" in answer.cause


def test_a_bug_in_a_step_fails_the_child() -> None:
    """A child whose step raises ends FAILED with States.Runtime and a history that says why."""
    children = Children(Names("us-east-1", "123456789012")).compile_run(opened())
    children.machine.states.clear()  # as if a state were lost
    lane = lane_of(lambda _opened: children)
    lane.items(0, frame((b"1",)), 0.0)
    lane.work(1_000, 0.0)
    pages = Pages()
    [answer] = lane.runs[RUN].outbox.frames(0, 0, 10, 1 << 20, pages)
    assert answer.statuses == bytes((FAILED,))
    events = pages.unpack_events(answer.pages[0])[0]
    assert b"KeyError" in bytes(events[-1])


@pytest.mark.parametrize(
    ("header", "positions"),
    [(f"{RUN}/0/8/3".encode(), (8, 3)), (b"", None), (b"r/0/8/999999999", None), (b"\xff/0/0/1", None)],
)
def test_an_unreadable_frame_is_told_by_its_header(header: bytes, positions: tuple[int, int] | None) -> None:
    """Positions that a frame's header names are void, so they are answered; without a header nothing is known."""
    record = Record(topics.ITEMS.name, 0, 4, 0, None, b"\xc1", (("positions", header),))
    told = unreadable_frame(record)
    assert (None if told is None else (told.first, len(told.items))) == positions
    assert told is None or set(told.items) == {b""}


def test_text_that_is_no_utf8_is_unreadable_like_everything_else() -> None:
    """A record with broken text raises what every reader's guard passes over, not an error that ends its process."""
    decoder: Decoder[LaneSignal] = Decoder(LaneSignal)
    broken = encode(opened()).replace(b"role", b"\xff\xff\xff\xff")
    with pytest.raises(Exception, match="utf-8") as raised:
        decoder.decode(broken)
    assert type(raised.value).__name__ == "DecodeError"
