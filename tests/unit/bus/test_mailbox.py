"""The queue in front of a coroutine."""

import asyncio

from maprun.bus.mailbox import KafkaMailbox


def test_what_waits_comes_at_once_and_in_order() -> None:
    """Items put before a get come together, oldest first, and only once."""

    async def test() -> None:
        mailbox = KafkaMailbox(asyncio.get_running_loop())
        mailbox.put(1)
        mailbox.deliver([2, 3], None)
        assert await mailbox.get(None) == [1, 2, 3]
        assert await mailbox.get(0.0) == []

    asyncio.run(test())


def test_a_getter_wakes_for_the_first_item() -> None:
    """A coroutine that waits without end goes on when something is put."""

    async def test() -> None:
        loop = asyncio.get_running_loop()
        mailbox = KafkaMailbox(loop)
        loop.call_later(0.01, mailbox.put, "late")
        assert await mailbox.get(None) == ["late"]
        loop.call_later(0.01, mailbox.deliver, ["delivered"], None)
        assert await mailbox.get(5) == ["delivered"]

    asyncio.run(test())


def test_a_getter_goes_away_empty_when_its_time_is_up() -> None:
    """Nothing put: an empty list after the wait, and the mailbox works on."""

    async def test() -> None:
        loop = asyncio.get_running_loop()
        mailbox, began = KafkaMailbox(loop), loop.time()
        assert await mailbox.get(0.02) == []
        assert loop.time() - began >= 0.015
        mailbox.put(1)
        assert await mailbox.get(1) == [1]

    asyncio.run(test())


def test_a_get_without_waiting_lets_others_run() -> None:
    """A coroutine that asks again and again with no wait doesn't keep the loop for itself."""

    async def test() -> None:
        mailbox = KafkaMailbox(asyncio.get_running_loop())
        ran: list[int] = []

        async def other() -> None:
            ran.append(1)

        task = asyncio.get_running_loop().create_task(other())
        await mailbox.get(0)
        await mailbox.get(0)
        assert ran == [1]
        await task

    asyncio.run(test())


def test_a_cancelled_getter_leaves_items_to_the_next() -> None:
    """What is put after a getter was cancelled waits for the one that follows it."""

    async def test() -> None:
        loop = asyncio.get_running_loop()
        mailbox = KafkaMailbox(loop)
        task = loop.create_task(mailbox.get(None))
        await asyncio.sleep(0)
        task.cancel()
        mailbox.put("kept")
        await asyncio.gather(task, return_exceptions=True)
        assert await mailbox.get(None) == ["kept"]

    asyncio.run(test())
