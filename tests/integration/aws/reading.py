"""What the tests of sources share: plans, objects to read, and sources read to their end."""

import random
from collections.abc import Callable
from typing import Any

from maprun.aws.clients import S3
from maprun.aws.sources import Source, open_source
from schemas.plan import ItemReaderPlan

GET_OBJECT = "arn:aws:states:::s3:getObject"
LIST_OBJECTS = "arn:aws:states:::s3:listObjectsV2"


def get_plan(bucket: str, key: str, **more: Any) -> ItemReaderPlan:
    """A plan to read one object; CSV plans take their names from the first row."""
    if more.get("input_type") == "CSV":
        more.setdefault("csv_header_location", "FIRST_ROW")
    return ItemReaderPlan(resource=GET_OBJECT, bucket=bucket, key=key, **more)


def flat_plan(bucket: str, prefix: str, **more: Any) -> ItemReaderPlan:
    """A plan to read the records of all objects under a prefix."""
    if more.get("input_type") == "CSV":
        more.setdefault("csv_header_location", "FIRST_ROW")
    flat = "LOAD_AND_FLATTEN"
    return ItemReaderPlan(resource=LIST_OBJECTS, bucket=bucket, prefix=prefix, transformation=flat, **more)


def drained(source: Source, count: int = 1000, bytes_max: int = 1 << 20) -> list[bytes]:
    """All that a source still gives."""
    return [item for item, _ in drained_with_sources(source, count, bytes_max)]


def drained_with_sources(source: Source, count: int = 1000, bytes_max: int = 1 << 20) -> list[tuple[bytes, str]]:
    """All that a source still gives, each item with its Map.Item.Source."""
    items: list[tuple[bytes, str]] = []
    while True:
        chunk = source.read(count, bytes_max)
        items += [(item, chunk.source) for item in chunk.items]
        if chunk.ended:
            return items


def resumed_anywhere(
    s3: S3,
    plan: ItemReaderPlan,
    seed: object,
    whole: list[bytes],
    sizes: Callable[[random.Random], int] = lambda chance: chance.randint(1, 700),
) -> None:
    """Asserts that reading in random pieces, each other one from a checkpoint, gives exactly `whole`."""
    chance = random.Random(str(seed))
    source = open_source(s3, plan, b"", b"")
    pin, place, items = source.pin, b"", list[bytes]()
    assert source.pinned == bool(pin)
    while True:
        chunk = source.read(sizes(chance), chance.choice((1, 5000, 1 << 20)))
        items += chunk.items
        assert whole[: len(items)] == items
        place = chunk.checkpoint
        if chunk.ended:
            break
        if chance.random() < 0.5:
            source.close()
            source = open_source(s3, plan, place, pin)
    assert items == whole
    after = open_source(s3, plan, place, pin).read(10, 1000)
    assert (after.items, after.ended) == ([], True)


def ratings(rows: int, seed: int = 5) -> bytes:
    """A CSV of the tutorial's shape."""
    chance = random.Random(seed)
    lines = ["userId,movieId,rating,timestamp"]
    lines += [f"{n},{chance.randint(1, 200000)},{chance.randint(1, 10) / 2},{1000000000 + n}" for n in range(rows)]
    return "\n".join(lines).encode() + b"\n"
