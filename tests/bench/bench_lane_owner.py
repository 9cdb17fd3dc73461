"""What a child costs its lane's owner, in microseconds of CPU: all of it but Kafka and the call itself.

Run: python -m tests.bench.bench_lane_owner [children] [--profile]
"""

import asyncio
import contextlib
import cProfile
import pstats
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

import uvloop

from maprun.bus.kafka_port import Beside
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.port import Outgoing, Record
from maprun.integrations.jobs import Followed, JobCalls
from maprun.interpreter.lane_children import Children
from maprun.runtime.pace import LoopPace
from schemas import topics
from schemas.effects import TaskRequested, TaskSucceeded
from schemas.home import ChildrenEnded
from schemas.lanes import ItemFrame
from schemas.wire import Decoder, encode
from services.child_runner.limits import LaneLimits
from services.child_runner.machine import shared
from services.child_runner.owner import Deps, own_lane
from tests.unit.child_runner.driver import NAMES, RUN, opened

T = TypeVar("T")
ROW = b'{"id":"item-%08d","name":"customer name %012d","rating":"4","amount":"512.25"}'
ANSWER = b'{"id":"item-00000001","class":"good","amount_cents":51225}'
FRAME_ITEMS = 1_000
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:classify"
PASS: dict[str, Any] = {"A": {"Type": "Pass", "End": True}}
TASK: dict[str, Any] = {"A": {"Type": "Task", "Resource": FUNCTION, "End": True}}
HOME_TOPIC = topics.HOME.name
_home = Decoder(ChildrenEnded)


class Feed:
    """Records of one log, as they are written."""

    def __init__(self, close: Callable[[], None]) -> None:
        self.close = close

    def pause(self) -> None:
        """Everything is in memory anyway."""

    def resume(self) -> None:
        """Everything is in memory anyway."""


class MemoryPort:
    """A world whose logs are lists, and where everything is acknowledged at once."""

    instance = "bench"
    cluster = ""

    def __init__(self, ended: Callable[[int], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._logs: dict[str, list[Record]] = {}
        self._feeds: dict[str, list[KafkaMailbox]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = ended
        self.bytes: dict[str, int] = {}

    def now_ms(self) -> int:
        """Wall clock."""
        return int(time.time() * 1000)

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic()

    def lease_ok(self) -> bool:
        """Always."""
        return True

    def mailbox(self) -> KafkaMailbox:
        """The real one."""
        return KafkaMailbox(self._loop)

    def spawn(self, work: Coroutine[Any, Any, None]) -> Beside:
        """As on Kafka."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Beside(task)

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)

    async def call(self, work: Callable[[], T]) -> T:
        """At once."""
        return work()

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Into the logs; one turn of the loop later."""
        await asyncio.sleep(0)
        return [self.write(message.topic, message.value or b"") for message in messages]

    def write(self, topic: str, value: bytes) -> int:
        """A record."""
        self.bytes[topic] = self.bytes.get(topic, 0) + len(value)
        if topic == HOME_TOPIC:
            with contextlib.suppress(ValueError):  # which children run is of no interest
                self._ended(len(_home.decode(value).statuses))
            return 0
        log = self._logs.setdefault(topic, [])
        record = Record(topic, 0, len(log), 0, None, value)
        log.append(record)
        for mailbox in self._feeds.get(topic, []):
            mailbox.deliver([record], None)
        return record.offset

    async def end_offset(self, topic: str, partition: int) -> int:
        """Of a log."""
        del partition
        return len(self._logs.get(topic, []))

    async def start_offset(self, topic: str, partition: int) -> int:
        """Nothing is deleted."""
        del topic, partition
        return 0

    async def trim(self, topic: str, partition: int, before: int) -> None:
        """Nothing is deleted."""

    def feed(self, topic: str, partition: int, offset: int, mailbox: KafkaMailbox) -> Feed:
        """From an offset on."""
        del partition
        mailbox.deliver(self._logs.get(topic, [])[offset:], None)
        boxes = self._feeds.setdefault(topic, [])
        boxes.append(mailbox)
        return Feed(lambda: boxes.remove(mailbox))

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """A stretch."""
        del partition
        return self._logs.get(topic, [])[first:end]

    async def committed(self, topic: str, partition: int) -> int:
        """Nothing was."""
        del topic, partition
        return 0

    def commit(self, topic: str, partition: int, position: int) -> None:
        """Of no interest."""


async def measure(states: dict[str, Any], kind: str, count: int) -> tuple[float, dict[str, int]]:
    """CPU seconds for so many children, and bytes a topic."""
    left, done = count, asyncio.Event()

    def ended(number: int) -> None:
        nonlocal left
        left -= number
        if left <= 0:
            done.set()

    async def run_task(request: TaskRequested, key: str) -> TaskSucceeded:
        del key
        await asyncio.sleep(0)
        return TaskSucceeded(request.ref, ANSWER)

    async def no_job(followed: Followed) -> None:
        raise AssertionError(followed)

    port = MemoryPort(ended)
    compile_run = shared(Children(NAMES).compile_run)
    deps = Deps(
        compile_run=compile_run,
        run_task=run_task,
        begin_task=lambda *_: None,
        jobs=JobCalls(no_job, no_job),
        limits=LaneLimits(),
        pace=LoopPace(8),
    )
    owner = asyncio.create_task(own_lane(port, 0, deps))  # type: ignore[arg-type]
    port.write(topics.LANE_SIGNALS.name, encode(opened(states, kind=kind, quota=1_000)))
    for first in range(0, count, FRAME_ITEMS):
        items = tuple(ROW % (n, n) for n in range(first, first + FRAME_ITEMS))
        port.write(topics.ITEMS.name, encode(ItemFrame(RUN, 0, first, items, "s3://bucket/rows.csv")))
    began = time.process_time()
    await done.wait()
    spent = time.process_time() - began
    owner.cancel()
    await asyncio.gather(owner, return_exceptions=True)
    return spent, port.bytes


def main(count: int, *, profile: bool) -> None:
    """Prints a line a case."""
    for name, states, kind in (
        ("Pass, STANDARD", PASS, "STANDARD"),
        ("Task, EXPRESS", TASK, "EXPRESS"),
        ("Task, STANDARD", TASK, "STANDARD"),
    ):
        work = partial(measure, states, kind, count)
        spent = [uvloop.run(work()) for _ in range(3)]
        best = min(seconds for seconds, _ in spent)
        journal = spent[0][1].get(topics.LANE_JOURNAL.name, 0)
        print(f"{name:16} {best / count * 1e6:6.1f} us a child, {journal / count:5.0f} bytes of journal", flush=True)
        if profile:
            profiler = cProfile.Profile()
            profiler.enable()
            uvloop.run(work())
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    main(numbers[0] if numbers else 20_000, profile="--profile" in sys.argv)
