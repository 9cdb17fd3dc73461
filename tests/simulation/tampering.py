"""What mutations do: ports that hand over, send or commit otherwise, handlers of the fold that decide otherwise."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from maprun.bus.port import Outgoing, Record
from maprun.mapruns.fold import callbacks, closing, nested, opening, redrive, run_records
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.intervals import Intervals
from maprun.mapruns.run import ResultFile, lanes_owing
from schemas import topics
from schemas.asks import ItemAsk, ItemsConfirmed, ItemsRequested, RedriveStage
from schemas.home import (
    ChildrenEnded,
    LimitsTaken,
    NestedRunRequested,
    ParentSubmissionBegan,
    RedriveRequested,
    ResultFileOpened,
)
from schemas.lanes import ItemFrame, LaneSignal, QuotaChanged, RunOpened
from schemas.wire import Fact, encode
from tests.simulation import leftovers
from tests.simulation.port import SimPort

_asks: msgspec.msgpack.Decoder[ItemAsk] = msgspec.msgpack.Decoder(ItemAsk)
_signals: msgspec.msgpack.Decoder[LaneSignal] = msgspec.msgpack.Decoder(LaneSignal)
_frames = msgspec.msgpack.Decoder(ItemFrame)
UNCONFIRMED = "arn:aws:states:::s3:listWithoutConfirmation"
"""What a listing is called when a mutation hides from the reader that it is one."""


class WrappedPort:
    """A port that does one thing otherwise."""

    def __init__(self, port: SimPort) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class SignalsUnacknowledged(WrappedPort):
    """Signals are sent a while later, and nobody waits for them."""

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Sends what is no signal now."""
        late = [m for m in messages if m.topic == topics.LANE_SIGNALS.name]
        if late:
            self._port.spawn(self._later(late))
        return await self._port.send([m for m in messages if m.topic != topics.LANE_SIGNALS.name])

    async def _later(self, messages: Sequence[Outgoing]) -> None:
        await self._port.sleep(self._port.world.random.random() * 0.2)
        await self._port.send(messages)


ARCHIVES = (topics.SCHEDULER_ARCHIVE.name, topics.TRACKER_ARCHIVE.name)


class ArchivesNothing(WrappedPort):
    """Pages for an archive are never written and go for written: what they hold is in the process's store alone."""

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Sends what is no page of an archive."""
        log = self._port.world.log
        sent = iter(await self._port.send([m for m in messages if m.topic not in ARCHIVES]))
        return [len(log(m.topic, m.partition)) if m.topic in ARCHIVES else next(sent) for m in messages]


class CommitsAhead(WrappedPort):
    """Commits what was read, not what is done."""

    def commit(self, topic: str, partition: int, position: int) -> None:
        """The end of the log, whatever was finished."""
        end = len(self._port.world.log(topic, partition))
        self._port.commit(topic, partition, max(end, position))


class GoesOnFromCommit(WrappedPort):
    """Reads home from what the group committed on."""

    def feed(self, topic: str, partition: int, offset: int, mailbox: Any) -> Any:
        """A feed from where the group says, if that is further on."""
        position = self._port.owner.group.position(partition)
        return self._port.feed(topic, partition, max(offset, position), mailbox)


class ReadsOtherwise(WrappedPort):
    """Hands over other records than stand in the log."""

    def __init__(self, port: SimPort, topic: str, change: Callable[[bytes], bytes]) -> None:
        super().__init__(port)
        self._topic = topic
        self._change = change

    def feed(self, topic: str, partition: int, offset: int, mailbox: Any) -> Any:
        """A feed whose records are changed on their way."""
        return self._port.feed(topic, partition, offset, _Changing(self, mailbox) if topic == self._topic else mailbox)

    def changed(self, record: Record) -> Record:
        """The record that the owner sees."""
        try:
            value = self._change(record.value or b"")
        except msgspec.DecodeError:
            return record
        return msgspec.structs.replace(record, value=value)


class TrustsLeftovers(ReadsOtherwise):
    """Takes what was written for logs that are no more for positions in these."""

    def __init__(self, port: SimPort) -> None:
        super().__init__(port, topics.LANE_JOURNAL.name, self._ours)

    def _ours(self, value: bytes) -> bytes:
        return value.replace(leftovers.CLUSTER.encode(), self._port.world.cluster.encode())

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """The records, as if all were of these logs."""
        return [self.changed(record) for record in await self._port.read(topic, partition, first, end)]


class _Changing:
    """A mailbox behind a change."""

    def __init__(self, port: ReadsOtherwise, mailbox: Any) -> None:
        self._port = port
        self._mailbox = mailbox

    def put(self, record: Record) -> None:
        """Passes the changed record on."""
        self._mailbox.put(self._port.changed(record))


def double_quota(value: bytes) -> bytes:
    """A lane is opened with twice its quota."""
    signal = _signals.decode(value)
    return encode(msgspec.structs.replace(signal, quota=signal.quota * 2)) if isinstance(signal, RunOpened) else value


def hide_listing(value: bytes) -> bytes:
    """A listing that looks like a source that can be pinned."""
    ask = _asks.decode(value)
    reader = ask.plan.reader
    if reader is None or not reader.resource.endswith(":listObjectsV2"):
        return value
    if isinstance(ask, ItemsConfirmed):
        return b""  # published already
    plan = msgspec.structs.replace(ask.plan, reader=msgspec.structs.replace(reader, resource=UNCONFIRMED))
    return encode(msgspec.structs.replace(ask, plan=plan))


def forget_pin(value: bytes) -> bytes:
    """An ask that does not say of which version the source must be."""
    ask = _asks.decode(value)
    return value if isinstance(ask, ItemsConfirmed) else encode(msgspec.structs.replace(ask, pin=b""))


def last_answer_wins(fold: Fold, record: ChildrenEnded) -> None:
    """A later answer takes the place of an earlier one."""
    run = fold.state.runs.get(record.run)
    if run is not None:
        again = Intervals(record.ranges)
        run.answered = Intervals(n for p in run.answered if p not in again for n in (p, 1))
    run_records.children_were_ended(fold, record)


def last_upload_wins(fold: Fold, record: ResultFileOpened) -> None:
    """A later upload takes the place of an earlier one."""
    run = fold.state.runs.get(record.run)
    if run is not None:
        for i, file in enumerate(run.files):
            if (file.status, file.file) == (record.status, record.file):
                run.files[i] = ResultFile(record.status, record.file, record.upload_id, file.parts)
    run_records.result_file_opened(fold, record)


def only(group: str, wrap: Callable[[SimPort], Any]) -> Callable[[SimPort], Any]:
    """The wrapped port for owners of one group, the port itself for all others."""
    return lambda port: wrap(port) if port.owner.group.name == group else port


def ignore(_fold: Fold, _record: Fact) -> None:
    """A record that nobody listens to."""


def keep_no_limits(fold: Fold, record: LimitsTaken) -> None:
    """Who goes on from a snapshot doesn't know what home is judged by."""
    before = fold.state.limits
    opening.limits_taken(fold, record)
    fold.state.limits = before


