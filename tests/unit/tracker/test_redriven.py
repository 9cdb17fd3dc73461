"""Map Runs that are redriven, as readers are shown them: children, counts, pages; and what is forgotten in time."""

import asyncio
import contextlib
import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.archive.log import home_prefix
from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.outputs import EntriesAccepted
from maprun.mapruns.fold.state import Archive, HomeState
from maprun.mapruns.limits import MapRunLimits
from schemas.home import ABORTED, STATUS_NAMES, LaneProgress, RedriveRequested, SourceFailed, StopRequested
from schemas.wire import encode
from services.maprun_tracker import rows
from services.maprun_tracker.api.run_children import Listing, child_of
from services.maprun_tracker.api.runs import counts_of
from services.maprun_tracker.blocks import LOST, SHOWN
from services.maprun_tracker.flush import Flusher, restore
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.state import Partition
from tests.unit.mapruns.generations import Child, outcome
from tests.unit.tracker import fakes, test_flush
from tests.unit.tracker.stories import HOME, Known, Story
from tests.unit.tracker.test_flush import KilledError, Table, payloads, shown

LIMITS = TrackerLimits(history_page_bytes_max=400, snapshot_small_bytes=64, chunk_bytes_max=300, snapshot_ratio=1)
SHORT = MapRunLimits(retention_ms=5_000, redrivable_ms=3_000)
FILTERS: list[tuple[str | None, bool | None]] = [
    (status, redriven)
    for status in (None, "RUNNING", "PENDING_REDRIVE", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
    for redriven in (None, True, False)
]


def start(table: Table, limits: MapRunLimits | None = None, own: TrackerLimits = LIMITS) -> tuple[Flusher, str]:
    """A new process: the partition as the rows tell it."""
    return test_flush.start(table, own, folded_by=limits)


def run_on(flusher: Flusher, table: Table, story: Story, flush_every: int, end: int | None = None) -> None:
    """Folds the rest of the log, or up to `end`, flushing now and then."""
    for offset in range(flusher.part.offset + 1, len(story.log) if end is None else end):
        record_arrived(flusher.part, offset, story.times[offset], story.log[offset])
        flusher.folded(len(story.log[offset]))
        if offset % flush_every == 0:
            test_flush.flush(flusher, table)
    test_flush.flush(flusher, table, mark_now=True)


class Model:
    """What readers must be shown after some records of a story, found out the simple way."""

    def __init__(self, story: Story, end: int) -> None:
        self.home = fakes.fold(HomeState(home=HOME), fakes.FakeInterpreter(event_bytes=150))
        self.known: dict[str, dict[int, Known]] = {}
        self.told: dict[str, dict[int, set[int]]] = {}
        for offset in range(end):
            record = story.records[offset]
            for output in self.home.apply(offset, story.times[offset], record):
                if isinstance(output, EntriesAccepted):
                    known = self.known.setdefault(output.run, {})
                    known.update({index: one for index, one in story.answers[offset].items() if one.offset == offset})
            if isinstance(record, LaneProgress):
                run = self.home.state.runs.get(record.run)
                if run is not None and run.generation == record.generation:
                    flat = record.running
                    told = {i for f, n in zip(flat[::2], flat[1::2], strict=True) for i in range(f, f + n)}
                    self.told.setdefault(record.run, {})[record.lane] = told
            for gone in [run for run in self.told if run not in self.home.state.runs]:
                del self.told[gone]

    def statuses(self, run: str) -> dict[int, tuple[str, bool]]:
        """Index → (status, redriven) of every child that is listed."""
        live = self.home.state.runs.get(run)
        since = live.generation_offset if live is not None and live.generation else 0
        known = self.known.get(run, {})
        out: dict[int, tuple[str, bool]] = {}
        for index, one in known.items():
            if one.status in SHOWN:
                waits = one.status in LOST and one.offset < since
                out[index] = ("PENDING_REDRIVE" if waits else STATUS_NAMES[one.status], one.redriven)
        for told in self.told.get(run, {}).values():
            for index in told:
                if index not in known or known[index].offset < since:
                    out[index] = ("RUNNING", index in out)
        return out


async def pages(part: Partition, run: str, status: str | None, redriven: bool | None, size: int) -> list[Any]:
    """All pages of a listing."""
    row = part.run(run)
    assert row is not None
    found: list[Any] = []
    below: int | None = row.index_end
    while below is not None:
        page = await Listing(part, row, status, redriven).page(below, size)
        assert len(page.children) <= size
        found += page.children
        below = page.below
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_children_are_listed_as_they_stand(seed: int) -> None:
    """At any moment of any number of redrives each filter lists its children once, newest first."""
    story = Story(seed)
    rng = random.Random(seed)
    runs = [story.live(n, rng.randrange(4)) for n in range(2)]
    end = rng.randrange(1, len(story.log) + 1)
    table = Table()
    flusher, _ = start(table)
    run_on(flusher, table, story, rng.randrange(1, 9), end)
    part, model = flusher.part, Model(story, end)
    for run in runs:
        if part.run(run) is None:
            continue
        expected = model.statuses(run)
        for status, redriven in FILTERS:
            listed = asyncio.run(pages(part, run, status, redriven, rng.randrange(1, 40)))
            assert [c.index for c in listed] == sorted(
                (i for i, (s, r) in expected.items() if status in {None, s} and redriven in {None, r}), reverse=True
            )
            assert all(c.status == expected[c.index][0] for c in listed)
        row = part.run(run)
        assert row is not None
        for index in range(130):
            child = child_of(part, row, index)
            assert (child and child.status) == (expected[index][0] if index in expected else None)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_counts_are_those_of_the_children_listed(seed: int) -> None:
    """DescribeMapRun's counts are what ListExecutions lists, at any moment of any redrive."""
    story = Story(seed)
    rng = random.Random(seed)
    runs = [story.live(n, rng.randrange(4)) for n in range(2)]
    end = rng.randrange(1, len(story.log) + 1)
    table = Table()
    flusher, _ = start(table)
    run_on(flusher, table, story, 5, end)
    model = Model(story, end)
    for run in runs:
        row = flusher.part.run(run)
        if row is None:
            continue
        listed = [status for status, _ in model.statuses(run).values()]
        counts = counts_of(flusher.part, row)[1]
        names = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
        members = ("succeeded", "failed", "timedOut", "aborted")
        assert [counts[member] for member in members] == [listed.count(name) for name in names]
        assert counts["pendingRedrive"] <= listed.count("PENDING_REDRIVE") + listed.count("RUNNING")
        assert counts["total"] == sum(counts[m] for m in (*members, "pending", "running", "pendingRedrive"))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), flush_every=st.integers(1, 9), kills=st.lists(st.integers(0, 60), max_size=5))
