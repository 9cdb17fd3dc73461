"""All processes of one function: as many as its calls need, and new ones for those that die or hang."""

import asyncio
import collections
from collections.abc import Callable

import msgspec

from maprun.local.functions import answers
from maprun.local.functions.catalog import Function
from maprun.local.functions.workers import Owner, Waiting, Worker
from maprun.runtime import clock, logs

DEATHS_AT_ONCE = 5  # processes that die in a row before the first answer: then new ones start later and later
DELAY_SECONDS_MAX = 5.0
CLOSE_SECONDS_MAX = 2.0  # for processes that are being started
STARTING_MAX = 2  # processes that load their code at the same time
STILLBORN_MAX = 2  # processes that end in a row before they are ready: then calls fail, as on Lambda
ALONE_PROCESSES = 4  # beside the usual ones, while calls are repeated alone


class GroupLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much runs at once, of each function."""

    workers: int = 2  # processes of Python
    threads_max: int = 128  # calls at once in one of them
    runtimes: int = 8  # processes of other runtimes, each with one call
    timeout_seconds: float = 60.0
    idle_seconds: float = 300.0  # a process without a call ends


Make = Callable[["Group"], Worker]


class Group(Owner):
    """The processes of one version of a function."""

    def __init__(self, function: Function, workers_max: int, make: Make) -> None:
        self.function = function
        self._workers_max = function.configuration.processes or workers_max
        self._make = make
        self._workers: list[Worker] = []
        self._retired: list[Worker] = []
        self._starting: set[Worker] = set()
        self._queue: collections.deque[Waiting] = collections.deque()
        self.queued_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._deaths_in_a_row = 0
        self._stillborn_in_a_row = 0
        self._log = logs.logger("functions")
        self._closing = False

    @property
    def queued(self) -> int:
        """Calls that wait for a process."""
        return len(self._queue)

    @property
    def is_idle(self) -> bool:
        """True when nothing of it is left to do or to end."""
        return not (self._workers or self._retired or self._queue or self._starting)

    def submit(self, waiting: Waiting) -> None:
        """Runs a call when a process has room."""
        self._queue.append(waiting)
        self.queued_bytes += _bytes(waiting)
        self._drain()

    def after_answers(self, worker: Worker) -> None:
        """A worker has room again."""
        self._deaths_in_a_row = self._stillborn_in_a_row = 0
        worker.idle_since = clock.monotonic_seconds()
        if self._queue:
            self._drain()

    def after_death(self, worker: Worker, again: list[Waiting], words: str) -> None:
        """A worker died: what it leaves goes to others."""
        for workers in (self._workers, self._retired):
            if worker in workers:
                workers.remove(worker)
        self._queue.extendleft(reversed(again))
        self.queued_bytes += sum(map(_bytes, again))
        if self._closing:
            return
        if not worker.retired:
            self._deaths_in_a_row += 1
            name, left = self.function.name, len(again)
            self._log.warning("function_process_died", function=name, status=words, calls_given_to_others=left)
        self._drain()

    def retire(self, worker: Worker) -> None:
        """No more calls for this one."""
        if not worker.retired:
            worker.retired = True
            self._workers.remove(worker)
            self._retired.append(worker)
            self._drain()

    def replace_with(self, newer: "Group") -> None:
        """The function's files have changed: what has not begun is the newer group's, and the rest ends here."""
        waiting = self._taken()
        for worker in list(self._workers):
            self.retire(worker)
        for each in waiting:
            newer.submit(each)

    def look(self, now: float, idle_seconds: float) -> None:
        """Keeps deadlines and memory limits, and ends processes that have nothing to do."""
        for worker in [*self._workers, *self._retired]:
            worker.expire(now)
        for worker in list(self._workers):
            if not worker.calls and now - worker.idle_since > idle_seconds:
                self.retire(worker)

    async def close(self) -> None:
        """Ends all processes, whatever they do."""
        self._closing = True
        for worker in [*self._workers, *self._retired, *(each for each in self._starting if each.is_started)]:
            worker.kill()
            await worker.gone.wait()
        if self._tasks:  # who is being started is killed as soon as there is a process
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS_MAX)
        for task in self._tasks:
            task.cancel()

    # ------------------------------------------------------------------ inside

    def _drain(self) -> None:
        """Gives waiting calls to whoever has room, and starts processes for those that find none."""
        while self._queue:
            waiting = self._queue[0]
            worker = None if waiting.is_over else self._worker_for(waiting)
            if worker is None and not waiting.is_over:
                break
            self._queue.popleft()
            self.queued_bytes -= _bytes(waiting)
            if worker is not None:
                worker.take(waiting)
        self._start_what_is_missing()

    def _worker_for(self, waiting: Waiting) -> Worker | None:
        """The worker with the fewest calls, if it has room; for a call that runs alone one without any."""
        best = min(self._workers, key=_load, default=None)
        if best is None or not best.has_room or (waiting.alone and best.calls):
            return None
        return best

    def _start_what_is_missing(self) -> None:
        """A process more for the queue's head while there may be one, and a second one as soon as one is busy."""
        if self._closing or len(self._starting) >= STARTING_MAX:
            return
        there = len(self._workers) + len(self._starting)
        if self._queue:
            wanted = there < self._workers_max + (ALONE_PROCESSES if self._queue[0].alone else 0)
        else:
            wanted = 0 < there < self._workers_max and all(len(worker.calls) > 1 for worker in self._workers)
        if wanted:
            worker = self._make(self)
            self._starting.add(worker)
            task = asyncio.get_running_loop().create_task(self._start(worker))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _start(self, worker: Worker) -> None:
        """A new process; later and later when they die in a row."""
        if self._deaths_in_a_row > DEATHS_AT_ONCE:
            delay = 0.1 * 2 ** min(self._deaths_in_a_row - DEATHS_AT_ONCE, 10)
            await asyncio.sleep(min(DELAY_SECONDS_MAX, delay))
        try:
            await worker.start()
            worker.is_started = True
            if self._closing:
                worker.kill()
        except OSError as error:
            self._log.warning("function_process_not_started", function=self.function.name, error=str(error))
            self._starting.discard(worker)
            worker.log.close()
            worker.gone.set()
            reason = str(error)
            self._fail_all(lambda request_id: answers.no_entrypoint(request_id, reason))
            return
        is_ready = await worker.until_settled()
        self._starting.discard(worker)
        if is_ready:
            self._workers.append(worker)
        else:
            self._stillborn(worker)
        self._drain()

    def _stillborn(self, worker: Worker) -> None:
        """A process ended before it was ready. Where it says why, or the next one does as well, calls fail of it."""
        self._stillborn_in_a_row += 1
        if worker.init_error:
            self._fail_all(lambda _request_id: worker.init_error)
        elif self._stillborn_in_a_row >= STILLBORN_MAX:
            self._fail_all(lambda request_id: answers.exited(request_id, worker.last_words))

    def _taken(self) -> collections.deque[Waiting]:
        """All that waits; nothing does afterwards."""
        waiting, self._queue, self.queued_bytes = self._queue, collections.deque(), 0
        return waiting

    def _fail_all(self, body_for: Callable[[str], bytes]) -> None:
        """No process can be had: nobody waits for one for ever."""
        if self._workers:
            return
        for each in self._taken():
            each.fail(body_for(each.call.request_id))


def _load(worker: Worker) -> int:
    return len(worker.calls)


def _bytes(waiting: Waiting) -> int:
    return len(waiting.call.payload)
