"""Executions of EXPRESS machines as a tracker asks lanes for them, and what its callers hear."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
import pytest

from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.port import BusError, Outgoing, Record
from maprun.requests.checks import Refusal
from maprun.requests.starts import Start
from schemas import topics
from schemas.express import (
    NOBODY_WAITS,
    NOT_RUN,
    ExpressAnswer,
    ExpressEnd,
    ExpressEnded,
    ExpressHistoryAsked,
    ExpressHistoryShown,
    ExpressRequest,
    ExpressRequested,
)
from schemas.history import EventType, HistoryEvent
from schemas.lanes import Cause
from schemas.machines import MachineSpec, MachineWritten
from schemas.wire import encode
from services.maprun_tracker.api import express, histories, inputs, shapes, start_inputs
from services.maprun_tracker.api.errors import Unavailable
from services.maprun_tracker.api.service import Call, Service
from services.maprun_tracker.express_calls import ExpressCalls
from services.maprun_tracker.limits import TrackerLimits
from tests.unit.tracker import fakes

CALL = Call("request", "attempt")
Lane = Callable[[ExpressRequested], Sequence[ExpressEnded]]
Shows = Callable[[int, ExpressHistoryAsked], Sequence[ExpressHistoryShown]]


def machine(machine_type: str = "EXPRESS") -> MachineWritten:
    """A machine."""
    spec = MachineSpec(b"{}", "role", machine_type)
    return MachineWritten(Cause(0, 0, 0), fakes.NAMES.machine("m"), "m", spec, "", 0, 0)


class Kafka:
    """A port whose lanes do at once what they are asked."""

    def __init__(self, lane: Lane) -> None:
        self.frames: list[tuple[int, ExpressRequested]] = []
        self.lane = lane
        self.shows: Shows = lambda lane, asked: [ExpressHistoryShown(asked.asker, asked.call, lane)]
        self.questions: list[tuple[int, ExpressHistoryAsked]] = []
        self.refuses = False
        self._answers: list[KafkaMailbox] = []
        self._offset = 5

    def now_ms(self) -> int:
        """Some time."""
        return 2_000

    def monotonic(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    def mailbox(self) -> KafkaMailbox:
        """A real one."""
        return KafkaMailbox(asyncio.get_running_loop())

    async def end_offset(self, topic: str, _partition: int) -> int:
        """Answers to others stand before."""
        assert topic == topics.EXPRESS_ANSWERS.name
        return self._offset

    def feed(self, _topic: str, _partition: int, offset: int, mailbox: KafkaMailbox) -> None:
        """Answers from now on."""
        assert offset == self._offset
        self._answers.append(mailbox)

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """A frame reaches its lane."""
        await asyncio.sleep(0.001)
        if self.refuses:
            raise BusError("no broker")
        for message in messages:
            assert message.topic == topics.EXPRESS_REQUESTS.name
            frame = msgspec.msgpack.decode(message.value or b"", type=ExpressRequest)
            if isinstance(frame, ExpressHistoryAsked):
                self.questions.append((message.partition, frame))
                for shown in self.shows(message.partition, frame):
                    self.answer(shown)
                continue
            self.frames.append((message.partition, frame))
            for ended in self.lane(frame):
                self.answer(ended)
        return [0] * len(messages)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Beside."""
        return asyncio.ensure_future(work)

    def answer(self, ended: ExpressAnswer) -> None:
        """An answer comes in."""
        record = Record("", 0, self._offset, 0, ended.asker.encode(), encode(ended))
        self._offset += 1
        for mailbox in self._answers:
            mailbox.put(record)


def succeeding(frame: ExpressRequested) -> list[ExpressEnded]:
    """A lane whose executions give back their input; others hear of ends as well, under the same numbers."""
    ends = tuple(ExpressEnd(start.call, "SUCCEEDED", 2_250, start.input) for start in frame.starts if start.call)
    others = tuple(ExpressEnd(end.call, "FAILED", 0) for end in ends)
    return [ExpressEnded("another", others), ExpressEnded(frame.asker, ends)] if ends else []


