"""Items of Parquet objects in memory: every checkpoint resumes, and what is no such object is told."""

import datetime as dt
import io
import json
import subprocess
import sys
from itertools import pairwise
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.aws.errors import SourceError
from maprun.aws.sources.arrow_files import GROUP_BYTES_WHOLE, open_groups
from maprun.aws.sources.contract import Budget, Checkpoint, Pin, load_checkpoint
from maprun.aws.sources.object_reads import ObjectName, ObjectReads
from maprun.aws.sources.row_source import RowSource


class FakeReads:
    """An object in memory that notes which bytes of it were asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.name = ObjectName("b", "k")
        self.pin = Pin('"e"', len(data))
        self.ranges: list[tuple[int, int]] = []

    def read(self, first: int, end: int) -> bytes:
        """A range."""
        self.ranges.append((first, end))
        return self.data[first:end]

    def forget_opened(self) -> None:
        """Nothing is kept."""


def source_of(data: bytes, place: Checkpoint, max_items: int = 0) -> tuple[RowSource, FakeReads]:
    """A source over a file's bytes."""
    reads = FakeReads(data)
    groups = open_groups("PARQUET", cast("ObjectReads", reads))
    return RowSource(groups, reads.pin, place, Budget(max_items, place.items), "s3://b/k"), reads


def rows_of(data: bytes, max_items: int = 0) -> list[bytes]:
    """All items of a file's bytes."""
    source, _ = source_of(data, Checkpoint(), max_items)
    items: list[bytes] = []
    while True:
        chunk = source.read(100, 1 << 20)
        items += chunk.items
        if chunk.ended:
            return items


def written(table: pa.Table, **how: Any) -> bytes:
    """A Parquet file's bytes."""
    out = io.BytesIO()
    pa.parquet.write_table(table, out, **how)
    return out.getvalue()


def test_int96_timestamps_of_any_year_are_milliseconds() -> None:
    """Such columns (Athena and Spark wrote them) reach beyond 64 bits of nanoseconds."""
    moments = [dt.datetime(1600, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 1, 2, 3, 4999, tzinfo=dt.UTC)]
    table = pa.table({"at": pa.array(moments, pa.timestamp("us", "UTC"))})
    rows = rows_of(written(table, use_deprecated_int96_timestamps=True))
    assert rows == [b'{"at":-11676096000000}', b'{"at":253402218123004}']


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 300),
    st.integers(1, 90),
    st.lists(st.tuples(st.integers(1, 70), st.sampled_from([1, 300, 10**6]), st.booleans()), min_size=1, max_size=8),
    st.sampled_from(["NONE", "SNAPPY", "GZIP", "ZSTD"]),
)
def test_any_checkpoint_resumes_with_the_same_rows(
    rows: int, group_rows: int, reads: list[tuple[int, int, bool]], codec: str
) -> None:
    """Reading in any pieces, from any checkpoint, in every codec gives each row once, in order."""
    table = pa.table({"n": list(range(rows)), "s": [f"é{n}" for n in range(rows)]})
    data = written(table, row_group_size=group_rows, compression=codec)
    place, items, n = Checkpoint(), list[bytes](), 0
    source, _ = source_of(data, place)
    while True:
        count, bytes_max, resume = reads[n % len(reads)]
        n += 1
        chunk = source.read(count, bytes_max)
        items += chunk.items
        assert len(chunk.items) <= count
        if chunk.ended:
            break
        if resume:
            source, _ = source_of(data, load_checkpoint(chunk.checkpoint))
    assert [json.loads(item) for item in items] == table.to_pylist()


def test_max_items_ends_a_row_source() -> None:
    """MaxItems counts rows over all groups."""
    assert len(rows_of(written(pa.table({"n": list(range(100))}), row_group_size=7), 10)) == 10


