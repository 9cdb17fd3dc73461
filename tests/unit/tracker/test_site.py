"""Several processes of the API over HTTP: who is asked, how long a request is held, and what a "not now" says."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY

from maprun.bus.port import Record
from maprun.mapruns.fold.home import Home
from maprun.runtime import health
from schemas import topics
from schemas.arns import home_of
from schemas.home import MachineSpec
from schemas.lanes import Cause
from schemas.requests import MachineWritten
from schemas.wire import encode
from services.maprun_tracker.api.owners import HOMES, PEER_PATH
from services.maprun_tracker.api.patience import Judged, Patience
from services.maprun_tracker.api.service import Service
from services.maprun_tracker.api.site import Site
from services.maprun_tracker.flush import restore
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.state import Partition
from tests.unit.tracker import fakes

DESCRIBE, LIST = "AWSStepFunctions.DescribeExecution", "AWSStepFunctions.ListExecutions"


class Log:
    """All homes, as Kafka has them."""

    def __init__(self) -> None:
        self.homes: dict[int, list[bytes]] = {home: [] for home in range(fakes.HOMES)}
        self.arns: dict[int, str] = {}
        for home in range(fakes.HOMES):
            request = fakes.execution(home)
            self.homes[home].append(encode(request))
            self.arns[home] = request.arn


class FakePort:
    """What the API asks of Kafka."""

    instance = "test"

    def __init__(self, log: Log) -> None:
        self._log = log
        self.calls: list[Callable[[], Any]] = []
        self.goes_on = asyncio.Event()

    def now_ms(self) -> int:
        """Some time."""
        return 1_000

    def monotonic(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    async def call(self, work: Callable[[], Any]) -> Any:
        """Work in a thread, which here takes as long as the test says."""
        self.calls.append(work)
        await self.goes_on.wait()
        return work()

    async def end_offset(self, topic: str, partition: int) -> int:
        """The end of a home; there are no other records."""
        return len(self._log.homes[partition]) if topic == topics.HOME.name else 0


class Process:
    """One process: the homes it owns, those it is still reading, and what it believes of the others."""

    def __init__(self, log: Log, homes: set[int], hold_seconds: float = 20.0) -> None:
        limits = TrackerLimits(hold_seconds_max=hold_seconds)
        self.log = log
        self.parts = {home: _part(log, home) for home in homes}
        self.reading: set[int] = set()
        self.believed: dict[str, list[int]] = {}
        self.port = FakePort(log)
        self.service = Service(self.port, self, fakes.NAMES, fakes.HOMES, limits)  # type: ignore[arg-type]
        self.service.machines.apply(
            MachineWritten(Cause(0, 0, 0), fakes.MACHINE, "m", MachineSpec(fakes.DEFINITION, "r"), "", 0, 0)
        )
        self.site = Site(self.service, self, "born")
        self.server = TestServer(self.site.application(health.well, health.well))

    def ready(self) -> str:
        """All of its homes."""
        return next(filter(None, map(self.missing, sorted(self.parts))), "")

    def missing(self, home: int) -> str:
        """One home."""
        return f"home {home} is being read" if home in self.reading else ""

    def owned(self) -> Mapping[int, Partition]:
        """Its homes."""
        return self.parts

    def url_of(self, home: int) -> str | None:
        """Who owns a home, as far as it knows."""
        return next((url for url, homes in self.believed.items() if home in homes), None)

    def others(self) -> Mapping[str, list[int]]:
        """The others, as far as it knows."""
        return self.believed

    @property
    def url(self) -> str:
        """Its address."""
        return str(self.server.make_url("")).rstrip("/")


def _part(log: Log, home: int) -> Partition:
    interpreter = fakes.FakeInterpreter()

    def fold(state: Any) -> Home:
        return fakes.fold(state, interpreter)

    part = restore(home, {}, [], fold, interpreter, TrackerLimits())[0].part
    for offset, value in enumerate(log.homes[home]):
        record_arrived(part, offset, 1_000 + offset, value)
    return part


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]


async def post(url: str, target: str, members: dict[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    """One call."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=json.dumps(members), headers={"X-Amz-Target": target, **(headers or {})}) as answer,
    ):
        return Answer(answer.status, json.loads(await answer.read()), answer.headers)


