"""Attempts that wait for workers of activities: the home of the activity says who may have which, oldest first.

The attempt's own home, or lane, has the last word: it alone knows whether the attempt still waits, and that no other
worker has it. So whatever is sent twice, or stands here after its attempt is over, is never given to a second worker.
"""

from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.outputs import ActivityTaskWaits
from maprun.mapruns.fold.repeats import ANSWER_KEPT_MS, ANSWERS_KEPT
from maprun.mapruns.fold.state import TaskTaken, WaitingTask
from schemas import topics
from schemas.activities import (
    ActivityTaskAnswered,
    ActivityTaskAsked,
    ActivityTaskRequested,
    ActivityTaskWithdrawn,
    TaskForWorker,
)
from schemas.arns import child_of_arn, home_of
from schemas.effects import ActivityTaskStarted, AttemptNews, SubmissionFailed, TaskRequested, TaskSubmitted
from schemas.home import CallbackReceived
from schemas.tokens import NO_LANE, attempt_of
from schemas.wire import encode

# ------------------------------------------------------------------ of the home of the attempt


def request(fold: Fold, execution: str, task: TaskRequested) -> None:
    """A root execution has come to a Task of an activity."""
    attempt = attempt_of(execution, task.ref)
    _to_home(fold, ActivityTaskRequested("", task.resource, execution, NO_LANE, attempt))


def withdraw(fold: Fold, execution: str, task: TaskRequested) -> None:
    """A root execution no longer waits for this Task: if it waits for a worker, it shall be given to none."""
    if task.activity:
        _to_home(fold, ActivityTaskWithdrawn("", task.resource, attempt_of(execution, task.ref)))


def answer(fold: Fold, started: ActivityTaskStarted, task: TaskRequested | None) -> None:
    """Whether the worker has the attempt that is this Task; None: it has not."""
    given = b"" if task is None else task.parameters
    said = ActivityTaskAnswered(started.request_id, started.home, started.ref, given, refused=task is None)
    fold.send(topics.HOME, started.home, said)


def _to_home(fold: Fold, record: ActivityTaskRequested | ActivityTaskWithdrawn) -> None:
    fold.send(topics.HOME, home_of(record.arn, fold.homes), record)


# ------------------------------------------------------------------ of the home of the activity


def task_requested(fold: Fold, record: ActivityTaskRequested) -> None:
    """An attempt waits for a worker, if there is such an activity; elsewhere hands the word on."""
    if home_of(record.arn, fold.homes) != fold.state.home:
        _to_home(fold, record)
        return
    task = WaitingTask(record.execution, record.lane)
    if record.arn not in fold.state.activities:
        cause = f"The activity {record.arn} does not exist."
        _tell(fold, "", task, SubmissionFailed(record.attempt, "States.Runtime", cause))
        return
    fold.state.activity_tasks.setdefault(record.arn, {}).setdefault(record.attempt, task)
    _tell(fold, "", task, TaskSubmitted(record.attempt, b""))
    fold.outputs.append(ActivityTaskWaits(record.arn))


def task_withdrawn(fold: Fold, record: ActivityTaskWithdrawn) -> None:
    """The attempt is not to be given to a worker any more; elsewhere hands the word on."""
    if home_of(record.arn, fold.homes) != fold.state.home:
        _to_home(fold, record)
    else:
        _forget(fold, record.arn, record.attempt)


def task_asked(fold: Fold, record: ActivityTaskAsked) -> None:
    """A worker asks. Asked again, it is given the same attempt, if that is not another's or over by now."""
    _forget_old(fold)
    taken = fold.state.activity_workers.get(record.request_id)
    if taken is not None:
        _start(fold, record.request_id, taken)
    elif record.arn in fold.state.activities:
        _give_next(fold, record.request_id, record.arn, record.worker)
    else:
        message = f"Activity Does Not Exist: '{record.arn}'"
        fold.answer(record.request_id, error="ActivityDoesNotExist", message=message)


def task_answered(fold: Fold, record: ActivityTaskAnswered) -> None:
    """The attempt's home, or its lane, says whether the worker has it. If not, the worker is given the next one."""
    taken = fold.state.activity_workers.get(record.request_id)
    if taken is None or taken.attempt != record.attempt:
        return
    if record.refused:
        _give_next(fold, record.request_id, taken.arn, taken.worker)
        return
    given = TaskForWorker(taken.task.execution, taken.task.lane, taken.attempt, record.input)
    fold.answer(record.request_id, encode(given))


def _give_next(fold: Fold, request_id: str, arn: str, worker: str) -> None:
    """Gives a worker the attempt that has waited longest, or says that none waits."""
    waiting = fold.state.activity_tasks.get(arn)
    if not waiting:
        fold.state.activity_workers.pop(request_id, None)
        fold.answer(request_id, encode(TaskForWorker()))
        return
    attempt, task = next(iter(waiting.items()))
    _forget(fold, arn, attempt)
    taken = TaskTaken(arn, attempt, task, worker, fold.state.now_ms)
    fold.state.activity_workers[request_id] = taken
    _start(fold, request_id, taken)


def _forget(fold: Fold, arn: str, attempt: str) -> None:
    """The attempt waits no more."""
    waiting = fold.state.activity_tasks.get(arn, {})
    if waiting.pop(attempt, None) is not None and not waiting:
        del fold.state.activity_tasks[arn]


def _start(fold: Fold, request_id: str, taken: TaskTaken) -> None:
    started = ActivityTaskStarted(taken.attempt, taken.worker, request_id, fold.state.home)
    _tell(fold, request_id, taken.task, started)


def _tell(fold: Fold, request_id: str, task: WaitingTask, news: AttemptNews) -> None:
    """Tells the attempt, by its own home."""
    child = child_of_arn(task.execution)
    home = home_of(task.execution, fold.homes) if child is None else child.home
    fold.send(topics.HOME, home, CallbackReceived(request_id, task.execution, task.lane, news))


def _forget_old(fold: Fold) -> None:
    """Forgets requests of workers that nobody makes again. In log time."""
    workers = fold.state.activity_workers
    while workers:
        request_id, taken = next(iter(workers.items()))
        if len(workers) <= ANSWERS_KEPT and taken.asked_ms + ANSWER_KEPT_MS >= fold.state.now_ms:
            break
        del workers[request_id]
