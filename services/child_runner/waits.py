"""What children ask for and wait for: Tasks, timers, Map Runs of their own. Pure."""

from typing import Any

from maprun.integrations.executions import execution_of, withdrawn_cause
from maprun.integrations.jobs import Followed
from maprun.mapruns.timers import Timers
from schemas.activities import ActivityTaskRequested, ActivityTaskWithdrawn
from schemas.effects import (
    ActivityTaskStarted,
    EffectCancelled,
    Happening,
    HeartbeatReceived,
    MapRunRedriven,
    MapRunRedriveRequested,
    MapRunRequested,
    MapRunStarted,
    SubmissionBegan,
    TaskRequested,
    TaskSubmitted,
    TimerRequested,
    called_by,
    redrive_of,
)
from schemas.home import NestedRunDropped, NestedRunRequested
from schemas.starters import StartWithdrawn
from schemas.traces import traced
from services.child_runner.journal import RunKey
from services.child_runner.lane_run import Child, LaneRun, Nested, Submission, Waited
from services.child_runner.machine import Step
from services.child_runner.task_calls import JobLook, JobStop, TaskCalls, TaskStart, TaskStop

Asked = TaskRequested | TimerRequested | MapRunRequested | MapRunRedriveRequested
WAITS_ON = (SubmissionBegan, TaskSubmitted, HeartbeatReceived, ActivityTaskStarted)
"""What happens to an attempt that goes on waiting for its callback."""
AskedOfHome = NestedRunRequested | NestedRunDropped | StartWithdrawn | ActivityTaskRequested | ActivityTaskWithdrawn
TimerKey = tuple[RunKey, int, str]
"""Run, position, ref."""


def asked_again(ref: str, waited: Waited) -> Asked:
    """The effect that a child waits for."""
    match waited:
        case Nested() | Submission():
            return waited.effect
        case TaskRequested():
            return waited
        case int():
            return TimerRequested(ref, waited)


def state_of(waited: Waited) -> str:
    """The state of a Task; empty for everything else."""
    task = waited.effect if isinstance(waited, Submission) else waited
    return task.state if isinstance(task, TaskRequested) else ""


def was_waited_for(child: Child, happening: Any) -> bool:
    """True if the child waited for this. That a Map Run of its own begins, or a submission goes on, ends no wait."""
    waited = child.waits.get(happening.ref)
    if isinstance(happening, WAITS_ON):
        if not isinstance(waited, Submission) or (waited.begun and isinstance(happening, SubmissionBegan)):
            return False
        if waited.submitted and isinstance(happening, TaskSubmitted):
            return False
        if isinstance(happening, ActivityTaskStarted):
            if waited.worker:
                return False
            waited.worker = happening.request_id
        waited.begun = True
        if isinstance(happening, TaskSubmitted):
            waited.submitted = True
            answered(waited, happening)
        return True
    if isinstance(happening, MapRunStarted | MapRunRedriven):
        if not isinstance(waited, Nested) or waited.begun:
            return False
        waited.begun = True
        return True
    return child.waits.pop(happening.ref, None) is not None


def answered(waited: Waited | None, submitted: TaskSubmitted) -> None:
    """The call that submits was answered: from now on its job, if it started one, can be stopped and asked after."""
    if isinstance(waited, Submission) and waited.job is not None and waited.followed is None:
        waited.followed = Followed(waited.effect, submitted.output)


