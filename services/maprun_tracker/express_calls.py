"""Executions of EXPRESS machines that this process asked lanes to run, or asks them about, and who waits for answers.

Starts that come in while a frame is on its way make up the next frame. Each frame goes to the next lane in turn. Ends
come on one partition of `express-answers`, which every process that chose it reads.
"""

import hashlib
import itertools
from collections.abc import Collection
from typing import TypeVar

import msgspec

from maprun.bus.port import BusError, Mailbox, Outgoing, Port, Record
from maprun.requests.express import FrameBuilder, express_start
from maprun.requests.registry import MachineRegistry
from maprun.requests.starts import Start, Traced, as_given
from schemas import topics
from schemas.arns import Names
from schemas.express import (
    NOBODY_WAITS,
    NOT_RUN,
    ExpressAnswer,
    ExpressEnd,
    ExpressEnded,
    ExpressHistoryAsked,
    ExpressHistoryShown,
    ExpressMachine,
    ExpressStart,
)
from schemas.wire import Decoder, encode
from services.maprun_tracker import metrics
from services.maprun_tracker.api.errors import Unavailable
from services.maprun_tracker.limits import TrackerLimits

T = TypeVar("T")
_ANSWERS = topics.EXPRESS_ANSWERS.name
_decoder = Decoder[ExpressAnswer](ExpressAnswer)
NOT_ANSWERED = "The execution was asked for, and how it ended was not heard; it may have run."


class _Asked(msgspec.Struct, frozen=True):
    """One start on its way into a frame."""

    machine: ExpressMachine
    start: ExpressStart
    mailbox: Mailbox


class _Recorded(msgspec.Struct, frozen=True):
    """Kafka acknowledged the record that asks for the execution."""


class _Refused(msgspec.Struct, frozen=True):
    """Kafka did not take the record."""

    why: str


