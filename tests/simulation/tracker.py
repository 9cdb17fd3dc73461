"""The tracker's owners over a simulated table: rows in memory, a changelog that lags, loses its tail, hears zombies."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from maprun.archive.store import MemoryStore, Store
from maprun.bus.port import Outgoing
from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.state import Archive, HomeState
from schemas import topics
from schemas.home import STATUS_NAMES
from services.maprun_tracker import rows
from services.maprun_tracker.archive import EndedExecutions
from services.maprun_tracker.flush import Flusher, restore
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import BLOCK_POSITIONS, TrackerLimits
from services.maprun_tracker.owner import Deps, Held, Watch, own_home
from services.maprun_tracker.state import Partition
from services.maprun_tracker.topology import ARCHIVE, CHANGELOG
from tests.simulation.plays import NAMES
from tests.simulation.port import SimPort
from tests.simulation.process import Owner
from tests.simulation.work import SimPace

if TYPE_CHECKING:
    from tests.simulation.books import Book
    from tests.simulation.house import House

LIMITS = TrackerLimits(
    blocks_decoded_max=1,
    history_page_bytes_max=400,
    flush_records_max=9,
    snapshot_small_bytes=64,
    snapshot_ratio=1,
    chunk_bytes_max=300,
    archive_executions_max=1,
    archive_page_bytes_max=600,
)

Row = tuple[bytes, bytes | None]


class _Rows:
    """The table of one owner. Faust sends from a buffer of its own: a kill between two batches loses the rest."""

    def __init__(self, tracker: "Tracker", port: SimPort, home: int) -> None:
        self._tracker = tracker
        self._port = port
        self._home = home
        self._rows: dict[bytes, bytes] = {}
        self._buffer: list[Row] = []

    @property
    def rows(self) -> Mapping[bytes, bytes]:
        """What stands in the table now."""
        return self._rows

    def forget(self, home: int) -> None:
        """A process of the simulator begins with nothing in memory."""
        assert not self._rows, home

    def recovered(self, changes: Sequence[Row], to_go: int) -> None:
        """Takes over rows of the changelog; all of them, a mutation may tamper with."""
        for key, row in changes:
            self._put(key, row)
        if not to_go:
            self._tracker.house.mutation.recovered(self._home, self._rows)

    def write(self, key: bytes, row: bytes | None) -> None:
        """Puts a row, or deletes it."""
        self._put(key, row)
        self._buffer.append((key, row))

    def _put(self, key: bytes, row: bytes | None) -> None:
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row

    async def flushed(self, home: int, offset: int) -> None:
        """Sends what was written, and tells the group how far home is folded."""
        buffer, self._buffer = self._buffer, []
        for first in range(0, len(buffer), 3):
            part = buffer[first : first + 3]
            await self._port.send([Outgoing(CHANGELOG, home, row, key) for key, row in part])
            self._tracker.stall(self._port)
        self._port.commit(topics.HOME.name, home, offset + 1)


class _Seen(Watch):
    """Shows the checker what an owner takes up and folds."""

    def __init__(self, tracker: "Tracker", port: SimPort) -> None:
        self._tracker = tracker
        self._port = port

    def taken(self, held: Held, rows: int, rebuilt: str) -> None:  # noqa: ARG002 - only whether
        """A home's rows were taken up."""
        self._tracker.rebuilt += bool(rebuilt)
        self._tracker.parts.setdefault(held.part.number, []).append((self._port, held.part))
        self._tracker.held[self._port.owner] = held

    def folded(self, part: Partition, size: int) -> None:  # noqa: ARG002 - the fold is looked at
        """A record was folded."""
        self._tracker.house.judge.compare(part.home, "a tracker")


class Nowhere(msgspec.Struct, frozen=True):
    """The port of somebody who only looks at what stands in the logs."""

    cluster: str


