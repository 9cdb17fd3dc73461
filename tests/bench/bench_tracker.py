"""What the tracker costs; `python -m tests.bench.bench_tracker [children]` starts a Kafka and a tracker of its own.

Prints the pure fold with its rows, then the same through Faust: children a second, CPU, memory, the API meanwhile,
lists and histories, and how long a killed tracker takes to answer again.
"""

import asyncio
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from maprun.archive.store import MemoryStore
from maprun.bus import making
from maprun.bus.kafka import KafkaHost
from maprun.bus.port import Outgoing
from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import Output, RunChanged, Send
from maprun.mapruns.fold.state import Archive, HomeState
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas import topics
from schemas.arns import Names, home_of
from schemas.asks import ItemsRequested
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.home import ChildrenEnded, ExecutionRequested, HomeRecord, ItemsRead, SourceEnded
from schemas.pages import Pages
from schemas.wire import encode
from services.maprun_tracker.archive import EndedExecutions
from services.maprun_tracker.flush import restore
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import TrackerLimits
from tests.integration.bus.broker import running_kafka
from tests.integration.tracker.conftest import tracker_settings
from tests.integration.tracker.process import TrackerProcess

FRAME = 500
NAMES = Names()
S3 = "arn:aws:states:::s3"


def definition() -> bytes:
    """A distributed Map over a listing, with results in S3: nothing of it is called here."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "End": True}},
    }
    state = {
        "Type": "Map",
        "Label": "L",
        "MaxConcurrency": 10_000,
        "ToleratedFailurePercentage": 100,
        "ItemReader": {"Resource": f"{S3}:listObjectsV2", "Parameters": {"Bucket": "b", "Prefix": "p"}},
        "ItemProcessor": processor,
        "ResultWriter": {"Resource": f"{S3}:putObject", "Parameters": {"Bucket": "b", "Prefix": "p"}},
        "End": True,
    }
    return json.dumps({"StartAt": "M", "States": {"M": state}}).encode()


def events(position: int) -> bytes:
    """Four events with the inputs and outputs of a small CSV row."""
    row = b'{"userId":"%d","movieId":"%d","rating":"4.0","timestamp":"964982703"}' % (position % 600, position)
    at = 1_000 + position
    return encode_events(
        [
            HistoryEvent(EventType.EXECUTION_STARTED, 0, at, (row, "role")),
            HistoryEvent(EventType.PASS_STATE_ENTERED, 0, at, ("P", row)),
            HistoryEvent(EventType.PASS_STATE_EXITED, 2, at, ("P", row, None)),
            HistoryEvent(EventType.EXECUTION_SUCCEEDED, 3, at, (row,)),
        ]
    )


class Log:
    """The records of one home with one Map Run in it, made by the fold itself: each lane answers what it was asked."""

    def __init__(self, children: int, homes: int, lanes: int) -> None:
        arn = NAMES.execution("bench", "bench")
        self.home = home_of(arn, homes)
        self.records: list[bytes] = []
        self.map_run = ""
        self._windows: deque[tuple[int, int, int]] = deque()
        self._fold = Home(HomeState(home=self.home), RootInterpreter(), NAMES, homes, lanes)
        machine = NAMES.machine("bench")
        self._put(ExecutionRequested("r", arn, "bench", machine, "bench", "STANDARD", "v", "role", definition(), b"{}"))
        run = next(iter(self._fold.state.runs))
        pages, done = Pages().pack([events(position) for position in range(FRAME)]), 0
        while done < children:
            first, count, lane = self._windows.popleft()
            count = min(count, children - first)
            self._put(ItemsRead(run, 0, first, count, count, 60 * count, b"c", b"d"))
            statuses = bytes(2 if position % 100 == 0 else 1 for position in range(count))
            self._put(ChildrenEnded(run, 0, lane, (first, count), statuses, (), pages[: -(-count // 64)], 0))
            done += count
        self._put(SourceEnded(run, 0, children))

    def _put(self, record: HomeRecord) -> None:
        offset = len(self.records)
        self.records.append(encode(record))
        self._see(self._fold.apply(offset, 1_000 + offset, record))

    def _see(self, found: list[Output]) -> None:
        for output in found:
            if isinstance(output, RunChanged):
                self.map_run = output.run.arn
            if isinstance(output, Send) and isinstance(output.message, ItemsRequested):
                flat = output.message.windows
                self._windows.extend(zip(flat[::3], flat[1::3], flat[2::3], strict=True))


def bench_fold(log: Log, children: int) -> None:
    """The pure core: records in, rows out, no Kafka."""
    interpreter, stored = RootInterpreter(), dict[bytes, bytes]()
    written = [0, 0]

    def write(key: bytes, row: bytes | None) -> None:
        assert row is not None
        stored[key] = row
        written[0] += 1
        written[1] += len(row)

    def fold(state: HomeState, archive: Archive) -> Home:
        return Home(state, interpreter, NAMES, 4, 8, None, archive)

    nowhere: Any = None
    archive = EndedExecutions(nowhere, log.home, MemoryStore(), interpreter, 900_000)

    flusher, _ = restore(log.home, stored, (), fold, archive, interpreter, TrackerLimits())
    began = time.process_time()
    for offset, value in enumerate(log.records):
        record_arrived(flusher.part, offset, 1_000 + offset, value)
        flusher.folded(len(value))
        if offset % 64 == 63:
            flusher.flush(write, offset / 1_000)
    flusher.flush(write, 0.0, mark_now=True)
    spent = time.process_time() - began
    began = time.perf_counter()
    reason = restore(log.home, stored, list(stored), fold, archive, interpreter, TrackerLimits())[1]
    assert not reason
    print(
        f"pure fold: {1e6 * spent / children:.3f} us a child, {written[0]} rows written, "
        f"{written[1] / children:.3f} bytes a child, proved again in {1e3 * (time.perf_counter() - began):.1f} ms"
    )


class Asker:
    """Bare HTTP to one tracker."""

    def __init__(self, api: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", int(api.rsplit(":", 1)[1]))

    def ask(self, operation: str, **members: Any) -> tuple[float, Any]:
        """Milliseconds, and the answer."""
        began = time.perf_counter()
        headers = {"X-Amz-Target": f"AWSStepFunctions.{operation}"}
        self._connection.request("POST", "/", json.dumps(members), headers)
        answer = json.loads(self._connection.getresponse().read())
        return 1e3 * (time.perf_counter() - began), answer


def of_process(pid: int) -> tuple[float, int]:
    """CPU seconds, and the highest resident size in MiB."""
    fields = Path(f"/proc/{pid}/stat").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK"), peak // 1024


async def publish(settings: Settings, log: Log) -> None:
    """Puts the log on its home."""
    host = KafkaHost(settings, Limits())
    await host.start()
    port = host.port()
    for at in range(0, len(log.records), 64):
        await port.send([Outgoing(topics.HOME.name, log.home, record) for record in log.records[at : at + 64]])
    await host.close()


def bench_process(settings: Settings, folder: Path, log: Log, children: int) -> None:
    """The tracker as it runs, asked all the while."""
    tracker = TrackerProcess(tracker_settings(settings, 0), folder / "tracker.log")
    tracker.start()
    print(f"ready after {tracker.ready():.2f} s, {of_process(tracker.pid)[1]} MiB")
    publisher = threading.Thread(target=lambda: asyncio.run(publish(settings, log)))
    asker, took, answered = Asker(tracker.settings.api), [0.0], 0
    cpu, began = of_process(tracker.pid)[0], time.perf_counter()
    publisher.start()
    while answered < children:
        milliseconds, told = asker.ask("DescribeMapRun", mapRunArn=log.map_run)
        counts = told.get("executionCounts", {})
        if counts:
            took.append(milliseconds)
        answered = counts.get("succeeded", 0) + counts.get("failed", 0)
        time.sleep(0.002)
    wall = time.perf_counter() - began
    publisher.join()
    spent, peak = of_process(tracker.pid)
    took.sort()
    print(
        f"through Faust: {children / wall:,.0f} children/s, {1e6 * (spent - cpu) / children:.2f} us a child, "
        f"{peak} MiB at most; DescribeMapRun meanwhile p50 {took[len(took) // 2]:.1f} ms, "
        f"p99 {took[int(len(took) * 0.99)]:.1f} ms, max {took[-1]:.1f} ms of {len(took)}"
    )
    for title, members in (
        ("newest 100", {"maxResults": 100}),
        ("1,000 FAILED", {"maxResults": 1000, "statusFilter": "FAILED"}),
        ("a status that nobody has", {"statusFilter": "ABORTED"}),
    ):
        times = [asker.ask("ListExecutions", mapRunArn=log.map_run, **members)[0] for _ in range(5)]
        print(f"ListExecutions, {title}: first {times[0]:.1f} ms, then {min(times):.1f} ms")
    for how, end in (("kill -9", tracker.kill), ("SIGTERM", tracker.stop)):
        end()
        tracker.start()
        print(f"after {how}: answers again {tracker.ready():.2f} s after its start")
    tracker.stop()


def main() -> None:
    """Runs both parts."""
    children = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_kafka(folder / "state") as address:
            settings = Settings(kafka=address, instance="bench", state_dir=folder / "tracker")
            asyncio.run(making.make_topics(settings, Limits()))
            log = Log(children, settings.homes, settings.lanes)
            size = sum(map(len, log.records))
            print(f"{children:,} children in {len(log.records):,} records of home, {size / 1e6:.1f} MB")
            bench_fold(log, children)
            bench_process(settings, folder, log, children)


if __name__ == "__main__":
    main()
