"""What nobody of maprun would write, in every partition of its topics; and groups put back to the beginning."""

import asyncio
import random
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError

_DEEP = 10_000
_GROUPS_SECONDS_MAX = 60


def poisons(chance: random.Random) -> list[tuple[bytes | None, bytes | None]]:
    """Keys and values: no JSON, nothing at all, deep nesting, numbers that JSON lacks, half letters, much of it."""
    return [
        (b"poison", b"{"),
        (b"poison", b""),
        (b"poison", None),
        (None, b"null"),
        (b"poison", b"[" * _DEEP + b"]" * _DEEP),
        (b"poison", b'{"type":"NoSuchMessage","version":99}'),
        (b"poison", b'{"x":NaN,"y":"\\ud800"}'),
        (b"poison", b"\xff\xfe" + chance.randbytes(1 << 10)),
        (b"\x00\xff", chance.randbytes(1 << 20)),
    ]


async def poison(bootstrap: str, prefix: str, chance: random.Random) -> int:
    """Writes one of them into each partition of each topic but the mark's; how many were written."""
    admin, producer = AIOKafkaAdminClient(bootstrap_servers=bootstrap), _producer(bootstrap)
    await admin.start()
    await producer.start()
    kinds, count = poisons(chance), 0
    try:
        for name in await own_topics(admin, prefix):
            for partition in await producer.partitions_for(name):
                key, value = chance.choice(kinds)
                # A compacted topic takes no record without a key.
                await producer.send_and_wait(name, value, key or b"none", partition=partition)
                count += 1
    finally:
        await producer.stop()
        await admin.close()
    return count


async def from_the_beginning(bootstrap: str, prefix: str) -> int:
    """Puts every group's position to the first record there is; how many positions. The groups must be empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    count = 0
    try:
        for group in await _groups(admin, prefix):
            parts = list(await admin.list_consumer_group_offsets(group))
            assert parts, f"group {group} has no position"
            consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
            await consumer.start()
            try:
                consumer.assign(parts)
                await _put(consumer, await _first(consumer, parts))
                count += len(parts)
            finally:
                await consumer.stop()
    finally:
        await admin.close()
    return count


async def _groups(admin: AIOKafkaAdminClient, prefix: str) -> list[str]:
    """All groups under a prefix. A broker that came up just now knows none until it has read its own topic of them."""
    for _ in range(_GROUPS_SECONDS_MAX):
        groups = [name for name, *_ in await admin.list_consumer_groups() if name.startswith(prefix)]
        if groups:
            return groups
        await asyncio.sleep(1)
    raise AssertionError(f"the broker knows no group under {prefix}")


async def own_topics(admin: AIOKafkaAdminClient, prefix: str) -> list[str]:
    """All topics under a prefix but the one that says whose the others are."""
    return sorted(n for n in await admin.list_topics() if n.startswith(prefix) and n != f"{prefix}cluster")


async def _first(consumer: AIOKafkaConsumer, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
    first: dict[TopicPartition, int] = await consumer.beginning_offsets(parts)
    return first


async def _put(consumer: AIOKafkaConsumer, positions: dict[TopicPartition, int]) -> None:
    """Commits these positions once the group is empty: members that were named stay in it for a session."""
    for _ in range(_GROUPS_SECONDS_MAX):
        with suppress(CommitFailedError):
            await consumer.commit(positions)
            return
        await asyncio.sleep(1)
    raise AssertionError(f"a group still has members, or takes no position: {sorted(positions)}")


def _producer(bootstrap: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=8 << 20)
