"""How long the API waits for Kafka and for the decider, and what it says then."""

import asyncio
from typing import Any

import pytest

from services.maprun_tracker.api.errors import Unavailable
from services.maprun_tracker.api.service import Service
from services.maprun_tracker.limits import TrackerLimits
from tests.unit.tracker import fakes


class SilentPort:
    """A Kafka that takes records and says nothing, or acknowledges them and nobody answers."""

    def __init__(self, *, acknowledges: bool) -> None:
        self._acknowledges = acknowledges
        self.thaws = asyncio.Event()
        self.written = asyncio.Event()

    async def send(self, _messages: list[Any]) -> list[int]:
        """Waits for a thaw unless it acknowledges."""
        if not self._acknowledges:
            await self.thaws.wait()
        self.written.set()
        return [0]


@pytest.mark.parametrize(
    ("acknowledges", "said"), [(False, "was not acknowledged by Kafka in time"), (True, "but not answered in time")]
)
def test_a_command_without_an_answer_is_told_in_time(acknowledges: bool, said: str) -> None:
    """A Kafka that hangs holds no caller longer than a decider that does; what was handed to it is still written."""

    async def scenario() -> None:
        port = SilentPort(acknowledges=acknowledges)
        limits = TrackerLimits(answer_wait_seconds_max=0.01)
        service = Service(port, None, fakes.NAMES, fakes.HOMES, limits)  # type: ignore[arg-type]
        service.following = True
        with pytest.raises(Unavailable, match=said):
            await service.command(0, fakes.execution(0))
        port.thaws.set()
        await port.written.wait()

    asyncio.run(scenario())