def test_killed_in_any_redrive_the_rows_end_the_same(seed: int, flush_every: int, kills: list[int]) -> None:
    """Killed between any two writes of any generation, a successor makes the undisturbed process's rows."""
    story = Story(seed)
    for number in range(2):
        story.live(number, story.random.randrange(4))
    calm = Table()
    run_on(start(calm)[0], calm, story, 5)
    table = Table()
    for writes in kills:
        table.writes_left = writes
        try:
            run_on(start(table)[0], table, story, flush_every)
        except KilledError:
            continue
    table.writes_left = -1
    run_on(start(table)[0], table, story, flush_every)
    assert payloads(table.rows) == payloads(calm.rows)
    again, reason = start(table)
    assert not reason
    assert shown(again.part) == shown(start(calm)[0].part)
    for run, children in story.children.items():
        block = again.part.block(run, 0)
        assert block is not None
        held = {
            index: Known(block.status(index), block.offset(index), block.redriven(index))
            for index in range(400)
            if block.status(index)
        }
        assert held == children


def aged(seed: int, limits: MapRunLimits = SHORT) -> Story:
    """Executions one after the other, with some time between them: the first ones are forgotten."""
    story = Story(seed, limits, positions=40)
    for number in range(6):
        story.live(number, story.random.randrange(3))
        story.rest(story.random.choice((0, 1_000, 4_000, 9_000)))
    return story


def started_by(qualifier: str) -> set[str]:
    """The executions of a story that were started by a version or an alias."""
    requests = [fakes.execution(HOME, number) for number in range(6)]
    return {request.arn for request in requests if qualifier in {str(request.version), request.alias}}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), flush_every=st.integers(1, 9), kills=st.lists(st.integers(0, 80), max_size=6))
def test_what_has_ended_leaves_no_row(seed: int, flush_every: int, kills: list[int]) -> None:
    """The table holds what is open, whoever is killed where; what has ended is known as long as it is remembered.

    So it is listed, by its machine and by the version and the alias that it was started by.
    """
    story = aged(seed)
    table = Table()
    for writes in kills:
        table.writes_left = writes
        try:
            run_on(start(table, SHORT)[0], table, story, flush_every)
        except KilledError:
            continue
    table.writes_left = -1
    flusher, _ = start(table, SHORT)
    run_on(flusher, table, story, flush_every)
    state = story.home.state
    remembered = {arn for arn in state.ended if story.home.ended(arn) is not None}
    for part in (flusher.part, start(table, SHORT)[0].part):
        assert not part.home.state.ended
        assert set(part.index.roots()) == set(state.roots)
        assert {arn for _, arn in part.newest_roots(fakes.MACHINE, None, None, None)} == {*state.roots, *remembered}
        assert {arn for arn in story.arns if part.root(arn) is not None} == {*state.roots, *remembered}
        for qualifier in ("1", "2", "live"):
            listed = {arn for _, arn in part.newest_roots(f"{fakes.MACHINE}:{qualifier}", None, None, None)}
            assert listed == {*state.roots, *remembered} & started_by(qualifier)
    assert not start(table, SHORT)[1]
    for arn in set(story.arns) - set(state.roots):
        run = fakes.run_of(next(fakes.execution(HOME, n) for n in range(6) if fakes.execution(HOME, n).arn == arn))
        assert not [key for key in table.rows if arn.encode() in key or bytes.fromhex(run.replace("-", "")) in key]
        assert (flusher.part.run(run) is None) == (arn not in remembered)
    if not state.roots:
        assert not {key[rows.KIND] for key in table.rows} & rows.SUMMED


