"""`python -m tests.bench.source_matrix [--large] [--ten-gb] [--write]`: every kind of source on a real S3.

Each case is read to its end by a process of its own, as the item-reader reads it: items and megabytes a second, and the
highest resident memory of that process. Wrong sources must be refused in words.
"""

import datetime as dt
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import msgspec

from maprun.aws.clients import S3
from schemas.plan import ItemReaderPlan
from tests.bench import processes
from tests.bench.source_cases import cases
from tests.bench.source_objects import BUCKET, HEADER, Case, cached, getting, rows
from tests.integration.aws.conftest import s3_at
from tests.integration.aws.weed import running_weed

ROOT = Path(__file__).resolve().parents[2]
MB = 1_000_000
MIB = 1 << 20
PAGE = ROOT / "docs/benchmarks/source-matrix.md"
TEN_GB = 10_000_000_000
PART_BYTES = 128 * MB
MARKS = 10  # points in time of the memory of the 10 GB read


def read(endpoint: str, plan: ItemReaderPlan) -> dict[str, Any]:
    """What a process of its own found in a source."""
    return read_at_once(endpoint, plan, 1)[0]


def read_at_once(endpoint: str, plan: ItemReaderPlan, readers: int) -> list[dict[str, Any]]:
    """What so many processes found in a source, which all read it from its beginning at the same time."""
    command = [sys.executable, "-m", "tests.bench.source_reader", endpoint, msgspec.json.encode(plan).decode()]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(readers)]
    texts = [process.communicate()[0] for process in started]
    assert not any(process.returncode for process in started)
    return [json.loads(text) for text in texts]


def judge(case: Case, found: dict[str, Any]) -> str:
    """What is wrong with a result; empty when nothing is."""
    if case.items < 0:
        good = found["error"] in {"States.ItemReaderFailed", "States.DataLimitExceeded"} and len(found["cause"]) > 20
        return "" if good and "Error:" not in found["cause"] else f"not refused in words: {found['cause']}"
    if found["error"]:
        return f"{found['error']}: {found['cause']}"
    return "" if found["items"] == case.items else f"{found['items']} items instead of {case.items}"


def line(case: Case, found: dict[str, Any]) -> str:
    """A row of the table of what can be read."""
    seconds = found["seconds"]
    figures = (
        f"{found['items']:,}",
        f"{case.source_bytes / MB:,.1f}",
        f"{seconds:.2f}",
        f"{found['items'] / seconds:,.0f}",
        f"{case.source_bytes / MB / seconds:,.1f}",
        f"{found['bytes'] / MB / seconds:,.1f}",
        f"{found['cpu'] / max(1, found['items']) * 1e6:.2f}" if found["items"] > 1 else "",
        f"{found['peak'] / MIB:,.0f}",
        f"{(found['peak'] - found['before']) / MIB:+,.0f}",
    )
    return f"| {case.kind} | {case.name} | " + " | ".join(figures) + " |"


def cause_line(case: Case, found: dict[str, Any]) -> str:
    """A row of the table of what can't be read."""
    cause = re.sub(r"Request ID: [^,)]+", "Request ID: …", found["cause"]).replace("|", "&#124;").replace("\n", " ")
    return f"| {case.kind} | {case.name.removeprefix('wrong: ')} | `{found['error']}` | {cause} |"


def run_matrix(s3: S3, endpoint: str, items: int, *, large: bool, only: str) -> tuple[list[str], list[str], list[str]]:
    """(rows of the read, rows of the refused, what was wrong)."""
    good, bad, wrong = list[str](), list[str](), list[str]()
    for case in cases(items, large=large):
        if only and only not in f"{case.kind} {case.name}":
            continue
        case.write(s3)
        found = read(endpoint, case.plan)
        problem = judge(case, found)
        if problem:
            wrong.append(f"{case.kind}, {case.name}: {problem}")
        shown = cause_line(case, found) if case.items < 0 else line(case, found)
        (bad if case.items < 0 else good).append(shown)
        print(shown + (f"  WRONG: {problem}" if problem else ""), file=sys.stderr, flush=True)
    return good, bad, wrong


def put_ten_gb(s3: S3, key: str, size: int) -> tuple[int, int]:
    """A CSV of about `size` bytes made of one part again and again; (rows, bytes)."""
    lines = -(-PART_BYTES // len(next(cached(rows, 50_000)))) * 50_000
    body = b"".join(cached(rows, lines))
    upload = s3.client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    parts: list[dict[str, Any]] = []
    total = count = 0
    while total < size:
        piece = (HEADER if not parts else b"") + body
        number = len(parts) + 1
        answer = s3.client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=piece)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        total, count = total + len(piece), count + lines
    s3.client.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    return count, total


