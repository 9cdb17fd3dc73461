"""Several processes of the API over HTTP, each with homes of its own on one log in memory."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec
from aiohttp.test_utils import TestServer

from maprun.aws.own_calls import OwnSigner
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.port import Outgoing
from maprun.runtime import health
from schemas import topics
from schemas.lanes import Cause
from schemas.machines import MachineSpec, MachineWritten
from schemas.tokens import SECRET_BYTES, TokenSecret
from schemas.wire import encode
from services.maprun_tracker.access.gate import Gate
from services.maprun_tracker.api.service import Service
from services.maprun_tracker.api.site import Site
from services.maprun_tracker.handlers import record_arrived
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.state import Partition
from tests.unit.tracker import fakes

PREFIX = "AWSStepFunctions."
CLUSTER_SECRET = b"s" * SECRET_BYTES
SECRET = TokenSecret(CLUSTER_SECRET)
DESCRIBE, LIST = f"{PREFIX}DescribeExecution", f"{PREFIX}ListExecutions"


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
    """What the API asks of Kafka; `written` hears of each record."""

    instance = "test"

    def __init__(self, log: Log, written: Callable[[], None]) -> None:
        self._log = log
        self._written = written
        self._spawned: set[asyncio.Task[None]] = set()
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

    def mailbox(self) -> KafkaMailbox:
        """A real one."""
        return KafkaMailbox(asyncio.get_running_loop())

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it beside."""
        self._spawned.add(asyncio.ensure_future(work))

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Every record is taken."""
        for message in messages:
            assert message.topic == topics.HOME.name
            self._log.homes[message.partition].append(message.value or b"")
        asyncio.get_running_loop().call_soon(self._written)
        return [len(self._log.homes[message.partition]) - 1 for message in messages]

    async def end_offset(self, topic: str, partition: int) -> int:
        """The end of a home; there are no other records."""
        return len(self._log.homes[partition]) if topic == topics.HOME.name else 0


class Process:
    """One process: the homes it owns, those it is still reading, and what it believes of the others."""

    def __init__(self, log: Log, homes: set[int], hold_seconds: float = 20.0, gate: Gate | None = None) -> None:
        limits = TrackerLimits(hold_seconds_max=hold_seconds)
        self.log = log
        self.parts = {home: part_of(log, home) for home in homes}
        self.reading: set[int] = set()
        self.believed: dict[str, list[int]] = {}
        self.folds = True
        self.port = FakePort(log, self.fold)
        secret = TokenSecret(CLUSTER_SECRET)
        self.service = Service(self.port, self, fakes.NAMES, fakes.HOMES, limits, secret=secret)  # type: ignore[arg-type]
        self.service.machines.apply(
            MachineWritten(Cause(0, 0, 0), fakes.MACHINE, "m", MachineSpec(fakes.DEFINITION, "r"), "", 0, 0)
        )
        signer = OwnSigner(secret, fakes.NAMES.region, time.time)
        self.site = Site(self.service, self, "born", gate=gate, signer=signer)
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

    def abort(self) -> None:
        """Breaks all connections, as the end of a process does."""
        assert self.server.runner is not None
        assert self.server.runner.server is not None
        for connection in self.server.runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    def fold(self) -> None:
        """Folds what is new on its homes, if it does."""
        for home, part in self.parts.items() if self.folds else ():
            for offset in range(part.offset + 1, len(self.log.homes[home])):
                record_arrived(part, offset, 1_000 + offset, self.log.homes[home][offset])
                part.waits.passed(offset)

    @property
    def url(self) -> str:
        """Its address."""
        return str(self.server.make_url("")).rstrip("/")


def part_of(log: Log, home: int) -> Partition:
    """A home folded as far as the log goes."""
    interpreter = fakes.FakeInterpreter()

    part = fakes.fresh(home, interpreter).part
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


def played(
    play: Callable[[Process, Process, Log], Awaitable[None]],
    hold_seconds: float = 20.0,
    gate: Callable[[], Gate | None] = lambda: None,
) -> None:
    """Two processes, each with a gate of its own; the first owns home 0, the second home 1, and both know it."""

    async def run() -> None:
        log = Log()
        first, second = Process(log, {0}, hold_seconds, gate()), Process(log, {1}, hold_seconds, gate())
        async with first.server, second.server:
            first.believed, second.believed = {second.url: [1]}, {first.url: [0]}
            await play(first, second, log)

    asyncio.run(run())
