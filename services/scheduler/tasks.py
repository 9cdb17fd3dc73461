"""Tasks of root executions: started under the lease, bounded in number, their outcomes written on home."""

from maprun.bus.port import Mailbox, Outgoing, Port, Spawned
from maprun.integrations.jobs import Followed
from maprun.integrations.registry import job_of, lost_answer
from maprun.interpreter.outcomes import bounded
from maprun.mapruns.fold.state import HomeState
from maprun.mapruns.timers import Timers
from schemas import topics
from schemas.effects import (
    Happening,
    SubmissionFailed,
    TaskFailed,
    TaskRequested,
    TaskSubmitted,
    TaskSucceeded,
    called_by,
)
from schemas.home import ParentSubmissionBegan, ParentTaskEnded, ParentTaskSubmitted
from schemas.spans import execution_span_id
from schemas.traces import traced
from schemas.wire import encode
from services.scheduler.deps import Deps


class Tasks:
    """The Tasks of one home. Who takes a home over starts again what its state still waits for (at least once).

    What waits for a callback is submitted at most once; what may be submitted by several calls is, until home has the
    answer to one. A job that a service runs is then asked after, and stopped once nobody waits for it.
    """

    def __init__(self, port: Port, state: HomeState, deps: Deps) -> None:
        self.name = f"{port.instance}/{port.now_ms()}"  # of this owner of home
        self._port = port
        self._state = state
        self._deps = deps
        self._running: dict[tuple[str, str], Spawned] = {}
        self._waiting: dict[tuple[str, str], TaskRequested] = {}
        self._words: dict[tuple[str, str], Mailbox] = {}  # of home, on submissions that this owner is about to make
        self._starting: set[tuple[str, str]] = set()  # of those that run, calls that start jobs
        self._jobs: dict[tuple[str, str], Followed] = {}
        self._looks: Timers[tuple[str, str]] = Timers()

    def start(self, arn: str, request: TaskRequested) -> None:
        """Starts a Task, when its turn comes; goes on with a job that was started."""
        answer = self._state.roots[arn].submitted.get(request.ref) if arn in self._state.roots else None
        if answer is not None and job_of(request.resource) is not None:
            self.follow(arn, Followed(request, answer))
            return
        self._waiting[arn, request.ref] = request
        self._fill()

    def cancel(self, arn: str, ref: str) -> None:
        """Nobody waits for this Task any more; what it did outside stays done, but for a job, which is stopped."""
        key = arn, ref
        self._waiting.pop(key, None)
        self._words.pop(key, None)
        self._looks.cancel(key)
        job = self._jobs.pop(key, None)
        if job is not None:
            self._port.spawn(self._deps.jobs.stop(job))
        if key in self._starting:
            return  # its answer says which job is to be stopped
        task = self._running.pop(key, None)
        if task is not None:
            task.cancel()
            self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._deps.limits.tasks_at_once_max:
            key = next(iter(self._waiting))
            request = self._waiting.pop(key)
            self._running[key] = self._port.spawn(self._run(key, request))

    async def _run(self, key: tuple[str, str], request: TaskRequested) -> None:
        arn, ref = key
        await self._lease()
        job = job_of(request.resource)
        if key in self._jobs:
            await self._look(key, self._jobs[key])
        elif request.token or (job is not None and job.repeatable):
            await self._submit_repeatably(arn, request)
        elif request.callback:
            await self._submit(arn, request)
        elif self._waits(arn, ref):  # else its outcome was recorded in the meantime
            # no await between the lease and the start: what comes after one may be a stranger's partition
            outcome = await self._call(arn, request)
            await self._lease()
            assert isinstance(outcome, TaskSucceeded | TaskFailed)
            await self._record(ParentTaskEnded(arn, outcome))
        self._running.pop(key, None)
        self._fill()

    async def _submit_repeatably(self, arn: str, request: TaskRequested) -> None:
        """Makes the call that submits, if nobody has its answer: made again, it starts nothing new."""
        root = self._state.roots.get(arn)
        if root is None or request.ref not in root.tasks or request.ref in root.submitted:
            return
        await self._submitted(arn, request, leased=True)

    async def _lease(self) -> None:
        """Waits until the lease holds: a successor may make a call again, and must not find it recorded meanwhile."""
        while not self._port.lease_ok():
            await self._port.sleep(self._deps.limits.lease_retry_seconds)

    async def _submit(self, arn: str, request: TaskRequested) -> None:
        """Makes the call that submits, once home says that it is this owner's to make: then nobody else makes it, ever.

        So the lease doesn't matter behind that word: a successor waits for the callback. One for a job, of which nobody
        would tell it, has the attempt fail.
        """
        key = arn, request.ref
        if not self._waits(*key):
            return
        if self._submits(*key):
            if job_of(request.resource) is not None:
                await self._port.sleep(self._deps.limits.lost_answer_seconds)  # a former owner may still say it
                if self._waits(*key) and request.ref not in self._state.roots[arn].submitted:
                    await self._record(ParentTaskSubmitted(arn, lost_answer(request)))
            return
        word = self._words[key] = self._port.mailbox()
        await self._record(ParentSubmissionBegan(*key, self.name))
        (mine,) = await word.get(None)
        del self._words[key]
        if mine:
            await self._submitted(arn, request, leased=False)

    async def _submitted(self, arn: str, request: TaskRequested, *, leased: bool) -> None:
        """Makes the call that submits, and says what came of it. A job that nobody waits for any more is stopped."""
        key, starts_job = (arn, request.ref), job_of(request.resource) is not None
        if starts_job:
            self._starting.add(key)
        outcome = await self._call(arn, request)
        if leased:
            await self._lease()
        assert isinstance(outcome, TaskSubmitted | SubmissionFailed)
        job = Followed(request, outcome.output) if starts_job and isinstance(outcome, TaskSubmitted) else None
        if job is not None and not self._waits(*key):
            self._port.spawn(self._deps.jobs.stop(job))
        else:
            if job is not None:
                self._jobs[key] = job  # from now on `cancel` knows what is to be stopped
            await self._record(ParentTaskSubmitted(arn, outcome))
        self._starting.discard(key)

    def may_submit(self, arn: str, ref: str, by: str) -> None:
        """Home says who submits a Task."""
        word = self._words.get((arn, ref))
        if word is not None:
            word.put(by == self.name)

    # ------------------------------------------------------------------ jobs that services run

    def follow(self, arn: str, job: Followed) -> None:
        """Has a job asked after, once it is time."""
        key = arn, job.request.ref
        self._jobs[key] = job
        self._looks.set(key, self._port.now_ms() + job.next_look_ms)

    @property
    def next_look_ms(self) -> int | None:
        """When a job is to be asked after next."""
        return self._looks.next_ms()

    def look_at_jobs(self) -> None:
        """Asks after the jobs whose time has come, when their turn comes."""
        for key in self._looks.take_due(self._port.now_ms()):
            job = self._jobs[key].looked()
            self.follow(key[0], job)
            if key not in self._running:  # else the service has not answered yet
                self._waiting[key] = job.request
        self._fill()

    async def _look(self, key: tuple[str, str], job: Followed) -> None:
        if not self._waits(*key):  # its execution was ended from outside
            self._looks.cancel(key)
            self._port.spawn(self._deps.jobs.stop(self._jobs.pop(key)))
            return
        told = await self._deps.jobs.look(job)
        if told is None:
            return
        self._looks.cancel(key)
        await self._lease()
        outcome = bounded(told, job.request.state, self._deps.limits.task_result_bytes_max)
        assert isinstance(outcome, TaskSucceeded | TaskFailed)
        del self._jobs[key]
        await self._record(ParentTaskEnded(key[0], outcome))

    # ------------------------------------------------------------------ what home has and hears

    async def _call(self, arn: str, request: TaskRequested) -> Happening:
        self._deps.metrics.tasks_started(1)
        key, root = self._deps.effect_key(arn, 0, request.ref), self._state.roots.get(arn)
        header = "" if root is None else root.request.trace_header
        caller = "" if root is None else execution_span_id(arn, root.redrive_count)
        outcome = await self._deps.run_task(called_by(traced(request, header, key, caller), arn), key)
        return bounded(outcome, request.state, self._deps.limits.task_result_bytes_max)

    async def _record(self, fact: ParentTaskEnded | ParentSubmissionBegan | ParentTaskSubmitted) -> None:
        await self._port.send([Outgoing(topics.HOME.name, self._state.home, encode(fact))])

    def _waits(self, arn: str, ref: str) -> bool:
        root = self._state.roots.get(arn)
        return root is not None and ref in root.tasks

    def _submits(self, arn: str, ref: str) -> bool:
        """True if somebody, perhaps a former owner, submits the Task or did."""
        root = self._state.roots.get(arn)
        return root is not None and ref in root.submitting
