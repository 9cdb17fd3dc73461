"""The tracker's rows: a replay changes nothing, and a killed process leaves what its successor makes whole."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.state import Archive, HomeState
from maprun.mapruns.limits import MapRunLimits
from maprun.mapruns.slices import NoPace
from schemas.home import FAILED, ExecutionRequested, ItemsRead, LaneProgress, SourceEnded
from schemas.machines import MachineRequested, MachineSpec
from schemas.plan import MapRunPlan
from schemas.wire import encode
from services.maprun_tracker import owner, rows
from services.maprun_tracker.api.runs import counts_of
from services.maprun_tracker.flush import Flusher, restore
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.owner import Deps, Held, Watch
from services.maprun_tracker.state import Partition
from tests.unit.archive.topic import Topic
from tests.unit.tracker import fakes

LIMITS = TrackerLimits(history_page_bytes_max=400, snapshot_small_bytes=64, chunk_bytes_max=300, snapshot_ratio=1)
HOME = 1


class KilledError(Exception):
    """The process dies here."""


class Table:
    """The rows, as the changelog has them, and the archive's topic; can die before a write to either."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.topic = Topic()
        self.topic.before_send = self._one_more
        self.writes_left = -1

    def _one_more(self) -> None:
        if self.writes_left == 0:
            raise KilledError
        self.writes_left -= 1

    def write(self, key: bytes, row: bytes | None) -> None:
        """One write."""
        self._one_more()
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row


def log_of(seed: int, runs: int = 2, positions: int = 300) -> list[bytes]:
    """A home partition with some runs, whose frames come scattered, repeated and contradicting."""
    rng = random.Random(seed)
    machine = MachineRequested("mr", "create", fakes.MACHINE, "m", MachineSpec(fakes.DEFINITION))
    records: list[Any] = [machine]
    later: list[Any] = []
    for n in range(runs):
        request = fakes.execution(HOME, n)
        run = fakes.run_of(request)
        records += [request, request, ItemsRead(run, 0, 0, positions, positions, positions * 10, b"c")]
        frames: list[Any] = []
        order = list(range(positions))
        if rng.random() < 0.5:
            order = sorted(order, key=lambda p: p + rng.randrange(60))
        at = 0
        while at < positions:
            count = rng.randrange(1, 60)
            part = sorted(order[at : at + count])
            ranges = tuple(x for p in part for x in (p, 1))
            frames.append(
                fakes.children_ended(run, rng.randrange(4), ranges, bytes(rng.choice((1, 1, 1, 2, 3, 4)) for _ in part))
            )
            if rng.random() < 0.3:
                frames.append(fakes.children_ended(run, 0, ranges, bytes(4 for _ in part)))
            if rng.random() < 0.3:
                frames.append(LaneProgress(run, 0, rng.randrange(4), (at, count)))
            at += count
        frames.append(frames[0])
        frames.insert(rng.randrange(len(frames)), SourceEnded(run, 0, positions))
        later.append(frames)
    while any(later):
        frames = rng.choice([f for f in later if f])
        records.append(frames.pop(0))
    values = [encode(record) for record in records]
    values.insert(rng.randrange(3, len(values)), b"\xff broken")
    return values


def start(
    table: Table, limits: TrackerLimits = LIMITS, end: int | None = None, folded_by: MapRunLimits | None = None
) -> tuple[Flusher, str]:
    """A new process: the partition as the rows tell it."""
    interpreter = fakes.FakeInterpreter(event_bytes=150)
    archive = fakes.archive(HOME, interpreter, table.topic)

    def fold(state: HomeState, archive: Archive) -> Home:
        return fakes.fold(state, interpreter, folded_by, archive)

    return restore(HOME, table.rows, list(table.rows), fold, archive, interpreter, limits, end=end)


