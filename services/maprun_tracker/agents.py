"""The agent that folds home into the table, and the life of its partitions: recovered, proved, caught up, flushed."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from faust import streams

from maprun.bus.port import BusError
from maprun.mapruns.home import Home
from maprun.mapruns.limits import limits_of
from maprun.mapruns.state import HomeState, Interpreter
from maprun.runtime import clock, logs
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.arns import Names
from services.maprun_tracker import metrics, tables
from services.maprun_tracker.flush import Flusher, restore
from services.maprun_tracker.gaps import Came, Gap, Recovery
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.rows import prefix
from services.maprun_tracker.state import Partition

TURN_SECONDS = 0.003
WATCH_SECONDS = 5.0
STILL_SECONDS_MAX = 40.0
RECOVERY_SECONDS_MAX = 300.0
EndOffset = Callable[[int], Awaitable[int]]
"""The end offset of a home partition."""


class _Kept:
    """A partition of this process, and the records folded into it that are not acknowledged yet."""

    def __init__(self, flusher: Flusher, end: int) -> None:
        self.flusher = flusher
        self.end = end  # of home when the partition was taken
        self.pending: list[Any] = []
        self.since = 0.0
        self.gap = Gap()

    @property
    def part(self) -> Partition:
        return self.flusher.part


class Tracker:
    """The Faust application with its table and partitions. Implements the API's `Parts` and `Owners`."""

    def __init__(self, settings: Settings, limits: Limits, own: TrackerLimits, interpreter: Interpreter) -> None:
        self._own = own
        self._settings = settings
        self._interpreter = interpreter
        self._names = Names(settings.region, settings.account)
        self._log = logs.logger("tracker")
        self.fold_limits = limits_of(settings.payload_bytes_max, settings.history_events_max, settings.retention_days)
        self.end_offset: EndOffset | None = None
        self.app = tables.make_app(settings, limits)
        self.table = tables.make_table(self.app, settings, limits)
        self._parts: dict[int, _Kept] = {}
        self.app.agent(tables.make_source(self.app, settings), concurrency=1)(self._track)
        self.app.on_partitions_revoked.connect(self._revoked)
        metrics.watch(self.owned, self.fold_limits.open_runs_max)

    # ------------------------------------------------------------------ what the API asks

    def ready(self) -> str:
        """What is missing before anything may be answered."""
        if not tables.recovered(self.app):
            return "The tracker is recovering its tables."
        for kept in self._parts.values():
            if kept.part.offset < kept.end - 1:
                return (
                    f"The tracker is reading home {kept.part.number}: {kept.end - 1 - kept.part.offset} records to go."
                )
        if tables.owned_homes(self.app) - self._parts.keys():
            return "The tracker is taking over its partitions."
        return ""

    def owned(self) -> Mapping[int, Partition]:
        """The partitions, by home."""
        return {home: kept.part for home, kept in self._parts.items()}

    def url_of(self, home: int) -> str | None:
        """The URL of the process that owns a home."""
        return next((url for url, homes in self.others().items() if home in homes), None)

    def others(self) -> Mapping[str, list[int]]:
        """The other processes: URL → homes."""
        return tables.others(self.app)

    # ------------------------------------------------------------------ life

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set; then everything is flushed and marked. Raises what ends Faust."""
        tables.after_seek(self.app, self._taken)
        started = asyncio.create_task(self.app.start())
        linger = asyncio.create_task(self._linger())
        watch = asyncio.create_task(self._watch())
        crashed = asyncio.create_task(self._crashed(started))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopped, crashed, linger, watch}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (crashed, linger, watch):
                if ended.done():
                    ended.result()
                    raise RuntimeError("Faust ended by itself")
            for kept in self._parts.values():
                self._flush(kept, mark_now=True)
        finally:
            for task in (linger, watch, crashed, stopped):
                task.cancel()
            await self.app.stop()

    async def _crashed(self, started: "asyncio.Task[None]") -> None:
        """Ends when Faust does: its exceptions at the start would otherwise be silent."""
        await started
        await self.app.wait_until_stopped()
        if self.app.crash_reason is not None:
            raise self.app.crash_reason

    async def _taken(self) -> None:
        """Partitions were assigned, the table is recovered: proves their rows, puts the source behind the mark."""
        homes = tables.owned_homes(self.app)
        rows = tables.stored_rows(self.table)
        for home in homes:
            kept = self._parts.get(home)
            if kept is None:
                assert self.end_offset is not None
                end = await self.end_offset(home)
                start = clock.monotonic_seconds()
                head = prefix(home)
                keys = [key for key in rows if key.startswith(head)]
                flusher, reason = restore(home, rows, keys, self._home, self._interpreter, self._own, end)
                kept = self._parts[home] = _Kept(flusher, end)
                took = round(clock.monotonic_seconds() - start, 3)
                say = self._log.warning if reason else self._log.info
                say("partition_taken", home=home, offset=kept.part.offset, rows=len(keys), rebuilt=reason, seconds=took)
            await tables.go_on_from(self.app, home, kept.part.offset + 1)

    def _home(self, state: HomeState) -> Home:
        settings = self._settings
        return Home(state, self._interpreter, self._names, settings.homes, settings.lanes, self.fold_limits)

    async def _revoked(self, *_args: Any, **_kwargs: Any) -> None:
        """What is not flushed is forgotten: whoever gets the partitions folds it again."""
        self._parts.clear()

    # ------------------------------------------------------------------ records

    async def _track(self, stream: Any) -> None:
        turn = clock.monotonic_seconds()
        try:
            async for event in stream.noack().events():
                kept = self._parts.get(event.message.partition)
                # Without the partition: not acknowledged, it comes again to whoever owns it, or once it is taken.
                if kept is not None and await self._follows(kept, event.message.offset):
                    self._fold(kept, event)
                    if clock.monotonic_seconds() - turn > TURN_SECONDS:
                        await asyncio.sleep(0)  # requests are answered between two turns
                        turn = clock.monotonic_seconds()
                    if len(kept.pending) >= self._own.flush_records_max:
                        self._flush(kept)
        except Exception as bug:
            # Faust would start the agent again behind the record (its documented rule), and the fold would lack it.
            self._log.exception("fold_failed")
            tables.die("fold_failed", bug)
            raise

    async def _follows(self, kept: _Kept, offset: int) -> bool:
        """True if the record is the next one, or one that is known. When records lack before it, they are sought."""
        part = kept.part
        came = kept.gap.judge(part.offset, offset, clock.monotonic_seconds())
        if came is Came.FIRST:
            self._log.warning("home_was_cut", home=part.number, first=offset)
        elif came is Came.SEEK:
            self._log.info("records_sought", home=part.number, first=part.offset + 1, came=offset)
            await tables.go_on_from(self.app, part.number, part.offset + 1)
        elif came is Came.LOST:
            tables.die(f"home {part.number} lacks the records from {part.offset + 1} to {offset - 1}")
        return came in {Came.FOLLOWS, Came.FIRST}

    def _fold(self, kept: _Kept, event: Any) -> None:
        message, part = event.message, kept.part
        record_arrived(part, message.offset, round(message.timestamp * 1000), message.value)
        size = len(message.value or b"")
        kept.flusher.folded(size)
        metrics.RECORDS.inc()
        metrics.BYTES.inc(size)
        if not kept.pending:
            kept.since = clock.monotonic_seconds()
        kept.pending.append(event)

    def _flush(self, kept: _Kept, *, mark_now: bool = False) -> None:
        """Writes rows, then acknowledges. Faust wants a record of the partition as their occasion: the last one."""
        if not kept.pending:
            return
        flusher = kept.flusher
        rows_before, bytes_before, deleted_before = flusher.written_rows, flusher.written_bytes, flusher.deleted_rows
        token = streams._current_event.set(weakref.ref(kept.pending[-1]))  # noqa: SLF001 - a table asks for it
        try:
            flusher.flush(self._write, clock.monotonic_seconds(), mark_now=mark_now)
        finally:
            streams._current_event.reset(token)  # noqa: SLF001 - as above
        for event in kept.pending:
            event.ack()
        kept.pending.clear()
        metrics.ROWS.inc(flusher.written_rows - rows_before)
        metrics.ROW_BYTES.inc(flusher.written_bytes - bytes_before)
        metrics.ROWS_DELETED.inc(flusher.deleted_rows - deleted_before)

    def _write(self, key: bytes, row: bytes | None) -> None:
        if row is None:
            self.table.pop(key, None)
        else:
            self.table[key] = row

    async def _watch(self) -> None:
        """Ends the process when its consumer stands still though there is something to fold: Faust's can, silently."""
        still: dict[int, tuple[int, float]] = {}
        unrecovered = clock.monotonic_seconds()
        recovery = Recovery(unrecovered)
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = clock.monotonic_seconds()
            if tables.recovered(self.app):
                unrecovered, recovery = now, Recovery(now)
            elif recovery.still(tables.rows_to_recover(self.app), now) or now - unrecovered > RECOVERY_SECONDS_MAX:
                tables.die("recovery_stands_still")
            for home, kept in list(self._parts.items()):
                offset, since = still.get(home, (-1, now))
                if offset != kept.part.offset or await self._caught_up(kept):
                    still[home] = kept.part.offset, clock.monotonic_seconds()
                elif now - since > STILL_SECONDS_MAX:
                    tables.die(f"home {home} stands still at {offset}")

    async def _caught_up(self, kept: _Kept) -> bool:
        """True when there is nothing to fold, or when nobody can say so."""
        assert self.end_offset is not None
        try:
            return await self.end_offset(kept.part.number) <= kept.part.offset + 1
        except BusError:
            return True

    async def _linger(self) -> None:
        """Flushes what waits for company too long."""
        while True:
            await asyncio.sleep(self._own.flush_seconds_max / 2)
            now = clock.monotonic_seconds()
            for kept in list(self._parts.values()):
                if kept.pending and now - kept.since >= self._own.flush_seconds_max:
                    self._flush(kept)
