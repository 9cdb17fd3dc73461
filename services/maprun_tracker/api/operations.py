"""The one table of operations: name → input and handler."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from maprun.mapruns.requests import Refusal
from services.maprun_tracker.api import descriptions, executions, histories, machines, runs, shapes
from services.maprun_tracker.api.rules import check
from services.maprun_tracker.api.service import Call, Service

Answer = msgspec.Raw | shapes.Output
Handler = Callable[[Service, Any, Call], Awaitable[Answer]]


class Operation(msgspec.Struct, frozen=True):
    """One operation."""

    asked: type[shapes.Input]
    handle: Handler


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateStateMachine": Operation(shapes.CreateStateMachine, machines.create),
    "UpdateStateMachine": Operation(shapes.UpdateStateMachine, machines.update),
    "DeleteStateMachine": Operation(shapes.MachineAsked, machines.delete),
    "DescribeStateMachine": Operation(shapes.MachineAsked, machines.describe),
    "ListStateMachines": Operation(shapes.Page, machines.list_machines),
    "ListStateMachineVersions": Operation(shapes.MachinePage, machines.list_versions),
    "ListStateMachineAliases": Operation(shapes.MachinePage, machines.list_aliases),
    "ListTagsForResource": Operation(shapes.ResourceAsked, machines.list_tags),
    "ValidateStateMachineDefinition": Operation(shapes.ValidateDefinition, machines.validate),
    "StartExecution": Operation(shapes.StartExecution, executions.start),
    "StopExecution": Operation(shapes.StopExecution, executions.stop),
    "RedriveExecution": Operation(shapes.RedriveExecution, executions.redrive),
    "DescribeExecution": Operation(shapes.ExecutionAsked, descriptions.describe),
    "DescribeStateMachineForExecution": Operation(shapes.ExecutionAsked, executions.machine_of_execution),
    "GetExecutionHistory": Operation(shapes.HistoryAsked, histories.get),
    "DescribeMapRun": Operation(shapes.MapRunAsked, runs.describe),
    "ListMapRuns": Operation(shapes.ListMapRuns, runs.list_runs),
    "UpdateMapRun": Operation(shapes.UpdateMapRun, runs.update),
}
"""All but ListExecutions, which the site answers itself: it may have to ask every process."""

LIST_EXECUTIONS: Final = "ListExecutions"

NOT_YET: Final = frozenset(
    (
        "CreateActivity",
        "CreateStateMachineAlias",
        "DeleteActivity",
        "DeleteStateMachineAlias",
        "DeleteStateMachineVersion",
        "DescribeActivity",
        "DescribeStateMachineAlias",
        "GetActivityTask",
        "ListActivities",
        "PublishStateMachineVersion",
        "SendTaskFailure",
        "SendTaskHeartbeat",
        "SendTaskSuccess",
        "StartSyncExecution",
        "TagResource",
        "TestState",
        "UntagResource",
        "UpdateStateMachineAlias",
    )
)
"""Operations of AWS's that this version refuses by name."""


def decode(kind: type[shapes.Input], body: bytes) -> Any:
    """A request's members, checked. Raises Refusal (SerializationException, ValidationException)."""
    try:
        asked = msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("SerializationException", f"The request body can't be read: {error}") from None
    check(asked, kind.rules)
    return asked
