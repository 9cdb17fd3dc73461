"""Executions that a Task started and waits for: it hears how they ended, and they are stopped once it waits no more."""

import msgspec

from maprun.integrations.executions import execution_of, withdrawn_cause
from maprun.mapruns.fold import repeats
from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.state import Root
from schemas import topics
from schemas.arns import child_of_arn, home_of
from schemas.effects import StopAsked, TaskFailed, TaskRequested, TaskSucceeded
from schemas.home import CallbackReceived, ExecutionRequested, alias_arn_of, version_arn_of
from schemas.starters import Starter, StartWithdrawn
from schemas.tokens import attempt_of

CAUSE_CHARS_MAX = 32_768
"""AWS's length of a cause."""


def withdrawn_before(fold: Fold, record: ExecutionRequested) -> bool:
    """True for the start of a Task that waited no more when its request came; that is answered again."""
    return record.starter is not None and repeats.repeated(fold, record.request_id)


def join(root: Root, record: ExecutionRequested) -> None:
    """A Task asks for an execution of this name and input, which runs already: it waits for that one."""
    starter = record.starter
    if starter is not None and starter not in starters_of(root):
        root.starters.append(starter)


def starters_of(root: Root) -> list[Starter]:
    """The Tasks that wait for this execution."""
    first = root.request.starter
    return root.starters if first is None else [first, *root.starters]


def answer_starters(fold: Fold, root: Root) -> None:
    """The execution is over: the Tasks that wait for it hear how, each by its home."""
    for starter in starters_of(root):
        child = child_of_arn(starter.arn)
        home = home_of(starter.arn, fold.homes) if child is None else child.home
        outcome = _outcome(root, starter, fold.limits.result_bytes_max)
        fold.send(topics.HOME, home, CallbackReceived("", starter.arn, starter.lane, outcome))


def _outcome(root: Root, starter: Starter, output_bytes_max: int) -> TaskSucceeded | TaskFailed:
    """What the Task is told: the execution as DescribeExecution has it, with members as version 1 of the SDK has them.

    Of one that did not succeed that is the cause, in which input and output are texts always.
    """
    succeeded = root.status == "SUCCEEDED"
    shown = msgspec.json.encode(_described(root, parsed=starter.parsed and succeeded))
    if not succeeded:
        return TaskFailed(starter.attempt, "States.TaskFailed", shown.decode()[:CAUSE_CHARS_MAX])
    if len(shown) > output_bytes_max:
        cause = "The state/task 'states' returned a result with a size exceeding the maximum number of bytes "
        return TaskFailed(starter.attempt, "States.DataLimitExceeded", f"{cause}service limit.")
    return TaskSucceeded(starter.attempt, shown)


def _described(root: Root, *, parsed: bool) -> dict[str, object]:
    """Members in the order of their names; dates as numbers of milliseconds."""

    def payload(value: bytes) -> object:
        return msgspec.Raw(value) if parsed else value.decode(errors="replace")

    request, status = root.request, root.status
    shown: dict[str, object] = {}
    if root.cause is not None:
        shown["Cause"] = root.cause
    if root.error is not None:
        shown["Error"] = root.error
    shown |= {
        "ExecutionArn": request.arn,
        "Input": payload(request.input),
        "InputDetails": {"Included": True},
        "Name": request.name,
    }
    if status == "SUCCEEDED":
        shown |= {"Output": payload(root.output), "OutputDetails": {"Included": True}}
    redrivable = root.remains is not None
    shown |= {"RedriveCount": root.redrive_count, "RedriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE"}
    if not redrivable:
        shown["RedriveStatusReason"] = f"Execution is {status} and cannot be redriven"
    shown["StartDate"] = root.started_ms
    if request.alias:
        shown["StateMachineAliasArn"] = alias_arn_of(request)
    shown["StateMachineArn"] = request.machine_arn
    if request.version:
        shown["StateMachineVersionArn"] = version_arn_of(request)
    return shown | {"Status": status, "StopDate": root.stopped_ms}


def withdraw(fold: Fold, arn: str, task: TaskRequested) -> None:
    """A root execution no longer waits for this Task: if it waited for an execution, that is stopped."""
    callee = execution_of(task, attempt_of(arn, task.ref)) if task.token else None
    if callee is not None:
        record = StartWithdrawn("", callee, attempt_of(arn, task.ref), withdrawn_cause(arn))
        fold.send(topics.HOME, home_of(callee, fold.homes), record)


def start_withdrawn(fold: Fold, record: StartWithdrawn) -> None:
    """Stops the execution, or sees to it that it never begins; elsewhere hands the word on."""
    home = home_of(record.arn, fold.homes)
    if home != fold.state.home:
        fold.send(topics.HOME, home, record)
        return
    root = fold.state.roots.get(record.arn)
    if root is None:
        refusal = fold.answer(record.request_id, error="TaskTimedOut", message=f"The Task is over: {record.cause}")
        repeats.remember(fold, refusal)
    elif root.request.request_id == record.request_id:
        fold.deliver(record.arn, StopAsked("", record.cause))
    else:
        root.starters = [starter for starter in root.starters if starter.attempt != record.request_id]
