"""Root executions in the fold of home: accepted, stepped through the interpreter, stopped, ended."""

from datetime import UTC, datetime

import msgspec

from maprun.mapruns.fold import activity_tasks, closing, nested, open_executions, opening, run_records, started
from maprun.mapruns.fold.closing import GONE_CAUSE
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.outputs import CancelEffect, HistoryGrew, RootChanged, SetTimer, StartTask
from maprun.mapruns.fold.repeats import once
from maprun.mapruns.fold.state import Ended, Root, RootStep
from maprun.mapruns.slices import Slices
from schemas import topics
from schemas.arns import child_of_arn, run_id
from schemas.effects import (
    EffectCancelled,
    Happening,
    MapRunFailed,
    MapRunRedriveRequested,
    MapRunRequested,
    StopAsked,
    TaskRequested,
    TimerFired,
    TimerRequested,
)
from schemas.history import EventType, HistoryEvent
from schemas.home import (
    ExecutionRequested,
    HomeRecord,
    OutputRefused,
    ParentTaskEnded,
    StopRequested,
    TimerDue,
    alias_arn_of,
    version_arn_of,
)
from schemas.requests import RequestRejected

EVENT_PAYLOAD_BYTES_MAX = 248 * 1024
"""Input and output together that a status event still carries (AWS: page eventbridge-integration)."""


def execution_requested(fold: Fold, record: ExecutionRequested) -> None:
    """Starts a root execution, or says why not. The name decides."""
    if started.withdrawn_before(fold, record):
        return
    root, past = fold.state.roots.get(record.arn), fold.past
    if root is not None:
        same = root.request.request_id == record.request_id
        if same or (root.status == "RUNNING" and root.request.input == record.input):
            started.join(root, record)
            _answer_started(fold, record, root.started_ms)
            return
    elif past is not None and past.request_id == record.request_id:
        _answer_started(fold, record, past.started_ms)
        return
    if root is not None or past is not None:
        _refuse(fold, record, "ExecutionAlreadyExists", f"Execution Already Exists: '{record.arn}'")
        return
    if open_executions.turned_away(fold, record):
        return
    now = fold.state.now_ms
    root = fold.state.roots[record.arn] = Root(request=record, started_ms=now)
    _answer_started(fold, record, now)
    publish_status(fold, root)
    take_step(fold, record.arn, root, fold.interpreter.begin(record, now, fold.spent))


def _answer_started(fold: Fold, record: ExecutionRequested, started_ms: int) -> None:
    body = msgspec.json.encode({"executionArn": record.arn, "startDate": started_ms / 1000})
    fold.answer(record.request_id, body)


def _refuse(fold: Fold, record: ExecutionRequested, error: str, message: str) -> None:
    fold.answer(record.request_id, error=error, message=message)
    if record.origin is not None:
        text = msgspec.json.encode({"stateMachineArn": record.machine_arn, "name": record.name})
        rejected = RequestRejected(record.origin, error, message, text)
        fold.send(topics.REJECTED_REQUESTS, 0, rejected, rejection_key(rejected))


def rejection_key(rejected: RequestRejected) -> bytes:
    """The key of a rejection: where the request came from."""
    return f"{rejected.origin.topic}/{rejected.origin.partition}/{rejected.origin.offset}".encode()


def advance(fold: Fold, arn: str, happening: Happening) -> None:
    """Tells a running root execution what happened."""
    root = fold.state.roots.get(arn)
    if root is None or root.execution is None:
        return
    step = fold.interpreter.advance(root.request, root.execution, happening, fold.state.now_ms, fold.spent)
    take_step(fold, arn, root, step)


def hear(fold: Fold) -> Slices[None]:
    """Tells the root executions what the handlers gathered for them, in order, until nothing is left.

    A step that is long is done in slices, each at the time of the record: what comes of it is the same to the byte.
    """
    while fold.at_work or fold.inbox:
        if fold.at_work is not None:
            arn, root, step = fold.at_work
            while step.more:
                yield
                fold.interpreter.go_on(step, fold.spent)
            fold.at_work = None
            _taken(fold, arn, root, step)
            continue
        arn, happening = fold.inbox.pop(0)
        if not isinstance(happening, str):
            advance(fold, arn, happening)
        elif arn in fold.state.roots:
            _run_closed(fold, arn, happening)


def take_step(fold: Fold, arn: str, root: Root, step: RootStep) -> None:
    """Takes over what a step brought, once it is through. What else the record brings comes before, or by `told`."""
    if step.more:
        assert fold.at_work is None, "a handler takes one step; what follows from it is told"
        fold.at_work = (arn, root, step)
    else:
        _taken(fold, arn, root, step)