def archive_ended(flusher: Flusher, table: Table) -> None:
    """What has ended is archived, as before each flush of an owner."""
    unused: Any = None
    deps = Deps(unused, unused, unused, flusher.part.limits, Watch(), pace=NoPace())
    port: Any = table.topic
    asyncio.run(owner.archive_ended(port, Held(flusher, 1 << 40), deps))


def flush(flusher: Flusher, table: Table, at: float = 0.0, *, mark_now: bool = False) -> None:
    """One flush of an owner."""
    archive_ended(flusher, table)
    flusher.flush(table.write, at, mark_now=mark_now)


def run_on(flusher: Flusher, table: Table, log: list[bytes], flush_every: int, at: float = 0.0) -> None:
    """Folds the rest of the log, flushing now and then."""
    for offset in range(flusher.part.offset + 1, len(log)):
        record_arrived(flusher.part, offset, 1_000 + offset, log[offset])
        flusher.folded(len(log[offset]))
        if offset % flush_every == 0:
            flush(flusher, table, at)
    flush(flusher, table, at, mark_now=True)


def shown(part: Partition) -> dict[Any, Any]:
    """Everything a reader could ask of a partition."""
    out: dict[Any, Any] = {}
    for _, arn in part.newest_roots(fakes.MACHINE, None, None, None):
        row = part.root(arn)
        assert row is not None
        out[arn] = row
        out[arn, "history"] = [e for page in range(len(row.pages)) for e in part.history_page(row, page)]
        assert len(out[arn, "history"]) == row.events
        out[arn, "definition"] = part.definition(row.definition)
        for run in row.runs:
            out[run] = part.run(run)
            block = part.block(run, 0)
            out[run, "answers"] = block and [
                (block.status(p), block.offset(p), block.redriven(p)) for p in range(400) if block.status(p)
            ]
    return out


def payloads(table: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """What rows say, without when they were written."""
    return {k: v[rows.ENVELOPE.size :] for k, v in table.items() if k[rows.KIND] in rows.SUMMED}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), flush_every=st.integers(1, 9), kills=st.lists(st.integers(0, 60), max_size=4))
def test_killed_between_any_two_writes_the_rows_end_the_same(seed: int, flush_every: int, kills: list[int]) -> None:
    """A process killed between any two table writes leaves rows from which its successor makes the undisturbed ones."""
    log = log_of(seed)
    calm = Table()
    flusher, _ = start(calm)
    run_on(flusher, calm, log, 5)
    table = Table()
    for writes in kills:
        table.writes_left = writes
        flusher, reason = start(table)
        assert not reason or rows.mark_key(HOME) not in table.rows
        try:
            run_on(flusher, table, log, flush_every)
        except KilledError:
            continue
    table.writes_left = -1
    last, _ = start(table)
    run_on(last, table, log, flush_every)
    assert shown(last.part) == shown(flusher.part if not kills else start(calm)[0].part)
    assert payloads(table.rows) == payloads(calm.rows)
    again, reason = start(table)
    assert not reason
    assert shown(again.part) == shown(start(calm)[0].part)


def test_unflushed_changes_are_seen_at_once() -> None:
    """What was folded is shown before it is flushed, and the same after."""
    log, table = log_of(3), Table()
    flusher, _ = start(table)
    read = [record_arrived(flusher.part, offset, 1_000 + offset, value) for offset, value in enumerate(log)]
    before = shown(flusher.part)
    assert not table.rows
    flusher.flush(table.write, 0.0)
    assert shown(flusher.part) == before
    assert read.count(False) == 1


def test_counts_are_those_of_the_statuses() -> None:
    """The counts of a finished run equal the statuses in its blocks, whatever came twice or contradicted."""
    log, table = log_of(5), Table()
    flusher, _ = start(table)
    run_on(flusher, table, log, 4)
    part = flusher.part
    known = [arn for _, arn in part.newest_roots(fakes.MACHINE, None, None, None)]
    runs = [run for arn in known for run in (part.root(arn) or pytest.fail(arn)).runs]
    assert len(runs) == 2
    for run in runs:
        row = part.run(run)
        block = part.block(run, 0)
        assert row is not None
        assert block is not None
        counts = block.counts()
        executions = row.execution_counts
        got = [executions[name] for name in ("succeeded", "failed", "timedOut", "aborted")]
        assert got == counts[1:5]
        assert sum(got) == executions["total"] == 300
        assert row.status == "SUCCEEDED"


