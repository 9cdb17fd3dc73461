"""A run of very many children: its speed, memory, disk and DescribeMapRun over time; and the cost a child by size."""

import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import overlap, pages, processes, svg
from tests.bench.runners import free_bytes
from tests.bench.sampling import Sample, Watch, disk_bytes
from tests.bench.workloads import PASS, Runner, csv_machine, put_rows
from tests.integration.system.stack import Stack

_DISK_BYTES_A_CHILD_MAX = 800  # Kafka, the tracker, the source and the result files together, with room to spare
_DISK_KEPT_FREE = 5 << 30
_LISTED = 10  # pages of ListExecutions that are timed at its beginning
_ROWS_SHOWN = 24
_MIB = 1 << 20
Json = dict[str, Any]


class Large(msgspec.Struct, kw_only=True):
    """One run and what it cost."""

    rows: int
    child_type: str
    source_bytes: int
    seconds: float
    cpu_us: dict[str, float]  # a child, by part
    peak_rss: dict[str, int]
    samples: list[Sample]
    describe_ms: list[float]
    disk: dict[str, int]  # what the run added, by part
    page_ms: list[float]  # of ListExecutions, 1,000 children each

    @property
    def speed(self) -> int:
        """Children a second over the whole run."""
        return round(self.rows / self.seconds)


def measure(rows: int, child_type: str, every_seconds: float, *, writer: bool = True) -> Large:
    """One run on a fresh stack; each child passes its row on, results in S3 (`writer` off: written compact)."""
    with tempfile.TemporaryDirectory(prefix="maprun-large-") as name:
        folder = Path(name)
        needed = rows * _DISK_BYTES_A_CHILD_MAX + _DISK_KEPT_FREE
        assert free_bytes(folder) > needed, f"{rows:,} children may need {needed >> 30} GiB of disk in {folder.parent}"
        stack = Stack(folder)
        stack.up()
        try:
            return _run(stack, rows, child_type, every_seconds, writer=writer)
        finally:
            stack.down()


def _run(stack: Stack, rows: int, child_type: str, every_seconds: float, *, writer: bool) -> Large:
    source_bytes = put_rows(stack, rows)
    runner = Runner(stack)
    config = None if writer else {"Transformation": "COMPACT", "OutputType": "JSONL"}
    pids = stack.pids()
    disk, cpu = disk_bytes(stack.folder), processes.cpu_seconds(pids)
    began = time.monotonic()
    arn = runner.start("large", csv_machine(rows, PASS, child_type=child_type, writer=config))
    deadline = began + 120 + rows / 500
    while (run := runner.map_run(arn)) is None:
        assert time.monotonic() < deadline, "no Map Run"
        time.sleep(0.05)
    with Watch(stack, run["mapRunArn"], every_seconds) as watch:
        while (status := runner.sfn.describe_execution(executionArn=arn)["status"]) == "RUNNING":
            assert time.monotonic() < deadline, f"stuck: {watch.described}"
            time.sleep(0.1)
        seconds = time.monotonic() - began
        time.sleep(1.0)
    assert status == "SUCCEEDED", status
    counts = runner.sfn.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
    assert counts["succeeded"] == counts["total"] == rows, counts
    after, spent = disk_bytes(stack.folder), processes.cpu_seconds(pids)
    return Large(
        rows=rows,
        child_type=child_type,
        source_bytes=source_bytes,
        seconds=round(seconds, 2),
        cpu_us={part: round((spent[part] - cpu[part]) * 1e6 / rows, 2) for part in pids},
        peak_rss=processes.peak_rss_bytes(pids),
        samples=watch.samples,
        describe_ms=watch.describe_ms,
        disk={part: size - disk.get(part, 0) for part, size in after.items()},
        page_ms=_pages(runner, run["mapRunArn"]),
    )


def _pages(runner: Runner, map_run_arn: str) -> list[float]:
    spent: list[float] = []
    token: Json = {}
    while len(spent) < _LISTED:
        began = time.perf_counter()
        page = runner.sfn.list_executions(mapRunArn=map_run_arn, maxResults=1000, **token)
        spent.append(round((time.perf_counter() - began) * 1000, 1))
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    return spent


