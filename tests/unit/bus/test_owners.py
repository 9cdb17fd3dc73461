"""The life of an owner, and the clock that follows the broker."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from maprun.bus.limits import BusLimits
from maprun.bus.owners import Owner
from maprun.bus.port import BusError, LostOwnershipError, TooLargeError
from maprun.bus.sender import BrokerClock
from maprun.runtime import clock

QUICK = BusLimits(owner_retry_seconds=0.01, owner_retry_seconds_max=0.02)


class _Port:
    """What an owner's keeper needs of a port."""

    def __init__(self) -> None:
        self.closed = False
        self.fail: Callable[[BaseException], None] = lambda _error: None

    def on_failure(self, fail: Callable[[BaseException], None]) -> None:
        """Whom to tell."""
        self.fail = fail

    def close(self) -> None:
        """Ends it."""
        self.closed = True


class _Run:
    """One owner and what came of it."""

    def __init__(self, work: Callable[[_Port], Coroutine[Any, Any, None]]) -> None:
        self.ports: list[_Port] = []
        self.broken: list[BaseException] = []
        self.owner = Owner("one", self._port, work, QUICK, self.broken.append)
        self.owner.start()

    def _port(self) -> _Port:
        self.ports.append(_Port())
        return self.ports[-1]

    async def over(self) -> None:
        """Waits for its end."""
        assert self.owner.task is not None
        await asyncio.wait({self.owner.task}, timeout=5)
        assert self.owner.task.done()


def _failing(error: BaseException, times: int) -> Callable[[_Port], Coroutine[Any, Any, None]]:
    count = 0

    async def work(_port: _Port) -> None:
        nonlocal count
        count += 1
        if count <= times:
            raise error
        await asyncio.sleep(60)

    return work


def test_a_bus_error_begins_again_on_a_new_port() -> None:
    """The old port is closed, so that nothing of the failed attempt can act any more."""

    async def test() -> None:
        run = _Run(_failing(BusError("away"), 3))
        await asyncio.sleep(0.2)
        assert [port.closed for port in run.ports] == [True, True, True, False]
        assert run.owner.running
        assert run.broken == []
        run.owner.cancel()
        await run.over()
        assert all(port.closed for port in run.ports)

    asyncio.run(test())


def test_a_record_that_fits_nowhere_is_not_tried_again() -> None:
    """It would be refused again and again, and its partition would stand still unseen: the process ends."""

    async def test() -> None:
        run = _Run(_failing(TooLargeError("24001 bytes"), 1))
        await run.over()
        assert [type(error) for error in run.broken] == [TooLargeError]
        assert len(run.ports) == 1

    asyncio.run(test())


def test_a_lost_partition_ends_its_owner_quietly() -> None:
    """No new start, no broken process."""

    async def test() -> None:
        run = _Run(_failing(LostOwnershipError("gone"), 1))
        await run.over()
        assert len(run.ports) == 1
        assert run.broken == []

    asyncio.run(test())


@pytest.mark.parametrize("error", [ZeroDivisionError(), AssertionError("bug")])
def test_a_bug_breaks_the_process(error: BaseException) -> None:
    """Whatever is no BusError is told once, and there is no second attempt."""

    async def test() -> None:
        run = _Run(_failing(error, 1))
        await run.over()
        assert run.broken == [error]
        assert len(run.ports) == 1

    asyncio.run(test())


def test_an_owner_that_returns_is_a_bug() -> None:
    """A partition without its owner would stand still unseen."""

    async def work(_port: _Port) -> None:
        await asyncio.sleep(0)

    async def test() -> None:
        run = _Run(work)
        await run.over()
        assert [type(error) for error in run.broken] == [AssertionError]

    asyncio.run(test())


def test_a_failure_beside_an_owner_is_its_own() -> None:
    """What a port reports ends the attempt: a bus error begins again, a bug breaks the process."""

    async def work(_port: _Port) -> None:
        await asyncio.sleep(60)

    async def test() -> None:
        run = _Run(work)
        await asyncio.sleep(0.01)
        run.ports[0].fail(BusError("a feed ended"))
        await asyncio.sleep(0.1)
        assert len(run.ports) == 2
        run.ports[1].fail(ZeroDivisionError())
        await run.over()
        assert [type(error) for error in run.broken] == [ZeroDivisionError]

    asyncio.run(test())


def test_a_cancelled_owner_stays_cancelled_though_its_port_fails_at_once() -> None:
    """A failure and the loss of the partition at the same moment must not begin it anew."""

    async def work(_port: _Port) -> None:
        await asyncio.sleep(60)

    async def test() -> None:
        run = _Run(work)
        await asyncio.sleep(0.01)
        run.ports[0].fail(BusError("away"))
        run.owner.cancel()
        await run.over()
        assert len(run.ports) == 1

    asyncio.run(test())


def test_the_clock_moves_only_as_far_as_a_broker_proves() -> None:
    """A stamp between sending and acknowledgement proves nothing; one outside moves the clock to the nearer end."""
    told = BrokerClock()

    def ahead() -> int:
        return round((told.now_ms() - clock.wall_ms()) / 100) * 100

    told.seen(stamped_ms=10_050, sent_ms=10_000, acknowledged_ms=10_100)
    assert ahead() == 0
    told.seen(stamped_ms=15_100, sent_ms=10_000, acknowledged_ms=10_100)
    assert ahead() == 5_000
    told.seen(stamped_ms=25_050, sent_ms=20_000, acknowledged_ms=20_100)
    assert ahead() == 5_000, "5,000 lies between 4,950 and 5,050"
    told.seen(stamped_ms=29_000, sent_ms=30_000, acknowledged_ms=30_100)
    assert ahead() == -1_000