def test_a_row_of_another_time_is_noticed() -> None:
    """A row that an overtaken process wrote late breaks the sum: everything is folded again and ends right."""
    log, table = log_of(7), Table()
    flusher, _ = start(table)
    run_on(flusher, table, log[: len(log) // 4], 4)
    old = {k: v for k, v in table.rows.items() if k[rows.KIND] == rows.BLOCK}
    run_on(flusher, table, log[: len(log) // 2], 4)
    calm = Table()
    run_on(start(calm)[0], calm, log, 4)
    key = next(k for k in old if old[k] != table.rows[k])
    table.rows[key] = old[key]
    flusher, reason = start(table)
    assert "do not add up" in reason
    assert flusher.part.offset == -1
    assert not shown(flusher.part)
    run_on(flusher, table, log, 4)
    assert shown(flusher.part) == shown(start(calm)[0].part)
    assert start(table)[1] == ""


def test_rows_of_another_version_are_folded_again() -> None:
    """A mark that another version wrote is not believed."""
    log, table = log_of(8), Table()
    flusher, _ = start(table)
    run_on(flusher, table, log, 4)
    codec = rows.Codec()
    mark = codec.mark(table.rows[rows.mark_key(HOME)])
    other = msgspec.structs.replace(mark, version=99)
    table.rows[rows.mark_key(HOME)] = codec.pack_mark(other)
    assert "version 99" in start(table)[1]


def test_a_name_of_an_ended_execution_is_still_taken_after_a_restart() -> None:
    """What has ended is in the archive alone; a restarted fold knows it from there."""
    log, table = log_of(9), Table()
    flusher, _ = start(table)
    run_on(flusher, table, log, 4)
    request = fakes.execution(HOME, 0, request_id="another")
    restarted, _ = start(table)
    for part in (flusher.part, restarted.part):
        before = shown(part)
        record_arrived(part, len(log), 9_000, encode(request))
        assert shown(part) == before
    assert isinstance(request, ExecutionRequested)


def test_a_mark_past_the_end_of_home_is_not_believed() -> None:
    """When the broker lost the end of home, other records have those offsets now: all is folded again."""
    log, table = log_of(10), Table()
    flusher, _ = start(table)
    run_on(flusher, table, log, 4)
    assert start(table, end=len(log))[1] == ""
    assert "before the mark" in start(table, end=len(log) - 1)[1]


def test_children_that_end_while_their_run_closes_are_shown_as_running() -> None:
    """A failed child closes the run; the three that go on are running in DescribeMapRun, as in ListExecutions."""
    interpreter = fakes.FakeInterpreter(MapRunPlan(state="Map", label="L", child_type="EXPRESS", items=b"[1,2,3,4]"))
    archive = fakes.archive(HOME, interpreter)
    flusher, _ = restore(
        HOME, {}, [], lambda s, a: fakes.fold(s, interpreter, None, a), archive, interpreter, TrackerLimits()
    )
    part = flusher.part
    request = fakes.execution(HOME)
    run = fakes.run_of(request)
    facts = [request, ItemsRead(run, 0, 0, 4, 4, 4, b""), LaneProgress(run, 0, 0, (0, 4))]
    for fact in [*facts, fakes.children_ended(run, 0, (1, 1), bytes((FAILED,)))]:
        record_arrived(part, part.offset + 1, 9_000, encode(fact))
    row = part.run(run)
    assert row is not None
    assert part.home.state.runs[run].phase == "closing"
    items, executions = counts_of(part, row)
    assert (executions["running"], executions["failed"], executions["pending"]) == (3, 1, 0)
    assert items == executions
