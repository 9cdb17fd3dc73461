"""Compiled machines, kept by definition: to compile one costs milliseconds."""

from maprun.language.compile import compile_machine
from maprun.language.model import Machine

MACHINES_KEPT = 1_000
"""The one used longest ago goes first."""


class Machines:
    """Machines that were accepted when they were made, so that they are not examined again."""

    def __init__(self) -> None:
        self._machines: dict[tuple[str, bytes], Machine] = {}

    def compiled(self, definition: bytes, machine_type: str = "STANDARD") -> Machine:
        """The machine of a definition. Raises whatever an unreadable one makes the compiler raise."""
        key = (machine_type, definition)
        machine = self._machines.pop(key, None) or compile_machine(definition, machine_type, accepted=True)
        self._machines[key] = machine  # the newest is last
        if len(self._machines) > MACHINES_KEPT:
            del self._machines[next(iter(self._machines))]
        return machine