def played(play: Callable[[Process, Process, Log], Awaitable[None]], hold_seconds: float = 20.0) -> None:
    """Two processes; the first owns home 0, the second home 1, and both know it."""

    async def run() -> None:
        log = Log()
        first, second = Process(log, {0}, hold_seconds), Process(log, {1}, hold_seconds)
        async with first.server, second.server:
            first.believed, second.believed = {second.url: [1]}, {first.url: [0]}
            await play(first, second, log)

    asyncio.run(run())


def test_who_does_not_own_a_home_asks_its_owner() -> None:
    """Each process answers for every home, and lists what all have."""

    async def play(first: Process, second: Process, log: Log) -> None:
        for process in (first, second):
            for arn in log.arns.values():
                answer = await post(process.url, DESCRIBE, {"executionArn": arn})
                assert (answer.status, answer.body["executionArn"]) == (200, arn)
            answer = await post(process.url, LIST, {"stateMachineArn": fakes.MACHINE})
            assert {row["executionArn"] for row in answer.body["executions"]} == set(log.arns.values())

    played(play)


def test_no_header_makes_an_answer_partial() -> None:
    """What one process knows alone is had under a path of its own, and by no header of a user's request."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        for header in ("X-Maprun-Forwarded", HOMES):
            answer = await post(first.url, LIST, {"stateMachineArn": fakes.MACHINE}, {header: "1"})
            assert len(answer.body["executions"]) == fakes.HOMES
        own = await post(first.url + PEER_PATH, LIST, {"stateMachineArn": fakes.MACHINE})
        assert [row["executionArn"] for row in own.body["executions"]] == [log.arns[0]]
        assert own.headers[HOMES] == "0"
        other = await post(first.url + PEER_PATH, DESCRIBE, {"executionArn": log.arns[1]})
        assert (other.status, other.body["__type"]) == (503, "ServiceUnavailable")

    played(play)


def test_a_dead_owner_is_waited_out() -> None:
    """Handed on to a process that is no more, a request is held until the group knows, and then answered."""

    async def play(first: Process, second: Process, log: Log) -> None:
        await second.server.close()
        asked = asyncio.create_task(post(first.url, DESCRIBE, {"executionArn": log.arns[1]}))
        listed = asyncio.create_task(post(first.url, LIST, {"stateMachineArn": fakes.MACHINE}))
        await asyncio.sleep(0.4)
        assert not asked.done()
        assert not listed.done()
        first.believed, first.parts[1] = {}, _part(log, 1)
        assert (await asked).status == 200
        assert len((await listed).body["executions"]) == fakes.HOMES

    played(play)


def test_a_frozen_owner_is_left_when_the_home_goes_elsewhere() -> None:
    """A process that takes a request and never answers is waited for only as long as the home is its."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        asked_by = asyncio.Event()

        async def hang(_request: web.Request) -> web.Response:
            asked_by.set()
            await asyncio.sleep(60)
            return web.Response()

        application = web.Application()
        application.add_routes([web.post(PEER_PATH, hang)])
        frozen = TestServer(application)
        async with frozen:
            first.believed = {str(frozen.make_url("")).rstrip("/"): [1]}
            asked = asyncio.create_task(post(first.url, DESCRIBE, {"executionArn": log.arns[1]}))
            await asked_by.wait()
            first.believed, first.parts[1] = {}, _part(log, 1)
            assert (await asked).status == 200

    played(play)


def test_a_list_that_lacks_a_home_is_no_answer() -> None:
    """When the other process lost a home meanwhile, its list is not taken for the whole."""

    async def play(first: Process, second: Process, log: Log) -> None:
        part = second.parts.pop(1)
        listed = asyncio.create_task(post(first.url, LIST, {"stateMachineArn": fakes.MACHINE}))
        await asyncio.sleep(0.4)
        assert not listed.done()
        second.parts[1] = part
        assert {row["executionArn"] for row in (await listed).body["executions"]} == set(log.arns.values())

    played(play)


