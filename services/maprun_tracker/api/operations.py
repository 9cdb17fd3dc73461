"""The one table of operations: name → input and handler."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from maprun.requests.checks import Refusal
from schemas.invocations import LOGS_PATH
from services.maprun_tracker.api import (
    activities,
    aliases,
    callbacks,
    child_search,
    descriptions,
    error_clusters,
    executions,
    express,
    function_logs,
    health,
    histories,
    inputs,
    machines,
    open_runs,
    own_inputs,
    redrives,
    results,
    runs,
    shapes,
    start_inputs,
    states,
    tags,
    trials,
    versions,
    work,
)
from services.maprun_tracker.api.rules import check
from services.maprun_tracker.api.service import Call, Service

Answer = msgspec.Raw | shapes.Output
Handler = Callable[[Service, Any, Call], Awaitable[Answer]]


class Operation(msgspec.Struct, frozen=True):
    """One operation."""

    asked: type[inputs.Input]
    handle: Handler


GET_ACTIVITY_TASK: Final = "GetActivityTask"
OPERATIONS: Final[dict[str, Operation]] = {
    "CreateStateMachine": Operation(inputs.CreateStateMachine, machines.create),
    "UpdateStateMachine": Operation(inputs.UpdateStateMachine, machines.update),
    "DeleteStateMachine": Operation(inputs.MachineAsked, machines.delete),
    "DescribeStateMachine": Operation(inputs.MachineAsked, machines.describe),
    "ListStateMachines": Operation(inputs.Page, machines.list_machines),
    "PublishStateMachineVersion": Operation(inputs.PublishVersion, versions.publish),
    "DeleteStateMachineVersion": Operation(inputs.VersionAsked, versions.delete),
    "ListStateMachineVersions": Operation(inputs.MachinePage, versions.list_versions),
    "CreateStateMachineAlias": Operation(inputs.CreateAlias, aliases.create),
    "UpdateStateMachineAlias": Operation(inputs.UpdateAlias, aliases.update),
    "DeleteStateMachineAlias": Operation(inputs.AliasAsked, aliases.delete),
    "DescribeStateMachineAlias": Operation(inputs.AliasAsked, aliases.describe),
    "ListStateMachineAliases": Operation(inputs.MachinePage, aliases.list_aliases),
    "CreateActivity": Operation(inputs.CreateActivity, activities.create),
    "DeleteActivity": Operation(inputs.ActivityAsked, activities.delete),
    "DescribeActivity": Operation(inputs.ActivityAsked, activities.describe),
    "ListActivities": Operation(inputs.Page, activities.list_activities),
    GET_ACTIVITY_TASK: Operation(inputs.GetActivityTask, work.get_task),
    "ListTagsForResource": Operation(inputs.ResourceAsked, tags.list_tags),
    "TagResource": Operation(inputs.TagResource, tags.tag),
    "UntagResource": Operation(inputs.UntagResource, tags.untag),
    "ValidateStateMachineDefinition": Operation(inputs.ValidateDefinition, machines.validate),
    "TestState": Operation(inputs.TestState, trials.test_state),
    "StartExecution": Operation(start_inputs.StartExecution, executions.start),
    "StartSyncExecution": Operation(start_inputs.StartSyncExecution, express.start_sync),
    "StopExecution": Operation(inputs.StopExecution, executions.stop),
    "RedriveExecution": Operation(inputs.RedriveExecution, executions.redrive),
    "DescribeExecution": Operation(inputs.ExecutionAsked, descriptions.describe),
    "DescribeStateMachineForExecution": Operation(inputs.ExecutionAsked, executions.machine_of_execution),
    "GetExecutionHistory": Operation(inputs.HistoryAsked, histories.get),
    "SendTaskSuccess": Operation(inputs.TaskSuccess, callbacks.succeed),
    "SendTaskFailure": Operation(inputs.TaskFailure, callbacks.fail),
    "SendTaskHeartbeat": Operation(inputs.TaskHeartbeat, callbacks.heartbeat),
    "DescribeMapRun": Operation(inputs.MapRunAsked, runs.describe),
    "ListMapRuns": Operation(inputs.ListMapRuns, runs.list_runs),
    "UpdateMapRun": Operation(inputs.UpdateMapRun, runs.update),
}
"""All but ListExecutions, which the site answers itself: it may have to ask every process."""


class OwnAct(Operation, frozen=True):
    """What AWS has no operation for. `like`: the one that a key must be allowed for it, AWS's where there is one."""

    like: str


class OwnOperation(OwnAct, frozen=True):
    """A question. `arn_member`: what `arn` in its query is called in its input; empty: it is about no ARN."""

    arn_member: str


OPEN_RUNS: Final = "/maprun/map-runs"
OWN_PATHS: Final[dict[str, OwnOperation]] = {
    "/maprun/history": OwnOperation(inputs.HistoryAsked, histories.get_any, "GetExecutionHistory", "executionArn"),
    "/maprun/progress": OwnOperation(inputs.MapRunAsked, runs.progress, "DescribeMapRun", "mapRunArn"),
    "/maprun/errors": OwnOperation(own_inputs.ErrorsAsked, error_clusters.errors, "DescribeExecution", "mapRunArn"),
    "/maprun/results": OwnOperation(inputs.MapRunAsked, results.results, "DescribeExecution", "mapRunArn"),
    "/maprun/children": OwnOperation(own_inputs.ChildrenAsked, child_search.children, "DescribeExecution", "mapRunArn"),
    LOGS_PATH: OwnOperation(own_inputs.LogsAsked, function_logs.function_logs, "GetExecutionHistory", "executionArn"),
    "/maprun/health": OwnOperation(health.HealthAsked, health.health, "DescribeHealth", ""),
    OPEN_RUNS: OwnOperation(open_runs.OpenRunsAsked, open_runs.open_runs, "ListOpenMapRuns", ""),
    "/maprun/states": OwnOperation(states.StatesAsked, states.states, "DescribeMapRun", "mapRunArn"),
}
"""Questions, by GET: the history of any execution, EXPRESS children too; how much of its source a Map Run has read;
what its unsuccessful children ended with, counted; which of its children are as one asks; its result files; what the
functions that an execution called have printed; how all processes do; the Map Runs that are open (the site asks every
process); how long states take."""

OWN_ACTS: Final[dict[str, OwnAct]] = {
    "/maprun/redrive": OwnAct(own_inputs.RedriveChildren, redrives.redrive_children, "RedriveExecution"),
}
"""Acts, by POST: some children of a Map Run are redriven."""

LIST_EXECUTIONS: Final = "ListExecutions"


def decode(kind: type[inputs.Input], body: bytes, *, strict: bool = True) -> Any:
    """A request's members, checked; unless `strict`, numbers may stand as text, as in a query.

    Raises Refusal (SerializationException, ValidationException).
    """
    try:
        asked = msgspec.json.decode(body or b"{}", type=kind, strict=strict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("SerializationException", f"The request body can't be read: {error}") from None
    check(asked, kind.rules)
    return asked
