"""Tasks of root executions: started under the lease, bounded in number, their outcomes written on home."""

from maprun.bus.port import Mailbox, Outgoing, Port, Spawned
from maprun.interpreter.outcomes import bounded
from maprun.mapruns.fold.state import HomeState
from schemas import topics
from schemas.effects import Happening, SubmissionFailed, TaskFailed, TaskRequested, TaskSubmitted, TaskSucceeded
from schemas.home import ParentSubmissionBegan, ParentTaskEnded, ParentTaskSubmitted
from schemas.wire import encode
from services.scheduler.deps import Deps


class Tasks:
    """The Tasks of one home. Who takes a home over starts again what its state still waits for (at least once).

    What waits for a callback is submitted at most once; a job is started by a call that may be repeated.
    """

    def __init__(self, port: Port, state: HomeState, deps: Deps) -> None:
        self.name = f"{port.instance}/{port.now_ms()}"  # of this owner of home
        self._port = port
        self._state = state
        self._deps = deps
        self._running: dict[tuple[str, str], Spawned] = {}
        self._waiting: dict[tuple[str, str], TaskRequested] = {}
        self._words: dict[tuple[str, str], Mailbox] = {}  # of home, on submissions that this owner is about to make

    def start(self, arn: str, request: TaskRequested) -> None:
        """Starts a Task, when its turn comes."""
        self._waiting[arn, request.ref] = request
        self._fill()

    def cancel(self, arn: str, ref: str) -> None:
        """Nobody waits for this Task any more; what it did outside stays done."""
        self._waiting.pop((arn, ref), None)
        self._words.pop((arn, ref), None)
        task = self._running.pop((arn, ref), None)
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
        if request.token:
            await self._start_job(arn, request)
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

    async def _start_job(self, arn: str, request: TaskRequested) -> None:
        """Makes the call that starts a job, if nobody has its answer: made again, it starts nothing new."""
        root = self._state.roots.get(arn)
        if root is None or request.ref not in root.tasks or request.ref in root.submitted:
            return
        outcome = await self._call(arn, request)
        await self._lease()
        assert isinstance(outcome, TaskSubmitted | SubmissionFailed)
        await self._record(ParentTaskSubmitted(arn, outcome))

    async def _lease(self) -> None:
        """Waits until the lease holds: a successor may make a call again, and must not find it recorded meanwhile."""
        while not self._port.lease_ok():
            await self._port.sleep(self._deps.limits.lease_retry_seconds)

    async def _submit(self, arn: str, request: TaskRequested) -> None:
        """Makes the call that submits, once home says that it is this owner's to make: then nobody else makes it, ever.

        So the lease doesn't matter behind that word: a successor waits for the callback.
        """
        key = arn, request.ref
        if not self._waits(*key) or self._submits(*key):
            return
        word = self._words[key] = self._port.mailbox()
        await self._record(ParentSubmissionBegan(*key, self.name))
        (mine,) = await word.get(None)
        del self._words[key]
        if mine:
            outcome = await self._call(arn, request)
            assert isinstance(outcome, TaskSubmitted | SubmissionFailed)
            await self._record(ParentTaskSubmitted(arn, outcome))

    def may_submit(self, arn: str, ref: str, by: str) -> None:
        """Home says who submits a Task."""
        word = self._words.get((arn, ref))
        if word is not None:
            word.put(by == self.name)

    async def _call(self, arn: str, request: TaskRequested) -> Happening:
        self._deps.metrics.tasks_started(1)
        outcome = await self._deps.run_task(request, self._deps.effect_key(arn, 0, request.ref))
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
