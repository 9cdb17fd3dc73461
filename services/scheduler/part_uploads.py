"""Parts of result files on their way to S3, several at once."""

import contextlib
from collections.abc import Coroutine
from typing import Any

from maprun.bus.port import Port


class PartBudget:
    """How many parts all exports of a home hold in memory: beside one for each, so many more."""

    def __init__(self, most: int) -> None:
        self.left = most


class PartUploads:
    """The uploads of one export. The first error of one is raised by who starts the next, or waits for all."""

    def __init__(self, port: Port, budget: PartBudget) -> None:
        self._port = port
        self._budget = budget
        self._ended = port.mailbox()
        self._under_way = 0

    async def start(self, upload: Coroutine[Any, Any, None]) -> None:
        """Starts an upload once there is room for it."""
        try:
            while self._under_way and not self._budget.left:
                await self._take_ended()
        except BaseException:
            upload.close()
            raise
        self._budget.left -= bool(self._under_way)
        self._under_way += 1
        self._port.spawn(self._run(upload))

    async def all_done(self) -> None:
        """Waits until none is under way."""
        while self._under_way:
            await self._take_ended()

    async def settle(self) -> None:
        """Waits for those under way, whatever comes of them."""
        while self._under_way:
            with contextlib.suppress(Exception):
                await self._take_ended()

    async def _take_ended(self) -> None:
        errors = await self._ended.get(None)
        for _ in errors:
            self._under_way -= 1
            self._budget.left += bool(self._under_way)
        for error in errors:
            if error is not None:
                raise error

    async def _run(self, upload: Coroutine[Any, Any, None]) -> None:
        error: Exception | None = None
        try:
            await upload
        except Exception as raised:  # noqa: BLE001 - raised again where it is waited for
            error = raised
        self._ended.put(error)
