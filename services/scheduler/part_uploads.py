"""Parts of result files on their way to S3, several at once."""

import contextlib
import math
from collections.abc import Coroutine
from typing import Any

from maprun.bus.port import Port

TIMES_KEPT = 256
QUICK, SLOW = 1.3, 1.7
"""Of the quickest part of late: below the one there is room for more of them, above the other there are too many."""


class PartBudget:
    """How many parts all exports of a home have under way and in memory: beside one for each, so many more.

    As many as bring something. A store far away takes many at once, each as quickly as one alone. One that shares this
    machine's cores takes each the longer the more there are, and small requests of other runs wait behind them all.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = 0  # the first one is alone: how quick is it then?
        self._taken = 0
        self._quickest = self._quickest_before = math.inf
        self._times = 0

    @property
    def has_room(self) -> bool:
        """Whether one more may begin."""
        return self._taken < self._allowed

    def take(self) -> None:
        """One more begins."""
        self._taken += 1

    def give_back(self) -> None:
        """One of them is over."""
        self._taken -= 1

    def took(self, seconds: float) -> None:
        """The store took so long for a part of full size."""
        if self._times == TIMES_KEPT:  # how quick it is when little is asked of it may change
            self._quickest_before, self._quickest, self._times = self._quickest, math.inf, 0
        self._times += 1
        self._quickest = min(self._quickest, seconds)
        quickest = min(self._quickest, self._quickest_before)
        if seconds > SLOW * quickest:
            self._allowed = max(min(1, self._most), self._allowed - 1)
        elif seconds < QUICK * quickest:
            self._allowed = min(self._most, self._allowed + 1)


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
            while self._under_way and not self._budget.has_room:
                await self._take_ended()
        except BaseException:
            upload.close()
            raise
        if self._under_way:
            self._budget.take()
        self._under_way += 1
        self._port.spawn(self._run(upload))

    def took(self, seconds: float) -> None:
        """The store took so long for a part of full size."""
        self._budget.took(seconds)

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
            if self._under_way:
                self._budget.give_back()
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
