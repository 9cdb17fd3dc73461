"""GetActivityTask over HTTP: workers wait in line, at whichever door, and are given each attempt once."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import msgspec

from maprun.mapruns.fold.home import decode_record
from schemas.activities import ActivityRequested, ActivityTaskAnswered, ActivityTaskAsked, ActivityTaskRequested
from schemas.arns import home_of
from schemas.home import HomeRecord
from schemas.tokens import NO_LANE, TaskToken, TokenSecret
from schemas.wire import encode
from services.maprun_tracker.limits import TrackerLimits
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import PREFIX, Answer, Log, Process, played, post

ACTIVITY = fakes.NAMES.activity("a")
HOME = home_of(ACTIVITY, fakes.HOMES)
GET = f"{PREFIX}GetActivityTask"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:m:e"
BODY = {"activityArn": ACTIVITY, "workerName": "me"}
NOTHING = {"taskToken": None}


class World:
    """The activity's home, and the homes of attempts, which say yes to every worker."""

    def __init__(self, processes: tuple[Process, Process], log: Log, poll_seconds: float = 20.0) -> None:
        self.owner, self.other = processes if HOME in processes[0].parts else processes[::-1]
        self.log = log
        for process in processes:
            process.service.secret.learn(b"secret")
            limits: TrackerLimits = process.service.limits
            process.service.limits = msgspec.structs.replace(
                limits, poll_seconds=poll_seconds, take_wait_seconds_max=0.3, applied_wait_seconds_max=0.5
            )
        self.put(ActivityRequested("made", "create", ACTIVITY, "a"))
        self.calls = 0

    def put(self, record: HomeRecord) -> None:
        """A record comes to the activity's home."""
        self.log.homes[HOME].append(encode(record))
        self.owner.fold()

    def wait(self, attempt: str) -> None:
        """An attempt waits."""
        self.put(ActivityTaskRequested("", ACTIVITY, EXECUTION, NO_LANE, attempt * 32))

    @property
    def asked(self) -> list[ActivityTaskAsked]:
        """The workers' requests on home."""
        records = map(decode_record, self.log.homes[HOME])
        return [record for record in records if isinstance(record, ActivityTaskAsked)]

    async def ask(self, process: Process | None = None, call: str = "") -> "asyncio.Task[Answer]":
        """A worker asks, and stands in the line; `call` is the same for all attempts of one."""
        self.calls += 1
        headers = {"amz-sdk-invocation-id": call or f"call-{self.calls}"}
        before = self.come
        asking = asyncio.create_task(post((process or self.owner).url, GET, BODY, headers))
        while self.come == before:  # noqa: ASYNC110 - until it has come
            await asyncio.sleep(0.01)
        return asking

    @property
    def come(self) -> int:
        """How many stand in the line, or had their turn."""
        return len(self.owner.parts[HOME].lines._lines.get(ACTIVITY, ())) + len(self.asked)

    def say_yes(self) -> None:
        """The attempts' homes answer the workers that were given one."""
        for request_id, taken in list(self.owner.parts[HOME].home.state.activity_workers.items()):
            self.put(ActivityTaskAnswered(request_id, HOME, taken.attempt, b'{"n":1}'))

    async def answers(self, *asking: "asyncio.Task[Answer]") -> list[str]:
        """The attempts that these are given."""
        while not all(one.done() for one in asking):
            await asyncio.sleep(0.02)
            self.say_yes()
        return [attempt_in(one.result()) for one in asking]


def attempt_in(answer: Answer) -> str:
    """The first digit of the attempt that a worker was given."""
    assert (answer.status, answer.body["input"]) == (200, '{"n":1}')
    token = TokenSecret(b"secret").read(answer.body["taskToken"])
    assert token == TaskToken(EXECUTION, token.attempt if token else "", NO_LANE)
    return token.attempt[0]


