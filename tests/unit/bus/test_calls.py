"""Calls in threads: so many at once, and whoever hangs holds up nobody else."""

import asyncio
import threading

from maprun.bus.calls import Calls


def test_work_that_hangs_gives_its_place_to_others() -> None:
    """With one place, work that waits for a later one ends all the same."""

    async def both() -> list[str]:
        calls = Calls(1, 2, patience_seconds=0.0)
        done = threading.Event()

        def hangs() -> str:
            assert done.wait(60)
            return "hung"

        def follows() -> str:
            done.set()
            return "followed"

        try:
            return list(await asyncio.gather(calls.run(hangs), calls.run(follows)))
        finally:
            calls.close()

    assert asyncio.run(both()) == ["hung", "followed"]


def test_quick_work_waits_for_its_place() -> None:
    """Of one place, what comes later begins when the one before has ended, however that ended."""
    order: list[str] = []

    async def three() -> list[object]:
        calls = Calls(1, 8, patience_seconds=3600.0)

        def work(name: str) -> None:
            order.append(f"{name} begins")
            order.append(f"{name} ends")
            if name == "b":
                raise ValueError(name)

        try:
            jobs = [calls.run(lambda name=name: work(name)) for name in "abc"]  # type: ignore[misc]
            return await asyncio.gather(*jobs, return_exceptions=True)
        finally:
            calls.close()

    found = asyncio.run(three())
    assert order == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]
    assert isinstance(found[1], ValueError)
