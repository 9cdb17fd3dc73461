"""Frames of a source that is made of several objects: every item's object travels with it and is part of the digest."""

import msgspec

from schemas.asks import ItemsRequested
from schemas.lanes import Cause
from schemas.plan import ItemReaderPlan, MapRunPlan
from services.item_reader.handlers import frames_of, is_listing, items_read
from services.item_reader.stream import Positions

READER = ItemReaderPlan("arn:aws:states:::s3:listObjectsV2", "b", transformation="LOAD_AND_FLATTEN", input_type="JSONL")
ASK = ItemsRequested(
    Cause(0, 0, 0), "run", 0, MapRunPlan("M", "L", "STANDARD", reader=READER), b"", (0, 3, 0), 0, 0, b"", b""
)
MIXED = Positions([b"1", b"2", b"3"], [], [], 0, 3, b"c", False, ["s3://b/x", "s3://b/x", "s3://b/y"])


def test_a_frame_tells_the_object_of_each_item() -> None:
    """Items of one object share its address, others carry their own; a source that is one object has its own text."""
    replace = msgspec.structs.replace
    for sources, expected in (
        (MIXED.sources, ["s3://b/x", "s3://b/x", "s3://b/y"]),
        (["s3://b/x"], ["s3://b/x"] * 3),
        ([], ["s3://b"] * 3),
    ):
        [(lane, frame)] = frames_of(ASK, 0, [(replace(MIXED, sources=sources), 7)], "s3://b", 1 << 20)
        assert lane == 7
        assert [frame.source_of(i) for i in range(3)] == expected
        assert len(frame.sources) in {0, 3}


def test_records_of_another_object_are_another_reading() -> None:
    """A digest covers records and their objects, and doesn't depend on how a reading was cut into frames."""
    assert is_listing(ASK.plan)
    moved = msgspec.structs.replace(MIXED, sources=["s3://b/x", "s3://b/y", "s3://b/y"])
    first, second = (items_read(ASK, 0, [(read, 0)], digest=True).digest for read in (MIXED, moved))
    assert first != second
    parts = [(MIXED.payloads[:2], ["s3://b/x"]), (MIXED.payloads[2:], ["s3://b/y"])]
    cut = [(msgspec.structs.replace(MIXED, payloads=payloads, sources=sources), 0) for payloads, sources in parts]
    assert first == items_read(ASK, 0, cut, digest=True).digest
