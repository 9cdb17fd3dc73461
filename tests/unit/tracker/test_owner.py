"""The owner of a home over a log, a clock and a table in memory: where it goes on, when it writes, when it gives up."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from maprun.bus.port import Outgoing, Record, RecordsGoneError
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas import topics
from schemas.lanes import Cause
from schemas.machines import MachineRequested, MachineSpec, MachineWritten
from schemas.wire import encode
from services.maprun_tracker import rows, tables
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.owner import Deps, Held, Watch, own_home
from services.maprun_tracker.recovery import Change
from services.maprun_tracker.state import Partition
from services.maprun_tracker.topology import ARCHIVE, CHANGELOG
from tests.unit.archive.topic import Topic
from tests.unit.tracker import fakes
from tests.unit.tracker.test_flush import HOME, KilledError, Table, log_of, run_on, shown, start

FIRST_MS = 1_000


class Home:
    """A home partition as the broker keeps it: `gone` offsets hold nothing, those below `start` no more."""

    def __init__(self, values: list[bytes], start: int = 0, gone: frozenset[int] = frozenset()) -> None:
        self.values = values
        self.start = start
        self.gone = gone


class FakePort:
    """Delivers what the home holds from where a feed begins, a batch at a time; then the owner is cancelled."""

    instance = "test"
    cluster = ""

    def __init__(self, home: Home, batch: int = 10) -> None:
        self.home = home
        self.machines: list[bytes] = []
        self.archive = Topic()
        self.now = 0.0
        self.began = -1
        self.feeding = False
        self.waits: list[float | None] = []
        self._batch = batch
        self._next = 0

    def monotonic(self) -> float:
        """The test's time."""
        return self.now

    def mailbox(self) -> "FakePort":
        """The port is its own mailbox."""
        return self

    def feed(self, topic: str, partition: int, offset: int, mailbox: Any) -> "FakePort":
        """Begins there, or where the log begins."""
        assert (topic, partition, mailbox) == (topics.HOME.name, HOME, self)
        self.began, self.feeding = offset, True
        self._next = max(offset, self.home.start)
        return self

    def close(self) -> None:
        """The feed's end."""
        self.feeding = False

    async def start_offset(self, topic: str, partition: int) -> int:
        """Where the log begins."""
        if topic == CHANGELOG:
            return 0
        if topic == ARCHIVE:
            return 0
        assert (topic, partition) == (topics.HOME.name, HOME)
        return self.home.start

    async def end_offset(self, topic: str, partition: int) -> int:
        """Where the log ends."""
        if topic == CHANGELOG:
            return 0
        if topic == ARCHIVE:
            return await self.archive.end_offset(topic, partition)
        if topic == topics.MACHINES.name:
            return len(self.machines)
        assert (topic, partition) == (topics.HOME.name, HOME)
        return len(self.home.values)

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """What stands on the topic of machines, or in the archive."""
        if topic == ARCHIVE:
            return await self.archive.read(topic, partition, first, end)
        assert (topic, partition) == (topics.MACHINES.name, HOME)
        return [Record(topic, HOME, first + i, 0, b"k", value) for i, value in enumerate(self.machines[first:end])]

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Pages of the archive."""
        assert {message.topic for message in messages} == {ARCHIVE}
        return await self.archive.send(messages)

    async def sleep(self, seconds: float) -> None:
        """A turn of the loop."""
        await asyncio.sleep(seconds)

    async def get(self, wait_seconds: float | None) -> list[Record]:
        """The next records; nothing once, when time is to pass; cancelled when nothing can come any more."""
        self.waits.append(wait_seconds)
        self._next = max(self._next, self.home.start)  # what was deleted meanwhile is passed over
        end = min(self._next + self._batch, len(self.home.values))
        offsets = [offset for offset in range(self._next, end) if offset not in self.home.gone]
        self._next = end
        if not offsets and wait_seconds is None:
            raise asyncio.CancelledError
        if not offsets and wait_seconds is not None:
            self.now += wait_seconds
        return [
            Record(topics.HOME.name, HOME, offset, FIRST_MS + offset, None, self.home.values[offset])
            for offset in offsets
        ]


class Rows:
    """The table as owners know it, over one that can die."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.flushed_to: list[int] = []

    @property
    def rows(self) -> Mapping[bytes, bytes]:
        """What stands there."""
        return self._table.rows

    def forget(self, home: int) -> None:
        """The changelog of these tests is the table itself: it stays."""
        assert home == HOME

    def recovered(self, changes: Sequence[Change], to_go: int) -> None:
        """Never called: the changelog has nothing more."""
        raise AssertionError((changes, to_go))

    def write(self, key: bytes, row: bytes | None) -> None:
        """One write."""
        self._table.write(key, row)

    async def flushed(self, home: int, offset: int) -> None:
        """Noted."""
        assert home == HOME
        self.flushed_to.append(offset)


