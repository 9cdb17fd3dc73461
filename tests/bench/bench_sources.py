"""How fast item sources are: `python tests/bench/bench_sources.py [MB]` measures parsing alone and a real S3.

Each line: kind, megabytes of source a second, items a second, microseconds of CPU an item (this process), and the
growth of this process's peak memory in MB.
"""

import datetime as dt
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from maprun.aws.clients import S3  # noqa: E402 - the tree's root comes first
from maprun.aws.results import ResultWriter, WrittenPart, composite_etag  # noqa: E402
from maprun.aws.sources import Source, open_source  # noqa: E402
from schemas.plan import ItemReaderPlan  # noqa: E402
from tests.integration.aws.conftest import s3_at  # noqa: E402
from tests.integration.aws.weed import running_weed  # noqa: E402

MB = 1_000_000
PART_BYTES = 8 * 1024 * 1024
BLOCK_ROWS = 50_000


def ratings(chance: random.Random) -> bytes:
    """Rows of the tutorial's file."""
    return b"".join(
        b"%d,%d,%.1f,%d\n"
        % (
            chance.randint(1, 160_000),
            chance.randint(1, 200_000),
            chance.randint(1, 10) / 2,
            chance.randint(10**9, 2**30),
        )
        for _ in range(BLOCK_ROWS)
    )


def quoted(chance: random.Random) -> bytes:
    """The same, each cell in quotes."""
    return b'"' + ratings(chance).replace(b",", b'","').replace(b"\n", b'"\n"')[:-1]


def lines(chance: random.Random) -> bytes:
    """The same as JSON Lines."""
    rows = ratings(chance).decode().splitlines()
    names = ("userId", "movieId", "rating", "timestamp")
    texts = (json.dumps(dict(zip(names, map(float, row.split(",")), strict=True))) for row in rows)
    return "\n".join(texts).encode() + b"\n"


def put(s3: S3, key: str, head: bytes, block: bytes, tail: bytes, size: int) -> None:
    """An object of about `size` bytes made of the block again and again, uploaded in parts."""
    writer = ResultWriter(s3)
    upload = writer.create_upload("bench", key)
    parts: list[WrittenPart] = []
    pending, total = head, 0
    while True:
        pending += block
        total += len(block)
        last = total >= size
        if last:
            pending = pending[: -len(b",")] + tail if tail else pending
        if len(pending) >= PART_BYTES or last:
            parts.append(WrittenPart(len(parts) + 1, writer.upload_part("bench", key, upload, len(parts) + 1, pending)))
            pending = b""
        if last:
            break
    etags = [part.etag for part in parts]
    s3.client.complete_multipart_upload(
        Bucket="bench",
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]},
    )
    assert s3.client.head_object(Bucket="bench", Key=key)["ETag"] == composite_etag(etags)


def chunks(source: Source, count: int) -> Iterator[tuple[int, int]]:
    """(items, bytes) of each chunk, read as the item-reader reads."""
    while True:
        chunk = source.read(count, 256 * 1024)
        yield len(chunk.items), chunk.bytes_read
        if chunk.ended:
            return


def measure(name: str, s3: S3, plan: ItemReaderPlan, count: int = 500) -> None:
    """Reads a source to its end and prints a line."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    items = size = 0
    for found, taken in chunks(open_source(s3, plan, b"", b""), count):
        items += found
        size += taken
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    print(
        f"{name:24} {size / MB:7.0f} MB {size / MB / wall:7.1f} MB/s {items / wall:10,.0f} items/s "
        f"{cpu / items * 1e6:6.2f} us CPU/item   peak memory +{grown:.0f} MB",
    )


def object_plan(key: str, kind: str, **more: Any) -> ItemReaderPlan:
    """A plan for one object."""
    return ItemReaderPlan(resource="arn:aws:states:::s3:getObject", bucket="bench", key=key, input_type=kind, **more)


def main(size: int) -> None:
    """Makes the objects and measures each kind."""
    chance = random.Random(11)
    head = b"userId,movieId,rating,timestamp\n"
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        with running_weed(data) as endpoint:
            s3 = s3_at(endpoint)
            s3.client.create_bucket(Bucket="bench")
            put(s3, "plain.csv", head, ratings(chance), b"", size)
            put(s3, "quoted.csv", head, quoted(chance), b"", size // 4)
            put(s3, "lines.jsonl", b"", lines(chance), b"", size // 2)
            put(s3, "array.json", b"[", lines(chance).replace(b"\n", b",\n")[:-1], b"]", size // 4)
            print(dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "SeaweedFS on this machine")
            for count in (500, 5000):
                measure(
                    f"CSV, {count} a read", s3, object_plan("plain.csv", "CSV", csv_header_location="FIRST_ROW"), count
                )
            measure("CSV, all quoted", s3, object_plan("quoted.csv", "CSV", csv_header_location="FIRST_ROW"))
            measure("JSONL", s3, object_plan("lines.jsonl", "JSONL"))
            measure("JSON array", s3, object_plan("array.json", "JSON"))
            for n in range(3000):
                s3.client.put_object(Bucket="bench", Key=f"many/{n:06d}", Body=b"")
            listing = ItemReaderPlan(resource="arn:aws:states:::s3:listObjectsV2", bucket="bench", prefix="many/")
            measure("listing", s3, listing)


if __name__ == "__main__":
    main(int(sys.argv[1]) * MB if len(sys.argv) > 1 else 200 * MB)