# ---------------------------------------------------------------------- redrives


def grant_everybody(fold: Fold, record: ParentSubmissionBegan) -> None:
    """Whoever is about to submit a Task may, and nobody remembers it."""
    callbacks.submission_began(fold, record)
    root = fold.state.roots.get(record.arn)
    if root is not None:
        root.submitting.pop(record.ref, None)


def stages(change: Callable[[RedriveStage], RedriveStage]) -> Callable[[bytes], bytes]:
    """An ask whose stages are changed."""

    def changed(value: bytes) -> bytes:
        ask = _asks.decode(value)
        if not isinstance(ask, ItemsRequested) or not ask.stages:
            return value
        return encode(msgspec.structs.replace(ask, stages=tuple(change(stage) for stage in ask.stages)))

    return changed


def skip_nothing(stage: RedriveStage) -> RedriveStage:
    """A stage of which a part was read in an earlier redrive begins anew."""
    return msgspec.structs.replace(stage, skip=0)


def without_indexes(value: bytes) -> bytes:
    """Children of whom only the position is known."""
    return encode(msgspec.structs.replace(_frames.decode(value), indexes=()))


def forget_redrives(fold: Fold, record: RedriveRequested) -> None:
    """A request that comes again is a new one."""
    root = fold.state.roots.get(record.arn) or (fold.past.root if fold.past is not None else None)
    if root is not None:
        root.redrive_requests.clear()
    redrive.redrive_requested(fold, record)


# ---------------------------------------------------------------------- nested runs, live change


def forget_outcomes(fold: Fold, record: NestedRunRequested) -> None:
    """How a nested run ended is said once."""
    run = fold.state.runs.get(record.run)
    if run is not None:
        run.outcomes.clear()
    nested.nested_run_requested(fold, record)


def keep_no_nested(fold: Fold, record: ChildrenEnded) -> None:
    """Nested runs that are over are forgotten, whatever became of their children."""
    run_records.children_were_ended(fold, record)
    for root in fold.state.roots.values():
        root.kept = {key: run for key, run in root.kept.items() if run.parent is None}


def hide_quotas(value: bytes) -> bytes:
    """Lanes never hear that their quota changed."""
    return b"" if isinstance(_signals.decode(value), QuotaChanged) else value


def move_units_at_once(fold: Fold, record: ChildrenEnded) -> None:
    """A unit of quota goes to a lane without one from one that still owes answers."""
    run_records.children_were_ended(fold, record)
    run = fold.state.runs.get(record.run)
    if run is None or run.phase != "open" or 0 not in run.quotas:
        return
    owes = lanes_owing(run)
    quotas = dict(zip(run.lanes, run.quotas, strict=True))
    giver = next((lane for lane in run.lanes if quotas[lane] and lane in owes), None)
    taker = next((lane for lane in run.lanes if not quotas[lane] and lane in owes), None)
    if giver is not None and taker is not None:
        quotas[giver], quotas[taker] = quotas[giver] - 1, 1
        run.quotas = tuple(quotas[lane] for lane in run.lanes)
        opening.open_on_lanes(fold, run, {giver: quotas[giver], taker: 1}, run.lanes)
        closing.go_on(fold, run)