def test_a_large_row_group_is_read_in_pieces() -> None:
    """Of a group larger than what is held as a whole no range of more than a megabyte is asked for."""
    rows = 1_100_000
    data = written(pa.table({"n": [n * 7919 % 2**61 for n in range(rows)]}), row_group_size=rows, use_dictionary=False)
    assert len(data) > GROUP_BYTES_WHOLE // 2
    wide = pa.table({name: [n * 7919 % 2**61 for n in range(rows)] for name in "ab"})
    data = written(wide, row_group_size=rows, use_dictionary=False, compression="NONE")
    assert len(data) > GROUP_BYTES_WHOLE
    source, reads = source_of(data, Checkpoint())
    source.read(10, 1 << 20)
    assert max(end - first for first, end in reads.ranges) <= 1 << 20
    assert sum(end - first for first, end in reads.ranges) < len(data) / 2


GOOD = written(pa.table({"n": list(range(1000)), "s": ["text"] * 1000}), compression="NONE", use_dictionary=False)
FOOTER = int.from_bytes(GOOD[-8:-4], "little")


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "s3://b/k is no Parquet file (0 bytes that don't end with PAR1)"),
        (b"a,b\n1,2\n", "is no Parquet file (8 bytes that don't end with PAR1): cut short, or of another type"),
        (GOOD[:-300], "don't end with PAR1"),
        (b"PAR1" + GOOD[-20:], "its footer of"),
        (b"PAR1\xff\xff\xff\x7fPAR1", "exceeding the maximum of 5242880 bytes"),
        (GOOD[:-4] + b"PARE", "is an encrypted Parquet file"),
        (GOOD[: -8 - FOOTER] + b"\x99" * FOOTER + GOOD[-8:], "The footer can't be read"),
        (GOOD[:4] + b"\xee" * 3000 + GOOD[3004:], "Rows can't be read: "),
        (written(pa.table([[1], [2]], names=["a", "a"])), "Two columns of s3://b/k have the same name: a"),
    ],
    ids=["empty", "csv", "cut", "short", "huge footer", "encrypted", "broken footer", "broken page", "names"],
)
def test_what_is_no_parquet_is_told(data: bytes, cause: str) -> None:
    """Every kind of damage ends in States.ItemReaderFailed that names the object and what is wrong."""
    with pytest.raises(SourceError) as raised:
        rows_of(data)
    assert cause in raised.value.cause
    assert "s3://b/k" in raised.value.cause
    assert raised.value.error == "States.ItemReaderFailed"


def test_a_row_over_8_mb_exceeds_the_data_limit() -> None:
    """A row whose JSON is over 8 MB is States.DataLimitExceeded, as a record of other files is."""
    with pytest.raises(SourceError) as raised:
        rows_of(written(pa.table({"s": ["x", "y" * 9_000_000]})))
    assert raised.value.error == "States.DataLimitExceeded"
    assert "s3://b/k, record 2" in raised.value.cause


def test_without_pyarrow_the_cure_is_told() -> None:
    """The package is an extra: a Parquet source without it says what to install, and all others work."""
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from maprun.aws.errors import SourceError\n"
        "from maprun.aws.sources.arrow_files import load_arrow\n"
        "try:\n    load_arrow()\nexcept SourceError as error:\n    print(error.cause)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "Parquet and ORC need the package pyarrow: install maprun[parquet]\n"


def test_a_large_row_group_is_fetched_once() -> None:
    """Reading columns piece by piece, each piece fetched ahead, asks for no byte of a group twice."""
    rows = 400_000
    columns = {name: [n * 7919 % 2**61 for n in range(rows)] for name in "abc"}
    data = written(pa.table(columns), row_group_size=rows, use_dictionary=False, compression="NONE")
    assert len(data) > GROUP_BYTES_WHOLE
    source, reads = source_of(data, Checkpoint())
    items = 0
    while not (chunk := source.read(5000, 1 << 20)).ended:
        items += len(chunk.items)
    assert items == rows
    asked = sorted(reads.ranges)
    overlaps = [(one, two) for one, two in pairwise(asked) if two[0] < one[1] and two[1] < len(data) - 100_000]
    assert overlaps == []
