"""Mechanisms that a simulation switches off one at a time; each must be missed within a few hundred seeds.

Not listed, as no seed misses them while a table proves itself: that a mark is written last, and that a block keeps the
earliest answer. They save work (a table that is folded again) and are a second net.

Nothing in the services is edited for it: a lane's switches are part of its dependencies, the others wrap the port that
owners see, or put another handler into the fold's table while a seed plays.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from maprun.bus.port import Outgoing, Record
from maprun.mapruns import home as fold_of_home
from maprun.mapruns import runs
from maprun.mapruns.context import Fold
from maprun.mapruns.intervals import Intervals
from maprun.mapruns.run import ResultFile
from schemas import topics
from schemas.asks import ItemAsk, ItemsConfirmed
from schemas.home import ChildrenEnded, ResultFileOpened
from schemas.lanes import LaneSignal, RunOpened
from schemas.wire import encode
from services.child_runner.limits import Switches
from tests.simulation.port import SimPort
from tests.simulation.tracker import unproven

_asks: msgspec.msgpack.Decoder[ItemAsk] = msgspec.msgpack.Decoder(ItemAsk)
_signals: msgspec.msgpack.Decoder[LaneSignal] = msgspec.msgpack.Decoder(LaneSignal)
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


class CommitsAhead(WrappedPort):
    """Commits what was read, not what is done."""

    def commit(self, topic: str, partition: int, position: int) -> None:
        """The end of the log, whatever was finished."""
        end = len(self._port.world.log(topic, partition))
        self._port.commit(topic, partition, max(end, position))


def _lanes_commit_ahead(port: SimPort) -> Any:
    return CommitsAhead(port) if port.owner.group.name == "child-runner" else port


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


class _Changing:
    """A mailbox behind a change."""

    def __init__(self, port: ReadsOtherwise, mailbox: Any) -> None:
        self._port = port
        self._mailbox = mailbox

    def put(self, record: Record) -> None:
        """Passes the changed record on."""
        self._mailbox.put(self._port.changed(record))


def _double_quota(value: bytes) -> bytes:
    signal = _signals.decode(value)
    return encode(msgspec.structs.replace(signal, quota=signal.quota * 2)) if isinstance(signal, RunOpened) else value


def _hide_listing(value: bytes) -> bytes:
    ask = _asks.decode(value)
    reader = ask.plan.reader
    if reader is None or not reader.resource.endswith(":listObjectsV2"):
        return value
    if isinstance(ask, ItemsConfirmed):
        return b""  # published already
    plan = msgspec.structs.replace(ask.plan, reader=msgspec.structs.replace(reader, resource=UNCONFIRMED))
    return encode(msgspec.structs.replace(ask, plan=plan))


def _forget_pin(value: bytes) -> bytes:
    ask = _asks.decode(value)
    return value if isinstance(ask, ItemsConfirmed) else encode(msgspec.structs.replace(ask, pin=b""))


def _last_answer_wins(fold: Fold, record: ChildrenEnded) -> None:
    run = fold.state.runs.get(record.run)
    if run is not None:
        again = Intervals(record.ranges)
        run.answered = Intervals(n for p in run.answered if p not in again for n in (p, 1))
    runs.children_were_ended(fold, record)


def _last_upload_wins(fold: Fold, record: ResultFileOpened) -> None:
    run = fold.state.runs.get(record.run)
    if run is not None:
        for i, file in enumerate(run.files):
            if (file.status, file.file) == (record.status, record.file):
                run.files[i] = ResultFile(record.status, record.file, record.upload_id, file.parts)
    runs.result_file_opened(fold, record)


class Mutation(msgspec.Struct, frozen=True):
    """What is switched off."""

    name: str = "none"
    storm: str = ""  # seeds that are a storm over this service are the likeliest to show it; "" = any
    lane: Switches = Switches()
    wrap: Callable[[SimPort], Any] = lambda port: port
    handlers: tuple[tuple[type, Callable[[Fold, Any], None]], ...] = ()
    recovered: Callable[[int, dict[bytes, bytes]], None] = lambda _home, _table: None

    def port(self, port: SimPort) -> Any:
        """The port that owners see."""
        return self.wrap(port)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """While a seed plays."""
        table = fold_of_home._HANDLERS
        before = dict(table)
        table.update(self.handlers)
        try:
            yield
        finally:
            table.update(before)


NONE = Mutation()
MUTATIONS = {
    m.name: m
    for m in (
        NONE,
        Mutation("fence", "child-runner", Switches(fence=False)),
        Mutation("lease", "child-runner", Switches(lease=False)),
        Mutation("read_back", "child-runner", Switches(read_back=False)),
        Mutation("done_set", "child-runner", Switches(done_set=False)),
        Mutation("position_in_journal", "child-runner", Switches(position_in_journal=False), _lanes_commit_ahead),
        Mutation("write_ahead", "child-runner", Switches(write_ahead=False)),
        Mutation("snapshot_whole", "child-runner", Switches(snapshot_whole=False)),
        Mutation("copy_forward", "child-runner", Switches(copy_forward=False)),
        Mutation("trim_behind", "child-runner", Switches(trim_behind=False)),
        Mutation("lane_quota", wrap=lambda port: ReadsOtherwise(port, topics.LANE_SIGNALS.name, _double_quota)),
        Mutation("signals_before_asks", wrap=SignalsUnacknowledged),
        Mutation("commit_behind_work", wrap=CommitsAhead),
        Mutation("first_answer_wins", "child-runner", handlers=((ChildrenEnded, _last_answer_wins),)),
        Mutation("source_pinned", wrap=lambda port: ReadsOtherwise(port, topics.ITEM_ASKS.name, _forget_pin)),
        Mutation("listing_confirmed", wrap=lambda port: ReadsOtherwise(port, topics.ITEM_ASKS.name, _hide_listing)),
        Mutation("first_upload_wins", "scheduler", handlers=((ResultFileOpened, _last_upload_wins),)),
        Mutation("table_proves_itself", "maprun-tracker", recovered=unproven),
    )
}
