"""How much of a source was read, as every kind of source tells it."""

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from maprun.aws.sources import open_source
from maprun.aws.sources.state_input import StateInputSource
from schemas.plan import ItemReaderPlan
from tests.unit.aws.memory_s3 import MemoryS3, Server

ROWS = 4_000
CSV = "n,text\n" + "".join(f"{n},{'x' * 50}\n" for n in range(ROWS))
LINES = "".join(json.dumps({"n": n, "text": "x" * 50}) + "\n" for n in range(ROWS))


def table() -> Any:
    """The same rows for columnar formats."""
    return pa.table({"n": list(range(ROWS)), "text": ["x" * 50] * ROWS})


def parquet_bytes() -> bytes:
    """Eight row groups."""
    out = io.BytesIO()
    parquet.write_table(table(), out, row_group_size=ROWS // 8)
    return out.getvalue()


def plan(key: str, kind: str, **more: Any) -> ItemReaderPlan:
    """A reader of one object."""
    header = "FIRST_ROW" if kind == "CSV" else ""
    resource = "arn:aws:states:::s3:getObject"
    return ItemReaderPlan(resource, "b", key, input_type=kind, csv_header_location=header, **more)


def shares(source: Any, count: int = 100) -> list[tuple[int, float]]:
    """(items so far, share) after each read."""
    told, items = [], 0
    while True:
        chunk = source.read(count, 1 << 20)
        items += len(chunk.items)
        told.append((items, chunk.share))
        if chunk.ended:
            return told


@pytest.mark.parametrize(
    ("key", "kind", "body", "exact"),
    [
        ("a.csv", "CSV", CSV.encode(), True),
        ("a.jsonl", "JSONL", LINES.encode(), True),
        ("a.json", "JSON", b"[" + ",".join(LINES.splitlines()).encode() + b"]", True),
        ("a.csv.gz", "CSV", gzip.compress(CSV.encode()), False),
        ("a.parquet", "PARQUET", parquet_bytes(), True),
    ],
)
def test_a_share_is_that_of_the_bytes_or_rows(s3: MemoryS3, key: str, kind: str, body: bytes, exact: bool) -> None:
    """It grows from read to read up to the whole; where nothing is compressed it is that of the items, about."""
    s3.begin(Server())
    s3.put(key, body)
    told = shares(open_source(s3.access, plan(key, kind), b"", b""))
    assert [share for _, share in told] == sorted(share for _, share in told)
    assert told[-1][0] == ROWS
    assert told[-1][1] == pytest.approx(1, abs=0.01)
    if exact:
        assert all(share == pytest.approx(items / ROWS, abs=0.02) for items, share in told)


def test_of_max_items_the_share_is_that_of_what_will_be_read(s3: MemoryS3) -> None:
    """A source that ends by MaxItems is whole when they are given, however much lies behind them."""
    s3.begin(Server())
    s3.put("a.csv", CSV.encode())
    told = shares(open_source(s3.access, plan("a.csv", "CSV", max_items=200), b"", b""), 50)
    assert [share for _, share in told] == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_of_a_listing_no_share_is_known(s3: MemoryS3) -> None:
    """S3 doesn't say how many keys a prefix has."""
    s3.begin(Server())
    for n in range(5):
        s3.put(f"p/{n}", b"x")
    reader = ItemReaderPlan("arn:aws:states:::s3:listObjectsV2", "b", prefix="p/")
    assert {share for _, share in shares(open_source(s3.access, reader, b"", b""), 2)} == {0.0}


def test_items_in_the_input_are_counted() -> None:
    """The number of items in a state's own input is known."""
    assert shares(StateInputSource(b"[1,2,3,4]"), 1) == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0)]
