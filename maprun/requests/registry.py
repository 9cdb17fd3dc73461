"""The view of all state machines that a process keeps, from the compacted topic `machines`."""

from collections.abc import Iterator

import msgspec

from schemas.lanes import Cause
from schemas.requests import MachineWritten
from schemas.wire import Decoder

_decoder = Decoder(MachineWritten)


def decode_machine(value: bytes) -> MachineWritten:
    """A record of `machines`. Raises msgspec.DecodeError (or ValidationError) when the bytes are none."""
    return _decoder.decode(value)


class MachineRegistry:
    """State machines by ARN: of each the record with the highest cause, in whatever order they come."""

    def __init__(self) -> None:
        self._machines: dict[str, MachineWritten] = {}
        self._deleted: dict[str, Cause] = {}  # an older record must not bring them back
        self._next: dict[int, int] = {}  # home → offset behind what was read of its partition

    def apply(self, record: MachineWritten) -> bool:
        """Takes a record over; False when a newer one, or the same, is known."""
        arn, had = record.arn, self._machines.get(record.arn)
        known = self._deleted.get(arn) if had is None else had.cause
        if known is not None and _order(record.cause) <= _order(known):
            return False
        if record.deleted:
            self._machines.pop(arn, None)
            self._deleted[arn] = record.cause
        else:
            self._machines[arn] = record
            self._deleted.pop(arn, None)
        return True

    def read(self, home: int, offset: int, value: bytes | None) -> bool:
        """Takes over a record of `machines`; False when it can't be read: the machine stays as it was."""
        self.read_to(home, offset + 1)
        if value is None:
            return True  # an older revision was deleted, behind a newer one
        try:
            self.apply(decode_machine(value))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    def read_to(self, home: int, offset: int) -> None:
        """Notes that a home's partition was read up to an offset: what is not there was deleted by compaction."""
        self._next[home] = max(self.next_offset(home), offset)

    def next_offset(self, home: int) -> int:
        """Where reading a home's partition goes on."""
        return self._next.get(home, 0)

    def shows(self, arn: str, machine: MachineWritten | None) -> bool:
        """True once a machine is known as it is on its home (None: deleted), or as it became since."""
        had = self._machines.get(arn)
        if machine is None or had is None:
            return machine is had
        return _order(had.cause) >= _order(machine.cause)

    def get(self, arn: str) -> MachineWritten | None:
        """The machine, None when there is none (or no longer)."""
        return self._machines.get(arn)

    def __iter__(self) -> Iterator[MachineWritten]:
        return iter(self._machines.values())

    def __len__(self) -> int:
        return len(self._machines)


def _order(cause: Cause) -> tuple[int, int, int]:
    """One machine lives on one home, so its records are ordered by their places on it."""
    return cause.home, cause.offset, cause.n