def speeds(samples: list[Sample]) -> list[tuple[float, float]]:
    """Children a second between one sample and the next, at the latter's time."""
    before, out = Sample(0.0, 0, {}, {}), []
    for sample in samples:
        if sample.seconds > before.seconds:
            out.append((sample.seconds, (sample.done - before.done) / (sample.seconds - before.seconds)))
        before = sample
    return out


def chart(found: Large) -> str:
    """Speed, memory and disk over time, as SVG."""
    parts = sorted(found.peak_rss)
    disk = sorted({name for s in found.samples for name in s.disk if found.disk.get(name, 0) > 1 << 20})
    memory = {part: [(s.seconds, s.rss.get(part, 0) / _MIB) for s in found.samples] for part in parts}
    on_disk = {name: [(s.seconds, s.disk.get(name, 0) / _MIB) for s in found.samples] for name in disk}
    panels: list[tuple[str, dict[str, list[tuple[float, float]]]]] = [
        ("children a second", {"ended": speeds(found.samples)}),
        ("resident memory, MiB", memory),
        ("disk, MiB", on_disk),
    ]
    return svg.charts(panels, "seconds")


def page(found: Large, picture: str) -> str:
    """What was seen, as text for the docs."""
    describe = [round(overlap.percentile(found.describe_ms, share), 1) for share in (0.5, 0.9, 0.99, 1.0)]
    parts = sorted(found.peak_rss)
    step = max(1, len(found.samples) // _ROWS_SHOWN)
    fast = speeds(found.samples)
    timeline = [
        (
            *(round(s.seconds), s.done, round(fast[n][1])),
            *(s.rss.get(p, 0) >> 20 for p in parts),
            sum(s.disk.values()) >> 20,
        )
        for n, s in enumerate(found.samples)
        if n % step == 0 and n < len(fast)
    ]
    costs = [(p, found.cpu_us[p], found.peak_rss[p] >> 20) for p in parts]
    disk = [(n, size >> 20, round(size / found.rows, 1)) for n, size in sorted(found.disk.items()) if size > 1 << 20]
    total = sum(size for name, size in found.disk.items() if name != "s3")
    return f"""\
{found.rows:,} {found.child_type} children, one a row of a CSV of {found.source_bytes >> 20:,} MiB, each passes its row
on; histories kept, every result in S3. {found.seconds:,.1f} s from StartExecution to SUCCEEDED: {found.speed:,} a
second, {sum(found.cpu_us.values()):.1f} us of CPU each. Kafka and the tracker keep {total / found.rows:.0f} bytes each;
the rows are alike and compress well, SeaweedFS compresses what it holds, too.

DescribeMapRun, called {len(found.describe_ms):,} times meanwhile: p50 {describe[0]} ms, p90 {describe[1]} ms,
p99 {describe[2]} ms, max {describe[3]} ms. The first {len(found.page_ms)} pages of 1,000 children of ListExecutions
afterwards took {min(found.page_ms)} to {max(found.page_ms)} ms each.

{f"![over time]({picture})" if picture else ""}

{pages.table(("part", "CPU us a child", "peak MiB"), costs)}
{pages.table(("on disk", "MiB", "bytes a child"), disk)}
{pages.table(("s", "ended", "a second", *(f"{p} MiB" for p in parts), "disk MiB"), timeline)}"""


def flat_page(found: list[Large]) -> str:
    """The cost a child by the number of children."""
    heads = (
        *("children", "seconds", "a second", "CPU us a child", "bytes a child in Kafka and tracker"),
        *("DescribeMapRun p99 ms", "highest peak of a service, MiB"),
    )
    table = []
    for f in found:
        kept = sum(size for name, size in f.disk.items() if name != "s3")
        services = [size for part, size in f.peak_rss.items() if part not in {"kafka", "seaweedfs", "functions"}]
        p99 = round(overlap.percentile(f.describe_ms, 0.99), 1)
        cpu = round(sum(f.cpu_us.values()), 1)
        table.append((f.rows, f.seconds, f.speed, cpu, round(kept / f.rows), p99, max(services) >> 20))
    return f"""\
The same run at several sizes, each on a fresh stack: {found[0].child_type} children that pass their row on, results in
S3.

{pages.table(heads, table)}"""
