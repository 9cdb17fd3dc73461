"""The owner of a home: folds its records, sends what follows in order, runs its timers and Tasks, writes snapshots."""

from collections.abc import Sequence

import msgspec

from maprun.bus.port import Outgoing, Port, Record
from maprun.mapruns.fold.home import Home, decode_record
from maprun.mapruns.fold.open_executions import MORE_STARTS
from maprun.mapruns.fold.outputs import (
    CancelEffect,
    EntriesAccepted,
    ExportDue,
    FollowJob,
    Output,
    RunChanged,
    Send,
    SetTimer,
    StartTask,
    SubmitTask,
)
from maprun.mapruns.timers import Timers
from maprun.runtime.process import SetupError
from schemas import topics
from schemas.home import TimerDue
from schemas.traces import Trace
from schemas.wire import encode
from services.scheduler.archive import EndedExecutions
from services.scheduler.deps import Deps
from services.scheduler.exports import Exports
from services.scheduler.handlers import Message, messages_of, phases_of, traces_of
from services.scheduler.logs import logs_of
from services.scheduler.snapshot_pieces import lost_before
from services.scheduler.snapshots import Snapshots
from services.scheduler.tasks import Tasks

TOPIC = topics.HOME.name


async def own_home(port: Port, home: int, deps: Deps) -> None:
    """Owns a home for as long as the group gives it to this process; ends only by being cancelled.

    Outputs are a function of (state, record), so what a predecessor may have sent is sent again from the group's
    committed position on: it was committed only behind acknowledged outputs.
    """
    end = await port.end_offset(TOPIC, home)
    committed = await port.committed(TOPIC, home)
    snapshots = Snapshots(port, home, deps)
    state = await snapshots.load()
    archive = EndedExecutions(port, home, deps, deps.store)
    await archive.load(await port.end_offset(TOPIC, home))
    lost = lost_before(home, state.offset, await port.start_offset(TOPIC, home))
    if lost:
        raise SetupError(lost)
    fold = Home(state, deps.interpreter, deps.names, deps.homes, deps.lanes, deps.map_run_limits, archive)
    await _Ownership(port, fold, deps, snapshots, archive, committed).work(end)


