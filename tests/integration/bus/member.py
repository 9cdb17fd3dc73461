"""A member of a group as a process of its own: says each 20 ms which partitions it holds under a lease that stands.

Lines on stdout: `start <monotonic> <partition>`, `end …`, `held <before> <after> <partition>` (the lease stood between
the two readings of the clock). Arguments: address, instance, topic, group.
"""

import asyncio
import sys

import uvloop

from maprun.bus.kafka import KafkaHost, Owned
from maprun.bus.port import Port
from maprun.runtime import logs
from maprun.runtime.settings import Settings
from tests.integration.bus.hosting import SHORT

SAMPLE_SECONDS = 0.02


async def own(port: Port, partition: int) -> None:
    """Owns a partition and tells."""
    _say("start", port.monotonic(), partition)
    position = await port.committed(sys.argv[3], partition)
    try:
        while True:
            before = port.monotonic()
            if port.lease_ok():
                _say("held", before, partition)
            port.commit(sys.argv[3], partition, position)
            await port.sleep(SAMPLE_SECONDS)
    finally:
        _say("end", port.monotonic(), partition)


def _say(what: str, at: float, partition: int) -> None:
    sys.stdout.write(f"{what} {at:.4f} {partition}\n")
    sys.stdout.flush()


async def main() -> None:
    """Serves until killed."""
    _, address, instance, topic, group = sys.argv
    logs.configure("member", instance)
    host = KafkaHost(Settings(kafka=address, instance=instance), SHORT, [Owned(topic, group, own)])
    await host.start()
    await host.run(asyncio.Event())


if __name__ == "__main__":
    uvloop.run(main())