class Heard(Watch):
    """What an owner told."""

    def __init__(self) -> None:
        self.held: Held | None = None
        self.rebuilt = ""
        self.holes: list[tuple[int, int]] = []
        self.folded_records = 0
        self.passed_over_offsets: list[int] = []
        self.ended = False
        self.behind: list[int] = []

    def taken(self, held: Held, rows: int, rebuilt: str) -> None:  # noqa: ARG002 - how many does not matter
        """The rows were taken up."""
        self.held, self.rebuilt = held, rebuilt
        self.behind.append(held.to_go)

    def passed_over(self, home: int, first: int, end: int) -> None:
        """Nothing stands there."""
        assert home == HOME
        self.holes.append((first, end))

    def folded(self, part: Partition, size: int) -> None:  # noqa: ARG002 - only counted
        """A record."""
        self.folded_records += 1

    def unreadable(self, home: int, offset: int) -> None:
        """A record that is none."""
        assert home == HOME
        self.passed_over_offsets.append(offset)

    def given_up(self, held: Held) -> None:
        """The end."""
        assert held is self.held
        self.ended = True


LIMITS = TrackerLimits(flush_records_max=7, flush_seconds_max=0.25, snapshot_small_bytes=0, snapshot_ratio=3)


def deps_of(table: Rows, heard: Heard, limits: TrackerLimits = LIMITS) -> Deps:
    """What an owner needs."""
    interpreter = fakes.FakeInterpreter(event_bytes=150)
    return Deps(table, lambda state, archive: fakes.fold(state, interpreter, None, archive), interpreter, limits, heard)


def owned(port: FakePort, table: Table, limits: TrackerLimits = LIMITS) -> tuple[Heard, Rows]:
    """An owner that reads to the end of its port's home, and is cancelled there."""
    heard, seen = Heard(), Rows(table)
    port.archive = table.topic
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(own_home(port, HOME, deps_of(seen, heard, limits)))  # type: ignore[arg-type]
    return heard, seen


@pytest.mark.parametrize("seed", range(12))
def test_killed_anywhere_the_next_goes_on_behind_the_mark(seed: int) -> None:
    """An owner that dies at any write is followed by one that reads from the mark's next record, to the same rows."""
    log, table = log_of(seed), Table()
    whole = Table()
    undisturbed, _ = owned(FakePort(Home(log)), whole)
    for writes in (3, 11, 29, 61, 5):
        table.writes_left = writes
        port, heard = FakePort(Home(log)), Heard()
        port.archive = table.topic
        with pytest.raises((KilledError, asyncio.CancelledError)):
            asyncio.run(own_home(port, HOME, deps_of(Rows(table), heard)))  # type: ignore[arg-type]
        table.writes_left = -1
        assert not port.feeding
        assert heard.ended
        mark = table.rows.get(rows.mark_key(HOME))
        marked = -1 if mark is None else rows.Codec().mark(mark).offset
        port = FakePort(Home(log[: marked + 1]))
        heard, _ = owned(port, Table() if mark is None else _copy(table))
        assert port.began == marked + 1
        assert heard.rebuilt == ""
    heard, _ = owned(FakePort(Home(log)), table)
    assert heard.held is not None
    assert heard.held.part.offset == len(log) - 1
    assert undisturbed.held is not None
    assert shown(heard.held.part) == shown(undisturbed.held.part)


def _copy(table: Table) -> Table:
    copy = Table()
    copy.rows = dict(table.rows)
    copy.topic.values = list(table.topic.values)
    return copy


