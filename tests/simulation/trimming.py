"""Nothing that a lane's next owner would need is deleted: looked at from outside, at each deletion."""

import msgspec

from schemas import topics
from services.child_runner.journal import LaneMemory, decode_journal
from tests.simulation.world import Log, World


class Whole:
    """What the whole journal of a lane says, deleted records included; folded once."""

    def __init__(self, log: Log, cluster: str) -> None:
        self._log = log
        self._next = 0
        self._memory = LaneMemory(cluster=cluster)

    def memory(self) -> LaneMemory:
        """As of now."""
        fold(self._memory, self._log, self._next)
        self._next = len(self._log)
        return self._memory


def watch(world: World) -> None:
    """Checks every deletion in this world."""
    lanes: dict[int, Whole] = {}

    def trimmed(log: Log, before: int) -> None:
        if before > len(log):
            world.violated(f"{log.topic}/{log.partition} is deleted to {before}, past its end")
            return
        journal = world.log(topics.LANE_JOURNAL.name, log.partition)
        whole = lanes.setdefault(log.partition, Whole(journal, world.cluster)).memory()
        if log.topic == topics.LANE_JOURNAL.name:
            _journal(world, log, whole)
        else:
            needed = whole.items if log.topic == topics.ITEMS.name else whole.signals
            if before > needed:
                world.violated(f"{log.topic}/{log.partition} is deleted to {before}, the next owner begins at {needed}")

    world.trim_observers.append(trimmed)


def _journal(world: World, log: Log, whole: LaneMemory) -> None:
    """What is left says what the whole said, and the inputs that are needed are there."""
    left = LaneMemory(cluster=world.cluster)
    fold(left, log, log.start)
    if whole.said() != left.said():
        world.violated(f"{log.topic}/{log.partition} from {log.start} on says {left.said()}, not {whole.said()}")


def fold(memory: LaneMemory, log: Log, first: int) -> None:
    """Folds a journal from an offset on, as an owner that claims the lane would."""
    for record in log.records[first:]:
        assert record is not None, "a lane's topics are not compacted"
        try:
            memory.apply(record.offset, decode_journal(record.value or b""))
        except msgspec.DecodeError:
            continue
