"""The API's outputs. A member that is None is absent; dates are epoch seconds."""

from typing import Any

import msgspec


class Output(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True):
    """An answer's body."""


class Included(Output, frozen=True, kw_only=True):
    """inputDetails and outputDetails."""

    included: bool


class BillingDetails(Output, frozen=True, kw_only=True):
    """What AWS would bill for an EXPRESS execution."""

    billed_memory_used_in_mb: int = msgspec.field(name="billedMemoryUsedInMB")
    billed_duration_in_milliseconds: int


class SyncExecution(Output, frozen=True, kw_only=True):
    """Output of StartSyncExecution."""

    execution_arn: str
    state_machine_arn: str
    name: str
    start_date: float
    stop_date: float
    status: str
    error: str | None = None
    cause: str | None = None
    input: str | None = None
    input_details: Included
    output: str | None = None
    output_details: Included | None = None
    trace_header: str | None = None
    billing_details: BillingDetails


class MachineItem(Output, frozen=True, kw_only=True):
    """One entry of ListStateMachines."""

    state_machine_arn: str
    name: str
    type: str
    creation_date: float


class MachineList(Output, frozen=True, kw_only=True):
    """Output of ListStateMachines."""

    state_machines: list[MachineItem]
    next_token: str | None = None


class MachineDescription(Output, frozen=True, kw_only=True):
    """Output of DescribeStateMachine."""

    state_machine_arn: str
    name: str
    status: str
    definition: str | None = None
    role_arn: str
    type: str
    creation_date: float
    logging_configuration: msgspec.Raw
    tracing_configuration: msgspec.Raw
    encryption_configuration: msgspec.Raw
    revision_id: str | None = None
    description: str | None = None


class MachineOfExecution(Output, frozen=True, kw_only=True):
    """Output of DescribeStateMachineForExecution."""

    state_machine_arn: str
    name: str
    definition: str | None = None
    role_arn: str
    update_date: float
    logging_configuration: msgspec.Raw
    tracing_configuration: msgspec.Raw
    encryption_configuration: msgspec.Raw
    map_run_arn: str | None = None
    label: str | None = None
    revision_id: str | None = None


class ExecutionItem(Output, frozen=True, kw_only=True):
    """One entry of ListExecutions."""

    execution_arn: str
    state_machine_arn: str
    name: str
    status: str
    start_date: float
    stop_date: float | None = None
    map_run_arn: str | None = None
    item_count: int | None = None
    state_machine_version_arn: str | None = None
    state_machine_alias_arn: str | None = None
    redrive_count: int | None = None
    redrive_date: float | None = None


class ExecutionList(Output, frozen=True, kw_only=True):
    """Output of ListExecutions."""

    executions: list[ExecutionItem]
    next_token: str | None = None


class ExecutionDescription(Output, frozen=True, kw_only=True):
    """Output of DescribeExecution."""

    execution_arn: str
    state_machine_arn: str
    name: str
    status: str
    start_date: float
    stop_date: float | None = None
    input: str | None = None
    input_details: Included | None = None
    output: str | None = None
    output_details: Included | None = None
    trace_header: str | None = None
    map_run_arn: str | None = None
    state_machine_version_arn: str | None = None
    state_machine_alias_arn: str | None = None
    error: str | None = None
    cause: str | None = None
    redrive_count: int | None = None
    redrive_date: float | None = None
    redrive_status: str | None = None
    redrive_status_reason: str | None = None


class History(Output, frozen=True, kw_only=True):
    """Output of GetExecutionHistory."""

    events: list[dict[str, Any]]
    next_token: str | None = None


class MapRunItem(Output, frozen=True, kw_only=True):
    """One entry of ListMapRuns."""

    execution_arn: str
    map_run_arn: str
    state_machine_arn: str
    start_date: float
    stop_date: float | None = None


class MapRunList(Output, frozen=True, kw_only=True):
    """Output of ListMapRuns."""

    map_runs: list[MapRunItem]
    next_token: str | None = None


class MapRunDescription(Output, frozen=True, kw_only=True):
    """Output of DescribeMapRun."""

    map_run_arn: str
    execution_arn: str
    status: str
    start_date: float
    stop_date: float | None = None
    max_concurrency: int
    tolerated_failure_percentage: float
    tolerated_failure_count: int
    item_counts: dict[str, int]
    execution_counts: dict[str, int]
    redrive_count: int
    redrive_date: float | None = None


class Nothing(Output, frozen=True, kw_only=True):
    """Output of operations that answer nothing."""


class Diagnostic(Output, frozen=True, kw_only=True):
    """One finding of ValidateStateMachineDefinition."""

    severity: str
    code: str
    message: str
    location: str | None = None


class Validation(Output, frozen=True, kw_only=True):
    """Output of ValidateStateMachineDefinition."""

    result: str
    diagnostics: list[Diagnostic]
    truncated: bool


class Tags(Output, frozen=True, kw_only=True):
    """Output of ListTagsForResource."""

    tags: msgspec.Raw


class ActivityItem(Output, frozen=True, kw_only=True):
    """One entry of ListActivities."""

    activity_arn: str
    name: str
    creation_date: float


class ActivityList(Output, frozen=True, kw_only=True):
    """Output of ListActivities."""

    activities: list[ActivityItem]
    next_token: str | None = None


class ActivityTask(Output, frozen=True, kw_only=True):
    """Output of GetActivityTask."""

    task_token: str
    input: str


class ActivityDescription(Output, frozen=True, kw_only=True):
    """Output of DescribeActivity."""

    activity_arn: str
    name: str
    creation_date: float
    encryption_configuration: msgspec.Raw


class VersionItem(Output, frozen=True, kw_only=True):
    """One entry of ListStateMachineVersions."""

    state_machine_version_arn: str
    creation_date: float


class Versions(Output, frozen=True, kw_only=True):
    """Output of ListStateMachineVersions."""

    state_machine_versions: list[VersionItem]
    next_token: str | None = None


class AliasItem(Output, frozen=True, kw_only=True):
    """One entry of ListStateMachineAliases."""

    state_machine_alias_arn: str
    creation_date: float


class Aliases(Output, frozen=True, kw_only=True):
    """Output of ListStateMachineAliases."""

    state_machine_aliases: list[AliasItem]
    next_token: str | None = None


class Route(Output, frozen=True, kw_only=True):
    """One version of an alias's routingConfiguration."""

    state_machine_version_arn: str
    weight: int


class AliasDescription(Output, frozen=True, kw_only=True):
    """Output of DescribeStateMachineAlias."""

    state_machine_alias_arn: str
    name: str
    description: str | None = None
    routing_configuration: list[Route]
    creation_date: float
    update_date: float
