"""Which runs of a home are exported now, and who tells their exports what was folded."""

from maprun.bus.port import Port
from maprun.mapruns.fold.home import Home
from schemas.home import ChildrenEnded
from services.scheduler.deps import Deps
from services.scheduler.export_job import ExportJob
from services.scheduler.part_uploads import PartBudget


class Exports:
    """The exports of one home; the fold's owner tells it what was folded."""

    def __init__(self, port: Port, fold: Home, deps: Deps) -> None:
        self._port = port
        self._fold = fold
        self._deps = deps
        self._parts = PartBudget(deps.limits.parts_at_once_max)
        self._jobs: dict[tuple[str, int], ExportJob] = {}  # by run and generation

    def due(self, run: str) -> None:
        """A run with a writer exists, or its facts on home changed."""
        state = self._fold.state.runs.get(run)
        if state is None or not state.writes_results:
            return
        first = max(state.started_offset, state.generation_offset) + 1
        job = self._jobs.get((run, state.generation))
        if job is None:
            self.over(run)  # an earlier generation that is still at it
            key = run, state.generation
            job = ExportJob(self._port, self._fold, self._deps, key, first, self._parts, self._admit)
            self._jobs[key] = job
        job.nudge()
        self._admit()
        if not job.started:
            job.leave_on_home(first)

    def offer(self, run: str, offset: int, frame: ChildrenEnded) -> None:
        """A frame with accepted entries was folded."""
        job = self._jobs.get((run, frame.generation))
        if job is not None:
            job.offer(offset, frame)

    def over(self, run: str) -> None:
        """The run, or a generation of it, is over."""
        for key in [key for key in self._jobs if key[0] == run]:
            job = self._jobs[key]
            job.nudge()
            if not job.started:
                del self._jobs[key]

    def _admit(self) -> None:
        """Starts what may start.

        A run that is only waiting to be written never waits for one that goes on, nor for one whose store keeps it.
        """
        limits = self._deps.limits
        room = {True: limits.exports_writing_max, False: limits.exports_early_max}
        waiting_left = limits.exports_waiting_max
        for job in self._jobs.values():
            if job.started and job.waiting and waiting_left:
                waiting_left -= 1
            elif job.started:
                room[job.writing] -= 1
        for key, job in self._jobs.items():
            if not job.started and room[job.writing] > 0:
                room[job.writing] -= 1
                job.started = True
                self._port.spawn(self._work(key, job))

    async def _work(self, key: tuple[str, int], job: ExportJob) -> None:
        await job.work()
        self._jobs.pop(key, None)
        self._admit()
