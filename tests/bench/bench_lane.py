"""What a child costs its lane: CPU from the item frame to the outcome frame, without Kafka and the network.

`python -m tests.bench.bench_lane` prints microseconds a child, the best of some rounds.
"""

import time
from typing import Any

import msgspec

from maprun.interpreter.lane_children import Children
from schemas.arns import Names
from schemas.effects import TaskSucceeded
from schemas.lanes import Cause, ItemFrame, RunOpened
from schemas.plan import MapRunPlan
from schemas.wire import encode
from services.child_runner.journal import LaneMemory
from services.child_runner.lane import Lane
from services.child_runner.limits import LaneLimits
from services.child_runner.task_calls import TaskOver

RUN = "1f2e3d4c-0000-4000-a000-000000000001"
NAMES = Names("us-east-1", "123456789012")
TASK: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
ITEM = b'{"id":12345}'
CHILDREN, FRAME_ITEMS, ROUNDS = 20_000, 500, 7


def opened(states: dict[str, Any]) -> RunOpened:
    """A run of STANDARD children that run these states."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": config, "StartAt": "A", "States": states}
    machine = {"StartAt": "M", "States": {"M": {"Type": "Map", "End": True, "ItemProcessor": processor}}}
    plan = MapRunPlan("M", "M", "STANDARD")
    arn = NAMES.map_run("m", "M", RUN)
    definition = msgspec.json.encode(machine)
    return RunOpened(Cause(0, 0, 0), RUN, 0, 10_000, plan, definition, "M", "root", arn, "machine", "m", "role")


def cost(states: dict[str, Any], item: bytes) -> float:
    """Microseconds of CPU a child."""
    lane = Lane(0, LaneMemory(), Children(NAMES).compile_run, LaneLimits())
    lane.signal(0, opened(states), 1_000, 0.0)
    frames = [ItemFrame(RUN, 0, first, (item,) * FRAME_ITEMS, "source") for first in range(0, CHILDREN, FRAME_ITEMS)]
    offset = answered = 0
    at = 0.0
    began = time.process_time()
    for number, frame in enumerate(frames):
        lane.items(number, frame, at)
        while answered < (number + 1) * FRAME_ITEMS:
            at += 0.06
            now = 1_000 + int(at * 1000)
            lane.work(now, at)
            for start in lane.take_calls()[1]:
                done = TaskSucceeded(start.request.ref, b'{"Payload":"done"}')
                lane.task_over(TaskOver(start.run, start.position, done), now, at)
            lane.store.adopt_old(at)
            facts = lane.take_facts(at, idle=False)
            for fact in facts:
                encode(fact)
                answered += len(getattr(fact, "statuses", b""))
            lane.acknowledged(facts, list(range(len(facts))), at)
            for record in lane.take_journal(at):
                lane.written(offset, record, len(encode(record)))
                lane.journal(offset, record, at)
                offset += 1
    return (time.process_time() - began) / CHILDREN * 1e6


def main() -> None:
    """Prints a line a kind of child."""
    kinds: dict[str, dict[str, Any]] = {"one Pass": {"A": {"Type": "Pass", "End": True}}, "one Task": {"A": TASK}}
    for name, states in kinds.items():
        print(f"{name:10s} {min(cost(states, ITEM) for _ in range(ROUNDS)):6.2f} us a child")


if __name__ == "__main__":
    main()
