"""Claims over a journal whose beginning is deleted meanwhile."""

import asyncio
from collections.abc import Sequence

import pytest

from maprun.bus.port import Outgoing, Record, RecordsGoneError
from schemas.lanes import Claimed, LaneAdvanced, LaneSnapshot
from schemas.wire import encode
from services.child_runner import journal_upkeep
from services.child_runner.journal import LaneMemory
from services.child_runner.limits import LaneLimits

SNAPSHOT = LaneSnapshot(0, 0, 1, 7, 3, (), (), ())


class Journal:
    """A journal whose beginning is deleted after some reads: what `claim` sees of a port."""

    instance = "me"
    cluster = ""

    def __init__(self, values: list[bytes], deleted: dict[int, int]) -> None:
        self.values = values
        self.deleted = deleted  # after so many questions → the new start
        self.start = 0
        self.asked = 0
        self.read_from: list[int] = []

    def _ask(self) -> None:
        self.asked += 1
        self.start = max(self.start, self.deleted.get(self.asked, 0))

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Appends."""
        self.values += [message.value or b"" for message in messages]
        return [len(self.values) - 1]

    async def start_offset(self, _topic: str, _partition: int) -> int:
        """The first record kept."""
        self._ask()
        return self.start

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """A record at a time, of those that are kept."""
        self._ask()
        first = max(first, self.start)
        self.read_from.append(first)
        return [Record(topic, partition, n, 0, None, self.values[n]) for n in range(first, min(first + 1, end))]


def claimed(journal: Journal) -> LaneMemory:
    """The memory after a claim."""
    work = journal_upkeep.claim(journal, 0, LaneLimits(), lambda *_: None)  # type: ignore[arg-type]
    return asyncio.run(work)


def records() -> list[bytes]:
    """A journal with a snapshot in its midst."""
    before = [Claimed("a"), LaneAdvanced(0, 1, 1), LaneAdvanced(0, 2, 2)]
    return [encode(record) for record in (*before, SNAPSHOT, LaneAdvanced(0, 8, 4))]


@pytest.mark.parametrize("after", range(1, 8))
def test_a_journal_that_is_cut_while_it_is_read_is_read_again(after: int) -> None:
    """Whenever its beginning goes, up to a snapshot, the owner begins where the whole would have let it begin."""
    memory = claimed(Journal(records(), {after: 3}))
    assert (memory.epoch, memory.items, memory.signals) == (5, 8, 4)


def test_a_claim_that_is_deleted_is_void() -> None:
    """A process stood still so long that its successor's snapshots made its claim needless: it must claim anew."""
    with pytest.raises(RecordsGoneError):
        claimed(Journal(records(), {1: 9}))
