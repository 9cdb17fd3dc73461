"""Blocking calls in threads: who waits for whom."""

import asyncio
import threading

import pytest

from maprun.aws.call_pool import CallPool


def test_a_destination_that_hangs_keeps_nobody_else() -> None:
    """With every thread of the pool in calls that hang, a call to another destination is made at once."""
    release = threading.Event()

    async def main() -> str:
        """Far more hanging calls than threads, then one that does not hang."""
        pool = CallPool(threads_each_max=2, threads_max=4)
        hanging = [asyncio.create_task(pool.run(f"hole {n % 2}", lambda _: release.wait())) for n in range(40)]
        await asyncio.sleep(0)
        answer = await pool.run("well", lambda _: "answer")
        release.set()
        assert await asyncio.gather(*hanging) == [True] * 40
        return answer

    assert asyncio.run(main()) == "answer"


def test_calls_of_one_destination_are_bounded_and_all_made() -> None:
    """No more run at once than a destination may have, and each is made once."""
    lock = threading.Lock()
    running, most, made = 0, 0, 0

    def call(_: threading.Event) -> int:
        """Counts itself."""
        nonlocal running, most, made
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1
            made += 1
        return made

    async def main() -> None:
        """Many calls at once."""
        pool = CallPool(threads_each_max=3, threads_max=100)
        await asyncio.gather(*(pool.run("one", call) for _ in range(200)))

    asyncio.run(main())
    assert (most <= 3, made) == (True, 200)


def test_places_at_the_bound_of_all_go_on_to_who_waits() -> None:
    """A destination that has one thread because all are taken gets more when another's calls end."""

    async def main() -> None:
        """Two calls of one destination that need each other, at the bound of all."""
        pool = CallPool(threads_each_max=2, threads_max=2)
        release, together = threading.Event(), threading.Barrier(2)
        first = [asyncio.create_task(pool.run("a", lambda _: release.wait())) for _ in range(2)]
        second = [asyncio.create_task(pool.run("b", lambda _: together.wait())) for _ in range(2)]
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(*first, *second)

    asyncio.run(main())


def test_a_thread_that_rests_takes_one_call_and_not_the_next_one_too() -> None:
    """Two calls that need each other both begin, whether threads of their destination rest or not."""

    async def main() -> None:
        """Rounds of one call and two at once, with threads left from the round before."""
        pool = CallPool(threads_each_max=3, threads_max=3)
        together = threading.Barrier(2)
        for _ in range(200):
            await pool.run("one", lambda _: None)
            await asyncio.gather(*(pool.run("one", lambda _: together.wait(60)) for _ in range(2)))

    asyncio.run(main())


def test_a_call_that_nobody_waits_for_never_begins_or_hears_of_it() -> None:
    """Cancelled in the queue a call is not made; cancelled while it runs it is told."""

    async def main() -> list[str]:
        """One that runs, one behind it, both cancelled, then one more."""
        pool = CallPool(threads_each_max=1, threads_max=1)
        log: list[str] = []
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def first(gone: threading.Event) -> None:
            """Runs until nobody waits."""
            loop.call_soon_threadsafe(begun.set)
            log.append("told" if gone.wait(60) else "never told")

        running = asyncio.create_task(pool.run("one", first))
        queued = asyncio.create_task(pool.run("one", lambda _: log.append("made")))
        await begun.wait()
        queued.cancel()
        running.cancel()
        await asyncio.gather(running, queued, return_exceptions=True)
        await pool.run("one", lambda _: log.append("last"))
        return log

    assert asyncio.run(main()) == ["told", "last"]


def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    """An error reaches its own waiter, and the thread goes on."""

    def fails(_: threading.Event) -> None:
        """A call that fails."""
        raise OSError("gone")

    async def main() -> int:
        """A failing call and another."""
        pool = CallPool(threads_each_max=1, threads_max=1)
        with pytest.raises(OSError, match="gone"):
            await pool.run("one", fails)
        return await pool.run("one", lambda _: 7)

    assert asyncio.run(main()) == 7
