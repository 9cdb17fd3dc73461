"""Tasks of root executions: started under the lease, bounded in number, their outcomes written on home."""

from maprun.bus.port import Outgoing, Port, Spawned
from maprun.interpreter.outcomes import bounded
from maprun.mapruns.fold.state import HomeState
from schemas import topics
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded
from schemas.home import ParentTaskEnded
from schemas.wire import encode
from services.scheduler.deps import Deps


class Tasks:
    """The Tasks of one home. Who takes a home over starts again what its state still waits for (at least once)."""

    def __init__(self, port: Port, state: HomeState, deps: Deps) -> None:
        self._port = port
        self._state = state
        self._deps = deps
        self._running: dict[tuple[str, str], Spawned] = {}
        self._waiting: dict[tuple[str, str], TaskRequested] = {}

    def start(self, arn: str, request: TaskRequested) -> None:
        """Starts a Task, when its turn comes."""
        self._waiting[arn, request.ref] = request
        self._fill()

    def cancel(self, arn: str, ref: str) -> None:
        """Nobody waits for this Task any more; what it did outside stays done."""
        self._waiting.pop((arn, ref), None)
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
        effect = self._deps.effect_key(arn, 0, ref)
        while not self._port.lease_ok():
            await self._port.sleep(self._deps.limits.lease_retry_seconds)
        root = self._state.roots.get(arn)
        if root is not None and ref in root.tasks:  # else its outcome was recorded in the meantime
            # no await between the lease and the start: what comes after one may be a stranger's partition
            self._deps.metrics.tasks_started(1)
            outcome = await self._deps.run_task(request, effect)
            while not self._port.lease_ok():  # a successor may run it again, and must not find it recorded meanwhile
                await self._port.sleep(self._deps.limits.lease_retry_seconds)
            known = bounded(outcome, request.state, self._deps.limits.task_result_bytes_max)
            assert isinstance(known, TaskSucceeded | TaskFailed)
            ended = ParentTaskEnded(arn, known)
            await self._port.send([Outgoing(topics.HOME.name, self._state.home, encode(ended))])
        self._running.pop(key, None)
        self._fill()
