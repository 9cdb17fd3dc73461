"""TestState: a state is run in a thread of any process of the API, the call of a Task beside it. Nothing is kept."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from maprun.aws.mock_results import fault_of
from maprun.aws.sources.given_text import items_in
from maprun.aws.web.client import Watch
from maprun.bus.port import Port
from maprun.integrations import http
from maprun.integrations.resources import parse_resource
from maprun.interpreter import Limits
from maprun.requests.checks import INPUT_BYTES_MAX, Refusal
from maprun.statetest import Asked, Called, StateOutcome, World, seconds_max, timed_out, try_state
from schemas.arns import Names
from schemas.effects import TaskFailed, TaskOutcome, TaskRequested, TaskSucceeded, TimerFired
from services.maprun_tracker.api.http_exchanges import exchange_of

T = TypeVar("T")
CALLS_AT_ONCE_MAX = 64
"""Calls of tests under way in one process; more wait."""
COMPUTE_SECONDS_MAX = 5.0
"""Of one test; a Map whose inputs take longer is not shown whole."""
NOBODY_SEES = (
    "states:RevealSecrets is granted to nobody: a connection's secrets leave its file for the API it is for "
    "alone; test without revealSecrets"
)


class Tasks(Protocol):
    """Makes the calls of Tasks (maprun.aws.tasks implements it)."""

    async def run_task(self, request: TaskRequested, idempotency_key: str, watch: Watch | None = None) -> TaskOutcome:
        """One attempt; `watch` is shown what goes over the wire for an HTTP Task."""
        ...

    async def close(self) -> None:
        """Closes connections and threads."""
        ...


class StateTests:
    """Runs tests, one at a time in a thread: those that compute would take turns anyway. Calls wait beside it."""

    def __init__(self, port: Port, names: Names, tasks: Tasks | None) -> None:
        """`tasks` make the calls of Tasks without a mock; None refuses them."""
        self.payload_bytes_max = INPUT_BYTES_MAX
        self._port = port
        self._names = names
        self._tasks = tasks
        self._computing = asyncio.Lock()
        self._calling = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    async def test(self, asked: Asked, key: str) -> StateOutcome:
        """What becomes of the state. `key` is the idempotency key of the call it may make. Raises Refusal."""
        limits = Limits(payload_bytes_max=self.payload_bytes_max)
        now_ms = self._port.now_ms()

        def tried(called: Called | None = None) -> StateOutcome | TaskRequested:
            until = self._port.monotonic() + COMPUTE_SECONDS_MAX
            world = World(self._names, now_ms, fault_of, items_in, limits, lambda: self._port.monotonic() > until)
            return try_state(asked, world, called)

        outcome = await self._computed(tried)
        if isinstance(outcome, TaskRequested):
            if asked.reveal_secrets and parse_resource(outcome.resource) == http.INVOKE:
                raise Refusal("AccessDeniedException", NOBODY_SEES)
            watch = Watch() if asked.inspection_level == "TRACE" else None
            called = Called(await self._called(outcome, key, watch), exchange_of(watch))
            outcome = await self._computed(lambda: tried(called))
        assert isinstance(outcome, StateOutcome), "a Task makes one call"
        return outcome

    async def close(self) -> None:
        """Closes what calls are made with."""
        if self._tasks is not None:
            await self._tasks.close()

    async def _computed(self, work: Callable[[], T]) -> T:
        async with self._computing:
            return await self._port.call(work)

    async def _called(
        self, request: TaskRequested, key: str, watch: Watch | None
    ) -> TaskSucceeded | TaskFailed | TimerFired:
        if self._tasks is None:
            raise Refusal("ValidationException", "This process makes no calls: the Task needs a mock.")
        async with self._calling:
            try:
                outcome = await asyncio.wait_for(self._tasks.run_task(request, key, watch), seconds_max(request))
            except TimeoutError:
                return timed_out(request)
        assert isinstance(outcome, TaskSucceeded | TaskFailed), "what waits for a callback needs a mock"
        return outcome
