"""Jobs that a Task starts in a service and waits for (`.sync`): how they are asked after, how they end, how they stop.

Pure, and a row a job: the action that starts it is a key of its service's `jobs`.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

import msgspec

from maprun.integrations.members import Template, at, filled
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

LOOK_SECONDS, LOOK_SECONDS_MAX = 1, 30
"""So long after its start a job is first asked after, each time twice as long later, at most so long."""
UNSEEN_LOOKS_MAX = 8
"""A job that its service does not know yet is asked after so often: some services show one only after a while."""


class Ask(NamedTuple):
    """A call about a job: an action of the service's SDK, and its parameters."""

    action: str
    parameters: Mapping[str, Template]


class Job(NamedTuple):
    """A kind of job. Its service says how it is by the member at `status` of what stands at `place` in an answer."""

    look: Ask
    place: tuple[str | int, ...]
    status: tuple[str, ...]
    good: frozenset[str]
    bad: frozenset[str]
    stop: Ask | None = None
    """None = nothing of it can be stopped."""
    output: Template | None = None
    """The Task's result; None = the job as its service describes it."""
    repeatable: bool = False
    """True if the start carries an idempotency token: made again, it starts nothing new."""
    token: str = ""
    """The member of Parameters for that token, where the service's model doesn't mark it as one."""
    gone: str = ""
    """The error of a job that is there no more, which is its good end; empty where there is no such end."""
    fails: Callable[[Any], bool] | None = None
    """True for a job that failed although its state is a good one."""
    marked: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Parameters with what tells the service that Step Functions started the job."""

    def judged(self, told: Any) -> bool | None:
        """True for a job that ended well, False for one that failed, None for one that goes on."""
        status = at(told, self.status)
        if status in self.bad:
            return False
        if status not in self.good:
            return None
        return self.fails is None or not self.fails(told)

    def result(self, asked: Any, answered: Any, told: Any) -> Any:
        """The result of the Task, or what its cause says."""
        return told if self.output is None else filled(self.output, asked=asked, answered=answered, job=told)


class KubernetesJob(NamedTuple):
    """A Job within a cluster: the cluster's own API is asked after it, not the SDK of a service."""

    repeatable: bool = True


class Followed(msgspec.Struct, frozen=True):
    """A job that runs: the attempt that started it, the answer to that, and how often it was asked after."""

    request: TaskRequested
    answer: bytes
    looks: int = 0

    @property
    def next_look_ms(self) -> int:
        """So long from now it is asked after again."""
        return min(LOOK_SECONDS << min(self.looks, 10), LOOK_SECONDS_MAX) * 1000

    def looked(self) -> "Followed":
        """The same, asked after once more."""
        return msgspec.structs.replace(self, looks=self.looks + 1)


class JobCalls(NamedTuple):
    """The calls about jobs that run, as owners of Tasks make them."""

    look: Callable[[Followed], Coroutine[Any, Any, TaskSucceeded | TaskFailed | None]]
    """How the job ended; None while it goes on."""
    stop: Callable[[Followed], Coroutine[Any, Any, None]]