class ExpressCalls:
    """All of one process. `asker` tells the process, in this life of it, from all others."""

    def __init__(self, asker: str, names: Names, homes: int, lanes: int, limits: TrackerLimits) -> None:
        self._asker = asker
        self._names = names
        self._all_lanes = range(lanes)
        self._lanes = itertools.cycle(self._all_lanes)
        self._limits = limits
        self._answers = int.from_bytes(hashlib.blake2b(asker.encode(), digest_size=4).digest()) % homes
        self._next_answer: int | None = None  # None until it is known from where on answers may come
        self._calls = itertools.count(NOBODY_WAITS + 1)
        self._waiting: dict[int, Mailbox] = {}
        self._outbox: list[_Asked] = []
        self._sending = False
        self._wake: Mailbox | None = None

    @property
    def busy(self) -> bool:
        """True while callers wait, for an end or for Kafka."""
        return bool(self._waiting or self._outbox or self._sending)

    # ------------------------------------------------------------------ beside the API

    async def send(self, port: Port) -> None:
        """Sends what is asked for, frame by frame; runs until it is cancelled."""
        self._wake = port.mailbox()
        self._wake.put(None)  # what came in while there was no sender
        while True:
            await self._wake.get(None)
            while self._outbox:
                asked, self._outbox = self._outbox, []
                await self._send(port, asked)

    async def _send(self, port: Port, asked: list[_Asked]) -> None:
        builder = FrameBuilder(self._asker, self._answers, self._limits.express_frame_bytes_max)
        frames = [frame for each in asked if (frame := builder.add(each.machine, each.start)) is not None]
        frames.append(builder.take())
        records = [Outgoing(topics.EXPRESS_REQUESTS.name, next(self._lanes), encode(frame)) for frame in frames]
        heard: _Recorded | _Refused = _Refused("this process ends")
        self._sending = True
        try:
            await port.send(records)
            heard = _Recorded()
        except BusError as error:
            heard = _Refused(str(error))
            raise
        finally:
            self._sending = False
            for each in asked:
                each.mailbox.put(heard)

    async def hear(self, port: Port) -> None:
        """Hears how executions ended; runs until it is cancelled."""
        mailbox = port.mailbox()
        if self._next_answer is None:
            self._next_answer = await port.end_offset(_ANSWERS, self._answers)
        port.feed(_ANSWERS, self._answers, self._next_answer, mailbox)
        key = self._asker.encode()
        while True:
            for record in await mailbox.get(None):
                assert isinstance(record, Record)
                self._next_answer = record.offset + 1
                if record.key == key:
                    self._heard(record)

    def _heard(self, record: Record) -> None:
        try:
            frame = _decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            metrics.unreadable(record.topic, record.partition, record.offset)
            return
        for answer in frame.ends if isinstance(frame, ExpressEnded) else (frame,):
            waiting = self._waiting.get(answer.call)
            if waiting is not None:
                waiting.put(answer)

    # ------------------------------------------------------------------ the API

    async def start(
        self, port: Port, start: Start, machines: MachineRegistry, execution_id: str, traced: Traced = as_given
    ) -> ExpressStart:
        """Has an execution run at least once. Raises Unavailable when Kafka didn't take it in time, and Refusal."""
        machine, asked = express_start(start, machines, self._names, execution_id, port.now_ms(), traced=traced)
        mailbox = self._ask(port, machine, asked)
        await _until(port, mailbox, self._limits.answer_wait_seconds_max, _Recorded)
        return asked

    async def run(
        self, port: Port, start: Start, machines: MachineRegistry, execution_id: str, traced: Traced = as_given
    ) -> tuple[ExpressStart, ExpressEnd]:
        """Has an execution run at most once, and waits for its end. Raises Unavailable."""
        call = self._next_call()
        machine, asked = express_start(start, machines, self._names, execution_id, port.now_ms(), call, traced)
        mailbox = self._ask(port, machine, asked)
        self._waiting[call] = mailbox
        try:
            end = await _until(port, mailbox, self._limits.express_wait_seconds_max, ExpressEnd)
        finally:
            del self._waiting[call]
        if end.status == NOT_RUN:
            raise Unavailable(NOT_ANSWERED, may_come=False)
        return asked, end

    async def history(
        self, port: Port, arn: str, first: int, count: int, *, reverse: bool, lane: int | None = None
    ) -> ExpressHistoryShown | None:
        """What happened in an execution, as a lane's process knows it, or this lane's; None where none knows it.

        Raises Unavailable when a lane says nothing in time.
        """
        lanes = self._all_lanes if lane is None else range(lane, lane + 1)
        call = self._next_call()
        question = ExpressHistoryAsked(self._asker, self._answers, call, arn, first, count, reverse)
        mailbox = self._waiting[call] = port.mailbox()
        records = [Outgoing(topics.EXPRESS_REQUESTS.name, number, encode(question)) for number in lanes]
        try:
            port.spawn(_sent(port, records, mailbox))  # beside the wait, which has its time
            return await _shown(port, mailbox, lanes, self._limits.shown_wait_seconds_max)
        finally:
            del self._waiting[call]

    def _next_call(self) -> int:
        """The number of a call that waits for an answer. Raises Unavailable when none could come."""
        if self._next_answer is None:
            raise Unavailable("The tracker can't hear yet how executions end; try again.")
        if len(self._waiting) >= self._limits.express_waiting_max:
            raise Unavailable("Too many callers wait for executions; try again.", may_come=False)
        return next(self._calls)

    def _ask(self, port: Port, machine: ExpressMachine, start: ExpressStart) -> Mailbox:
        mailbox = port.mailbox()
        self._outbox.append(_Asked(machine, start, mailbox))
        if self._wake is not None:
            self._wake.put(None)
        return mailbox


async def _until(port: Port, mailbox: Mailbox, seconds_max: float, kind: type[T]) -> T:
    """The first word of this kind. Raises Unavailable: asked again by this process, the execution might run twice."""
    until = port.monotonic() + seconds_max
    while (left := until - port.monotonic()) > 0:
        for said in await mailbox.get(left):
            if isinstance(said, kind):
                return said
            if isinstance(said, _Refused):
                raise Unavailable(f"Kafka did not take the request: {said.why}", may_come=False)
    raise Unavailable(NOT_ANSWERED, may_come=False)


async def _sent(port: Port, records: list[Outgoing], mailbox: Mailbox) -> None:
    """Sends a question; who waits hears when it can't be sent."""
    try:
        await port.send(records)
    except BusError as error:
        mailbox.put(_Refused(str(error)))


async def _shown(
    port: Port, mailbox: Mailbox, lanes: Collection[int], seconds_max: float
) -> ExpressHistoryShown | None:
    """The first lane's answer that knows the execution; None once all have said that they don't. Raises Unavailable."""
    silent = set(lanes)
    until = port.monotonic() + seconds_max
    while silent and (left := until - port.monotonic()) > 0:
        for said in await mailbox.get(left):
            match said:
                case ExpressHistoryShown():
                    if said.total:
                        return said
                    silent.discard(said.lane)
                case _Refused():
                    raise Unavailable(f"Kafka did not take the request: {said.why}", may_come=False)
                case _:
                    raise AssertionError(said)
    if silent:
        which = ", ".join(str(lane) for lane in sorted(silent))
        raise Unavailable(f"Nothing was heard of lanes {which}, one of which may know the execution; try again.")
    return None
