"""Services that run jobs for Tasks: a job is started by a call, asked after, and stopped once nobody waits for it."""

from typing import TYPE_CHECKING, Any

import msgspec

from maprun.integrations.jobs import Followed, JobCalls
from maprun.integrations.registry import job_of
from schemas.effects import SubmissionFailed, TaskFailed, TaskRequested, TaskSubmitted, TaskSucceeded
from tests.simulation.port import Suspended

if TYPE_CHECKING:
    from tests.simulation.fakes import Call
    from tests.simulation.house import House
    from tests.simulation.process import Task

REFUSED_SHARE, SLOW_SHARE = 0.05, 0.1
"""Of the calls that start jobs: refused by the service; answered after seconds."""


class Running(msgspec.Struct):
    """A job of the service."""

    call: Any
    ends_at: float
    submitted: TaskSubmitted
    stopped_by: str = ""  # the process; empty while it goes on


class Jobs:
    """All of them, and what must hold: a start without an idempotency token is made once, ever."""

    def __init__(self, house: "House") -> None:
        self.house = house
        self.of: dict[str, Running | SubmissionFailed] = {}  # by the key of the attempt

    def again(self, port: Any, task: "Task", request: TaskRequested, key: str) -> bool:
        """Answers a start that was made before: of a kind that carries a token, with the same job."""
        known = self.of.get(key)
        job = job_of(request.resource)
        if known is None or job is None:
            return False
        if not job.repeatable:
            self.house.world.violated(f"the job of {request.ref} under {key} is started twice")
        outcome = known if isinstance(known, SubmissionFailed) else known.submitted
        port._later(0.01, task, task.token, outcome)
        return True

    def start(self, port: Any, task: "Task", request: TaskRequested, key: str, call: "Call", seconds: float) -> None:
        """A start comes in; the job takes so long, or for ever."""
        random = self.house.world.random
        outcome: SubmissionFailed | TaskSubmitted
        if random.random() < REFUSED_SHARE:
            outcome = self.of[key] = SubmissionFailed(request.ref, "Flaky", "the queue is full")
        else:
            outcome = TaskSubmitted(request.ref, msgspec.json.encode({"key": key}))
            ends_at = float("inf") if call.answer is None else self.house.world.now + seconds
            self.of[key] = Running(call, ends_at, outcome)
        slow = 6.0 if random.random() < SLOW_SHARE else 0.1
        port._later(0.005 + random.random() * slow, task, task.token, outcome)

    def calls(self, port: Any) -> JobCalls:
        """What the services call about jobs that run."""

        async def look(followed: Followed) -> TaskSucceeded | TaskFailed | None:
            seconds = 0.005 + self.house.world.random.random() * 0.1
            found: TaskSucceeded | TaskFailed | None = await Suspended(
                lambda task: port._later(seconds, task, task.token, self._told(followed, port.process.name))
            )
            return found

        async def stop(followed: Followed) -> None:
            self._of(followed).stopped_by = port.process.name

        return JobCalls(look, stop)

    def _of(self, followed: Followed) -> Running:
        running = self.of[msgspec.json.decode(followed.answer)["key"]]
        assert isinstance(running, Running)
        return running

    def _told(self, followed: Followed, process: str) -> TaskSucceeded | TaskFailed | None:
        """How the job ended, if it did. Who lost the lane, and does not know it, may ask after what another stopped."""
        running = self._of(followed)
        if running.stopped_by == process:
            self.house.world.violated(f"{followed.request.ref} waits for a job that {process} stopped")
        over = running.ends_at <= self.house.world.now
        answer: TaskSucceeded | TaskFailed | None = running.call.answer if over else None
        return answer

    def check(self) -> None:
        """Where no process fell, no job goes on for nobody."""
        world = self.house.world
        if self.house.scenario.fault_seconds:
            return
        for key, job in self.of.items():
            if isinstance(job, Running) and not job.stopped_by and job.ends_at > world.now:
                world.violated(f"the job of {key} goes on, and nobody waits for it")
