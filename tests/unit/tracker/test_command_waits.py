"""Commands: whose word answers them, how long they wait for it, and what is said when none comes."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.port import BusError, Outgoing
from maprun.mapruns.fold.state import RequestAnswered
from services.maprun_tracker.api.commands import answer_to, passed
from services.maprun_tracker.api.errors import Unavailable
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.state import Partition
from tests.unit.tracker import fakes


class FakePort:
    """A Kafka that does with records what the test says."""

    def __init__(self, send: Callable[[Outgoing], Coroutine[Any, Any, int]]) -> None:
        self._send = send
        self.spawned: list[asyncio.Task[None]] = []

    def monotonic(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def mailbox(self) -> KafkaMailbox:
        """A real one."""
        return KafkaMailbox(asyncio.get_running_loop())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it beside."""
        self.spawned.append(asyncio.ensure_future(work))

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes."""
        return [await self._send(message) for message in messages]


def part_of_home() -> Partition:
    """A home nobody has written to yet."""
    interpreter = fakes.FakeInterpreter()
    return fakes.fresh(0, interpreter).part


def played(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs it."""
    asyncio.run(scenario())


async def answer(port: FakePort, part: Partition, request_id: str = "", seconds: float = 5.0) -> RequestAnswered:
    """That to the start of an execution."""
    return await answer_to(port, part, fakes.execution(0, 0, request_id), seconds)  # type: ignore[arg-type]


def test_a_command_is_answered_when_the_fold_has_passed_its_record() -> None:
    """Not when Kafka has it; then what was asked for is there to be read."""

    async def scenario() -> None:
        part, written = part_of_home(), asyncio.Queue[bytes]()

        async def send(message: Outgoing) -> int:
            written.put_nowait(message.value or b"")
            return 0

        asked = asyncio.ensure_future(answer(FakePort(send), part))
        value = await written.get()
        await asyncio.sleep(0.05)
        assert not asked.done()
        assert record_arrived(part, 0, 1_000, value)
        assert (await asked).error == ""
        assert part.root(fakes.execution(0).arn) is not None

    played(scenario)


def test_an_earlier_attempt_answers_too() -> None:
    """Of two attempts the first record starts the execution, and both have the answer to it."""

    async def scenario() -> None:
        part, written = part_of_home(), asyncio.Queue[bytes]()

        async def send(message: Outgoing) -> int:
            written.put_nowait(message.value or b"")
            return 0

        port = FakePort(send)
        attempts = [asyncio.ensure_future(answer(port, part, "same")) for _ in range(2)]
        values = [await written.get() for _ in attempts]
        record_arrived(part, 0, 1_000, values[0])
        first, second = await asyncio.gather(*attempts)
        assert first == second
        record_arrived(part, 1, 9_000, values[1])
        assert len(part.index.roots()) == 1

    played(scenario)


@pytest.mark.parametrize(
    ("acknowledges", "said"), [(False, "was not acknowledged by Kafka in time"), (True, "but not answered in time")]
)
def test_a_command_without_an_answer_is_told_in_time(acknowledges: bool, said: str) -> None:
    """A Kafka that hangs holds no caller longer than a fold that does; what was handed to it is still written."""

    async def scenario() -> None:
        thaws, written = asyncio.Event(), asyncio.Event()

        async def send(_message: Outgoing) -> int:
            if not acknowledges:
                await thaws.wait()
            written.set()
            return 0

        port = FakePort(send)
        with pytest.raises(Unavailable, match=said) as raised:
            await answer(port, part_of_home(), seconds=0.02)
        assert not raised.value.may_come
        thaws.set()
        await written.wait()

    played(scenario)


def test_a_record_that_kafka_refuses_is_told() -> None:
    """The reason is Kafka's."""

    async def scenario() -> None:
        async def send(_message: Outgoing) -> int:
            raise BusError("it is too large")

        with pytest.raises(Unavailable, match="Kafka did not take the request: it is too large"):
            await answer(FakePort(send), part_of_home())

    played(scenario)


def test_who_waits_on_an_owner_that_ends_is_sent_to_the_next() -> None:
    """The request may be asked again at once: its next owner has the same answer."""

    async def scenario() -> None:
        part = part_of_home()

        async def send(_message: Outgoing) -> int:
            part.waits.give_up()
            return 0

        with pytest.raises(Unavailable) as raised:
            await answer(FakePort(send), part)
        assert raised.value.may_come

        async def never(_message: Outgoing) -> int:
            raise AssertionError

        with pytest.raises(Unavailable, match="another process"):
            await passed(FakePort(never), part, 3, 5.0)  # type: ignore[arg-type]

    played(scenario)


def test_an_offset_is_waited_for_so_long() -> None:
    """What is folded already is not waited for; what does not come in time is told."""

    async def scenario() -> None:
        part = part_of_home()

        async def never(_message: Outgoing) -> int:
            raise AssertionError

        port: Any = FakePort(never)
        await passed(port, part, -1, 0.0)
        with pytest.raises(Unavailable, match="behind on home 0"):
            await passed(port, part, 0, 0.02)
        waiting = asyncio.ensure_future(passed(port, part, 1, 5.0))
        await asyncio.sleep(0.01)
        part.waits.passed(1)
        await waiting

    played(scenario)