def run_ten_gb(s3: S3, endpoint: str, size: int) -> list[str]:
    """The read of a CSV of `size` bytes, with the reader's memory over time. The object is deleted afterwards."""
    count, total = put_ten_gb(s3, "ten-gb.csv", size)
    try:
        found = read(endpoint, getting("ten-gb.csv", "CSV"))
    finally:
        s3.client.delete_object(Bucket=BUCKET, Key="ten-gb.csv")
    assert found["items"] == count, found
    samples = found["samples"]
    marks = [samples[len(samples) * n // MARKS] for n in range(MARKS)] + [samples[-1]]
    later = [size for moment, size in samples if moment > found["seconds"] / MARKS]
    speed = f"{count / found['seconds']:,.0f} rows/s, {total / MB / found['seconds']:,.1f} MB/s"
    memory = f"before the read {found['before'] / MIB:.0f} MiB, at its peak {found['peak'] / MIB:.0f} MiB"
    flat = f"between {min(later) / MIB:.0f} and {max(later) / MIB:.0f} MiB ({len(samples)} samples)"
    return [
        f"{total:,} bytes, {count:,} rows in {found['seconds']:.1f} s: {speed}.",
        f"Resident memory {memory}; after the first tenth {flat}.",
        "",
        "| seconds | " + " | ".join(f"{moment:.0f}" for moment, _ in marks) + " |",
        "| --- |" + " ---: |" * len(marks),
        "| resident MiB | " + " | ".join(f"{size / MIB:.0f}" for _, size in marks) + " |",
    ]


def run_readers(s3: S3, endpoint: str, size: int) -> list[str]:
    """What several readers at once read of a CSV together: what splitting it over them could bring at most."""
    count, total = put_ten_gb(s3, "split.csv", size)
    text = ["| readers | rows/s together | MB/s | CPU µs a row |", "| ---: | ---: | ---: | ---: |"]
    for readers in (1, 2, 3):
        found = read_at_once(endpoint, getting("split.csv", "CSV"), readers)
        seconds = max(each["seconds"] for each in found)
        cpu = sum(each["cpu"] for each in found) / count / readers * 1e6
        rates = (f"{readers * count / seconds:,.0f}", f"{readers * total / MB / seconds:,.1f}", f"{cpu:.2f}")
        text.append(f"| {readers} | " + " | ".join(rates) + " |")
    return text


@click.command()
@click.option("--items", default=100_000, show_default=True, help="Items of the middle cases.")
@click.option("--large", is_flag=True, help="Also sources of more than 1 GB.")
@click.option("--ten-gb", is_flag=True, help="Instead: a CSV of 10 GB, with memory over time. Needs 12 GB of disk.")
@click.option("--readers", is_flag=True, help="Instead: a CSV of 1 GB, read by several readers at once.")
@click.option("--only", default="", help="Only cases with this text in their name.")
@click.option("--write", is_flag=True, help="Write the table to docs/benchmarks/source-matrix.md.")
def main(items: int, large: bool, ten_gb: bool, readers: bool, only: str, write: bool) -> None:
    """Read every kind of source on a SeaweedFS of its own."""
    with tempfile.TemporaryDirectory(prefix="maprun-matrix-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        with running_weed(data) as endpoint:
            s3 = s3_at(endpoint)
            s3.client.create_bucket(Bucket=BUCKET)
            if ten_gb:
                name, text, wrong = "A CSV of 10 GB", run_ten_gb(s3, endpoint, TEN_GB), list[str]()
            elif readers:
                name, text, wrong = "Readers at once", run_readers(s3, endpoint, TEN_GB // 10), list[str]()
            else:
                good, bad, wrong = run_matrix(s3, endpoint, items, large=large, only=only)
                name, text = "Matrix", table(good, bad)
    print("\n".join(text))
    if write and not wrong:
        replace_section(name, text, " ".join(["python -m tests.bench.source_matrix", *sys.argv[1:]]))
    if wrong:
        print("\n".join(["", "WRONG", *wrong]), file=sys.stderr)
        sys.exit(1)


def table(good: list[str], bad: list[str]) -> list[str]:
    """Both tables."""
    return [
        "| kind | case | items | MB in S3 | s | items/s | MB/s of S3 | MB/s of JSON | CPU µs/item | peak MiB | grown |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *good,
        "",
        "What can't be read, and what the run then fails with:",
        "",
        "| kind | case | error | cause |",
        "| --- | --- | --- | --- |",
        *bad,
    ]


def replace_section(name: str, text: list[str], command: str) -> None:
    """Puts a section into the page, in the place of an older one of that name."""
    page = (
        PAGE.read_text(encoding="utf-8")
        if PAGE.exists()
        else "# Source matrix\n\nMade by `tests/bench/source_matrix.py`.\n"
    )
    today = dt.datetime.now(dt.UTC).date().isoformat()
    section = [
        f"## {name}",
        "",
        f"`{command}`, {today}, {processes.machine()}, SeaweedFS on the same machine.",
        "",
        *text,
    ]
    parts = re.split(r"(?m)^(?=## )", page)
    kept = [part.rstrip() + "\n" for part in parts if not part.startswith(f"## {name}\n")]
    PAGE.write_text("\n".join([*kept, "\n".join(section) + "\n"]), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
