"""What the operations work with: partitions, machines, commands; and how long they wait before they believe a no."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from maprun.bus.port import BusError, Outgoing, Port, Record
from maprun.mapruns.limits import MapRunLimits
from maprun.requests.checks import INPUT_BYTES_MAX, Refusal
from maprun.requests.registry import MachineRegistry, decode_machine
from maprun.requests.starts import derived_id
from schemas import topics
from schemas.arns import Names, home_of
from schemas.home import (
    ExecutionRequested,
    MachineRequested,
    MapRunUpdateRequested,
    RedriveRequested,
    StopRequested,
    TagsRequested,
)
from schemas.requests import MachineWritten, RequestAnswered
from schemas.wire import Decoder, encode
from services.maprun_tracker import metrics
from services.maprun_tracker.api.errors import ElsewhereError, Unavailable
from services.maprun_tracker.api.frames import Frames
from services.maprun_tracker.limits import TrackerLimits
from services.maprun_tracker.state import Partition

T = TypeVar("T")
Command = (
    MachineRequested | TagsRequested | ExecutionRequested | StopRequested | RedriveRequested | MapRunUpdateRequested
)
POLL_SECONDS = 0.002


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
    """One HTTP request. `attempt_of` is the same for all attempts of one SDK call, and fresh without an SDK."""

    request_id: str
    attempt_of: str
    forwarded: bool = False


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
    ) -> None:
        """`fold_limits` are those that the fold of home works under."""
        self.port = port
        self.fold_limits = fold_limits or MapRunLimits()
        self.parts = parts
        self.names = names
        self.homes = homes
        self.limits = limits
        self.input_bytes_max = INPUT_BYTES_MAX
        self.machines = MachineRegistry()
        self._machines_next = [0] * homes
        self._waiting: dict[str, asyncio.Future[RequestAnswered]] = {}
        self._waiters: dict[str, int] = {}  # attempts of one call may wait at once for one answer
        self._sending: set[asyncio.Future[list[int]]] = set()
        self.frames = Frames(self._read, limits.frames_cached_bytes_max, limits.frame_reads_at_once_max)
        self.following = False
        self._examining = asyncio.Lock()

    # ------------------------------------------------------------------ what comes in beside home

    async def follow(self, port: Port) -> None:
        """Reads `machines` from the beginning and `answers` from now on; runs until it is cancelled."""
        mailbox = port.mailbox()
        for home in range(self.homes):
            port.feed(topics.MACHINES.name, home, 0, mailbox)
            end = await port.end_offset(topics.ANSWERS.name, home)
            port.feed(topics.ANSWERS.name, home, end, mailbox)
        self.following = True
        answers = Decoder(RequestAnswered)
        while True:
            for record in await mailbox.get(None):
                assert isinstance(record, Record)
                if record.topic == topics.ANSWERS.name:
                    self._answered(answers, record)
                else:
                    self.machine_written(record)

    def _answered(self, decoder: Decoder[RequestAnswered], record: Record) -> None:
        waiting = self._waiting.get((record.key or b"").decode(errors="replace"))
        if waiting is None or waiting.done():
            return  # somebody else's
        try:
            waiting.set_result(decoder.decode(record.value or b""))
        except (msgspec.DecodeError, RecursionError) as error:
            metrics.unreadable(record.topic, record.partition, record.offset)
            waiting.set_exception(Unavailable(f"The answer can't be read: {error}", may_come=False))

    def machine_written(self, record: Record) -> None:
        """Takes over a record of `machines`."""
        if record.value is not None:  # else an older revision was deleted, behind a newer one
            try:
                self.machines.apply(decode_machine(record.value))
            except (msgspec.DecodeError, RecursionError):  # the machine stays as it was
                metrics.unreadable(record.topic, record.partition, record.offset)
        self._machines_next[record.partition] = record.offset + 1

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
        await self._until(lambda: self.part(home).offset >= end - 1, f"home {home}")

    async def examined(self, work: Callable[[], T]) -> T:
        """What a look at a definition gives, or raises.

        One of 1 MB takes a second of CPU time: requests and the group's heartbeats go on meanwhile. One at a time, for
        threads that compute take turns.
        """
        async with self._examining:
            return await self.port.call(work)

    async def machine(self, arn: str) -> MachineWritten | None:
        """A state machine; before it is believed to be nowhere, all that is written by now is read."""
        machine = self.machines.get(arn)
        if machine is None:
            await self.machines_read(home_of(arn, self.homes))
            machine = self.machines.get(arn)
        return machine

    async def machines_read(self, home: int) -> None:
        """Waits until all machines that stand on a partition now are read."""
        end = await self._end(topics.MACHINES.name, home)
        await self._until(lambda: self._machines_next[home] >= end, "the state machines")

    async def all_machines_read(self) -> None:
        """The same for all partitions."""
        for home in range(self.homes):
            await self.machines_read(home)

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        deadline = self.port.monotonic() + self.limits.applied_wait_seconds_max
        while not done():
            if self.port.monotonic() > deadline:
                raise Unavailable(f"The tracker is behind on {what}; try again.")
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
        """Has the decider's word on a command: its JSON. Raises Refusal as decided, Unavailable when no word came."""
        if not self.following:
            raise Unavailable("The tracker is starting.")
        key = command.request_id
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
        self._waiters[key] = self._waiters.get(key, 0) + 1
        recorded = False
        try:
            async with asyncio.timeout(self.limits.answer_wait_seconds_max):
                await self._record(Outgoing(topics.HOME.name, home, encode(command)))
                recorded = True
                answer = await asyncio.shield(waiting)
        except BusError as error:
            raise Unavailable(f"Kafka did not take the request: {error}", may_come=False) from error
        except TimeoutError:
            what = "was recorded, but not answered" if recorded else "was not acknowledged by Kafka"
            raise Unavailable(
                f"The request {what} in time; asking again with the same name is safe.", may_come=False
            ) from None
        finally:
            self._waiters[key] -= 1
            if not self._waiters[key]:
                del self._waiting[key], self._waiters[key]
        if answer.error:
            raise Refusal(answer.error, answer.message)
        return answer.body

    async def _record(self, message: Outgoing) -> None:
        """Has Kafka's word on a record. It can't be taken back: whoever gives up waiting leaves it on its way."""
        sending = asyncio.ensure_future(self.port.send([message]))
        self._sending.add(sending)
        sending.add_done_callback(self._sent)
        await asyncio.shield(sending)

    def _sent(self, sending: "asyncio.Future[list[int]]") -> None:
        """A failed one ends the process, which says why; here it is only looked at, for nobody may wait any more."""
        self._sending.discard(sending)
        if not sending.cancelled():
            sending.exception()
