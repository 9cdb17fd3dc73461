"""What a lane's journal does not hold yet: facts of children, until they are written as one record or a few."""

from collections.abc import Iterable

from maprun.mapruns.intervals import Intervals
from schemas.lanes import ChildAdopted, ChildAdvanced, LaneAdvanced, Positions, RunOver
from services.child_runner.journal import RunKey
from services.child_runner.journal_pieces import cut
from services.child_runner.limits import LaneLimits


class JournalDraft:
    """Facts on their way into the journal. They wait a little for company, unless a child waits for one."""

    def __init__(self, epoch: int, written: tuple[int, int], limits: LaneLimits) -> None:
        self._epoch = epoch
        self._written = written  # the positions (items, signals) that the journal said last
        self._limits = limits
        self._advanced: list[ChildAdvanced] = []
        self._adopted: list[ChildAdopted] = []
        self._finished: dict[RunKey, list[int]] = {}  # acknowledged on home
        self._over: list[RunOver] = []
        self._urgent = False
        self._since_seconds = 0.0

    @property
    def written(self) -> tuple[int, int]:
        """The positions (items, signals) that the journal said last."""
        return self._written

    @property
    def adopted(self) -> list[ChildAdopted]:
        """Children whose inputs go into the journal next."""
        return self._adopted

    @property
    def empty(self) -> bool:
        """True when the journal holds everything."""
        return not (self._finished or self._advanced or self._adopted or self._over)

    def _begin(self, at_seconds: float) -> None:
        if self.empty:
            self._since_seconds = at_seconds

    def advance(self, fact: ChildAdvanced, at_seconds: float, *, urgent: bool) -> None:
        """A fact of a child's past; `urgent` when the child waits for it."""
        self._begin(at_seconds)
        self._advanced.append(fact)
        self._urgent |= urgent

    def adopt(self, child: ChildAdopted, at_seconds: float) -> None:
        """A child's input."""
        self._begin(at_seconds)
        self._adopted.append(child)

    def finish(self, key: RunKey, ranges: Iterable[int], at_seconds: float) -> None:
        """Positions that are answered on home."""
        self._begin(at_seconds)
        self._finished.setdefault(key, []).extend(ranges)

    def run_over(self, key: RunKey, at_seconds: float) -> None:
        """A run is closed: nothing else of it needs to be said."""
        self._finished.pop(key, None)
        self._adopted = [child for child in self._adopted if (child.run, child.generation) != key]
        self._advanced = [fact for fact in self._advanced if (fact.run, fact.generation) != key]
        self._begin(at_seconds)
        self._over.append(RunOver(*key))

    def due_in_seconds(self, at_seconds: float, calls: int) -> float | None:
        """When it is to be written; None when there is nothing.

        What a child waits for is written at once, unless the `calls` under way will bring much more of it in a moment:
        a record of a hundred facts costs Kafka, and who writes and reads it, little more than that of one.
        """
        if self.empty:
            return None
        limits = self._limits
        if not self._urgent:
            return self._since_seconds + limits.journal_linger_seconds - at_seconds
        if calls < limits.outcomes_company_calls or len(self._advanced) >= limits.journal_facts_max:
            return 0.0
        return self._since_seconds + limits.outcomes_linger_seconds - at_seconds

    def take(self, items: int, signals: int) -> list[LaneAdvanced]:
        """Everything, with the positions from which a successor goes on: one record, unless it fits none."""
        record = LaneAdvanced(
            self._epoch,
            items,
            signals,
            tuple(Positions(*key, Intervals(flat).flat()) for key, flat in self._finished.items()),
            tuple(self._advanced),
            tuple(self._adopted),
            (),
            tuple(self._over),
        )
        self._finished, self._advanced, self._adopted, self._over, self._urgent = {}, [], [], [], False
        before, self._written = self._written, (items, signals)
        return cut(record, before, self._limits.journal_bytes_max, self._limits.journal_facts_max)
