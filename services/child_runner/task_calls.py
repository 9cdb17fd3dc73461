"""The calls of Tasks that a lane wants made and given up, until its owner does so."""

import msgspec

from maprun.integrations.jobs import Followed
from schemas.effects import Happening, TaskRequested
from services.child_runner.journal import RunKey


class TaskStart(msgspec.Struct, frozen=True, gc=False):
    """Make this call (if the lease holds at that very moment)."""

    run: RunKey
    position: int
    request: TaskRequested
    key: str

    @property
    def ref(self) -> str:
        """Of the Task."""
        return self.request.ref


class JobLook(msgspec.Struct, frozen=True):
    """Ask how a job is that a Task waits for."""

    run: RunKey
    position: int
    job: Followed

    @property
    def ref(self) -> str:
        """Of the Task."""
        return self.job.request.ref


class JobStop(msgspec.Struct, frozen=True):
    """Have a job stopped that nobody waits for any more."""

    job: Followed


class TaskStop(msgspec.Struct, frozen=True, gc=False):
    """Nobody waits for this call any more. If it starts a `job` it goes on, so that the job can be stopped."""

    run: RunKey
    position: int
    ref: str
    job: TaskRequested | None = None


class TaskOver(msgspec.Struct, frozen=True, gc=False):
    """A call came back."""

    run: RunKey
    position: int
    outcome: Happening


class JobRuns(msgspec.Struct, frozen=True):
    """A job goes on."""

    look: JobLook


class TaskNotStarted(msgspec.Struct, frozen=True, gc=False):
    """The lease did not hold: the call was not made, and is to be made later."""

    start: TaskStart


JobCall = JobLook | JobStop


class TaskCalls:
    """Calls to be made, calls to be given up, and those put off because the lease did not hold."""

    def __init__(self, retry_seconds: float) -> None:
        self._retry_seconds = retry_seconds
        self._starts: list[TaskStart] = []
        self._stops: list[TaskStop] = []
        self._about_jobs: list[JobCall] = []
        self._put_off: list[TaskStart | JobCall] = []
        self._put_off_seconds = 0.0

    def start(self, call: TaskStart) -> None:
        """A call is to be made."""
        self._starts.append(call)

    def stop(self, call: TaskStop) -> None:
        """A call is to be given up."""
        self._stops.append(call)

    def take_starts(self, count_max: int) -> list[TaskStart]:
        """The next calls to be made."""
        taken = self._starts[:count_max]
        del self._starts[:count_max]
        return taken

    def take_stops(self) -> list[TaskStop]:
        """All calls to be given up."""
        taken, self._stops = self._stops, []
        return taken

    def about_job(self, call: JobCall) -> None:
        """A call about a job is to be made."""
        self._about_jobs.append(call)

    def take_about_jobs(self) -> list[JobCall]:
        """All calls about jobs."""
        taken, self._about_jobs = self._about_jobs, []
        return taken

    def put_off(self, at_seconds: float) -> None:
        """The lease does not hold: what was to be started is tried again a little later."""
        if not self._put_off:
            self._put_off_seconds = at_seconds
        self._put_off += [*self._starts, *self._about_jobs]
        self._starts, self._about_jobs = [], []

    def try_again(self, at_seconds: float) -> None:
        """Takes up what was put off, once that is long enough ago."""
        if self._put_off and at_seconds - self._put_off_seconds >= self._retry_seconds:
            self._starts += [call for call in self._put_off if isinstance(call, TaskStart)]
            self._about_jobs += [call for call in self._put_off if not isinstance(call, TaskStart)]
            self._put_off = []

    @property
    def waiting(self) -> bool:
        """True while there are calls to be made."""
        return bool(self._starts or self._about_jobs)

    def retry_in_seconds(self, at_seconds: float) -> float | None:
        """When what was put off is tried again; None when nothing was."""
        return self._put_off_seconds + self._retry_seconds - at_seconds if self._put_off else None
