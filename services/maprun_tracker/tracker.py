"""The tracker's process as a member of its group: an owner for each home it is given."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from maprun.archive.rocks import RocksStore
from maprun.bus.port import Port
from maprun.bus.reporting import Doing
from maprun.bus.rights import refusal
from maprun.mapruns.fold.home import Home
from maprun.mapruns.fold.state import Archive, HomeState, Interpreter
from maprun.mapruns.limits import limits_of
from maprun.runtime import clock, logs
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas import topics
from schemas.arns import Names
from services.maprun_tracker import metrics, owner, tables
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.owner import Held
from services.maprun_tracker.recovery import Change
from services.maprun_tracker.rows import home_of_key
from services.maprun_tracker.state import Partition

LOOK_SECONDS = 0.02
COMMIT_SECONDS = 1.0
SETTLED_SECONDS_MAX = 300.0
"""A group that comes to no assignment for so long has got stuck: Faust can, without a word."""


class Running(Protocol):
    """A coroutine that is kept running."""

    def cancel(self) -> None:
        """Ends it at its next await."""
        ...


class Host(Protocol):
    """What runs owners, and tells how Kafka stands."""

    def beside(self, name: str, work: Callable[[Port], Any]) -> Running:
        """Keeps a coroutine running until it is cancelled; one that lost Kafka is started again."""
        ...

    def port(self) -> Port:
        """A port for what is written at the end."""
        ...

    def ready(self) -> str:
        """What is missing to Kafka; "" = nothing."""
        ...


class Table:
    """Faust's table as an owner knows it."""

    def __init__(self, app: Any, table: Any) -> None:
        self._app = app
        self._table = table
        self.positions: dict[int, int] = {}  # home → offset behind the last record whose rows are written
        self.to_go = 0  # offsets of a changelog that is being read

    @property
    def rows(self) -> Mapping[bytes, bytes]:
        """What stands in the table now."""
        return tables.stored_rows(self._table)

    def forget(self, home: int) -> None:
        """Drops a home's rows from memory."""
        stored = tables.stored_rows(self._table)
        for key in [key for key in stored if home_of_key(key) == home]:
            del stored[key]

    def recovered(self, changes: Sequence[Change], to_go: int) -> None:
        """Takes over rows of the changelog: straight into memory, since through the table they would be sent again."""
        stored = tables.stored_rows(self._table)
        for key, row in changes:
            if row is None:
                stored.pop(key, None)
            else:
                stored[key] = row
        self.to_go = to_go

    def write(self, key: bytes, row: bytes | None) -> None:
        """Puts a row, or deletes it."""
        if row is None:
            self._table.pop(key, None)
        else:
            self._table[key] = row

    async def flushed(self, home: int, offset: int) -> None:
        """Notes how far a home is folded, and waits while too many rows wait to be sent."""
        self.positions[home] = offset + 1
        await tables.room(self._app)

    def keep(self, homes: frozenset[int]) -> None:
        """Drops the rows of all other homes from memory: their owners have newer ones, and say what is deleted."""
        stored = tables.stored_rows(self._table)
        for key in [key for key in stored if home_of_key(key) not in homes]:
            del stored[key]
        self.positions = {home: at for home, at in self.positions.items() if home in homes}