class Tracker:
    """Owners of the tracker's partitions in one world, and the checks of what they hold."""

    def __init__(self, house: "House") -> None:
        self.house = house
        self.parts: dict[int, list[tuple[SimPort, Partition]]] = {}  # by home, of every owner so far
        self.held: dict[Owner, Held] = {}  # of owners that have taken up their rows
        self.rebuilt = 0

    def _home(self, state: HomeState, archive: Archive) -> Home:
        scenario = self.house.scenario
        interpreter = self.house.interpreters.roots(scenario)
        return Home(state, interpreter, NAMES, scenario.homes, scenario.lanes, scenario.limits, archive)

    async def own(self, port: SimPort, home: int, pace: SimPace, store: Store) -> None:
        """Recovers the table, and owns the home as the service does."""
        watch = _Seen(self, port)
        deps = Deps(_Rows(self, port, home), self._home, self._interpreter, LIMITS, watch, store, pace)
        await own_home(port, home, deps)

    def restored(self, home: int, table: dict[bytes, bytes], end: int) -> Flusher:
        """A partition from recovered rows, which must prove themselves; `end` is home's."""
        self.house.mutation.recovered(home, table)
        port: Any = Nowhere(self.house.world.cluster)
        archive = EndedExecutions(port, home, MemoryStore(), self._interpreter, LIMITS.archive_page_bytes_max)
        log = self.house.world.log(ARCHIVE, home)
        for record in log.slice(0, len(log)):
            archive.log.take(record)
        cluster = self.house.world.cluster
        return restore(
            home, table, list(table), self._home, archive, self._interpreter, LIMITS, end=end, cluster=cluster
        )[0]

    @property
    def _interpreter(self) -> RootInterpreter:
        return self.house.interpreters.roots(self.house.scenario)

    def stall(self, port: SimPort) -> None:
        """Now and then the process stops in the midst of a flush, and goes on as a zombie with old rows in hand."""
        world, process = self.house.world, port.process
        scenario = self.house.scenario
        if not world.calm and not process.paused and world.random.random() < scenario.stall_share:
            process.pause()
            world.after(world.random.uniform(*scenario.stall_seconds), process.resume)

    # ------------------------------------------------------------------ what must hold

    def caught_up(self) -> bool:
        """True when every partition holds all that stands on home."""
        ends = [len(self.house.world.log(topics.HOME.name, home)) for home in range(self.house.scenario.homes)]
        owned = self._owned()
        return all(home in owned and owned[home].offset == end - 1 for home, end in enumerate(ends))

    def _owned(self) -> dict[int, Partition]:
        """The partitions whose owners the group still holds for theirs; a late zombie is none of them."""
        return {
            home: part
            for home, parts in self.parts.items()
            for port, part in parts
            if not port.closed and not port.process.expelled
        }

    def check(self) -> None:
        """What the owners answer, and what a new one would, is what the frames on home say."""
        for home, part in self._owned().items():
            self._check(home, part, "the owner")
            log = self.house.world.log(CHANGELOG, home)
            table = fold_rows([(r.key or b"", r.value) for r in log.slice(0, len(log))])
            records = self.house.world.log(topics.HOME.name, home)
            again = self.restored(home, table, len(records)).part
            for record in records.slice(again.offset + 1, len(records)):
                record_arrived(again, record.offset, record.timestamp_ms, record.value)
            self._check(home, again, "a new owner")

    def _check(self, home: int, part: Partition, who: str) -> None:
        for run, book in self.house.judge.books.items():
            if int(run[15:18], 16) == home:
                self._check_run(part, run, book, who)
        for arn, (status, output, error) in self.house.judge.ended.items():
            row = part.root(arn)
            if row is None and any(arn in r for r in [self.house.judge.homes[home].state.ended]):
                self.house.world.violated(f"{who} of home {home} does not know {arn}")
            elif row is not None and (row.status, row.output, row.error) != (status, output, error):
                self.house.world.violated(f"{who} of home {home} says {row.status} {row.error} of {arn}")
            elif row is not None and row.events != len(self.house.judge.histories[arn]):
                self.house.world.violated(f"{who} of home {home} has {row.events} events of {arn}")

    def _check_run(self, part: Partition, run: str, book: "Book", who: str) -> None:
        row = part.run(run)
        if row is None:
            self.house.world.violated(f"{who} does not know run {run}")
            return
        for status, name in STATUS_NAMES.items():
            counted = len(book.ended(status))
            shown = row.execution_counts[{"TIMED_OUT": "timedOut"}.get(name, name.lower())]
            if shown != counted:
                self.house.world.violated(f"{who} shows {shown} {name} of {run}, there are {counted}")
        if row.generation != book.now.number:
            self.house.world.violated(f"{who} shows generation {row.generation} of {run}, it is {book.now.number}")
        for index, answer in book.latest.items():
            block = part.block(run, index // BLOCK_POSITIONS)
            place = index % BLOCK_POSITIONS
            if block is None or (block.status(place), block.offset(place)) != (answer.status, answer.offset):
                self.house.world.violated(f"{who} has another winner for {index} of {run}")


def fold_rows(written: Sequence[Row]) -> dict[bytes, bytes]:
    """The table that these writes leave."""
    table: dict[bytes, bytes] = {}
    for key, row in written:
        if row is None:
            table.pop(key, None)
        else:
            table[key] = row
    return table


def unproven(home: int, table: dict[bytes, bytes]) -> None:
    """Makes the table's mark believe whatever rows there are: for the mutation without proof."""
    key = rows.mark_key(home)
    if key in table:
        codec = rows.Codec()
        mark = codec.mark(table[key])
        total = 0
        for other, row in table.items():
            if other[rows.KIND] in rows.SUMMED:
                total ^= rows.digest_at(mark.offset, other, row)
        table[key] = codec.pack_mark(_with_sum(mark, total))


def _with_sum(mark: rows.Mark, total: int) -> rows.Mark:
    fields = {name: getattr(mark, name) for name in mark.__struct_fields__}
    return rows.Mark(**{**fields, "sum": total})
