"""Definitions are examined in a thread, one after the other, and what was found is kept for a while."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from maprun.bus.port import Port

T = TypeVar("T")
FINDINGS_KEPT = 32


class Examiner:
    """What was found about definitions. A request that is held, or sent again, does not have them examined again."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._examining = asyncio.Lock()
        self._found: OrderedDict[tuple[object, str, bytes], Any] = OrderedDict()

    async def examined(self, look: Callable[[bytes, str], T], definition: str, machine_type: str) -> T:
        """What a look at a definition of such a machine gives: always the same.

        A definition of 1 MB takes a second of CPU time: requests and the group's heartbeats go on meanwhile. One at a
        time, for threads that compute take turns.
        """
        text = definition.encode()
        key = (look, machine_type, hashlib.blake2b(text, digest_size=16).digest())
        async with self._examining:
            if key not in self._found:
                self._found[key] = await self._port.call(lambda: look(text, machine_type))
                if len(self._found) > FINDINGS_KEPT:
                    self._found.popitem(last=False)
            found: T = self._found[key]
            return found
