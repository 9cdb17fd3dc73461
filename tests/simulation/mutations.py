"""Mechanisms that a simulation switches off one at a time; each must be missed within a few hundred seeds."""

from collections.abc import Sequence
from typing import Any

import msgspec

from maprun.bus.port import Outgoing
from schemas import topics
from services.child_runner.limits import Switches
from tests.simulation.port import SimPort


class Mutation(msgspec.Struct, frozen=True):
    """What is switched off."""

    name: str = "none"
    lane: Switches = Switches()
    asks_before_signals: bool = False

    def port(self, port: SimPort) -> Any:
        """The port that owners see."""
        return _AsksFirst(port) if self.asks_before_signals else port


class _Wrapped:
    """A port that does one thing otherwise."""

    def __init__(self, port: SimPort) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class _AsksFirst(_Wrapped):
    """Sends signals without waiting for them, a while later: asks may overtake them."""

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        late = [m for m in messages if m.topic == topics.LANE_SIGNALS.name]
        if late:
            self._port.spawn(self._later(late))
        now = [m for m in messages if m.topic != topics.LANE_SIGNALS.name]
        return await self._port.send(now)

    async def _later(self, messages: Sequence[Outgoing]) -> None:
        await self._port.sleep(self._port.world.random.random() * 0.2)
        await self._port.send(messages)


NONE = Mutation()
MUTATIONS = {
    m.name: m
    for m in (
        NONE,
        Mutation("fence", Switches(fence=False)),
        Mutation("lease", Switches(lease=False)),
        Mutation("read_back", Switches(read_back=False)),
        Mutation("done_set", Switches(done_set=False)),
        Mutation("position_in_journal", Switches(position_in_journal=False)),
        Mutation("write_ahead", Switches(write_ahead=False)),
        Mutation("asks_before_signals", asks_before_signals=True),
    )
}
