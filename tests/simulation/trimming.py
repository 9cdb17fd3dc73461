"""Nothing that a lane's next owner would need is deleted: looked at from outside, at each deletion."""

import msgspec

from schemas import topics
from services.child_runner.journal import LaneMemory, decode_journal
from tests.simulation.world import Log, World


def watch(world: World) -> None:
    """Checks every deletion in this world."""

    def trimmed(log: Log, before: int) -> None:
        if before > len(log):
            world.violated(f"{log.topic}/{log.partition} is deleted to {before}, past its end")
        elif log.topic == topics.LANE_JOURNAL.name:
            _journal(world, log)
        else:
            memory = folded(world.log(topics.LANE_JOURNAL.name, log.partition), 0)
            needed = memory.items if log.topic == topics.ITEMS.name else memory.signals
            if before > needed:
                world.violated(f"{log.topic}/{log.partition} is deleted to {before}, the next owner begins at {needed}")

    world.trim_observers.append(trimmed)


def _journal(world: World, log: Log) -> None:
    """What is left says what the whole said, and the inputs that are needed are there."""
    whole, left = folded(log, 0), folded(log, log.start)
    if whole.said() != left.said():
        world.violated(f"{log.topic}/{log.partition} from {log.start} on says {left.said()}, not {whole.said()}")


def folded(log: Log, first: int) -> LaneMemory:
    """What an owner that claims the lane now would go on from."""
    memory = LaneMemory()
    for record in log.records[first:]:
        assert record is not None, "a lane's topics are not compacted"
        try:
            memory.apply(record.offset, decode_journal(record.value or b""))
        except msgspec.DecodeError:
            continue
    return memory