class Waits:
    """Timers that are set, calls of Tasks, and requests for Map Runs on their way to home."""

    def __init__(self, lane: int, calls: TaskCalls) -> None:
        self._lane = lane
        self._calls = calls
        self._timers: Timers[TimerKey] = Timers()
        self._for_home: list[AskedOfHome] = []

    @property
    def timers(self) -> Timers[TimerKey]:
        """The timers of all children."""
        return self._timers

    @property
    def for_home(self) -> bool:
        """True while there are requests for home."""
        return bool(self._for_home)

    def take_for_home(self) -> list[AskedOfHome]:
        """What children ask of home."""
        taken, self._for_home = self._for_home, []
        return taken

    def ask(self, run: LaneRun, child: Child, effect: Asked) -> Happening | None:
        """Asks for an effect; what the child is to hear of it at once, if anything."""
        match effect:
            case TaskRequested() if effect.activity:
                child.waits[effect.ref] = Submission(effect)
                self._ask_for_worker(run, child, effect)
            case TaskRequested() if effect.callback:
                child.waits[effect.ref] = Submission(effect)
                return SubmissionBegan(effect.ref)
            case TaskRequested():
                child.waits[effect.ref] = effect
                self.call(run, child, effect)
            case TimerRequested():
                child.waits[effect.ref] = effect.due_ms
                self._timers.set((run.key, child.position, effect.ref), effect.due_ms)
            case MapRunRequested():
                child.waits[effect.ref] = Nested(effect)
                return MapRunStarted(effect.ref, run.machine.map_run_arn(child.index, effect.ref)[1])
            case MapRunRedriveRequested():
                child.waits[effect.ref] = Nested(effect)
                arn = run.machine.map_run_arn(child.index, effect.ref)[1]
                return MapRunRedriven(effect.ref, arn, child.redrives - redrive_of(effect.ref))
        return None

    def _ask_for_worker(self, run: LaneRun, child: Child, task: TaskRequested) -> None:
        """Has the attempt wait for a worker of its activity. Asked again, it waits once."""
        place = (run.machine.arn(child.index), self._lane, run.machine.attempt_of(child.index, task.ref))
        self._for_home.append(ActivityTaskRequested(run.opened.run, task.resource, *place))

    def call(self, run: LaneRun, child: Child, task: TaskRequested) -> None:
        """Has the call of a Task made."""
        key = run.machine.effect_key(child.index, child.redrives, task.ref)
        request = traced(task, run.opened.trace_header, key, run.tally.span_id(child.index, child.redrives))
        request = called_by(request, run.machine.arn(child.index))
        self._calls.start(TaskStart(run.key, child.position, request, key))

    def follow(self, run: LaneRun, child: Child, waited: Submission, now_ms: int) -> None:
        """Has the job asked after, once it is time."""
        if waited.followed is not None:
            due_ms = now_ms + waited.followed.next_look_ms
            self._timers.set((run.key, child.position, waited.effect.ref), due_ms)

    def look(self, run: LaneRun, child: Child, waited: Submission) -> None:
        """Has the job asked after."""
        if waited.followed is not None:
            self._calls.about_job(JobLook(run.key, child.position, waited.followed))
            waited.followed = waited.followed.looked()

    def ask_home(self, run: LaneRun, child: Child, nested: Nested) -> None:
        """Asks for the Map Run that the child has heard of."""
        effect = nested.effect
        plan = effect.plan if isinstance(effect, MapRunRequested) else None
        place = (*run.key, child.position, child.index)
        redrive = child.redrives - redrive_of(effect.ref) if plan is None else 0
        self._for_home.append(NestedRunRequested(*place, self._lane, effect.ref, plan, redrive))

    def cancel(self, run: LaneRun, child: Child, ref: str) -> None:
        """A child no longer waits for this."""
        match child.waits.pop(ref, None):
            case TaskRequested():
                self._calls.stop(TaskStop(run.key, child.position, ref))
            case Submission() as waited:
                self._give_up(run, child, waited)
                self._withdraw(run, child, waited)
            case int():
                self._timers.cancel((run.key, child.position, ref))
            case Nested() as waited if waited.begun:
                self._for_home.append(NestedRunDropped(*run.key, child.position, child.index, ref))
            case _:
                pass  # nothing was begun for it

    def _give_up(self, run: LaneRun, child: Child, waited: Submission) -> None:
        """Calls for a submission are given up, but for one that starts a job: its answer says what is to be stopped."""
        place, ref = (run.key, child.position), waited.effect.ref
        self._timers.cancel((*place, ref))
        starting = waited.job is not None and waited.followed is None
        self._calls.stop(TaskStop(*place, ref, waited.effect if starting else None))

    def _withdraw(self, run: LaneRun, child: Child, waited: Submission) -> None:
        """What the child waited for is taken back: what its Task started, or a worker that has not come yet."""
        if waited.followed is not None:
            self._calls.about_job(JobStop(waited.followed))
        attempt = run.machine.attempt_of(child.index, waited.effect.ref)
        if waited.effect.activity and not waited.worker:
            self._for_home.append(ActivityTaskWithdrawn(run.opened.run, waited.effect.resource, attempt))
        if not (waited.begun and waited.effect.token):
            return
        callee = execution_of(waited.effect, attempt)
        if callee is not None:
            cause = withdrawn_cause(run.machine.arn(child.index))
            self._for_home.append(StartWithdrawn(run.opened.run, callee, attempt, cause))

    def cancel_all(self, run: LaneRun, child: Child) -> None:
        """A child ends."""
        for ref in list(child.waits):
            self.cancel(run, child, ref)

    def abandon(self, run: LaneRun, child: Child) -> None:
        """Its run is closed: home knows that nobody waits for the child's Map Runs."""
        for ref, waited in child.waits.items():
            if isinstance(waited, Submission) and waited.job is not None:
                self._give_up(run, child, waited)
                self._withdraw(run, child, waited)
                continue
            self._calls.stop(TaskStop(run.key, child.position, ref))
            self._timers.cancel((run.key, child.position, ref))

    # ------------------------------------------------------------------ while a child's past is done again

    def note(self, run: LaneRun, child: Child, step: Step) -> None:
        """Remembers what a step asked for, without asking: the past may say what became of it."""
        for effect in step.effects:
            match effect:
                case TaskRequested():
                    child.waits[effect.ref] = Submission(effect) if effect.callback else effect
                case TimerRequested():
                    child.waits[effect.ref] = effect.due_ms
                case MapRunRequested() | MapRunRedriveRequested():
                    child.waits[effect.ref] = Nested(effect)
                case EffectCancelled():
                    self.forgo(run, child, effect.ref)

    def forgo(self, run: LaneRun, child: Child, ref: str) -> None:
        """A child that is brought back no longer waits for this: nothing was started for it here.

        Of an execution that its Task began to start home hears once more that nobody waits for it, and a job is
        stopped once more.
        And its history tells of a Map Run that began: home must hear of it, or the child could not be redriven, and
        that it is dropped, or the Map Run would go on. The earlier owner may have said neither.
        """
        waited = child.waits.pop(ref, None)
        if isinstance(waited, Submission):
            self._withdraw(run, child, waited)
        if isinstance(waited, Nested) and waited.begun:
            self.ask_home(run, child, waited)
            self._for_home.append(NestedRunDropped(*run.key, child.position, child.index, ref))
