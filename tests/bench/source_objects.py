"""Objects for the source matrix: contents of every kind, written to a bucket, and the plans that read them."""

import gzip
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet
import zstandard

from maprun.aws.clients import S3
from schemas.plan import ItemReaderPlan

BUCKET = "matrix"
GET_OBJECT = "arn:aws:states:::s3:getObject"
LIST_OBJECTS = "arn:aws:states:::s3:listObjectsV2"
PART_BYTES = 16 << 20
BLOCK_ROWS = 50_000
HEADER = b"userId,movieId,rating,timestamp\n"
PARQUET_SCHEMA = pa.schema(
    [("userId", pa.int64()), ("movieId", pa.int64()), ("rating", pa.float64()), ("text", pa.string())]
)
NAMES = ("userId", "movieId", "rating", "timestamp")


class Case(msgspec.Struct):
    """One line of the matrix: what is read, how it is written, how many items it must give (-1: it must fail)."""

    kind: str
    name: str
    plan: ItemReaderPlan
    write: Callable[[S3], None]
    items: int
    source_bytes: int = 0  # what lies in S3, once written


def rows(count: int) -> Iterator[bytes]:
    """CSV lines of the tutorial's shape, in blocks."""
    chance = random.Random(11)
    block = [
        b"%d,%d,%.1f,%d\n"
        % (chance.randint(1, 160_000), chance.randint(1, 200_000), chance.randint(1, 10) / 2, 10**9 + n)
        for n in range(min(count, BLOCK_ROWS))
    ]
    whole = b"".join(block)
    for first in range(0, count, BLOCK_ROWS):
        yield whole if count - first >= BLOCK_ROWS else b"".join(block[: count - first])


def records(count: int) -> Iterator[bytes]:
    """The same as JSON Lines, in blocks."""
    for block in rows(count):
        lines = block.split()
        yield b"".join(
            json.dumps(dict(zip(NAMES, line.decode().split(","), strict=True))).encode() + b"\n" for line in lines
        )


def cached(make: Callable[[int], Iterator[bytes]], count: int) -> Iterator[bytes]:
    """`make(count)` with its full blocks made once: they are all alike."""
    full = b"".join(make(BLOCK_ROWS)) if count >= BLOCK_ROWS else b""
    for _ in range(count // BLOCK_ROWS):
        yield full
    if count % BLOCK_ROWS:
        yield b"".join(make(count % BLOCK_ROWS))


def array(count: int) -> Iterator[bytes]:
    """The same as one JSON array."""
    before = b"["
    for block in cached(records, count):
        yield before + block[:-1].replace(b"}\n", b"},\n")
        before = b",\n"
    yield b"]" if count else b"[]"


def parquet(count: int, **how: Any) -> Iterator[bytes]:
    """Rows of two integers, a float and a text as a Parquet file with row groups of a million rows."""
    chance = random.Random(12)
    some = min(count, 1_000_000)
    columns = {
        "userId": [chance.randint(1, 2**40) for _ in range(some)],
        "movieId": [chance.randint(1, 2**40) for _ in range(some)],
        "rating": [n / 2 for n in range(some)],
        "text": [f"text number {n}" for n in range(some)],
    }
    table = pa.table(columns, schema=PARQUET_SCHEMA)
    with tempfile.TemporaryFile() as file:
        with pa.parquet.ParquetWriter(file, PARQUET_SCHEMA, **how) as writer:
            for first in range(0, count, 1_000_000):
                writer.write_table(table.slice(0, min(1_000_000, count - first)), row_group_size=1_000_000)
        file.seek(0)
        while piece := file.read(PART_BYTES):
            yield piece


def gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each piece as a member of one gzip file."""
    return (gzip.compress(piece, 1) for piece in pieces)


def zstded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each piece as a frame of one zstd file."""
    return (zstandard.compress(piece) for piece in pieces)


def upload(s3: S3, key: str, pieces: Iterator[bytes]) -> int:
    """An object of these pieces; its size."""
    pending, size, parts, upload_id = b"", 0, list[dict[str, Any]](), ""
    for piece in pieces:
        pending += piece
        size += len(piece)
        if len(pending) < PART_BYTES:
            continue
        if not upload_id:
            upload_id = s3.client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        parts.append(_part(s3, key, upload_id, len(parts) + 1, pending))
        pending = b""
    if not upload_id:
        s3.client.put_object(Bucket=BUCKET, Key=key, Body=pending)
        return size
    if pending:
        parts.append(_part(s3, key, upload_id, len(parts) + 1, pending))
    s3.client.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts})
    return size


def _part(s3: S3, key: str, upload_id: str, number: int, body: bytes) -> dict[str, Any]:
    answer = s3.client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload_id, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": answer["ETag"]}


def upload_many(s3: S3, prefix: str, bodies: list[bytes]) -> int:
    """Objects `prefix000000`, `prefix000001`, …, eight at a time; their size together."""

    def put(numbered: tuple[int, bytes]) -> None:
        number, body = numbered
        s3.client.put_object(Bucket=BUCKET, Key=f"{prefix}{number:06d}", Body=body)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, enumerate(bodies)))
    return sum(map(len, bodies))


def alike(pieces: Callable[[int], Iterator[bytes]], count: int, objects: int) -> list[bytes]:
    """`count` items in so many bodies, which are all the same."""
    return [b"".join(pieces(count // objects))] * objects if objects else []


def getting(key: str, kind: str, **more: Any) -> ItemReaderPlan:
    """A plan for one object."""
    if kind == "CSV":
        more.setdefault("csv_header_location", "FIRST_ROW")
    return ItemReaderPlan(resource=GET_OBJECT, bucket=BUCKET, key=key, input_type=kind, **more)


def listing(prefix: str, **more: Any) -> ItemReaderPlan:
    """A plan for a prefix."""
    return ItemReaderPlan(resource=LIST_OBJECTS, bucket=BUCKET, prefix=prefix, **more)


def flattening(prefix: str, kind: str) -> ItemReaderPlan:
    """A plan for the records of all objects under a prefix."""
    more = {"csv_header_location": "FIRST_ROW"} if kind == "CSV" else {}
    return listing(prefix, input_type=kind, transformation="LOAD_AND_FLATTEN", **more)
