"""A stretch of a log read by who can't go on without its first record."""

from collections.abc import Sequence

from maprun.bus.port import Port, Record


async def read_from(
    port: Port, topic: str, partition: int, first: int, end: int, pauses_seconds: Sequence[float]
) -> list[Record]:
    """The records in [first, end) that a read brings, the first of them at `first`; none when that one is kept no more.

    A broker that has just become the leader may not show them yet: it is asked again after each pause.
    """
    records = await port.read(topic, partition, first, end)
    for pause in pauses_seconds:
        if records:
            break
        await port.sleep(pause)
        records = await port.read(topic, partition, first, end)
    return records if records and records[0].offset == first else []
