"""What mutations do to lanes: ports whose journal, lease or deletions lack one of the protocol's mechanisms."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from maprun.bus.port import Outgoing, Record
from schemas import topics
from schemas.effects import SubmissionBegan, TaskSubmitted
from schemas.lanes import ChildAdvanced, Claimed, JournalRecord, LaneAdvanced, LaneSnapshot, Positions
from schemas.wire import encode
from tests.simulation.port import SimPort
from tests.simulation.tampering import WrappedPort

_journal: msgspec.msgpack.Decoder[JournalRecord] = msgspec.msgpack.Decoder(JournalRecord)
JOURNAL = topics.LANE_JOURNAL.name
ITEMS = topics.ITEMS.name
GENERATIONS_MAX = 5
Change = Callable[[JournalRecord], JournalRecord]


def _changed(record: Record, change: Change) -> Record:
    """The record as an owner sees it that reads it otherwise."""
    try:
        fact = _journal.decode(record.value or b"")
    except msgspec.DecodeError:
        return record
    return msgspec.structs.replace(record, value=encode(change(fact)))


class NoLease(WrappedPort):
    """An owner that believes it has time for ever."""

    def lease_ok(self) -> bool:
        """Always."""
        return True


# ---------------------------------------------------------------------- how the journal is read


class JournalReadOtherwise(WrappedPort):
    """A port through which an owner that takes a lane over reads its journal otherwise."""

    def __init__(self, port: SimPort, change: Change) -> None:
        super().__init__(port)
        self._change = change

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """The records, those of a journal changed."""
        records: list[Record] = await self._port.read(topic, partition, first, end)
        return records if topic != JOURNAL else [_changed(record, self._change) for record in records]


class NoFence(JournalReadOtherwise):
    """Every journal record counts, whatever claim it was written under: each looks as if it stood under the newest."""

    def __init__(self, port: SimPort) -> None:
        super().__init__(port, self._under_newest)
        self._epoch = -1
        self._end = 0

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """The records, all valid; an owner that begins anew with the journal forgets the claims it saw."""
        if topic != JOURNAL:
            return await super().read(topic, partition, first, end)
        if first != self._end:
            self._epoch = -1
        records: list[Record] = []
        for record in await self._port.read(topic, partition, first, end):
            fact = _journal.decode(record.value or b"\xc1") if record.key != b"garbage" else None
            if isinstance(fact, Claimed) and fact.cluster == self._port.world.cluster:
                self._epoch = record.offset
            records.append(_changed(record, self._under_newest))
            self._end = record.offset + 1
        return records

    def _under_newest(self, fact: JournalRecord) -> JournalRecord:
        if isinstance(fact, Claimed) or self._epoch < 0:
            return fact
        return msgspec.structs.replace(fact, epoch=self._epoch)


def nothing_finished(fact: JournalRecord) -> JournalRecord:
    """A journal that doesn't say which positions are finished."""
    return fact if isinstance(fact, Claimed) else msgspec.structs.replace(fact, finished=())


def finished_for_ever(fact: JournalRecord) -> JournalRecord:
    """A journal whose finished positions are so in the next generations too."""
    if isinstance(fact, Claimed):
        return fact
    finished = tuple(
        Positions(done.run, generation, done.ranges)
        for done in fact.finished
        for generation in range(done.generation, GENERATIONS_MAX)
    )
    return msgspec.structs.replace(fact, finished=finished)


def each_piece_whole(fact: JournalRecord) -> JournalRecord:
    """Each piece of a snapshot looks like one that holds all."""
    return msgspec.structs.replace(fact, piece=0, pieces=1) if isinstance(fact, LaneSnapshot) else fact


def no_submissions(fact: JournalRecord) -> JournalRecord:
    """Nothing is about to be submitted, for all that the journal says."""
    match fact:
        case LaneAdvanced():
            return msgspec.structs.replace(fact, advanced=_without_submissions(fact.advanced))
        case LaneSnapshot():
            return msgspec.structs.replace(fact, past=_without_submissions(fact.past))
        case _:
            return fact


def _without_submissions(facts: tuple[ChildAdvanced, ...]) -> tuple[ChildAdvanced, ...]:
    return tuple(fact for fact in facts if not isinstance(fact.happening, SubmissionBegan | TaskSubmitted))


def journal_read(change: Change) -> Callable[[SimPort], JournalReadOtherwise]:
    """Wraps a port so."""
    return lambda port: JournalReadOtherwise(port, change)


# ---------------------------------------------------------------------- how the journal is written and read back


class _Between:
    """A mailbox behind somebody who looks at the records on their way."""

    def __init__(self, mailbox: Any, deliver: Callable[[Any, Record], None]) -> None:
        self._mailbox = mailbox
        self._deliver = deliver

    def put(self, record: Record) -> None:
        """Hands a record to whoever looks."""
        self._deliver(self._mailbox, record)


