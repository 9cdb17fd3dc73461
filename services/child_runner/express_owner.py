"""The owner of a lane's requests for EXPRESS root executions: reads them, has them run, answers who waits."""

from collections.abc import Awaitable, Callable

import msgspec

from maprun.bus.port import Mailbox, Outgoing, Port, Record, Spawned
from maprun.interpreter.express import ExpressInterpreter
from maprun.mapruns.slices import Pace
from schemas import topics
from schemas.effects import TaskOutcome, TaskRequested
from schemas.express import ExpressRequest
from schemas.wire import Decoder, encode
from services.child_runner.express import ExpressExecutions
from services.child_runner.express_histories import ExpressHistories
from services.child_runner.limits import LaneLimits
from services.child_runner.logs import log_outgoing
from services.child_runner.memory_budget import BudgetShare, MemoryBudget
from services.child_runner.metrics import Metrics
from services.child_runner.task_calls import TaskNotStarted, TaskOver, TaskStart

_TOPIC = topics.EXPRESS_REQUESTS.name
_decoder = Decoder[ExpressRequest](ExpressRequest)


class ExpressDeps(msgspec.Struct, frozen=True):
    """What an owner needs beside its port.

    Memory and pace are those of the process, lanes of children among it; histories those of its EXPRESS lanes.
    """

    interpreter: ExpressInterpreter
    run_task: Callable[[TaskRequested, str], Awaitable[TaskOutcome]]
    limits: LaneLimits
    metrics: Metrics
    budget: MemoryBudget
    pace: Pace
    histories: ExpressHistories
    homes: int


async def own_express(port: Port, number: int, deps: ExpressDeps) -> None:
    """Owns the requests of a lane for as long as the group gives them to this process."""
    # What lies before the log's start was done: an owner that fell could not say so any more.
    first = max(await port.committed(_TOPIC, number), await port.start_offset(_TOPIC, number))
    former_end = await port.end_offset(_TOPIC, number)
    await _Ownership(port, number, deps, first, former_end).work()


class _Ownership:
    """One ownership of a lane's requests."""

    def __init__(self, port: Port, number: int, deps: ExpressDeps, first: int, former_end: int) -> None:
        self.port = port
        self.number = number
        self.deps = deps
        self.mailbox: Mailbox = port.mailbox()
        self.share = BudgetShare(deps.budget)
        carrier = f"{port.instance}/{number}/{former_end}/{port.now_ms()}"
        self.executions = ExpressExecutions(
            deps.interpreter, deps.limits, self.share, deps.pace, first, former_end, carrier, deps.histories
        )
        self.committed = 0
        self.trimmed_seconds = port.monotonic()
        self.tasks: dict[tuple[int, str], Spawned] = {}
        self.feed = port.feed(_TOPIC, number, first, self.mailbox)
        self.paused = False

    async def work(self) -> None:
        """Works until it is cancelled."""
        wait: float | None = 0.0
        try:
            while True:
                self._hear(await self.mailbox.get(wait))
                wait = await self._turn()
        finally:
            self.share.give_all_back()
            self.executions.give_up()
            self.feed.close()
            for task in self.tasks.values():
                task.cancel()

    def _hear(self, events: list[object]) -> None:
        now_ms, at_seconds = self.port.now_ms(), self.port.monotonic()
        self.deps.pace.begin()
        for event in events:
            match event:
                case Record():
                    self.executions.requested(event.offset, self._decoded(event), now_ms, at_seconds)
                case TaskOver():
                    self.tasks.pop((event.position, getattr(event.outcome, "ref", "")), None)
                    self.executions.call_over(event, now_ms, at_seconds)
                case TaskNotStarted():
                    self.tasks.pop((event.start.position, event.start.request.ref), None)
                    self.executions.call_over(event, now_ms, at_seconds)
                case _:
                    raise AssertionError(event)

    def _decoded(self, record: Record) -> ExpressRequest | None:
        try:
            return _decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            self.deps.metrics.unreadable(record.topic, record.partition, record.offset)
            return None

    async def _turn(self) -> float | None:
        """One turn of the executions' work; how long nothing will be to do after it."""
        port, executions = self.port, self.executions
        self.deps.pace.begin()
        more = executions.work(port.now_ms(), port.monotonic(), may_start=port.lease_ok())
        self._call_tasks()
        position = executions.position  # of what has ended everybody is told below
        answers = [
            Outgoing(topics.EXPRESS_ANSWERS.name, partition, encode(frame), frame.asker.encode())
            for partition, frame in executions.take_answers()
        ]
        carried = [Outgoing(_TOPIC, self.number, encode(frame)) for frame in executions.take_carried(port.monotonic())]
        partition = self.number % self.deps.homes  # so the records of an execution stand in order
        logs = log_outgoing((partition, arn, record) for arn, record in executions.take_logs())
        shown = self._shown_histories()
        if answers or carried or logs or shown:
            await port.send([*logs, *answers, *shown, *carried])
        elif more:
            await port.sleep(0)
        tally = executions.take_tally()
        if tally is not None:
            self.deps.metrics.express_said(tally)
        await self._pass(position)
        self._mind_memory()
        return 0.0 if more else executions.wait_seconds(port.now_ms(), port.monotonic())

    def _shown_histories(self) -> list[Outgoing]:
        """Answers to who asked what happened in executions: one of each lane, and for all lanes of this process."""
        return [
            Outgoing(topics.EXPRESS_ANSWERS.name, asked.answers, encode(shown), asked.asker.encode())
            for asked in self.executions.take_questions()
            for shown in [self.deps.histories.shown(asked, self.number, self.deps.limits.frame_bytes_max)]
        ]

    async def _pass(self, position: int) -> None:
        """The position passes what is done; now and then what lies before it is deleted."""
        if position > self.committed:
            self.committed = position
            self.port.commit(_TOPIC, self.number, position)
        now = self.port.monotonic()
        # Who lost the lane may read what it carried too late for the new owner, which then needs the first records.
        if now - self.trimmed_seconds >= self.deps.limits.trim_seconds and self.port.lease_ok():
            self.trimmed_seconds = now
            await self.port.trim(_TOPIC, self.number, self.committed)

    def _call_tasks(self) -> None:
        executions, port = self.executions, self.port
        if not port.lease_ok():
            executions.calls.put_off(port.monotonic())
        stops, starts = executions.take_calls()
        for stop in stops:
            task = self.tasks.pop((stop.position, stop.ref), None)
            if task is not None:
                task.cancel()
        for start in starts:
            self.tasks[start.position, start.request.ref] = port.spawn(self._run_task(start))
        self.deps.metrics.tasks_started(len(starts))

    async def _run_task(self, start: TaskStart) -> None:
        if not self.port.lease_ok():
            self.mailbox.put(TaskNotStarted(start))
            return
        outcome = await self.deps.run_task(start.request, start.key)
        self.mailbox.put(TaskOver(start.run, start.position, outcome))

    def _mind_memory(self) -> None:
        """Above the limit the feed rests."""
        queued, most = self.executions.queued_bytes, self.deps.limits.queued_bytes_max
        if not self.paused and queued > most:
            self.paused = True
            self.feed.pause()
        elif self.paused and queued < most // 2:
            self.paused = False
            self.feed.resume()
