"""What work costs in the simulated world: a process that computes does nothing else, and its group can't reach it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.process import Process

SLICE_SECONDS = 0.25
"""Virtual time that an owner may take before it lets others have their turn."""


class SimPace:
    """The pace of one process: each state that an execution passes through costs `state_seconds`."""

    def __init__(self, process: "Process", state_seconds: float) -> None:
        self._process = process
        self._state_seconds = state_seconds
        self._since = 0.0

    def begin(self) -> None:
        """A new slice."""
        self._since = self._process.charged

    def spent(self) -> bool:
        """One more piece of work was done."""
        self._process.charged += self._state_seconds
        return self._process.charged - self._since >= SLICE_SECONDS


class Headlong(SimPace):
    """Works just as hard and never pauses: for the mutation without slices."""

    def spent(self) -> bool:
        """Never."""
        super().spent()
        return False
