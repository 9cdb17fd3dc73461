"""The view of all state machines that a process keeps, from the compacted topic `machines`."""

from collections.abc import Iterator

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
        self._newest: dict[str, MachineWritten] = {}  # deleted ones too: an older record must not bring them back

    def apply(self, record: MachineWritten) -> bool:
        """Takes a record over; False when a newer one, or the same, is known."""
        had = self._newest.get(record.arn)
        if had is not None and _order(record.cause) <= _order(had.cause):
            return False
        self._newest[record.arn] = record
        return True

    def get(self, arn: str) -> MachineWritten | None:
        """The machine, None when there is none (or no longer)."""
        machine = self._newest.get(arn)
        return None if machine is None or machine.deleted else machine

    def __iter__(self) -> Iterator[MachineWritten]:
        return (machine for machine in self._newest.values() if not machine.deleted)

    def __len__(self) -> int:
        return sum(not machine.deleted for machine in self._newest.values())


def _order(cause: Cause) -> tuple[int, int, int]:
    """One machine lives on one home, so its records are ordered by their places on it."""
    return cause.home, cause.offset, cause.n