class Tracker(owner.Watch):
    """The Faust application with its table, and the homes of this process. The API's `Parts` and `Owners`."""

    def __init__(
        self, settings: Settings, limits: Limits, own: TrackerLimits, interpreter: Interpreter, host: Host
    ) -> None:
        self._host = host
        self._settings = settings
        self._interpreter = interpreter
        self._names = Names(settings.region, settings.account)
        self._log = logs.logger("tracker")
        self.fold_limits = limits_of(settings)
        self.app = tables.make_app(settings, limits)
        self.table = Table(self.app, tables.make_table(self.app, settings))
        tables.subscribe(self.app, settings)
        self._assigned: frozenset[int] | None = None  # homes of the last assignment; None = revoked, and none yet
        self._owners: dict[int, Running] = {}
        self._held: dict[int, Held] = {}
        self.app.on_partitions_revoked.connect(self._revoked)
        self.app.on_partitions_assigned.connect(self._partitions_assigned)
        store = RocksStore(settings.state_dir.absolute() / "tracker" / settings.instance / "archive")
        self._deps = owner.Deps(self.table, self._home, interpreter, own, self, store)
        metrics.watch(self.owned, self.fold_limits.open_runs_max)

    # ------------------------------------------------------------------ what the API asks

    def ready(self) -> str:
        """What is missing before all homes of this process may be asked."""
        return self._unsettled() or next(filter(None, map(self.missing, sorted(self._assigned or ()))), "")

    def missing(self, home: int) -> str:
        """What is missing before one home may be asked; "" when it may, or when it is not this process's."""
        held = self._held.get(home)
        if held is None:
            unsettled = self._unsettled()
            taking = home in (self._assigned or ())
            rows = f"The tracker is recovering the rows of home {home}: {self.table.to_go} of its changelog to go."
            return unsettled or (rows if taking else "")
        if held.to_go:
            return f"The tracker is reading home {home}: {held.to_go} records to go."
        return ""

    def _unsettled(self) -> str:
        """Why it isn't known which homes are this process's."""
        if self._assigned is not None and tables.settled(self.app):
            return ""
        lacking = self._host.ready() or tables.leaderless(self.app)
        return f"The tracker can't go on: {lacking}" if lacking else tables.missing(self.app)

    def owned(self) -> Mapping[int, Partition]:
        """The homes that this process has taken up."""
        return {home: held.part for home, held in self._held.items()}

    def doing(self) -> Doing:
        """What the process reports of its homes."""
        homes = tuple(home for home in sorted(self._held) if not self.missing(home))
        return Doing(self.ready(), {topics.HOME.name: homes}, figures=lambda: metrics.figures(self.owned()))

    def url_of(self, home: int) -> str | None:
        """The URL of the process that owns a home."""
        return next((url for url, homes in self.others().items() if home in homes), None)

    def others(self) -> Mapping[str, list[int]]:
        """The other processes: URL → homes."""
        return tables.others(self.app)

    # ------------------------------------------------------------------ life

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set; then everything is flushed and marked. Raises what ends Faust."""
        started = asyncio.create_task(self.app.start())
        work = [asyncio.create_task(each) for each in (self._crashed(started), self._follow_group(), self._commit())]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopped, *work}, return_when=asyncio.FIRST_COMPLETED)
            for ended in work:
                if ended.done():
                    ended.result()
                    raise RuntimeError("Faust ended by itself")
            held = list(self._held.values())
            self._give_up()
            for each in [each for each in held if not each.folding]:
                owner.write(self._host.port(), each, self._deps, mark_now=True)
        finally:
            self._give_up()
            for task in (*work, stopped):
                task.cancel()
            await self.app.stop()

    async def _crashed(self, started: "asyncio.Task[None]") -> None:
        """Ends when Faust does: its exceptions at the start would otherwise be silent."""
        await started
        await self.app.wait_until_stopped()
        if self.app.crash_reason is not None:
            raise self.app.crash_reason

    async def _follow_group(self) -> None:
        """Starts an owner for each home of an assignment once it stands, and ends them with it.

        What is looked at is how things stand, not what was told of them: a rebalance may begin while another ends.
        """
        unsettled = clock.monotonic_seconds()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = clock.monotonic_seconds()
            try:
                tables.check_group(self.app)
            except KafkaError as error:
                refused = refusal(error, self._settings, self.app.conf.id, tables.home_topic(self.app))
                if refused is not None:
                    raise refused from error
                tables.die("group_failed", error)
            if self._assigned is None or not tables.settled(self.app):
                self._give_up()
                if tables.leaderless(self.app):
                    unsettled = now  # it goes on once a broker is back: starting again brings nothing
                elif now - unsettled > SETTLED_SECONDS_MAX:
                    tables.die(f"the group does not settle: {self._unsettled()}")
            else:
                unsettled = now
                if self._owners.keys() != self._assigned:
                    self._take_up(self._assigned)

    def _take_up(self, homes: frozenset[int]) -> None:
        self._give_up()
        self.table.keep(homes)
        for home in sorted(homes):
            self._owners[home] = self._host.beside(f"home/{home}", self._owner_of(home))

    def _owner_of(self, home: int) -> Callable[[Port], Any]:
        return lambda port: owner.own_home(port, home, self._deps)

    def _give_up(self) -> None:
        """What is not flushed is forgotten: whoever gets the homes folds it again."""
        for running in self._owners.values():
            running.cancel()
        self._owners.clear()
        self._held.clear()

    async def _revoked(self, *_args: Any, **_kwargs: Any) -> None:
        self._assigned = None
        self._give_up()

    async def _partitions_assigned(self, *args: Any, **_kwargs: Any) -> None:
        self._assigned = tables.homes_of(self.app, args[-1])

    def _home(self, state: HomeState, archive: Archive) -> Home:
        settings = self._settings
        return Home(state, self._interpreter, self._names, settings.homes, settings.lanes, self.fold_limits, archive)

    async def _commit(self) -> None:
        """Tells the group how far homes are folded, for people who look at its lag."""
        committed: Mapping[int, int] = {}
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            new = {home: at for home, at in self.table.positions.items() if committed.get(home) != at}
            if new and self._assigned is not None and tables.settled(self.app):
                await tables.commit(self.app, new)
                committed = dict(self.table.positions)

    # ------------------------------------------------------------------ what owners tell

    def taken(self, held: Held, rows: int, rebuilt: str) -> None:
        """A home's rows were taken up."""
        part = held.part
        self._held[part.number] = held
        say = self._log.warning if rebuilt else self._log.info
        say("home_taken", home=part.number, offset=part.offset, end=held.end, rows=rows, rebuilt=rebuilt)

    def passed_over(self, home: int, first: int, end: int) -> None:
        """Home holds nothing there."""
        self._log.warning("home_was_cut", home=home, first=first, end=end)

    def folded(self, part: Partition, size: int) -> None:  # noqa: ARG002 - homes are too many for a label
        """A record was folded."""
        metrics.RECORDS.inc()
        metrics.BYTES.inc(size)

    def unreadable(self, home: int, offset: int) -> None:
        """A record was passed over."""
        metrics.unreadable(topics.HOME.name, home, offset)

    def flushed(self, rows: int, size: int, deleted: int) -> None:
        """Rows were written."""
        metrics.ROWS.inc(rows)
        metrics.ROW_BYTES.inc(size)
        metrics.ROWS_DELETED.inc(deleted)

    def given_up(self, held: Held) -> None:
        """An owner has ended."""
        if self._held.get(held.part.number) is held:
            del self._held[held.part.number]