class ActsOnAcknowledgement(WrappedPort):
    """A lane hears of its own journal records when they are acknowledged, not when they come behind all claims before.

    The records that come from the log are left out, and all get offsets of the lane's own, so that none seems lost.
    """

    def __init__(self, port: SimPort) -> None:
        super().__init__(port)
        self._mailbox: Any = None
        self._early: set[int] = set()  # offsets of records that the lane knows already
        self._first = self._next = 0

    def feed(self, topic: str, partition: int, offset: int, mailbox: Any) -> Any:
        """A feed; of the journal, one that leaves out what was handed over early."""
        if topic != JOURNAL:
            return self._port.feed(topic, partition, offset, mailbox)
        self._mailbox, self._early, self._first, self._next = mailbox, set(), offset, offset
        return self._port.feed(topic, partition, offset, _Between(mailbox, self._late))

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes; what went into the journal is heard at once."""
        offsets: list[int] = await self._port.send(messages)
        for message, offset in zip(messages, offsets, strict=True):
            fact = _journal.decode(message.value or b"") if message.topic == JOURNAL else None
            if fact is not None and not isinstance(fact, Claimed) and offset not in self._early:
                self._early.add(offset)
                self._put(Record(message.topic, message.partition, offset, 0, None, message.value))
        return offsets

    def _late(self, _mailbox: Any, record: Record) -> None:
        if record.offset not in self._early:
            self._early.add(record.offset)  # its acknowledgement comes later than itself
            self._put(record)

    def _put(self, record: Record) -> None:
        self._mailbox.put(msgspec.structs.replace(record, offset=self._next))
        self._next += 1


class OutcomesUnwritten(WrappedPort):
    """What children were told never gets into the journal, and their owner believes that it did."""

    def __init__(self, port: SimPort) -> None:
        super().__init__(port)
        self._believed: deque[LaneAdvanced] = deque()  # as the owner wrote them, in the order of the log

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes journal records without outcomes."""
        return list(await self._port.send([self._without_outcomes(message) for message in messages]))

    def _without_outcomes(self, message: Outgoing) -> Outgoing:
        fact = _journal.decode(message.value or b"") if message.topic == JOURNAL else None
        if not isinstance(fact, LaneAdvanced):
            return message
        self._believed.append(fact)
        begun = tuple(advanced for advanced in fact.advanced if advanced.happening is None)
        return msgspec.structs.replace(message, value=encode(msgspec.structs.replace(fact, advanced=begun)))

    def feed(self, topic: str, partition: int, offset: int, mailbox: Any) -> Any:
        """A feed in which the owner's own records are as it wrote them."""
        between = _Between(mailbox, self._as_written) if topic == JOURNAL else mailbox
        return self._port.feed(topic, partition, offset, between)

    def _as_written(self, mailbox: Any, record: Record) -> None:
        fact = _journal.decode(record.value or b"") if record.key != b"garbage" else None
        if isinstance(fact, LaneAdvanced):
            while self._believed and self._believed[0].epoch < fact.epoch:
                self._believed.popleft()  # of an earlier claim: nobody reads them any more
            if self._believed and self._believed[0].epoch == fact.epoch:
                record = msgspec.structs.replace(record, value=encode(self._believed.popleft()))
        mailbox.put(record)


# ---------------------------------------------------------------------- positions and deletion


class ItemsFromCommit(WrappedPort):
    """Goes on with the items from the group's position: what lies before it reads as nothing."""

    def feed(self, topic: str, partition: int, offset: int, mailbox: Any) -> Any:
        """A feed whose records below the group's position are void."""
        if topic != ITEMS:
            return self._port.feed(topic, partition, offset, mailbox)
        position = self._port.owner.group.position(partition)

        def deliver(behind: Any, record: Record) -> None:
            void = record.offset < position
            behind.put(msgspec.structs.replace(record, value=b"", headers=()) if void else record)

        return self._port.feed(topic, partition, offset, _Between(mailbox, deliver))

    def commit(self, topic: str, partition: int, position: int) -> None:
        """The end of the log, whatever was finished."""
        end = len(self._port.world.log(topic, partition))
        self._port.commit(topic, partition, max(end, position))


class AdoptsOnce(WrappedPort):
    """A child is never adopted again: what stands in records that are about to be deleted goes with them."""

    def __init__(self, port: SimPort) -> None:
        super().__init__(port)
        self._adopted: set[tuple[str, int, int]] = set()

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes journal records that adopt nobody for the second time."""
        return list(await self._port.send([self._once(message) for message in messages]))

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """Reads, and knows who was adopted by earlier owners."""
        records: list[Record] = await self._port.read(topic, partition, first, end)
        for record in records:
            self._note(record)
        return records

    def _note(self, record: Record) -> None:
        if record.topic == JOURNAL and record.key != b"garbage":
            fact = _journal.decode(record.value or b"")
            if isinstance(fact, LaneAdvanced):
                self._adopted |= {(child.run, child.generation, child.position) for child in fact.adopted}

    def _once(self, message: Outgoing) -> Outgoing:
        fact = _journal.decode(message.value or b"") if message.topic == JOURNAL else None
        if not isinstance(fact, LaneAdvanced) or not fact.adopted:
            return message
        new = [child for child in fact.adopted if (child.run, child.generation, child.position) not in self._adopted]
        self._adopted |= {(child.run, child.generation, child.position) for child in new}
        return msgspec.structs.replace(message, value=encode(msgspec.structs.replace(fact, adopted=tuple(new))))


class DeletesWhatWasRead(WrappedPort):
    """Items and signals are deleted as soon as they were read, whatever became of them."""

    def __init__(self, port: SimPort) -> None:
        super().__init__(port)
        self._read: dict[str, int] = {}

    def feed(self, topic: str, partition: int, offset: int, mailbox: Any) -> Any:
        """A feed that remembers how far it was read."""

        def deliver(behind: Any, record: Record) -> None:
            self._read[record.topic] = record.offset + 1
            behind.put(record)

        return self._port.feed(topic, partition, offset, _Between(mailbox, deliver))

    async def trim(self, topic: str, partition: int, before: int) -> None:
        """Deletes all that was read."""
        further = before if topic == JOURNAL else max(before, self._read.get(topic, 0))
        await self._port.trim(topic, partition, further)
