"""The story of tests/clients/test_clients.py with boto3: python boto3_story.py NAME."""

import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/any"


def passes(v: int) -> str:
    """A definition whose execution puts out what version it is of."""
    return json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"v": v}, "End": True}}})


def last(arn: str) -> str:
    """The qualifier, or the name."""
    return arn.rpartition(":")[2]


def error_of(call: Callable[..., Any], **members: Any) -> str:
    """The error's name."""
    try:
        call(**members)
    except ClientError as error:
        return type(error).__name__
    return "none"


def ended(sfn: Any, arn: str) -> Any:
    """DescribeExecution once it is over."""
    while (found := sfn.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.05)
    return found


def told(sfn: Any, name: str) -> dict[str, object]:
    """All facts."""
    facts: dict[str, object] = {}
    made = sfn.create_state_machine(
        name=name,
        definition=passes(1),
        roleArn=ROLE,
        publish=True,
        versionDescription="first",
        tags=[{"key": "team", "value": "a"}],
        loggingConfiguration={"level": "OFF", "includeExecutionData": False},
    )
    machine = made["stateMachineArn"]
    changed = sfn.update_state_machine(stateMachineArn=machine, definition=passes(2), publish=True)
    facts["published"] = [last(made["stateMachineVersionArn"]), last(changed["stateMachineVersionArn"])]
    versions = sfn.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    facts["versions"] = [last(version["stateMachineVersionArn"]) for version in versions]
    first = sfn.describe_state_machine(stateMachineArn=f"{machine}:1")
    facts["description"], facts["logging"] = first["description"], first["loggingConfiguration"]["level"]

    route = [{"stateMachineVersionArn": f"{machine}:1", "weight": 100}]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=route)["stateMachineAliasArn"]
    started = sfn.start_execution(stateMachineArn=alias, name="one", input="{}")["executionArn"]
    found = ended(sfn, started)
    facts["output"] = found["output"]
    facts["ran"] = [last(found["stateMachineVersionArn"]), last(found["stateMachineAliasArn"])]
    facts["dates"] = isinstance(found["startDate"], dt.datetime) and found["stopDate"] >= found["startDate"]
    history = sfn.get_execution_history(executionArn=started)["events"]
    facts["events"] = [event["type"] for event in history]
    pages = sfn.get_paginator("list_executions").paginate(stateMachineArn=alias, PaginationConfig={"PageSize": 1})
    facts["listed"] = [row["name"] for page in pages for row in page["executions"]]

    facts["errors"] = [
        error_of(sfn.start_execution, stateMachineArn=machine, name="one", input="[]"),
        error_of(sfn.start_execution, stateMachineArn=f"{machine}:9"),
        error_of(sfn.delete_state_machine_version, stateMachineVersionArn=f"{machine}:1"),
        error_of(sfn.describe_state_machine_alias, stateMachineAliasArn=f"{machine}:none"),
        error_of(sfn.create_state_machine, name=name, definition="{}", roleArn=ROLE),
    ]

    sfn.tag_resource(resourceArn=machine, tags=[{"key": "owner", "value": "b"}])
    sfn.untag_resource(resourceArn=machine, tagKeys=["team"])
    facts["tags"] = {tag["key"]: tag["value"] for tag in sfn.list_tags_for_resource(resourceArn=machine)["tags"]}

    others(sfn, name, facts)
    sfn.delete_state_machine(stateMachineArn=machine)
    facts["deleted"] = error_of(sfn.describe_state_machine, stateMachineArn=f"{machine}:2")
    return facts


def others(sfn: Any, name: str, facts: dict[str, object]) -> None:
    """The facts of other machines, of an activity and of a state alone."""
    fail = json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Mine"}}})
    failing = sfn.create_state_machine(name=f"{name}-fails", definition=fail, roleArn=ROLE)["stateMachineArn"]
    failed = sfn.start_execution(stateMachineArn=failing)["executionArn"]
    facts["failed"] = ended(sfn, failed)["error"]
    sfn.redrive_execution(executionArn=failed)
    facts["redrives"] = ended(sfn, failed)["redriveCount"]

    wait = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
    waiting = sfn.create_state_machine(name=f"{name}-waits", definition=wait, roleArn=ROLE)["stateMachineArn"]
    stopped = sfn.start_execution(stateMachineArn=waiting)["executionArn"]
    sfn.stop_execution(executionArn=stopped, error="Mine", cause="enough")
    facts["stopped"] = ended(sfn, stopped)["status"]

    activity = sfn.create_activity(name=name)["activityArn"]
    facts["activity"] = sfn.describe_activity(activityArn=activity)["name"]
    sfn.delete_activity(activityArn=activity)

    state = json.dumps({"Type": "Pass", "End": True})
    facts["tested"] = sfn.test_state(definition=state, input='{"a":1}', roleArn=ROLE)["output"]

    fast = sfn.create_state_machine(
        name=f"{name}-sync", definition=passes(1), roleArn=ROLE, type="EXPRESS", publish=True
    )["stateMachineVersionArn"]
    synced = sfn.start_sync_execution(stateMachineArn=fast)
    facts["synced"] = [synced["status"], synced["output"]]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(told(boto3.client("stepfunctions"), sys.argv[1])) + "\n")
