"""State machines that were deleted: each goes once none of its executions is open.

Executions stand on homes of their own, so no fold can know it: the process that owns the machine's home asks all
others, when the machine is deleted and from time to time after that.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from maprun.bus.port import Port
from maprun.requests.checks import Refusal
from maprun.requests.express import EXPRESS
from maprun.requests.starts import derived_id
from schemas.machines import MachineEmptied
from services.maprun_tracker.api.errors import ElsewhereError
from services.maprun_tracker.api.service import Service

LOOK_SECONDS: Final = 1.0
IsOpen = Callable[[str], Awaitable[bool]]
"""Whether an execution of a machine is open, on whatever home. Raises Unavailable."""


class Deletions:
    """Those of one process."""

    def __init__(self, service: Service, is_open: IsOpen) -> None:
        self._service = service
        self._is_open = is_open

    async def work(self, port: Port) -> None:
        """Looks after deleted machines on the homes of this process; runs until it is cancelled."""
        while True:
            await port.sleep(LOOK_SECONDS)
            for arn in list(self._service.machines.deleting):
                if self._service.home_of_machine(arn) in self._service.parts.owned():
                    await self.finish(arn)

    async def finish(self, arn: str) -> None:
        """Has a deleted machine go if none of its executions is open; what can't be known now is asked again later."""
        service = self._service
        machine, deleted_offset = service.machines.get(arn), service.machines.deleting.get(arn)
        if machine is None or deleted_offset is None:
            return
        try:
            if machine.spec.machine_type == EXPRESS or not await self._is_open(arn):
                emptied = MachineEmptied(derived_id("emptied", arn, deleted_offset), arn, deleted_offset)
                await service.command(service.home_of_machine(arn), emptied)
                await service.machine_shown(arn)
        except (Refusal, ElsewhereError):
            return
