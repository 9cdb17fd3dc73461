"""Submissions of root executions' Tasks, callbacks, and workers that take them: of a child decided by its lane."""

from maprun.integrations.jobs import Followed
from maprun.integrations.registry import job_of
from maprun.mapruns.fold import activity_tasks, repeats, roots
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.outputs import FollowJob, SubmitTask
from maprun.mapruns.fold.state import Root
from schemas import topics
from schemas.arns import ChildId, child_of_arn, run_tail
from schemas.effects import (
    ActivityTaskStarted,
    HeartbeatReceived,
    SubmissionFailed,
    TaskFailed,
    TaskSubmitted,
    TaskSucceeded,
    with_ref,
)
from schemas.home import CallbackAnswered, CallbackReceived, ParentSubmissionBegan, ParentTaskSubmitted
from schemas.lanes import ChildCallbackReceived
from schemas.requests import RequestRejected, record_of
from schemas.tokens import DOES_NOT_EXIST, TIMED_OUT, TokenRefusal, attempt_of


def submission_began(fold: Fold, record: ParentSubmissionBegan) -> None:
    """Lets the first who is about to submit a Task do so, and nobody else ever."""
    root = fold.state.roots.get(record.arn)
    request = root.tasks.get(record.ref) if root is not None else None
    if root is None or request is None or record.ref in root.submitting:
        return
    root.submitting[record.ref] = record.by
    fold.outputs.append(SubmitTask(record.arn, request, record.by))


def task_submitted(fold: Fold, record: ParentTaskSubmitted) -> None:
    """The call that submits came back; counts while the execution waits for the Task.

    That of a job may be made again by whoever takes the home over: the first answer counts.
    """
    root, ref = fold.state.roots.get(record.arn), record.outcome.ref
    if root is None or ref not in root.tasks or ref in root.submitted:
        return
    if isinstance(record.outcome, SubmissionFailed):
        root.forget_task(ref)
    elif root.tasks[ref].token:
        root.submitted[ref] = record.outcome.output
    elif job_of(root.tasks[ref].resource) is not None:
        root.submitted[ref] = record.outcome.output
        fold.outputs.append(FollowJob(record.arn, Followed(root.tasks[ref], record.outcome.output)))
    roots.advance(fold, record.arn, record.outcome)


def callback_received(fold: Fold, record: CallbackReceived) -> None:
    """A callback by a token of this cluster, or the word of an activity's home."""
    news = record.callback
    by_token = record.request_id and not isinstance(news, ActivityTaskStarted)
    if by_token and repeats.repeated(fold, record.request_id):
        return
    child = child_of_arn(record.arn)
    if child is not None:
        _hand_on(fold, record, child)
        return
    root = fold.state.roots.get(record.arn)
    if root is None:
        _refuse(fold, record, DOES_NOT_EXIST if fold.past is None else TIMED_OUT)
        return
    ref = _attempt(root, record)
    if ref is None:
        _refuse(fold, record, TIMED_OUT)
        return
    match news:
        case HeartbeatReceived():
            pass
        case TaskSubmitted():
            root.submitted[ref] = news.output
        case ActivityTaskStarted():
            if not _worker_has(fold, root, ref, news):
                return
        case TaskSucceeded() | TaskFailed() | SubmissionFailed():
            root.forget_task(ref)
    if by_token:
        repeats.remember(fold, fold.answer(record.request_id))
    roots.advance(fold, record.arn, with_ref(news, ref))


def _worker_has(fold: Fold, root: Root, ref: str, started: ActivityTaskStarted) -> bool:
    """Gives the attempt to the first worker, and says so, to it again as well. True if this begins it."""
    worker = root.workers.get(ref)
    mine = worker in (None, started.request_id)
    activity_tasks.answer(fold, started, root.tasks[ref] if mine else None)
    if worker is None:
        root.workers[ref] = started.request_id
    return worker is None


def _attempt(root: Root, record: CallbackReceived) -> str | None:
    """The ref of the Task that this token's attempt is, if the execution still waits for it."""
    attempt = record.callback.ref
    return next(
        (ref for ref, task in root.tasks.items() if task.callback and attempt_of(record.arn, ref) == attempt), None
    )


def _hand_on(fold: Fold, record: CallbackReceived, child: ChildId) -> None:
    """The child's lane knows what it waits for."""
    run = next((r for r in fold.state.runs.values() if run_tail(r.run) == child.run_tail), None)
    if run is None or run.phase not in ("open", "closing") or record.lane not in run.lanes:
        _refuse(fold, record, TIMED_OUT)
        return
    signal = ChildCallbackReceived(fold.cause, run.run, run.generation, child.index, record.request_id, record.callback)
    fold.send(topics.LANE_SIGNALS, record.lane, signal)


def callback_answered(fold: Fold, record: CallbackAnswered) -> None:
    """A lane's word on a callback."""
    if not repeats.repeated(fold, record.request_id):
        _answer(fold, record.request_id, record.error, record.message)


def _answer(fold: Fold, request_id: str, error: str, message: str) -> None:
    """The word on a callback; of one that came by a record its sender reads why it was refused from a topic."""
    repeats.remember(fold, fold.answer(request_id, error=error, message=message))
    origin = record_of(request_id) if error else None
    if origin is not None:
        rejected = RequestRejected(origin, error, message, b"")
        fold.send(topics.REJECTED_REQUESTS, 0, rejected, roots.rejection_key(rejected))


def _refuse(fold: Fold, record: CallbackReceived, why: TokenRefusal) -> None:
    if isinstance(record.callback, ActivityTaskStarted):
        activity_tasks.answer(fold, record.callback, None)
    elif record.request_id:
        _answer(fold, record.request_id, why.error, why.message)
