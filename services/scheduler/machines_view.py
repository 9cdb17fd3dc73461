"""The gate's view of state machines: read up to the end of their partition before each answer, so never stale."""

from collections.abc import Callable, Iterable

from maprun.bus.port import Port
from maprun.requests.registry import MachineRegistry
from schemas import topics

MACHINES_PER_READ = 256
Unreadable = Callable[[str, int, int], None]
"""Told of a record that can't be read: topic, partition, offset."""


class MachinesView:
    """One for a process; its gates share it. What was read once is not read again."""

    def __init__(self) -> None:
        self.registry = MachineRegistry()

    async def refresh(self, port: Port, homes: Iterable[int], unreadable: Unreadable) -> None:
        """Applies what stands on these partitions of `machines` by now: who was told of a machine finds it here."""
        topic = topics.MACHINES.name
        for home in sorted(set(homes)):
            end = await port.end_offset(topic, home)
            while (first := self.registry.next_offset(home)) < end:
                until = min(end, first + MACHINES_PER_READ)
                for record in await port.read(topic, home, first, until):
                    if not self.registry.read(home, record.offset, record.value):
                        unreadable(topic, home, record.offset)
                self.registry.read_to(home, until)
