"""What mutations do to root executions of EXPRESS machines: a lane's new owner knows too little of the former one."""

from collections.abc import Callable
from typing import Any

import msgspec

from schemas import topics
from schemas.express import ExpressHistoryAsked, ExpressRequest
from schemas.wire import encode
from tests.simulation.port import SimPort
from tests.simulation.tampering import ReadsOtherwise, WrappedPort

_frames = msgspec.msgpack.Decoder[ExpressRequest](ExpressRequest)


class NoFormerOwner(WrappedPort):
    """Takes every request for one that nobody else can have begun."""

    async def end_offset(self, _topic: str, _partition: int) -> int:
        """As if there were no requests yet."""
        return 0


class ForgetsCarried(ReadsOtherwise):
    """Passes over what an earlier owner wrote again."""

    def __init__(self, port: SimPort) -> None:
        super().__init__(port, topics.EXPRESS_REQUESTS.name, self._own)

    def _own(self, value: bytes) -> bytes:
        frame = _frames.decode(value)
        if isinstance(frame, ExpressHistoryAsked):
            return value
        own = not frame.carrier or frame.carrier.startswith(f"{self._port.instance}/")
        return value if own else encode(msgspec.structs.replace(frame, starts=()))


WRAPS: dict[str, Callable[[SimPort], Any]] = {
    "express_once_for_callers": NoFormerOwner,
    "express_carried": ForgetsCarried,
}
