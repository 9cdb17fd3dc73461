"""What the operations work with: partitions, machines, commands; and how long they wait before they believe a no."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from maprun.aws.function_logs import FunctionLogs
from maprun.aws.result_files import ResultFiles
from maprun.bus.port import BusError, Port, Record
from maprun.mapruns.limits import MapRunLimits
from maprun.requests.checks import INPUT_BYTES_MAX, Refusal
from maprun.requests.registry import MachineRegistry
from maprun.requests.starts import Start, derived_id, machine_to_start
from maprun.requests.tracing import Tracer
from maprun.requests.versions import exists
from schemas import topics
from schemas.activities import ActivityWritten
from schemas.arns import Names, home_of, unqualified
from schemas.machines import MachineWritten
from schemas.tokens import TokenSecret
from services.maprun_tracker import metrics
from services.maprun_tracker.access.allowed import ANYBODY, Caller
from services.maprun_tracker.api import commands
from services.maprun_tracker.api.commands import Command
from services.maprun_tracker.api.errors import ElsewhereError, Unavailable
from services.maprun_tracker.api.examining import Examiner
from services.maprun_tracker.api.frames import Frames
from services.maprun_tracker.api.quotas import Quotas
from services.maprun_tracker.api.state_tests import StateTests, Tasks
from services.maprun_tracker.express_calls import ExpressCalls
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.process_reports import ProcessReports
from services.maprun_tracker.state import Partition

T = TypeVar("T")
POLL_SECONDS = 0.002
LOG_QUESTIONS_MAX = 2
"""To function hosts at once, each of which takes a thread while a host looks through its logs; more wait their turn."""


class Parts(Protocol):
    """The partitions this process owns."""

    def ready(self) -> str:
        """What is missing before all homes of this process may be asked; "" = nothing."""
        ...

    def missing(self, home: int) -> str:
        """What is missing before one home may be asked; "" when it may, or when it is another process's."""
        ...

    def owned(self) -> Mapping[int, Partition]:
        """The partitions, by home."""
        ...


class Call(msgspec.Struct, frozen=True):
    """One HTTP request. `attempt_of` is the same for all attempts of one SDK call, and fresh without an SDK.

    `task_token` is that of the Task which makes the call to start an execution and waits for it, perhaps `parsed`.
    `trace_header` is X-Ray's, of the HTTP request. `connected` says whether whoever asked still listens, `caller` who
    that is.
    """

    request_id: str
    attempt_of: str
    forwarded: bool = False
    task_token: str = ""
    parsed: bool = False
    trace_header: str = ""
    connected: Callable[[], bool] = lambda: True
    caller: Caller = ANYBODY


