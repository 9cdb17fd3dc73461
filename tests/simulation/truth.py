"""What a lane's journal says, and what of it an owner has to know."""

import msgspec

from maprun.bus.port import Record
from schemas.effects import ActivityTaskStarted, HeartbeatReceived, SubmissionBegan, TaskSubmitted
from schemas.lanes import Claimed, JournalRecord, LaneAdvanced, LaneSnapshot
from tests.simulation import leftovers

WAITS_ON = (SubmissionBegan, TaskSubmitted, HeartbeatReceived, ActivityTaskStarted)
"""What is told of an attempt that is not over."""
Told = tuple[str, int, int, str]
"""Run, generation, position, ref."""
_journal: msgspec.msgpack.Decoder[JournalRecord] = msgspec.msgpack.Decoder(JournalRecord)


class LaneTruth:
    """What a lane's journal holds for good: records under the newest claim before them."""

    def __init__(self) -> None:
        self.epoch = -1
        self.positions = (0, 0)  # of items and signals
        self.positions_at: dict[int, tuple[int, int]] = {}  # claim → where its owner has to go on
        self._told: dict[Told, int] = {}  # whose result is recorded → the claim that it was first recorded under
        self._began: dict[tuple[str, int, int], int] = {}  # child → the claim under which it was first told of
        self._claims: dict[str, int] = {}  # instance → its newest claim

    def apply(self, record: Record) -> None:
        """One more journal record."""
        fact = _journal.decode(record.value or b"")
        match fact:
            case Claimed(cluster=leftovers.CLUSTER):
                pass
            case Claimed():
                self.epoch = self._claims[fact.instance] = record.offset
                self.positions_at[self.epoch] = self.positions
            case LaneAdvanced() if fact.epoch == self.epoch:
                self.positions = (fact.items, fact.signals)
                for told in fact.advanced:
                    self._began.setdefault((told.run, told.generation, told.position), self.epoch)
                    if told.happening is not None and not isinstance(told.happening, WAITS_ON):
                        place = (told.run, told.generation, told.position, getattr(told.happening, "ref", ""))
                        self._told.setdefault(place, self.epoch)
            case LaneAdvanced() | LaneSnapshot():
                pass

    def ran_before(self, run: str, generation: int, position: int, epoch: int) -> bool:
        """True if a child ran under an owner before the one with this claim."""
        return self._began.get((run, generation, position), epoch) < epoch

    def forbids(self, told: Told, process: str, *, again: bool) -> bool:
        """True if a process may not make this call, for the result of it is recorded.

        A call that may be made `again` and again, as that of a Task which starts an execution, is forbidden to those
        only who have to know of the result: it may stand under a claim that they haven't read yet, of an owner without
        a lease, who makes no calls but writes callbacks down. Of other calls such an owner has no results.
        """
        epoch = self._told.get(told)
        if epoch is None:
            return False
        return not again or epoch <= self._claims.get(process.rpartition(".")[0], -1)
