"""The gate's view of state machines: read up to the end of their partition before each answer, so never stale."""

from collections.abc import Callable, Iterable

import msgspec

from maprun.bus.port import Port, Record
from maprun.requests.registry import MachineRegistry, decode_machine
from schemas import topics

MACHINES_PER_READ = 256
Unreadable = Callable[[str, int, int], None]
"""Told of a record that can't be read: topic, partition, offset."""


class MachinesView:
    """One for a process; its gates share it. What was read once is not read again."""

    def __init__(self) -> None:
        self.registry = MachineRegistry()
        self._next: dict[int, int] = {}

    async def refresh(self, port: Port, homes: Iterable[int], unreadable: Unreadable) -> None:
        """Applies what stands on these partitions of `machines` by now: who was told of a machine finds it here."""
        topic = topics.MACHINES.name
        for home in sorted(set(homes)):
            end = await port.end_offset(topic, home)
            first = self._next.get(home, 0)
            while first < end:
                until = min(end, first + MACHINES_PER_READ)
                for record in await port.read(topic, home, first, until):
                    self._apply(record, unreadable)
                first = until
            self._next[home] = max(self._next.get(home, 0), end)

    def _apply(self, record: Record, unreadable: Unreadable) -> None:
        if record.value is None:
            return  # an older revision was deleted, behind a newer one
        try:
            self.registry.apply(decode_machine(record.value))
        except (msgspec.DecodeError, RecursionError):
            unreadable(record.topic, record.partition, record.offset)  # the machine stays as it was
