"""What a process waits for when it ends."""

import asyncio

import pytest

from maprun.bus.kafka import in_time


def test_what_never_closes_is_left_behind() -> None:
    """Nobody waits for it longer than told, and it is cancelled."""

    async def work() -> bool:
        given_up = asyncio.Event()

        async def never() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                given_up.set()

        await in_time(never(), 0.01, "a group")
        await given_up.wait()
        return True

    assert asyncio.run(asyncio.wait_for(work(), 10))


def test_what_fails_to_close_is_raised() -> None:
    """Its error is the closing's."""

    async def fails() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        asyncio.run(in_time(fails(), 10, "connections"))