def _taken(fold: Fold, arn: str, root: Root, step: RootStep) -> None:
    """Events, effects, the end."""
    root.execution, root.remains = step.execution, step.remains
    if step.events:
        _history_grew(fold, arn, root, step.events)
    if step.ended is not None:
        _root_ended(fold, arn, root, step)
    asked: list[MapRunRequested | MapRunRedriveRequested] = []
    for effect in step.effects:
        match effect:
            case TaskRequested():
                root.tasks[effect.ref] = effect
                if effect.activity:
                    activity_tasks.request(fold, arn, effect)
                else:
                    fold.outputs.append(StartTask(arn, effect))
            case TimerRequested():
                root.timers[effect.ref] = effect.due_ms
                fold.outputs.append(SetTimer(arn, effect.ref, effect.due_ms))
            case EffectCancelled():
                _cancel(fold, arn, root, effect.ref)
            case MapRunRequested() | MapRunRedriveRequested():
                asked.append(effect)
    fold.outputs.append(RootChanged(arn, root))
    _forget_if_over(fold, arn, root)
    for effect in asked:
        if isinstance(effect, MapRunRequested):
            opening.open_run(fold, root, arn, effect.ref, effect.plan)
        else:
            _redrive_run(fold, arn, root, effect.ref)


def _history_grew(fold: Fold, arn: str, root: Root, events: list[HistoryEvent]) -> None:
    fold.outputs.append(HistoryGrew(arn, root.events + 1, events, root.request.logging, root.redrive_count))
    root.events += len(events)


def _redrive_run(fold: Fold, arn: str, root: Root, ref: str) -> None:
    """The Map Run that was asked for under `ref` is redriven, once it is closed."""
    key = run_id(fold.state.home, arn, ref)
    root.runs[ref] = key
    kept, closing_one = root.kept.pop(key, None), fold.state.runs.get(key)
    if kept is not None:
        opening.redrive_run(fold, root, kept)
    elif closing_one is not None:
        closing_one.redrive_due = closing_one.generation + 1
    else:
        del root.runs[ref]
        fold.deliver(arn, MapRunFailed(ref, "States.Runtime", GONE_CAUSE))


def _cancel(fold: Fold, arn: str, root: Root, ref: str) -> None:
    task = root.tasks.get(ref)
    if task is not None:
        _withdraw(fold, arn, task)
    if root.forget_task(ref) or root.timers.pop(ref, None) is not None:
        fold.outputs.append(CancelEffect(arn, ref))
    key = root.runs.pop(ref, None)
    if key is not None:
        closing.abort(fold, fold.state.runs[key])


def _withdraw(fold: Fold, arn: str, task: TaskRequested) -> None:
    """Nobody waits for this Task any more: what was asked of other homes for it is taken back."""
    started.withdraw(fold, arn, task)
    activity_tasks.withdraw(fold, arn, task)


def _root_ended(fold: Fold, arn: str, root: Root, step: RootStep) -> None:
    ended = step.ended
    assert ended is not None
    root.status, root.output, root.error, root.cause = ended.status, ended.output, ended.error, ended.cause
    root.stopped_ms = fold.state.now_ms
    root.execution = None
    for ref in [*root.tasks, *root.timers, *root.runs]:
        _cancel(fold, arn, root, ref)
    _tell_world(fold, root)


def _forget_if_over(fold: Fold, arn: str, root: Root) -> None:
    """An ended execution without open runs: its name is remembered, and what a redrive needs of it, for their times."""
    if root.status == "RUNNING" or root.open_runs or fold.state.roots.pop(arn, None) is None:
        return
    fold.state.ended[arn] = Ended(
        request_id=root.request.request_id,
        started_ms=root.started_ms,
        stopped_ms=root.stopped_ms,
        status=root.status,
        offset=fold.state.offset,
        root=None if root.remains is None else root,
    )


def _run_closed(fold: Fold, arn: str, run: str) -> None:
    """A Map Run of this execution is over: it is redriven if that was asked for meanwhile, and others may begin.

    An ended execution without open runs is forgotten but for its name.
    """
    root = fold.state.roots[arn]
    root.open_runs -= 1
    kept = root.kept.get(run)
    if kept is not None:
        nested.closed(fold, root, kept)
    opening.admit_waiting(fold)
    _forget_if_over(fold, arn, root)


def _tell_world(fold: Fold, root: Root) -> None:
    """The execution ended: its event, and the word to the Tasks that wait for it."""
    publish_status(fold, root)
    started.answer_starters(fold, root)