@pytest.mark.parametrize("kill", [None, 0, 1, 2, 3, 5, 8])
def test_a_name_that_was_forgotten_is_free_again(kill: int | None) -> None:
    """The same name starts again with nothing of its former life, also when its rows were half written."""
    story = Story(11, SHORT, positions=40)
    run = story.live(0, 1)
    table = Table()
    run_on(start(table, SHORT)[0], table, story, 4)
    story.rest(9_000)
    story.children.clear()
    assert story.begin(0) == run
    story.generation(run, last=True)
    if kill is not None:
        table.writes_left = kill
        with contextlib.suppress(KilledError):
            run_on(start(table, SHORT)[0], table, story, 3)
        table.writes_left = -1
    flusher, reason = start(table, SHORT)
    assert not reason
    run_on(flusher, table, story, 3)
    part = start(table, SHORT)[0].part
    row = part.root(story.arns[0])
    assert row is not None
    assert (row.status, row.redrive_count, row.runs) == ("SUCCEEDED", 0, (run,))
    block = part.block(run, 0)
    assert block is not None
    assert {p: block.offset(p) for p in range(40)} == {i: k.offset for i, k in story.children[run].items()}


def test_a_redrive_that_fails_with_its_own_record_goes_on_with_its_history() -> None:
    """Archived, redriven and over again in one record: its history has all events, before and after a restart."""
    interpreter: Any = RootInterpreter()
    table = Table()
    definition = b'{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E"}}}'
    request = msgspec.structs.replace(fakes.execution(HOME), definition=definition, input=b"{}")

    def begun() -> Flusher:
        archive = fakes.archive(HOME, interpreter, table.topic)

        def fold(state: HomeState, archive: Archive) -> Home:
            return fakes.fold(state, interpreter, None, archive)

        return restore(HOME, table.rows, list(table.rows), fold, archive, interpreter, LIMITS)[0]

    flusher = begun()
    for offset, record in enumerate((request, RedriveRequested("r", request.arn))):
        record_arrived(flusher.part, offset, 1_000 + offset, encode(record))
        test_flush.flush(flusher, table, mark_now=True)
    for part in (flusher.part, begun().part):
        row = part.root(request.arn)
        assert row is not None
        events = [event for page in range(len(row.pages)) for event in part.history_page(row, page)]
        assert (row.status, row.redrive_count, row.events, len(events)) == ("FAILED", 1, 5, 5)


def test_one_mark_deletes_so_many_rows_at_most() -> None:
    """The rows of a crowd of archived executions are deleted mark by mark, not all at once."""
    story = Story(3, positions=40)
    for number in range(8):
        story.live(number, 0)
    table, own = Table(), TrackerLimits(gone_rows_max=5, snapshot_small_bytes=1 << 20)
    flusher, _ = start(table, own=own)
    for offset in range(len(story.log)):
        record_arrived(flusher.part, offset, story.times[offset], story.log[offset])
        flusher.flush(table.write, 0.0)
    left = [len(table.rows)]
    for _ in range(8):
        story.rest(1)
        run_on(flusher, table, story, 1)
        left.append(len(table.rows))
    assert [a - b for a, b in pairwise(left)][:5] == [5] * 5
    assert not {key[rows.KIND] for key in table.rows} & rows.SUMMED
    assert len(shown(flusher.part)) > 8


def test_what_is_older_than_its_retention_leaves_the_disk() -> None:
    """Executions are deleted from the archive once they are remembered no more: nothing of them is left there."""
    story = aged(3)
    table = Table()
    flusher, _ = start(table, SHORT)
    run_on(flusher, table, story, 3)
    story.rest(60_000)
    run_on(flusher, table, story, 3)
    log = flusher.part.archive.log
    while log.expire(story.times[-1] - SHORT.retention_ms):
        pass
    head = home_prefix(HOME)
    assert {key[2:3] for key, _ in log._store.scan(head, head + b"\xff")} == {b"@"}


def test_a_redrive_may_begin_with_the_last_answer_of_the_generation_before() -> None:
    """Asked for while the run closed: what that record answers waits to be redriven, and nothing runs yet."""
    story = Story(0, positions=3)
    run = story.begin(0)
    arn = story.arns[-1]
    story.read(run, 3)
    story.put(LaneProgress(run, 0, 0, (0, 3)), StopRequested("s", arn), RedriveRequested("r", arn))
    story.put(SourceFailed(run, 0, "E", "no more"), outcome(0, {0: Child(0, ABORTED)}, 0, run))
    story.put(outcome(0, {i: Child(i, ABORTED) for i in (1, 2)}, 0, run))
    table = Table()
    flusher, _ = start(table)
    run_on(flusher, table, story, 1)
    part = flusher.part
    assert part.home.state.runs[run].generation == 1
    assert (part.running_now(run), list(part.running.spans(run))) == (0, [])
    row = part.run(run)
    assert row is not None
    found = [child_of(part, row, i) for i in range(3)]
    assert [child.status for child in found if child is not None] == ["PENDING_REDRIVE"] * 3
