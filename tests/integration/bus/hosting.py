"""A host inside a test: an owner written as a function, run until the test has seen enough."""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from maprun.bus.kafka import KafkaHost, Owned
from maprun.bus.limits import BusLimits
from maprun.bus.port import Port
from maprun.runtime.limits import Limits, check
from maprun.runtime.settings import Settings

SHORT = check(
    Limits(
        session_timeout_seconds=6.0,  # the least that brokers take
        heartbeat_interval_seconds=1.0,
        commit_interval_seconds=0.5,
        lease_margin_seconds=2.0,
        drain_seconds=2.0,
    )
)
SECONDS_MAX = 40.0
_numbers = itertools.count()


def new_group() -> str:
    """A group that no other test uses."""
    return f"group-{os.getpid()}-{next(_numbers)}"


def hosted(
    settings: Settings,
    test: Callable[[Port], Awaitable[None]],
    *,
    own: BusLimits | None = None,
) -> None:
    """Runs a test over a port that owns nothing."""

    async def run() -> None:
        host = KafkaHost(settings, SHORT, (), own)
        await host.start()
        try:
            await asyncio.wait_for(test(host.port()), SECONDS_MAX)
        finally:
            await host.close()

    asyncio.run(run())


def owned(
    settings: Settings,
    topic: str,
    group: str,
    owner: Callable[[Port, int], Coroutine[Any, Any, None]],
    *,
    instance: str = "tests-0",
) -> None:
    """Hosts an owner of each partition of a topic; ends when one of them raises Enough, or with what one raised."""

    async def run() -> None:
        named = msgspec.structs.replace(settings, instance=instance)
        host = KafkaHost(named, SHORT, [Owned(topic, group, owner)])
        await host.start()
        try:
            await asyncio.wait_for(host.run(asyncio.Event()), SECONDS_MAX)
        except Enough:
            pass
        finally:
            await host.close()

    asyncio.run(run())


class Enough(Exception):  # noqa: N818 - not an error
    """An owner has seen what its test wanted to see."""