def test_a_request_is_held_until_its_home_is_read() -> None:
    """What a recovery will answer in a moment is not refused; other homes of the process answer at once."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        first.parts[1] = _part(log, 1)
        first.reading = {1}
        asked = asyncio.create_task(post(first.url, DESCRIBE, {"executionArn": log.arns[1]}))
        assert (await post(first.url, DESCRIBE, {"executionArn": log.arns[0]})).status == 200
        await asyncio.sleep(0.3)
        assert not asked.done()
        first.reading = set()
        assert (await asked).status == 200

    played(play)


def test_a_503_says_when_to_come_again() -> None:
    """When its time is over, a request gets the reason, and the waits that SDKs honour: milliseconds and seconds."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        first.reading = {0}
        answer = await post(first.url, DESCRIBE, {"executionArn": log.arns[0]})
        assert (answer.status, answer.body["message"]) == (503, "home 0 is being read")
        assert 1_000 <= int(answer.headers["x-amz-retry-after"]) <= 5_000
        assert int(answer.headers["Retry-After"]) * 1_000 >= int(answer.headers["x-amz-retry-after"])

    played(play, hold_seconds=0.3)


def test_nobody_is_held_in_vain() -> None:
    """A final answer is given at once; so is any when the client has gone, time is over, or too many are held."""

    async def asked(*, may_come: bool, gone_after: int = 99, held_max: int = 1, seconds: float = 99.0) -> int:
        """How often the answer was sought."""
        attempts = 0

        async def attempt() -> Judged:
            nonlocal attempts
            attempts += 1
            return Judged("ServiceUnavailable", web.Response(), may_come and attempts < 5)

        patience = Patience(seconds, held_max, lambda: float(attempts))
        await patience.answer(attempt, lambda: attempts >= gone_after)
        assert patience.held == 0
        return attempts

    assert asyncio.run(asked(may_come=False)) == 1
    assert asyncio.run(asked(may_come=True)) == 5
    assert asyncio.run(asked(may_come=True, gone_after=2)) == 2
    assert asyncio.run(asked(may_come=True, held_max=0)) == 1
    assert asyncio.run(asked(may_come=True, seconds=3.0)) == 3


def test_requests_are_answered_while_a_definition_is_examined() -> None:
    """A definition is examined in a thread, one after the other, and a request beside it is answered meanwhile."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        definition = {"definition": "{}"}
        made = {**definition, "name": "n", "roleArn": "arn:aws:iam::123456789012:role/r"}
        asked = [
            asyncio.create_task(post(first.url, f"AWSStepFunctions.{name}", members))
            for name, members in (
                ("ValidateStateMachineDefinition", definition),
                ("CreateStateMachine", made),
                ("UpdateStateMachine", {**definition, "stateMachineArn": fakes.MACHINE}),
            )
        ]
        while not first.port.calls:  # noqa: ASYNC110 - until the first has come so far
            await asyncio.sleep(0.01)
        answer = await post(first.url, DESCRIBE, {"executionArn": log.arns[0]})
        assert answer.status == 200
        assert len(first.port.calls) == 1
        first.port.goes_on.set()
        answers = await asyncio.gather(*asked)
        assert [answer.body.get("result", answer.body.get("__type")) for answer in answers] == [
            "FAIL",
            "InvalidDefinition",
            "InvalidDefinition",
        ]
        assert len(first.port.calls) == 3

    played(play)


def test_a_machine_that_cannot_be_read_is_counted() -> None:
    """It is passed over, counted and logged; the machines behind it are read."""

    def count() -> float:
        return REGISTRY.get_sample_value("maprun_tracker_unreadable_records_total", {"topic": "machines"}) or 0.0

    service = Process(Log(), {0}).service
    home = home_of(fakes.MACHINE, fakes.HOMES)
    newer = MachineWritten(Cause(home, 9, 0), fakes.MACHINE, "m", MachineSpec(b"{}", "r"), "new", 0, 0)
    before = count()
    for offset, value in enumerate((b"\xff", None, b"\x91" * 100_000, encode(newer))):
        service.machine_written(Record(topics.MACHINES.name, home, offset, 0, b"k", value))
    assert count() - before == 2
    found = service.machines.get(fakes.MACHINE)
    assert found is not None
    assert found.revision_id == "new"
