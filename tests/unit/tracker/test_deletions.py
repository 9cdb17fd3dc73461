"""State machines that were deleted go once none of their executions is open."""

import asyncio
from typing import Any

import pytest

from maprun.requests.registry import MachineRegistry
from schemas.home import StopRequested
from schemas.lanes import Cause
from schemas.machines import MachineEmptied, MachineSpec, MachineWritten
from schemas.wire import encode
from services.maprun_tracker.api.deletions import Deletions
from services.maprun_tracker.api.errors import Unavailable
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import Log, Process, played

ARN = fakes.NAMES.machine("m")


class Api:
    """What deletions need of the API; `open` says whether an execution is, None = that can't be known."""

    def __init__(self, machine_type: str = "STANDARD", home: int = 1) -> None:
        self.machines = MachineRegistry()
        self.parts = self
        self.home = home
        self.commands: list[MachineEmptied] = []
        self.open: bool | None = True
        spec = MachineSpec(b"{}", "r", machine_type)
        self.machines.apply(MachineWritten(Cause(0, 7, 0), ARN, "m", spec, "", 0, 0, deleting=True))

    def owned(self) -> dict[int, None]:
        """The homes of this process."""
        return {1: None}

    def home_of_machine(self, _arn: str) -> int:
        """The machine's."""
        return self.home

    async def is_open(self, _arn: str) -> bool:
        """Whether an execution is."""
        if self.open is None:
            raise Unavailable("not now")
        return self.open

    async def command(self, home: int, command: MachineEmptied) -> bytes:
        """Takes it, and the machine is gone."""
        assert home == self.home
        self.commands.append(command)
        gone = MachineWritten(Cause(0, 9, 0), ARN, "m", MachineSpec(), "", 0, 0, deleted=True)
        self.machines.apply(gone)
        return b"{}"

    async def machine_shown(self, arn: str) -> None:
        """It is."""
        assert self.machines.get(arn) is None


def looked(api: Any) -> list[MachineEmptied]:
    """What comes of one look."""
    asyncio.run(Deletions(api, api.is_open).finish(ARN))
    found: list[MachineEmptied] = api.commands
    return found


def test_a_machine_goes_when_nothing_of_it_is_open() -> None:
    """Asked again and again, by the record that deleted it, under one request id; once it is gone nobody asks."""
    api = Api()
    assert looked(api) == []
    api.open = None
    assert looked(api) == []
    api.open = False
    [emptied] = looked(api)
    assert (emptied.arn, emptied.deleted_offset) == (ARN, 7)
    assert looked(api) == [emptied]
    [again] = looked(Api("EXPRESS"))
    assert again == emptied


def test_each_process_looks_after_its_own_homes() -> None:
    """Until all are gone; a machine of another process's home is left to that."""

    class Port:
        """Time that passes at once."""

        def __init__(self, looks: int) -> None:
            self.looks = looks

        async def sleep(self, _seconds: float) -> None:
            """Ends the work after so many."""
            self.looks -= 1
            if self.looks < 0:
                raise asyncio.CancelledError

    for home, count in ((1, 1), (0, 0)):
        api: Any = Api(home=home)
        api.open = False
        port: Any = Port(3)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(Deletions(api, api.is_open).work(port))
        assert len(api.commands) == count


def test_all_homes_are_asked_whether_something_is_open() -> None:
    """Whoever owns them; what can't be asked is not taken for empty."""

    async def play(first: Process, second: Process, log: Log) -> None:
        for number, process in ((0, first), (1, second)):
            assert await first.site.any_open(fakes.MACHINE)
            log.homes[number].append(encode(StopRequested(f"stop-{number}", log.arns[number])))
            process.fold()
        assert not await first.site.any_open(fakes.MACHINE)
        second.reading = {1}
        with pytest.raises(Unavailable):
            await first.site.any_open(fakes.MACHINE)

    played(play, hold_seconds=0.2)