class _Ownership:
    """One taking of a home."""

    def __init__(
        self, port: Port, fold: Home, deps: Deps, snapshots: Snapshots, archive: EndedExecutions, committed: int
    ) -> None:
        self.port = port
        self.fold = fold
        self.number = fold.state.home
        self.deps = deps
        self.snapshots = snapshots
        self.archive = archive
        self.timers: Timers[tuple[str, str]] = Timers()
        self.tasks = Tasks(port, fold.state, deps)
        self.exports = Exports(port, fold, deps)
        self.committed = committed  # by whoever, as far as known: outputs from here on are to be sent
        self.traced: dict[
            str, Trace
        ] = {}  # ARN → trace of root executions that changed in this turn, if it is recorded
        self.live = False  # all that stood on home when it was taken is folded: only now is it known what is pending

    async def work(self, end: int) -> None:
        """Catches up to `end`, takes over what is pending, goes on."""
        port, state, mailbox = self.port, self.fold.state, self.port.mailbox()
        port.feed(TOPIC, self.number, state.offset + 1, mailbox)
        last_record_at = port.monotonic()
        while True:
            if not self.live and state.offset + 1 >= end:
                await self._take_over()
            records: list[Record] = await mailbox.get(self._wait_seconds(last_record_at))
            for first in range(0, len(records), self.deps.limits.records_per_turn_max):
                await self._turn(records[first : first + self.deps.limits.records_per_turn_max])
            if not records and state.ended:
                await self._turn([])
            at = port.monotonic()
            last_record_at = at if records else last_record_at
            if self.live:
                await self._fire_timers()
                self.tasks.look_at_jobs()
                if self.snapshots.pace.due(at, at - last_record_at):
                    self.snapshots.write(state)
                    self.archive.expire(self.snapshots.gone_on_from_ms - self.fold.retention_ms)

    def _wait_seconds(self, last_record_at: float) -> float | None:
        """How long nothing will be to do if no record comes."""
        if self.fold.state.ended:
            return 0.0  # more has ended than is archived in one turn: a version before this one kept all of it
        if not self.live:
            return None
        limits = self.deps.limits
        waits = [limits.timer_sleep_seconds_max]
        dues = (self.timers.next_ms(), self.tasks.next_look_ms)
        waits += [(due - self.port.now_ms()) / 1000 for due in dues if due is not None]
        if self.snapshots.pace.records:
            quiet = self.port.monotonic() - last_record_at
            waits.append(max(limits.snapshot_quiet_seconds - quiet, limits.snapshot_quiet_seconds / 4))
        return max(0.0, min(waits))

    async def _turn(self, records: list[Record]) -> None:
        """Folds records in, sends what follows in two phases, and commits behind the acknowledgements."""
        messages: list[Message] = []
        logs: list[Outgoing] = []
        size = 0
        pace = self.deps.pace
        pace.begin()
        for record in records:
            if pace.spent():
                await self._pause()
            size += len(record.value or b"")
            outputs = await self._folded(record)
            if record.offset >= self.committed:
                sends = [output for output in outputs if isinstance(output, Send)]
                messages += messages_of(sends, self.number, self.deps.limits.value_bytes_max)
                logs += logs_of(outputs, self.number)
                self.traced |= traces_of(outputs)
            if self.live:
                self._act(record.offset, outputs)
        phases = phases_of(messages)
        archiving = self.archive.archiving(self.fold.state)
        offsets = await self._publish(phases.first, archiving.records(self.number))
        await self._publish(phases.then, logs)
        self.traced.clear()
        await self.archive.archived(self.fold.state, archiving, offsets)
        position = self.fold.state.offset + 1
        if position > self.committed:
            self.committed = position
            self.port.commit(TOPIC, self.number, position)
        self.snapshots.pace.folded(len(records), size)
        self.deps.metrics.folded(self.number, len(records))
        self.deps.watch(self.fold)

    async def _folded(self, record: Record) -> list[Output]:
        """Folds a record in, slice by slice: others on the loop, the group's heartbeats first, come in between."""
        try:
            fact = decode_record(record.value or b"")
        except msgspec.DecodeError:
            self.deps.metrics.unreadable(TOPIC, self.number, record.offset)
            self.fold.skip(record.offset)
            return []
        folding = self.fold.folding(record.offset, record.timestamp_ms, fact, self.deps.pace.spent)
        while True:
            try:
                next(folding)
            except StopIteration as end:
                outputs: list[Output] = end.value
                return outputs
            await self._pause()

    async def _pause(self) -> None:
        await self.port.sleep(0)
        self.deps.pace.begin()

    def _act(self, offset: int, outputs: list[Output]) -> None:
        """What follows beside messages. Tasks and timers that a later record of the turn ends are cancelled by it."""
        for output in outputs:
            match output:
                case SetTimer():
                    self.timers.set((output.arn, output.ref), output.due_ms)
                case StartTask():
                    self.tasks.start(output.arn, output.request)
                case SubmitTask():
                    self.tasks.may_submit(output.arn, output.request.ref, output.by)
                case FollowJob():
                    self.tasks.follow(output.arn, output.job)
                case CancelEffect():
                    self.timers.cancel((output.arn, output.ref))
                    self.tasks.cancel(output.arn, output.ref)
                case EntriesAccepted():
                    self.exports.offer(output.run, offset, output.frame)
                case ExportDue():
                    self.exports.due(output.run)
                case RunChanged():
                    if output.run.phase == "closed":
                        self.exports.over(output.run.run)
                case _:
                    pass

    async def _take_over(self) -> None:
        """Starts what the state says is pending: timers, Tasks, exports. Limits that were changed are said first."""
        self.live = True
        limits = self.fold.limits_due()
        if limits is not None:
            await self.port.send([Outgoing(TOPIC, self.number, encode(limits))])
        for arn, root in self.fold.state.roots.items():
            for ref, due_ms in root.timers.items():
                self.timers.set((arn, ref), due_ms)
            for request in root.tasks.values():
                if not request.activity:  # its activity's home was told of it
                    self.tasks.start(arn, request)
        for run in self.fold.state.runs:
            self.exports.due(run)
        if self.fold.state.starts_waiting:
            self.timers.set(MORE_STARTS, self.port.now_ms())

    async def _publish(self, messages: list[Message], beside: Sequence[Outgoing] = ()) -> list[int]:
        """Sends messages, and others beside them, whose offsets it answers."""
        if not messages and not beside:
            return []
        outgoing = [Outgoing(m.topic, m.partition, m.value, m.key) for m in messages]
        offsets = await self.port.send([*outgoing, *beside])
        for message in messages:
            self.deps.metrics.sent(message.topic, 1)
            if message.topic == topics.EXECUTION_EVENTS.name:
                trace = self.traced.get((message.key or b"").decode())
                self.deps.metrics.status_changed(message.value or b"", trace)
        return offsets[len(messages) :]

    async def _fire_timers(self) -> None:
        fired = self.timers.take_due(self.port.now_ms())
        if fired:
            self.deps.metrics.timers_fired(len(fired))
            await self.port.send([Outgoing(TOPIC, self.number, encode(TimerDue(arn, ref))) for arn, ref in fired])
