"""What a process that outlived its broker's disks still writes into the new logs: positions of the old ones."""

import random

from maprun.interpreter.roots import RootInterpreter
from maprun.mapruns.fold.state import FOLD_VERSION, Ended, HomeState, encode_ended, encode_state
from schemas import topics
from schemas.archives import ExecutionsArchived
from schemas.lanes import Claimed, LaneSnapshot
from schemas.wire import encode
from services.scheduler.archive import key_of
from services.scheduler.snapshot_pieces import cut_snapshot, snapshot_key
from tests.simulation.plays import NAMES
from tests.simulation.world import EPOCH_MS, World

CLUSTER = "of disks of long ago"
"""As long as a world's own, so that a mutation can put the one in the other's place."""
_SECONDS_MAX = 3.0
_OFFSET_MAX = 40


def strew(world: World, interpreter: RootInterpreter, homes: int, lanes: int, seed: int) -> None:
    """Puts such records on every journal, topic of snapshots and archive, at the beginning and a little later."""
    chance = random.Random(seed)
    for lane in range(lanes):
        epoch, items, signals = (chance.randrange(1, _OFFSET_MAX) for _ in range(3))
        snapshot = encode(LaneSnapshot(epoch, 0, 1, items, signals, (), (), (), CLUSTER))
        world.at(0.0, _write, world, topics.LANE_JOURNAL.name, lane, snapshot)
        claim = encode(Claimed("of old", CLUSTER))
        world.at(chance.random() * _SECONDS_MAX, _write, world, topics.LANE_JOURNAL.name, lane, claim)
    for home in range(homes):
        offset = chance.randrange(1, _OFFSET_MAX)
        state = encode_state(HomeState(home=home, offset=offset), interpreter)
        for piece in cut_snapshot(home, offset, FOLD_VERSION, state, 1 << 20, CLUSTER):
            key = snapshot_key(home, offset, FOLD_VERSION, piece.chunk)
            world.at(0.0, _write, world, topics.HOME_SNAPSHOTS.name, home, encode(piece), key)
        for number in range(2):
            name = key_of(home, NAMES.execution(f"m{number}", f"e{number}"), 0)
            ended = Ended(request_id="of old", started_ms=0, stopped_ms=EPOCH_MS, status="SUCCEEDED", offset=0)
            row = b"\0\0" + encode_ended(ended, interpreter)
            page = ExecutionsArchived(home, EPOCH_MS, (name,), (row,), CLUSTER)
            world.at(0.0, _write, world, topics.SCHEDULER_ARCHIVE.name, home, encode(page))


def _write(world: World, topic: str, partition: int, value: bytes, key: bytes | None = None) -> None:
    world.log(topic, partition).append(value, key)
