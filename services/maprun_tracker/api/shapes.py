"""The API's inputs and outputs. A member that is None is absent; dates are epoch seconds."""

from typing import Any, ClassVar

import msgspec

from services.maprun_tracker.api.rules import Choice, Number, Rule, Text

ARN = Text(1, 256, required=True)
LONG_ARN = Text(1, 2000, required=True)
TOKEN = Text(1, 1024)
LIST_EXECUTIONS_TOKEN = Text(1, 3096)
PAGE = Number(0, 1000)
NAME = Text(1, 80, required=True)
MACHINE_TYPE = Choice(("STANDARD", "EXPRESS"))
INCLUDED = Choice(("ALL_DATA", "METADATA_ONLY"))
EXECUTION_STATUS = Choice(("SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"))
DEFINITION = Text(1, 1_048_576, required=True, secret=True)
DEFINITION_OPTIONAL = Text(1, 1_048_576, secret=True)
ROLE_OPTIONAL = Text(1, 256)
INTEGER_MAX, LONG_MAX = (1 << 31) - 1, (1 << 63) - 1

_RAW = msgspec.Raw()


class Input(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A request's body. Members that are not named here are passed over, as AWS does."""

    rules: ClassVar[dict[str, Rule]] = {}


class CreateStateMachine(Input, frozen=True, kw_only=True):
    """Input of CreateStateMachine."""

    rules = {
        "name": NAME,
        "definition": DEFINITION,
        "role_arn": ARN,
        "type": MACHINE_TYPE,
        "version_description": Text(0, 256),
    }
    name: str | None = None
    definition: str | None = None
    role_arn: str | None = None
    type: str | None = None
    logging_configuration: msgspec.Raw = _RAW
    tracing_configuration: msgspec.Raw = _RAW
    encryption_configuration: msgspec.Raw = _RAW
    tags: msgspec.Raw = _RAW
    publish: bool | None = None
    version_description: str | None = None


class UpdateStateMachine(Input, frozen=True, kw_only=True):
    """Input of UpdateStateMachine."""

    rules = {"state_machine_arn": ARN, "definition": DEFINITION_OPTIONAL, "role_arn": ROLE_OPTIONAL}
    state_machine_arn: str | None = None
    definition: str | None = None
    role_arn: str | None = None
    logging_configuration: msgspec.Raw = _RAW
    tracing_configuration: msgspec.Raw = _RAW
    encryption_configuration: msgspec.Raw = _RAW
    publish: bool | None = None
    version_description: str | None = None


class MachineAsked(Input, frozen=True, kw_only=True):
    """Input of DescribeStateMachine and DeleteStateMachine."""

    rules = {"state_machine_arn": ARN, "included_data": INCLUDED}
    state_machine_arn: str | None = None
    included_data: str | None = None


class Page(Input, frozen=True, kw_only=True):
    """Input of ListStateMachines."""

    rules = {"max_results": PAGE, "next_token": TOKEN}
    max_results: int | None = None
    next_token: str | None = None


class MachinePage(Input, frozen=True, kw_only=True):
    """Input of ListStateMachineVersions and ListStateMachineAliases."""

    rules = {"state_machine_arn": ARN, "max_results": PAGE, "next_token": TOKEN}
    state_machine_arn: str | None = None
    max_results: int | None = None
    next_token: str | None = None


class ResourceAsked(Input, frozen=True, kw_only=True):
    """Input of ListTagsForResource."""

    rules = {"resource_arn": ARN}
    resource_arn: str | None = None


class ValidateDefinition(Input, frozen=True, kw_only=True):
    """Input of ValidateStateMachineDefinition."""

    rules = {
        "definition": DEFINITION,
        "type": MACHINE_TYPE,
        "severity": Choice(("ERROR", "WARNING")),
        "max_results": Number(0, 100),
    }
    definition: str | None = None
    type: str | None = None
    severity: str | None = None
    max_results: int | None = None


class StartExecution(Input, frozen=True, kw_only=True):
    """Input of StartExecution; its members are judged by maprun.mapruns.requests."""

    rules = {"state_machine_arn": ARN, "name": Text(1, 80), "trace_header": Text(0, 256)}
    state_machine_arn: str | None = None
    name: str | None = None
    input: str | None = None
    trace_header: str | None = None


class StopExecution(Input, frozen=True, kw_only=True):
    """Input of StopExecution."""

    rules = {"execution_arn": ARN, "error": Text(0, 256, secret=True), "cause": Text(0, 32_768, secret=True)}
    execution_arn: str | None = None
    error: str | None = None
    cause: str | None = None


class RedriveExecution(Input, frozen=True, kw_only=True):
    """Input of RedriveExecution."""

    rules = {"execution_arn": ARN, "client_token": Text(1, 64, pattern="[!-~]+")}
    execution_arn: str | None = None
    client_token: str | None = None


class ExecutionAsked(Input, frozen=True, kw_only=True):
    """Input of DescribeExecution and DescribeStateMachineForExecution."""

    rules = {"execution_arn": ARN, "included_data": INCLUDED}
    execution_arn: str | None = None
    included_data: str | None = None


class ListExecutions(Input, frozen=True, kw_only=True):
    """Input of ListExecutions."""

    rules = {
        "state_machine_arn": Text(1, 256),
        "map_run_arn": Text(1, 2000),
        "status_filter": EXECUTION_STATUS,
        "redrive_filter": Choice(("REDRIVEN", "NOT_REDRIVEN")),
        "max_results": PAGE,
        "next_token": LIST_EXECUTIONS_TOKEN,
    }
    state_machine_arn: str | None = None
    map_run_arn: str | None = None
    status_filter: str | None = None
    redrive_filter: str | None = None
    max_results: int | None = None
    next_token: str | None = None


class HistoryAsked(Input, frozen=True, kw_only=True):
    """Input of GetExecutionHistory."""

    rules = {"execution_arn": ARN, "max_results": PAGE, "next_token": TOKEN}
    execution_arn: str | None = None
    max_results: int | None = None
    next_token: str | None = None
    reverse_order: bool | None = None
    include_execution_data: bool | None = None


class ListMapRuns(Input, frozen=True, kw_only=True):
    """Input of ListMapRuns."""

    rules = {"execution_arn": ARN, "max_results": PAGE, "next_token": TOKEN}
    execution_arn: str | None = None
    max_results: int | None = None
    next_token: str | None = None


class MapRunAsked(Input, frozen=True, kw_only=True):
    """Input of DescribeMapRun."""

    rules = {"map_run_arn": LONG_ARN}
    map_run_arn: str | None = None


class UpdateMapRun(Input, frozen=True, kw_only=True):
    """Input of UpdateMapRun."""

    rules = {
        "map_run_arn": LONG_ARN,
        "max_concurrency": Number(0, INTEGER_MAX),
        "tolerated_failure_percentage": Number(0, 100),
        "tolerated_failure_count": Number(0, LONG_MAX),
    }
    map_run_arn: str | None = None
    max_concurrency: int | None = None
    tolerated_failure_percentage: float | None = None
    tolerated_failure_count: int | None = None


class Output(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True):
    """An answer's body."""


class Included(Output, frozen=True, kw_only=True):
    """inputDetails and outputDetails."""

    included: bool


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


class Versions(Output, frozen=True, kw_only=True):
    """Output of ListStateMachineVersions."""

    state_machine_versions: list[str]


class Aliases(Output, frozen=True, kw_only=True):
    """Output of ListStateMachineAliases."""

    state_machine_aliases: list[str]