def publish_status(fold: Fold, root: Root) -> None:
    """The status change event, in the shape AWS sends to EventBridge (page eventbridge-integration)."""
    request, ended = root.request, root.status != "RUNNING"
    succeeded = root.status == "SUCCEEDED"
    included = len(request.input) + len(root.output) <= EVENT_PAYLOAD_BYTES_MAX
    detail: dict[str, object] = {
        "executionArn": request.arn,
        "stateMachineArn": request.machine_arn,
        "name": request.name,
        "status": root.status,
        "startDate": root.started_ms,
        "stopDate": root.stopped_ms if ended else None,
        "input": request.input.decode(errors="replace") if included else None,
        "inputDetails": {"included": included},
        "output": root.output.decode() if succeeded and included else None,
        "outputDetails": {"included": included} if succeeded else None,
        "stateMachineVersionArn": version_arn_of(request) or None,
        "stateMachineAliasArn": alias_arn_of(request) or None,
        "redriveCount": root.redrive_count,
        "redriveDate": root.redriven_ms or None,
        **_redrive_status(root),
        "error": root.error,
        "cause": root.cause,
    }
    event = {
        "version": "0",
        "id": f"{fold.state.home}-{fold.state.offset}-{root.status}",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": fold.names.account,
        "region": fold.names.region,
        "time": datetime.fromtimestamp(fold.state.now_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": [request.arn],
        "detail": detail,
    }
    fold.send(topics.EXECUTION_EVENTS, fold.state.home, msgspec.json.encode(event), request.arn.encode())


def _redrive_status(root: Root) -> dict[str, str]:
    """The words that an event has for whether the execution can be redriven (page eventbridge-integration)."""
    if root.remains is not None:
        reason = f"Execution is {root.status} and is redrivable"
        return {"redriveStatus": "REDRIVABLE", "redriveStatusReason": reason}
    reason = f"Execution is {root.status} and cannot be redriven"
    return {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}


def timer_due(fold: Fold, record: TimerDue) -> None:
    """A timer fired; counts while the execution waits for it."""
    root = fold.state.roots.get(record.arn)
    if root is not None and root.timers.pop(record.ref, None) is not None:
        advance(fold, record.arn, TimerFired(record.ref))


def parent_task_ended(fold: Fold, record: ParentTaskEnded) -> None:
    """A Task ended; counts while the execution waits for it."""
    root = fold.state.roots.get(record.arn)
    if root is not None and root.forget_task(record.outcome.ref):
        advance(fold, record.arn, record.outcome)


@once
def stop_requested(fold: Fold, record: StopRequested) -> None:
    """StopExecution of a root execution, or of a child of one of this partition's runs."""
    child = child_of_arn(record.arn)
    if child is not None:
        run_records.stop_child(fold, record, child)
        return
    root = fold.state.roots.get(record.arn)
    if root is None:
        if fold.past is not None:  # a repeated stop is answered with the date that DescribeExecution has
            fold.answer(record.request_id, msgspec.json.encode({"stopDate": fold.past.stopped_ms / 1000}))
        else:
            fold.answer(
                record.request_id,
                error="ExecutionDoesNotExist",
                message=f"Execution Does Not Exist: '{record.arn}'",
            )
        return
    advance(fold, record.arn, StopAsked(record.error, record.cause))
    stopped = root.stopped_ms or fold.state.now_ms
    fold.answer(record.request_id, msgspec.json.encode({"stopDate": stopped / 1000}))


def root_of(fold: Fold, record: HomeRecord) -> str:
    """The ARN of the root execution that a record is about, as far as it says; empty when it doesn't."""
    run = fold.state.runs.get(getattr(record, "run", ""))
    return run.root_arn if run is not None else str(getattr(record, "arn", ""))


def fail_of_record(fold: Fold, record: HomeRecord, arn: str, reason: str) -> None:
    """Ends the root execution `arn` that a record which can't be folded belongs to, with States.Runtime."""
    run = fold.state.runs.get(getattr(record, "run", ""))
    root = fold.state.roots.get(arn)
    cause = f"The record at offset {fold.state.offset} of home {fold.state.home} cannot be processed: {reason}"
    request_id = getattr(record, "request_id", None)
    if request_id is not None:
        fold.answer(request_id, error="InternalServerError", message=cause)
    if root is None:
        return
    if root.status != "RUNNING":  # how an execution ended stays; its runs close all the same
        if run is not None:
            closing.go_on(fold, run)
        return
    _fail(fold, arn, root, "States.Runtime", cause)


def output_refused(fold: Fold, record: OutputRefused) -> None:
    """A message for this execution fits no record: it fails with its Map Runs, and the rest of home goes on."""
    root = fold.state.roots.get(record.arn)
    if root is None:
        return
    runs = [run for run in fold.state.runs.values() if run.root_arn == record.arn]
    for run in runs:
        run.source_broken = True  # what was refused may be what asked for its items: nobody may wait for them
    if root.status == "RUNNING":
        _fail(fold, record.arn, root, record.error, record.cause)
    for run in runs:  # how an execution ended stays; its runs close all the same, also those that were closing before
        if run.run in fold.state.runs:
            closing.go_on(fold, run)


def _fail(fold: Fold, arn: str, root: Root, error: str, cause: str) -> None:
    """Ends an execution from outside: it is told nothing any more, and can't be redriven."""
    root.status, root.error, root.cause = "FAILED", error, cause
    failed = HistoryEvent(EventType.EXECUTION_FAILED, root.events, fold.state.now_ms, (error, cause))
    _history_grew(fold, arn, root, [failed])
    root.stopped_ms = fold.state.now_ms
    root.execution = None
    for task in root.tasks.values():
        _withdraw(fold, arn, task)
    root.tasks.clear()
    root.submitting.clear()
    root.submitted.clear()
    root.workers.clear()
    root.timers.clear()
    root.runs.clear()
    root.remains = None
    for key in list(root.all_runs):
        if key in fold.state.runs:
            closing.abort(fold, fold.state.runs[key])
    _tell_world(fold, root)
    fold.outputs.append(RootChanged(arn, root))
    _forget_if_over(fold, arn, root)