class Service:
    """The API's view of the world."""

    def __init__(
        self,
        port: Port,
        parts: Parts,
        names: Names,
        homes: int,
        limits: TrackerLimits,
        fold_limits: MapRunLimits | None = None,
        secret: TokenSecret | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        """`fold_limits` are those that the fold of home works under; task tokens are read with `secret`.

        `tasks` make the calls of states that are tested; None: they need mocks.
        """
        self.secret = secret or TokenSecret()
        self.port = port
        self.fold_limits = fold_limits or MapRunLimits()
        self.parts = parts
        self.names = names
        self.homes = homes
        self.limits = limits
        self.input_bytes_max = INPUT_BYTES_MAX
        self.machines = MachineRegistry()
        self.frames = Frames(self._read, limits.frames_cached_bytes_max, limits.frame_reads_at_once_max)
        self.examiner = Examiner(port)
        self.tests = StateTests(port, names, tasks)
        self.result_files: ResultFiles | None = None
        self.function_logs: FunctionLogs | None = None
        self.asking_for_logs = asyncio.Semaphore(LOG_QUESTIONS_MAX)
        self.express = ExpressCalls("", names, homes, 1, limits)
        self.reports = ProcessReports(homes, lanes=1)
        self.quotas = Quotas()
        self._tracer = Tracer()
        self.finish_deletion: Callable[[str], Awaitable[None]] = _left_alone

    # ------------------------------------------------------------------ what comes in beside home

    async def follow(self, port: Port) -> None:
        """Reads `machines` from the beginning; runs until it is cancelled."""
        mailbox = port.mailbox()
        for home in range(self.homes):
            port.feed(topics.MACHINES.name, home, 0, mailbox)
        while True:
            for record in await mailbox.get(None):
                assert isinstance(record, Record)
                self.machine_written(record)

    def machine_written(self, record: Record) -> None:
        """Takes over a record of `machines`."""
        if not self.machines.read(record.partition, record.offset, record.value):
            metrics.unreadable(record.topic, record.partition, record.offset)

    # ------------------------------------------------------------------ reads

    def part(self, home: int) -> Partition:
        """A home partition. Raises Unavailable while recovering, ElsewhereError when another process owns it."""
        missing = self.parts.missing(home)
        if missing:
            raise Unavailable(missing)
        part = self.parts.owned().get(home)
        if part is None:
            raise ElsewhereError(home)
        return part

    def now_ms(self, arn: str) -> int:
        """Now, for a root execution of this process: the wall clock's time, or that of its home if that is ahead."""
        return max(self.port.now_ms(), self.part(home_of(arn, self.homes)).home.state.now_ms)

    async def find(self, home: int, look: Callable[[Partition], T | None]) -> T | None:
        """What `look` finds; before it is believed to be nowhere, everything written by now is folded."""
        found = look(self.part(home))
        if found is None:
            await self.folded(home)
            found = look(self.part(home))
        return found

    async def folded(self, home: int) -> None:
        """Waits until all that stands on a home now is folded. Raises Unavailable when that takes too long."""
        end = await self._end(topics.HOME.name, home)
        await commands.passed(self.port, self.part(home), end - 1, self.limits.applied_wait_seconds_max)

    async def machine(self, arn: str) -> MachineWritten | None:
        """A state machine or a version; before it is believed to be nowhere, all that is written by now is read."""
        machine = self.machines.get(arn)
        if machine is None:
            await self.machines_read(self.home_of_machine(arn))
            machine = self.machines.get(arn)
        return machine

    async def activity(self, arn: str) -> ActivityWritten | None:
        """An activity; before it is believed to be nowhere, all that is written by now is read."""
        activity = self.machines.activities.get(arn)
        if activity is None:
            await self.machines_read(home_of(arn, self.homes))
            activity = self.machines.activities.get(arn)
        return activity

    async def knows(self, arn: str) -> bool:
        """Whether there is this machine, version or alias; before a no is believed, all written by now is read."""
        if not exists(self.machines, arn):
            await self.machines_read(self.home_of_machine(arn))
        return exists(self.machines, arn)

    def home_of_machine(self, arn: str) -> int:
        """The home of a state machine, which is that of its versions and aliases too."""
        return home_of(unqualified(arn), self.homes)

    async def machine_to_start(self, wanted: Start) -> MachineWritten:
        """The machine of a checked request, whatever version it names. Raises Refusal, once a no may be believed."""
        try:
            return machine_to_start(wanted, self.machines, self.input_bytes_max)
        except Refusal as refusal:
            if refusal.code != "StateMachineDoesNotExist" or not await self.knows(wanted.machine_arn):
                raise
            return machine_to_start(wanted, self.machines, self.input_bytes_max)

    def traced(self, given: str, configuration: bytes, arn: str) -> str:
        """The trace header that an execution carries which was started with this one, perhaps empty."""
        return self._tracer.header(given, configuration, arn, self.port.now_ms())

    async def machines_read(self, home: int) -> None:
        """Waits until all machines that stand on a partition now are read."""
        end = await self._end(topics.MACHINES.name, home)
        await self._until(lambda: self.machines.next_offset(home) >= end)

    async def all_machines_read(self) -> None:
        """The same for all partitions."""
        await asyncio.gather(*(self.machines_read(home) for home in range(self.homes)))

    async def machine_shown(self, arn: str) -> None:
        """Waits until a machine stands on its topic as it is on its home: who is told of it finds it at any door.

        Its versions stand before it.
        """
        home = self.home_of_machine(arn)
        await self._until(lambda: self.machines.shows(arn, self.part(home).home.state.machines.get(arn)))

    async def activity_shown(self, arn: str) -> None:
        """The same of an activity."""
        home = home_of(arn, self.homes)
        activities = self.machines.activities
        await self._until(lambda: activities.shows(arn, self.part(home).home.state.activities.get(arn)))

    async def _until(self, done: Callable[[], bool]) -> None:
        deadline = self.port.monotonic() + self.limits.applied_wait_seconds_max
        while not done():
            if self.port.monotonic() > deadline:
                raise Unavailable("The tracker is behind on state machines and activities; try again.")
            await asyncio.sleep(POLL_SECONDS)

    async def _end(self, topic: str, partition: int) -> int:
        try:
            return await self.port.end_offset(topic, partition)
        except BusError as error:
            raise Unavailable(f"Kafka can't be asked: {error}") from error

    async def _read(self, home: int, offset: int) -> bytes | None:
        try:
            records: Sequence[Record] = await self.port.read(topics.HOME.name, home, offset, offset + 1)
        except BusError as error:
            raise Unavailable(f"Kafka can't be read: {error}") from error
        return records[0].value if records and records[0].offset == offset else None

    # ------------------------------------------------------------------ writes

    def command_id(self, call: Call, operation: str) -> str:
        """The id of a command: the same for all attempts of one SDK call, so that it is carried out once."""
        return derived_id(operation, call.attempt_of)

    async def command(self, home: int, command: Command) -> bytes:
        """Has the fold's word on a command: its JSON. Raises Refusal as decided, Unavailable when no word came."""
        part = self.part(home)
        answer = await commands.answer_to(self.port, part, command, self.limits.answer_wait_seconds_max)
        if answer.error:
            raise Refusal(answer.error, answer.message)
        return answer.body


async def _left_alone(_arn: str) -> None:
    """Where nobody looks after deleted machines."""