def test_workers_in_line_are_served_in_order() -> None:
    """At both doors; each attempt goes to one, and each record on home is of one that had its turn."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log)
        asking = [await world.ask(process) for process in (first, second, first)]
        assert world.asked == []
        for attempt in "abc":
            world.wait(attempt)
        assert await world.answers(*asking) == ["a", "b", "c"]
        assert [record.worker for record in world.asked] == ["me"] * 3

    played(play)


def test_an_attempt_that_waits_is_given_at_once() -> None:
    """To the first that asks."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log)
        world.wait("a")
        assert await world.answers(await world.ask()) == ["a"]

    played(play)


def test_when_none_comes_the_worker_hears_so() -> None:
    """After the time that a request waits."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log, poll_seconds=0.3)
        for process in (first, second):
            answer = await post(process.url, GET, BODY)
            assert (answer.status, answer.body) == (200, NOTHING)
        assert world.asked == []

    played(play)


def test_who_has_hung_up_is_given_nothing() -> None:
    """Neither at the owner's door nor at the other's; the next in line is."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log)
        gone = [await world.ask(process) for process in (first, second)]
        for one in gone:
            one.cancel()
        await asyncio.sleep(1.5)
        here = await world.ask()
        world.wait("a")
        assert await world.answers(here) == ["a"]
        assert len(world.asked) == 1

    played(play)


def test_an_owner_that_ends_in_the_midst_is_followed_by_one_with_the_same_answer() -> None:
    """The worker's request stood on home: its client asks again, and is given that attempt, not another."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log)
        world.wait("a")
        world.wait("b")
        lost = await world.ask(call="same")
        assert len(world.asked) >= 1
        world.owner.abort()
        with contextlib.suppress(aiohttp.ClientError):
            await lost
        again = await world.ask(call="same")
        assert await world.answers(again) == ["a"]
        assert {record.request_id for record in world.asked} == {world.asked[0].request_id}

    played(play)


def test_a_word_that_was_lost_is_asked_for_again() -> None:
    """The lane's owner fell before it answered; the worker's request is made once more."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log)
        world.wait("a")
        asking = await world.ask()
        while len(world.asked) < 2:  # noqa: ASYNC110 - until it has asked again
            await asyncio.sleep(0.05)
        assert await world.answers(asking) == ["a"]

    played(play)


def test_a_turn_that_brings_nothing_is_followed_by_another() -> None:
    """What stood in line was over: the worker waits on, and is given the next one."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log)
        world.wait("a")
        asking = await world.ask()
        [request_id] = world.owner.parts[HOME].home.state.activity_workers
        world.put(ActivityTaskAnswered(request_id, HOME, "a" * 32, refused=True))
        await asyncio.sleep(0.1)
        assert not asking.done()
        world.wait("b")
        assert await world.answers(asking) == ["b"]

    played(play)


def test_an_activity_that_is_not_there_is_said_to_be_so() -> None:
    """Also when it is deleted while its workers wait."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log)
        missing = {"activityArn": fakes.NAMES.activity("none")}
        answer = await post(first.url, GET, missing)
        assert (answer.status, answer.body["__type"]) == (400, "ActivityDoesNotExist")
        asking = await world.ask()
        world.put(ActivityRequested("gone", "delete", ACTIVITY, "a"))
        world.owner.parts[HOME].lines.wake(ACTIVITY, 1)
        refused: Any = await asking
        assert (refused.status, refused.body["__type"]) == (400, "ActivityDoesNotExist")

    played(play)


def test_a_process_that_stops_gives_up_the_requests_that_wait_at_another() -> None:
    """It ends at once, not when they have waited long enough; their clients are told to ask again."""

    async def play(first: Process, second: Process, log: Log) -> None:
        world = World((first, second), log)
        asking = await world.ask(world.other)
        began = asyncio.get_running_loop().time()
        await world.other.server.close()
        assert asyncio.get_running_loop().time() - began < 5
        assert (await asking).status == 503

    played(play)
