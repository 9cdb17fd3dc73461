"""The view of all state machines and activities that a process keeps, from the compacted topic `machines`.

A machine's record names its versions, whose records came before it: a version that it no longer names is gone.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from schemas.activities import ActivityWritten
from schemas.arns import qualified, unqualified
from schemas.lanes import Cause
from schemas.machines import MachineWritten
from schemas.wire import Decoder

_decoder: Decoder[MachineWritten | ActivityWritten] = Decoder(MachineWritten | ActivityWritten)
W = TypeVar("W", MachineWritten, ActivityWritten)


class Newest(Generic[W]):
    """Resources by ARN: of each the record with the highest cause, in whatever order they come."""

    def __init__(self) -> None:
        self._found: dict[str, W] = {}
        self._deleted: dict[str, Cause] = {}  # an older record must not bring them back

    def apply(self, record: W) -> bool:
        """Takes a record over; False when a newer one, or the same, is known."""
        arn, had = record.arn, self._found.get(record.arn)
        known = self._deleted.get(arn) if had is None else had.cause
        if known is not None and _order(record.cause) <= _order(known):
            return False
        if record.deleted:
            self._found.pop(arn, None)
            self._deleted[arn] = record.cause
        else:
            self._found[arn] = record
            self._deleted.pop(arn, None)
        return True

    def shows(self, arn: str, written: W | None) -> bool:
        """True once a resource is known as it is on its home (None: deleted), or as it became since."""
        had = self._found.get(arn)
        if written is None or had is None:
            return written is had
        return _order(had.cause) >= _order(written.cause)

    def get(self, arn: str) -> W | None:
        """The resource, None when there is none (or no longer)."""
        return self._found.get(arn)

    def __iter__(self) -> Iterator[W]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)


class MachineRegistry(Newest[MachineWritten]):
    """The state machines and their versions, and beside them the activities, with how far the topic was read."""

    def __init__(self) -> None:
        super().__init__()
        self.activities = Newest[ActivityWritten]()
        self.deleting: dict[str, int] = {}  # machines that were deleted and are still there → offset of the record
        self._next: dict[int, int] = {}  # home → offset behind what was read of its partition

    def apply(self, record: MachineWritten) -> bool:
        """Takes a record over; False when a newer one, or the same, is known."""
        had = self._found.get(record.arn)
        taken = super().apply(record)
        if taken and not record.version:
            self.deleting.pop(record.arn, None)
            if record.deleting:
                self.deleting[record.arn] = record.cause.offset
        if taken and had is not None:
            for number in set(had.versions) - set(record.versions):
                self._found.pop(qualified(record.arn, number), None)
        return taken

    def get(self, arn: str) -> MachineWritten | None:
        """The machine or the version with this ARN, None when there is none (or no longer)."""
        found = super().get(arn)
        if found is None or not found.version:
            return found
        machine = super().get(unqualified(arn))
        return found if machine is not None and found.version in machine.versions else None

    def __iter__(self) -> Iterator[MachineWritten]:
        """All machines and versions."""
        return (machine for arn, machine in self._found.items() if self.get(arn) is not None)

    def machines(self) -> Iterator[MachineWritten]:
        """The machines alone."""
        return (machine for machine in self._found.values() if not machine.version)

    def read(self, home: int, offset: int, value: bytes | None) -> bool:
        """Takes over a record of `machines`; False when it can't be read: what it is of stays as it was."""
        self.read_to(home, offset + 1)
        if value is None:
            return True  # an older revision was deleted, behind a newer one
        try:
            written = _decoder.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return False
        if isinstance(written, ActivityWritten):
            self.activities.apply(written)
        else:
            self.apply(written)
        return True

    def read_to(self, home: int, offset: int) -> None:
        """Notes that a home's partition was read up to an offset: what is not there was deleted by compaction."""
        self._next[home] = max(self.next_offset(home), offset)

    def next_offset(self, home: int) -> int:
        """Where reading a home's partition goes on."""
        return self._next.get(home, 0)


def _order(cause: Cause) -> tuple[int, int, int]:
    """One resource lives on one home, so its records are ordered by their places on it."""
    return cause.home, cause.offset, cause.n
