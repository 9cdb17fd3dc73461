"""`python -m tests.bench.window_trace`: where the items of one large run are, from their ask to their children's ends.

Everything on the way is a record with the broker's time: the ask, the item frame on its lane, the frame of outcomes on
home, the next ask. So the topics of a run that is over say how long each stretch took, and how much was on its way.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from maprun.mapruns.fold.home import decode_record
from schemas import topics
from schemas.asks import ItemsConfirmed, ItemsRequested
from schemas.home import ChildrenEnded
from schemas.lanes import ItemFrame
from schemas.ranges import pairs
from schemas.wire import Decoder
from tests.bench import measures, processes
from tests.integration.system.stack import Stack, settings_of

Json = dict[str, Any]
Stamped = tuple[int, Any]
"""A message and the broker's time of it, in ms."""
STEP_MS = 50


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Of the stack, like MAPRUN_LANES=16.")
@click.option("--warm-rows", default=20_000, show_default=True, help="Of a run before it, which is not looked at.")
def main(rows: int, settings: tuple[str, ...], warm_rows: int) -> None:
    """Runs Pass children over a CSV and says where their items were meanwhile."""
    with tempfile.TemporaryDirectory(prefix="maprun-bench-") as folder:
        stack = Stack(Path(folder), None, **settings_of(settings))
        stack.up()
        try:
            measures.throughput(stack, warm_rows, "STANDARD")
            before = processes.serial_seconds(stack.pids())
            measured = measures.throughput(stack, rows, "STANDARD")
            after = processes.serial_seconds(stack.pids())
            found = traced(asyncio.run(read(stack)), rows)
        finally:
            stack.down()
    said = {
        "machine": processes.machine(),
        "children_per_second": measured["children_per_second"],
        "cpu_us_per_child": measured["cpu_us_per_child"],
        "main_thread_us_per_child": {
            part: round((seconds - before.get(part, 0.0)) * 1e6 / rows, 2) for part, seconds in after.items()
        },
        **found,
    }
    sys.stdout.write(json.dumps(said, indent=2) + "\n")


async def read(stack: Stack) -> dict[str, list[Stamped]]:
    """What stands on the three topics, in the order of time."""
    decoders = {
        topics.ITEM_ASKS.name: Decoder[ItemsRequested | ItemsConfirmed](ItemsRequested | ItemsConfirmed).decode,
        topics.ITEMS.name: Decoder(ItemFrame).decode,
        topics.HOME.name: decode_record,
    }
    prefix = stack.environ.get("MAPRUN_PREFIX", "maprun.")
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.environ["MAPRUN_KAFKA"], max_partition_fetch_bytes=16 << 20)
    await consumer.start()
    try:
        found: dict[str, list[Stamped]] = {}
        for topic, decode in decoders.items():
            await consumer._client.set_topics([prefix + topic])
            partitions = [
                TopicPartition(prefix + topic, p) for p in consumer.partitions_for_topic(prefix + topic) or ()
            ]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            stamped = found[topic] = []
            while any([await consumer.position(p) < ends[p] for p in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        try:
                            stamped.append((record.timestamp, decode(record.value or b"")))
                        except msgspec.DecodeError:
                            continue
            stamped.sort(key=lambda each: each[0])
        return found
    finally:
        await consumer.stop()


def traced(read_: dict[str, list[Stamped]], rows: int) -> Json:
    """What the records of the run over so many rows say."""
    ends = [(at, m) for at, m in read_[topics.HOME.name] if isinstance(m, ChildrenEnded)]
    run = ends[-1][1].run
    asks = [(at, m) for at, m in read_[topics.ITEM_ASKS.name] if isinstance(m, ItemsRequested) and m.run == run]
    frames = [(at, m) for at, m in read_[topics.ITEMS.name] if m.run == run]
    ends = [(at, m) for at, m in ends if m.run == run]
    asked, given, ended = ([0] * rows for _ in range(3))
    for at, ask in asks:
        for first, count, _ in windows(ask):
            asked[first : first + count] = [at] * len(asked[first : first + count])
    for at, frame in frames:
        given[frame.first : frame.first + len(frame.items)] = [at] * len(frame.items)
    for at, frame in ends:
        for first, count in pairs(frame.ranges):
            ended[first : first + count] = [at] * count
    begin, over = min(asked), max(ended)
    on_their_way = list(in_flight(asked, ended, begin, over))
    return {
        "rows": rows,
        "asks": len(asks),
        "windows": sum(1 for _, ask in asks for _ in windows(ask)),
        "item_frames": len(frames),
        "outcome_frames": len(ends),
        "ms_from_ask_to_item_on_its_lane": spread(zip(asked, given, strict=True)),
        "ms_from_item_to_outcome_on_home": spread(zip(given, ended, strict=True)),
        "ms_from_ask_to_outcome": spread(zip(asked, ended, strict=True)),
        "ms_between_asks": spread(pairwise([at for at, ask in asks if ask.windows])),
        "on_their_way": {"mean": round(statistics.mean(on_their_way)), "most": max(on_their_way)},
        "of_them_not_given_out": round(statistics.mean(in_flight(asked, given, begin, over))),
    }


def windows(ask: ItemsRequested) -> Iterator[tuple[int, int, int]]:
    """(first, count, lane) of an ask."""
    numbers = iter(ask.windows)
    return zip(numbers, numbers, numbers, strict=True)


def in_flight(began: Sequence[int], over: Sequence[int], first_ms: int, last_ms: int) -> Iterator[int]:
    """How many had begun and were not over, step by step of `STEP_MS`."""
    starts, stops = sorted(began), sorted(over)
    i = k = 0
    for at in range(first_ms, last_ms + 1, STEP_MS):
        while i < len(starts) and starts[i] <= at:
            i += 1
        while k < len(stops) and stops[k] <= at:
            k += 1
        yield i - k


def spread(stretches: Any) -> Json:
    """The median and the ninth decile of what lies between two times."""
    lengths = sorted(end - begin for begin, end in stretches)
    return {"median": lengths[len(lengths) // 2], "p90": lengths[len(lengths) * 9 // 10], "most": lengths[-1]}


if __name__ == "__main__":
    main()