def test_what_was_deleted_under_an_owner_ends_it() -> None:
    """Home is cut while it is read: the owner ends, and the next folds what home still holds, from its beginning."""
    log, table = log_of(1), Table()
    home = Home(log)
    port, heard = FakePort(home), Heard()
    port.archive = table.topic
    watched = heard.folded

    def cut_at_20(part: Partition, size: int) -> None:
        watched(part, size)
        if part.offset == 20:
            home.start = 40

    heard.folded = cut_at_20  # type: ignore[method-assign]
    with pytest.raises(RecordsGoneError, match="from 30 on is gone"):
        asyncio.run(own_home(port, HOME, deps_of(Rows(table), heard)))  # type: ignore[arg-type]
    heard, _ = owned(FakePort(home), table)
    assert "home begins at 40" in heard.rebuilt
    assert heard.holes == [(0, 40)]
    assert heard.held is not None
    assert heard.held.part.offset == len(log) - 1


def test_machines_made_before_the_beginning_of_home_are_known() -> None:
    """They are taken from their own topic, and what home still holds of their changes is folded into them."""
    made = MachineSpec(fakes.DEFINITION, "r1")
    first = MachineWritten(Cause(HOME, 3, 0), fakes.MACHINE, "m", made, "rev", 1, 1)
    changed = MachineRequested("late", "update", fakes.MACHINE, "m", MachineSpec(b"", "r2", ""))
    log = [*log_of(5)[:40], encode(changed)]
    port = FakePort(Home(log, start=30))
    port.machines = [encode(first)]
    table = Table()
    for _ in range(2):
        heard, _ = owned(port, table)
        assert heard.held is not None
        [machine] = heard.held.part.home.state.machines.values()
        assert (machine.spec.definition, machine.spec.role_arn, machine.cause.offset) == (fakes.DEFINITION, "r2", 40)
        assert (machine.created_ms, heard.rebuilt) == (1, "")
        port.machines = []  # from here on the rows know them


def test_a_hole_that_was_always_there_is_passed_over() -> None:
    """Offsets at which nothing ever stood (a marker of the broker's) stop nobody, now or after a restart."""
    log, table = log_of(2), Table()
    home = Home(log, gone=frozenset((15, 16)))
    heard, _ = owned(FakePort(home), table)
    assert heard.holes == [(15, 17)]
    assert heard.held is not None
    assert heard.held.part.offset == len(log) - 1
    again, _ = owned(FakePort(home), table)
    assert again.rebuilt == ""


def test_rows_are_written_by_count_and_by_time() -> None:
    """Every so many records rows are written, and when nothing more comes, after a quarter of a second."""
    log, table = log_of(3)[:17], Table()
    port = FakePort(Home(log), batch=4)
    _, seen = owned(port, table)
    assert seen.flushed_to == [6, 13, 16]
    assert port.now == LIMITS.flush_seconds_max
    assert port.waits[0] is None


def test_a_home_may_be_asked_once_what_stood_on_it_is_folded() -> None:
    """An owner knows how many records it lacks of what stood on home when it took it up."""
    log, table = log_of(4), Table()
    heard, _ = owned(FakePort(Home(log)), table)
    assert heard.behind == [len(log)]
    assert heard.passed_over_offsets == [log.index(b"\xff broken")]
    assert heard.held is not None
    assert heard.held.to_go == 0


def test_a_mark_before_the_beginning_of_home_is_not_gone_on_from() -> None:
    """Records between mark and beginning are gone: a fold that went on without them would be wrong for ever."""
    log, table = log_of(10), Table()
    flusher, _ = start(table)
    run_on(flusher, table, log[:20], 4)
    for begins in (0, 20):
        heard, _ = owned(FakePort(Home(log, begins)), _copy(table))
        assert heard.rebuilt == ""
    heard, _ = owned(FakePort(Home(log, 21)), _copy(table))
    assert "home begins at 21" in heard.rebuilt


def test_a_key_says_its_partition_of_the_changelog(tmp_path: Path) -> None:
    """A row goes to the changelog's partition of its home, whatever is going on when it is written."""
    settings = msgspec.structs.replace(Settings(), instance="t", state_dir=tmp_path)
    app = tables.make_app(settings, Limits())
    table = tables.make_table(app, settings)
    for home in (0, 3, 700):
        key = rows.run_key(home, "00000000-0000-4000-8000-000000000000")
        assert table.partition_for_key(key) == rows.home_of_key(key) == home


def test_rows_of_a_home_that_was_made_anew_are_folded_again() -> None:
    """Their mark carries another cluster: whatever their offsets, they are of records that are no more."""
    log, table = log_of(4), Table()
    owned(FakePort(Home(log)), table)
    port = FakePort(Home(log))
    port.cluster = "another one"
    heard, _ = owned(port, _copy(table))
    assert heard.rebuilt == "the rows are of a home that was made anew"
