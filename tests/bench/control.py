"""The few numbers that a bench and its callees share: a small file that all of them map."""

import mmap
from pathlib import Path

CALLEES_MAX = 16
_IN_FLIGHT = 8
_CALLS = _IN_FLIGHT + CALLEES_MAX
_SLOTS = _CALLS + CALLEES_MAX
_GATE_OPEN, _BROKEN = range(2)

REPAIRED, BROKEN, BROKEN_ODD = range(3)
"""What `repair-…` functions do: answer, fail, or fail those calls whose index is odd."""


class Control:
    """The mapped numbers. Each callee writes only its own counts, the bench only the switches: nothing is locked."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(8 * _SLOTS))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * _SLOTS)
        self._slots = memoryview(self._map).cast("q")

    @property
    def gate_open(self) -> bool:
        """False while `gate-…` functions hold all their calls."""
        return self._slots[_GATE_OPEN] != 0

    @gate_open.setter
    def gate_open(self, value: bool) -> None:
        self._slots[_GATE_OPEN] = int(value)

    @property
    def broken(self) -> int:
        """REPAIRED, BROKEN or BROKEN_ODD."""
        return self._slots[_BROKEN]

    @broken.setter
    def broken(self, value: int) -> None:
        self._slots[_BROKEN] = value

    @property
    def in_flight(self) -> int:
        """Calls that all callees hold now."""
        return sum(self._slots[_IN_FLIGHT:_CALLS])

    @property
    def calls(self) -> int:
        """Calls that ever came to all callees."""
        return sum(self._slots[_CALLS:_SLOTS])

    def count(self, callee: int, in_flight: int, calls: int) -> None:
        """A callee says what it holds and what came to it so far."""
        self._slots[_IN_FLIGHT + callee] = in_flight
        self._slots[_CALLS + callee] = calls