async def serving(kafka: Kafka, limits: TrackerLimits | None = None) -> tuple[Service, list[asyncio.Task[None]]]:
    """The API over it, with what works beside."""
    calls = ExpressCalls("me", fakes.NAMES, 2, 3, limits or TrackerLimits())
    service = Service(kafka, None, fakes.NAMES, 2, TrackerLimits())  # type: ignore[arg-type]
    service.express = calls
    service.machines.apply(machine())
    work: list[Any] = [calls.send(kafka), calls.hear(kafka)]  # type: ignore[arg-type]
    tasks = [asyncio.ensure_future(each) for each in work]
    await asyncio.sleep(0)
    return service, tasks


def run(kafka: Kafka, work: Callable[[Service], Any], limits: TrackerLimits | None = None) -> Any:
    """What comes of work over the API."""

    async def within() -> Any:
        service, tasks = await serving(kafka, limits)
        try:
            return await asyncio.wait_for(work(service), 5)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(within())


def sync(service: Service, **members: Any) -> Any:
    """StartSyncExecution."""
    ask = start_inputs.StartSyncExecution(state_machine_arn=machine().arn, **members)
    return express.start_sync(service, ask, CALL)


def test_a_caller_hears_how_its_execution_ended() -> None:
    """The end is found by the call's number under the process's own name; time is billed in pieces of 100 ms."""
    answer = run(Kafka(succeeding), lambda service: sync(service, input='{"a":1}', name="n"))
    assert (answer.status, answer.output, answer.name) == ("SUCCEEDED", '{"a":1}', "n")
    assert (answer.start_date, answer.stop_date) == (2.0, 2.25)
    assert answer.billing_details.billed_duration_in_milliseconds == 300
    assert answer.execution_arn == fakes.NAMES.express("m", "n", "request")


def test_who_asks_together_travels_together() -> None:
    """What comes in while a frame is on its way makes the next one, on the next lane; a frame names a machine once."""
    kafka = Kafka(succeeding)

    async def many(service: Service) -> None:
        first = asyncio.ensure_future(sync(service))
        await asyncio.sleep(0)
        await asyncio.gather(first, *(sync(service) for _ in range(20)))

    run(kafka, many)
    assert [(lane, len(frame.machines), len(frame.starts)) for lane, frame in kafka.frames] in (
        [(0, 1, 1), (1, 1, 20)],
        [(0, 1, 21)],
    )


def test_frames_are_cut() -> None:
    """Inputs that fit no record together travel in several."""
    kafka = Kafka(succeeding)

    async def many(service: Service) -> None:
        await asyncio.gather(*(sync(service, input=f'"{"x" * 1_000}"') for _ in range(4)))

    run(kafka, many, TrackerLimits(express_frame_bytes_max=2_000))
    assert [len(frame.starts) for _, frame in kafka.frames] == [1, 1, 1, 1]


def test_a_start_is_answered_when_it_is_written() -> None:
    """StartExecution waits for Kafka alone, and all attempts of one call have one ARN."""
    kafka = Kafka(succeeding)
    started = [
        msgspec.json.decode(run(kafka, lambda service: express.start(service, Start(machine().arn), CALL)))
        for _ in range(2)
    ]
    assert started[0] == started[1]
    assert started[0]["startDate"] == 2.0
    assert [frame.starts[0].call for _, frame in kafka.frames] == [NOBODY_WAITS] * 2


def test_what_may_have_run_is_never_run_again_here() -> None:
    """A lane that changed hands, a Kafka that refuses, time that is over: the caller hears "not now" at once."""
    lost = Kafka(lambda frame: [ExpressEnded(frame.asker, (ExpressEnd(frame.starts[0].call, NOT_RUN, 0),))])
    silent, refusing = Kafka(lambda _frame: []), Kafka(succeeding)
    refusing.refuses = True
    for kafka in (lost, silent, refusing):
        with pytest.raises(Unavailable) as refused:
            run(kafka, sync, TrackerLimits(express_wait_seconds_max=0.05))
        assert not refused.value.may_come
    with pytest.raises(Unavailable):
        run(refusing, lambda service: express.start(service, Start(machine().arn), CALL))


def test_callers_at_once_are_bounded() -> None:
    """Above the bound a caller is told so, and nothing runs for it."""
    kafka = Kafka(succeeding)
    with pytest.raises(Unavailable):
        run(kafka, sync, TrackerLimits(express_waiting_max=0))
    assert kafka.frames == []


