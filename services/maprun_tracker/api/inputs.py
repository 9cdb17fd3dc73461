"""The API's inputs, with the rules of their members. A member that is None, or null on the wire, is absent."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from maprun.statetest import Configuration, Mock
from services.maprun_tracker.api import configurations
from services.maprun_tracker.api.rules import Choice, Each, Members, Number, Rule, Text

ARN = Text(1, 256, required=True)
LONG_ARN = Text(1, 2000, required=True)
TOKEN = Text(1, 1024)
TASK_TOKEN = Text(1, 2048, required=True)
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

VERSION_DESCRIPTION = Text(0, 256, secret=True)
TAG_KEY = Text(1, 128, required=True)
TEXT = Text(0, 262_144, secret=True)
"""JSON of a test, or what an ItemReader finds."""


class Tag(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One tag of a request."""

    key: str | None = None
    value: str | None = None


TAGS = Each(Members({"key": TAG_KEY, "value": Text(0, 256)}))


class Input(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A request's body. Members that are not named here are passed over, as AWS does."""

    rules: ClassVar[Mapping[str, Rule]] = {}


class CreateStateMachine(Input, frozen=True, kw_only=True):
    """Input of CreateStateMachine."""

    rules = {
        "name": NAME,
        "definition": DEFINITION,
        "role_arn": ARN,
        "type": MACHINE_TYPE,
        "version_description": VERSION_DESCRIPTION,
        "tags": TAGS,
        **configurations.RULES,
    }
    name: str | None = None
    definition: str | None = None
    role_arn: str | None = None
    type: str | None = None
    logging_configuration: configurations.Logging | None = None
    tracing_configuration: configurations.Tracing | None = None
    encryption_configuration: configurations.Encryption | None = None
    tags: list[Tag] | None = None
    publish: bool | None = None
    version_description: str | None = None


class UpdateStateMachine(Input, frozen=True, kw_only=True):
    """Input of UpdateStateMachine."""

    rules = {
        "state_machine_arn": ARN,
        "definition": DEFINITION_OPTIONAL,
        "role_arn": ROLE_OPTIONAL,
        "version_description": VERSION_DESCRIPTION,
        **configurations.RULES,
    }
    state_machine_arn: str | None = None
    definition: str | None = None
    role_arn: str | None = None
    logging_configuration: configurations.Logging | None = None
    tracing_configuration: configurations.Tracing | None = None
    encryption_configuration: configurations.Encryption | None = None
    publish: bool | None = None
    version_description: str | None = None


class CreateActivity(Input, frozen=True, kw_only=True):
    """Input of CreateActivity."""

    rules = {
        "name": NAME,
        "tags": TAGS,
        "encryption_configuration": configurations.RULES["encryption_configuration"],
    }
    name: str | None = None
    tags: list[Tag] | None = None
    encryption_configuration: configurations.Encryption | None = None


class ActivityAsked(Input, frozen=True, kw_only=True):
    """Input of DescribeActivity and DeleteActivity."""

    rules = {"activity_arn": ARN}
    activity_arn: str | None = None


class GetActivityTask(Input, frozen=True, kw_only=True):
    """Input of GetActivityTask."""

    rules = {"activity_arn": ARN, "worker_name": Text(1, 80)}
    activity_arn: str | None = None
    worker_name: str | None = None


class MachineAsked(Input, frozen=True, kw_only=True):
    """Input of DescribeStateMachine and DeleteStateMachine."""

    rules = {"state_machine_arn": ARN, "included_data": INCLUDED}
    state_machine_arn: str | None = None
    included_data: str | None = None


class Page(Input, frozen=True, kw_only=True):
    """Input of ListStateMachines and ListActivities."""

    rules = {"max_results": PAGE, "next_token": TOKEN}
    max_results: int | None = None
    next_token: str | None = None


class MachinePage(Input, frozen=True, kw_only=True):
    """Input of ListStateMachineVersions and ListStateMachineAliases."""

    rules = {"state_machine_arn": ARN, "max_results": PAGE, "next_token": TOKEN}
    state_machine_arn: str | None = None
    max_results: int | None = None
    next_token: str | None = None


class PublishVersion(Input, frozen=True, kw_only=True):
    """Input of PublishStateMachineVersion."""

    rules = {"state_machine_arn": ARN, "description": VERSION_DESCRIPTION}
    state_machine_arn: str | None = None
    revision_id: str | None = None
    description: str | None = None


class VersionAsked(Input, frozen=True, kw_only=True):
    """Input of DeleteStateMachineVersion."""

    rules = {"state_machine_version_arn": LONG_ARN}
    state_machine_version_arn: str | None = None


class Route(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One version of an alias's routingConfiguration."""

    state_machine_version_arn: str | None = None
    weight: int | None = None


ROUTES = Each(Members({"state_machine_version_arn": ARN, "weight": Number(0, 100, required=True)}))
ALIAS_DESCRIPTION = Text(0, 256, secret=True)


class CreateAlias(Input, frozen=True, kw_only=True):
    """Input of CreateStateMachineAlias."""

    rules = {
        "name": Text(1, 80, required=True, pattern=r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"),
        "description": ALIAS_DESCRIPTION,
        "routing_configuration": msgspec.structs.replace(ROUTES, required=True),
    }
    name: str | None = None
    description: str | None = None
    routing_configuration: list[Route] | None = None


class UpdateAlias(Input, frozen=True, kw_only=True):
    """Input of UpdateStateMachineAlias."""

    rules = {"state_machine_alias_arn": ARN, "description": ALIAS_DESCRIPTION, "routing_configuration": ROUTES}
    state_machine_alias_arn: str | None = None
    description: str | None = None
    routing_configuration: list[Route] | None = None


class AliasAsked(Input, frozen=True, kw_only=True):
    """Input of DescribeStateMachineAlias and DeleteStateMachineAlias."""

    rules = {"state_machine_alias_arn": ARN}
    state_machine_alias_arn: str | None = None


class ResourceAsked(Input, frozen=True, kw_only=True):
    """Input of ListTagsForResource."""

    rules = {"resource_arn": ARN}
    resource_arn: str | None = None


class TagResource(Input, frozen=True, kw_only=True):
    """Input of TagResource."""

    rules = {"resource_arn": ARN, "tags": msgspec.structs.replace(TAGS, required=True)}
    resource_arn: str | None = None
    tags: list[Tag] | None = None


class UntagResource(Input, frozen=True, kw_only=True):
    """Input of UntagResource."""

    rules = {"resource_arn": ARN, "tag_keys": Each(TAG_KEY, required=True)}
    resource_arn: str | None = None
    tag_keys: list[str] | None = None


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


class TestState(Input, frozen=True, kw_only=True):
    """Input of TestState."""

    rules = {
        "definition": DEFINITION,
        "role_arn": ROLE_OPTIONAL,
        "input": TEXT,
        "inspection_level": Choice(("INFO", "DEBUG", "TRACE")),
        "variables": TEXT,
        "state_name": Text(1, 80, secret=True),
        "mock": Members(
            {
                "result": TEXT,
                "error_output": Members(
                    {"error": Text(0, 256, required=True, secret=True), "cause": Text(0, 32_768, secret=True)}
                ),
                "field_validation_mode": Choice(("STRICT", "PRESENT", "NONE")),
            }
        ),
        "context": TEXT,
        "state_configuration": Members(
            {
                "retrier_retry_count": Number(0, INTEGER_MAX),
                "error_caused_by_state": Text(1, 80, secret=True),
                "map_iteration_failure_count": Number(0, INTEGER_MAX),
                "map_item_reader_data": TEXT,
            }
        ),
    }
    definition: str | None = None
    role_arn: str | None = None
    input: str | None = None
    inspection_level: str | None = None
    reveal_secrets: bool | None = None
    variables: str | None = None
    state_name: str | None = None
    mock: Mock | None = None
    context: str | None = None
    state_configuration: Configuration | None = None


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


class TaskSuccess(Input, frozen=True, kw_only=True):
    """Input of SendTaskSuccess."""

    rules = {"task_token": TASK_TOKEN, "output": Text(0, LONG_MAX, required=True, secret=True)}
    task_token: str | None = None
    output: str | None = None


class TaskFailure(Input, frozen=True, kw_only=True):
    """Input of SendTaskFailure."""

    rules = {
        "task_token": TASK_TOKEN,
        "error": Text(0, 256, secret=True),
        "cause": Text(0, 32_768, secret=True),
    }
    task_token: str | None = None
    error: str | None = None
    cause: str | None = None


class TaskHeartbeat(Input, frozen=True, kw_only=True):
    """Input of SendTaskHeartbeat."""

    rules = {"task_token": TASK_TOKEN}
    task_token: str | None = None


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
