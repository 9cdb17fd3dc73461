"""Topics of somebody else on a Kafka, and what stands in them byte for byte."""

from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

CONFIG = {"cleanup.policy": "delete", "retention.ms": "604800000", "max.message.bytes": "2000000"}


class Stands(msgspec.Struct, frozen=True):
    """One topic: its settings, and of each partition its first offset, its end and its records."""

    config: dict[str, str]
    partitions: dict[int, tuple[int, int, list[tuple[Any, ...]]]]


async def make(bootstrap: str, counts: dict[str, int], records: int, config: dict[str, str] = CONFIG) -> None:
    """Makes topics with so many partitions and records in each."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await admin.start()
    await producer.start()
    try:
        new = [NewTopic(name, count, 1, topic_configs=config) for name, count in counts.items()]
        assert not [code for _, code, *_ in (await admin.create_topics(new)).topic_errors if code]
        for name, count in counts.items():
            for number in range(records):
                value = f"{name} {number}".encode()
                await producer.send_and_wait(name, value, str(number % 7).encode(), partition=number % count)
    finally:
        await producer.stop()
        await admin.close()


async def delete(bootstrap: str, *names: str) -> None:
    """Deletes topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(names))
        while {topic["topic"] for topic in await admin.describe_topics() if not topic["error_code"]} & set(names):
            pass
    finally:
        await admin.close()


async def begins(bootstrap: str, name: str) -> dict[int, int]:
    """The first offset of each partition of a topic."""
    admin, consumer = AIOKafkaAdminClient(bootstrap_servers=bootstrap), AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await admin.start()
    await consumer.start()
    try:
        [described] = await admin.describe_topics([name])
        parts = [TopicPartition(name, each["partition"]) for each in described["partitions"]]
        consumer.assign(parts)
        return {part.partition: offset for part, offset in (await consumer.beginning_offsets(parts)).items()}
    finally:
        await consumer.stop()
        await admin.close()


async def read(bootstrap: str, *names: str) -> dict[str, Stands]:
    """The topics as they stand. Nobody may write to them or delete of them meanwhile."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await admin.start()
    await consumer.start()
    try:
        return {name: await _stands(admin, consumer, name) for name in names}
    finally:
        await consumer.stop()
        await admin.close()


async def _stands(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, name: str) -> Stands:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    config = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    [described] = await admin.describe_topics([name])
    parts = [TopicPartition(name, each["partition"]) for each in described["partitions"]]
    consumer.assign(parts)
    begins, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
    await consumer.seek_to_beginning(*parts)
    records: dict[int, list[tuple[Any, ...]]] = {part.partition: [] for part in parts}
    while sum(map(len, records.values())) < sum(ends[part] - begins[part] for part in parts):
        for part, batch in (await consumer.getmany(timeout_ms=200)).items():
            records[part.partition] += [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in batch]
    return Stands(config, {p.partition: (begins[p], ends[p], records[p.partition]) for p in parts})