def test_machines_that_cannot_be_started_so() -> None:
    """StartSyncExecution of a STANDARD machine, and a Task that would wait for an EXPRESS one, are refused."""

    async def standard(service: Service) -> None:
        service.machines.apply(msgspec.structs.replace(machine("STANDARD"), cause=Cause(0, 1, 0)))
        await sync(service)

    async def waiting(service: Service) -> None:
        await express.start(service, Start(machine().arn), Call("r", "a", task_token="t"))  # noqa: S106

    for work in (standard, waiting):
        with pytest.raises(Refusal) as refused:
            run(Kafka(succeeding), work)
        assert refused.value.code == "StateMachineTypeNotSupported"


ARN = fakes.NAMES.express("m", "n", "id")
TOTAL = 5


def knowing(*lanes: int) -> Shows:
    """These lanes know an execution of five events, of which they show two at a time; the others do not."""

    def shows(lane: int, asked: ExpressHistoryAsked) -> list[ExpressHistoryShown]:
        if lane not in lanes:
            return [ExpressHistoryShown(asked.asker, asked.call, lane)]
        first = asked.first or (TOTAL if asked.reverse else 1)
        ids = range(first, 0, -1) if asked.reverse else range(first, TOTAL + 1)
        events = [
            HistoryEvent(EventType.PASS_STATE_ENTERED, n - 1, n, ("P", b"{}")) for n in ids[: min(2, asked.count)]
        ]
        return [ExpressHistoryShown(asked.asker, asked.call, lane, TOTAL, tuple(events))]

    return shows


def history(service: Service, **members: Any) -> Any:
    """What `GET /maprun/history` answers."""
    return histories.get_any(service, inputs.HistoryAsked(execution_arn=ARN, **members), CALL)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_history_is_read_page_by_page(*, reverse: bool) -> None:
    """All lanes are asked for the first page, and for the others the one that knew; ids are those of the execution."""
    kafka = Kafka(succeeding)
    kafka.shows = knowing(2)

    async def read(service: Service) -> list[int]:
        found: list[int] = []
        token = None
        while True:
            page: shapes.History = await history(service, reverse_order=reverse, next_token=token)
            found += [event["id"] for event in page.events]
            assert all(event["previousEventId"] == event["id"] - 1 for event in page.events)
            if (token := page.next_token) is None:
                return found

    assert run(kafka, read) == ([5, 4, 3, 2, 1] if reverse else [1, 2, 3, 4, 5])
    assert [lane for lane, _ in kafka.questions] == [0, 1, 2, 2, 2]


def test_a_history_shorter_than_a_page() -> None:
    """A page bounds what the lane is asked for, and includeExecutionData=false leaves payloads out."""
    kafka = Kafka(succeeding)
    kafka.shows = knowing(0, 1)
    page = run(kafka, lambda service: history(service, max_results=1, include_execution_data=False))
    assert [event["id"] for event in page.events] == [1]
    assert "input" not in page.events[0]["stateEnteredEventDetails"]
    assert {asked.count for _, asked in kafka.questions} == {1}


def test_a_history_that_no_lane_knows() -> None:
    """Once all lanes have said so the caller hears what keeps histories, and that logs keep them longer."""
    with pytest.raises(Refusal, match=r"MAPRUN_EXPRESS_HISTORY_BYTES_MAX.*loggingConfiguration") as refused:
        run(Kafka(succeeding), history)
    assert refused.value.code == "ExecutionDoesNotExist"


def test_a_lane_that_says_nothing_may_know() -> None:
    """While one of them is silent nobody can say that there is no history: it is named, and asking again helps."""
    kafka = Kafka(succeeding)
    kafka.shows = lambda lane, asked: [] if lane == 1 else [ExpressHistoryShown(asked.asker, asked.call, lane)]
    with pytest.raises(Unavailable, match="lanes 1,"):
        run(kafka, history, TrackerLimits(shown_wait_seconds_max=0.05))


def test_a_question_that_kafka_refuses() -> None:
    """The caller hears it at once."""
    kafka = Kafka(succeeding)
    kafka.refuses = True
    with pytest.raises(Unavailable, match="no broker"):
        run(kafka, history)


def test_another_querys_token_is_refused() -> None:
    """As GetExecutionHistory's is."""
    kafka = Kafka(succeeding)
    kafka.shows = knowing(0)
    token = run(kafka, history).next_token
    with pytest.raises(Refusal) as refused:
        run(kafka, lambda service: history(service, next_token=token, reverse_order=True))
    assert refused.value.code == "InvalidToken"
