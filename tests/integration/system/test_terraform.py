"""The calls that Terraform's AWS provider makes for its resources, in their order and with the members it reads.

As its source has them: what a resource sends when it is created, read, updated and destroyed, and what it waits for.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.system.running import PASS, ended, states
from tests.integration.system.stack import ACCOUNT, REGION, ROLE, Stack

pytestmark = pytest.mark.integration
BLOCKS: dict[str, Any] = {
    "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
    "tracingConfiguration": {"enabled": True},
}
MACHINE_MEMBERS = {
    "stateMachineArn",
    "creationDate",
    "definition",
    "name",
    "roleArn",
    "status",
    "type",
    *BLOCKS,
}


def gone(call: Callable[..., Any], code: str, **members: Any) -> bool:
    """True once a resource's read is answered with the error that means so."""
    try:
        call(**members)
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == code)
    return False


def waited(done: Callable[[], bool], seconds_max: float = 10.0) -> None:
    """What the provider waits for, in less time than it would."""
    deadline = time.monotonic() + seconds_max
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def tags_of(sfn: Any, arn: str) -> dict[str, str]:
    """The tags that a refresh reads."""
    return {tag["key"]: tag["value"] for tag in sfn.list_tags_for_resource(resourceArn=arn)["tags"]}


def refreshed(sfn: Any, arn: str) -> tuple[dict[str, Any], str]:
    """A read of `aws_sfn_state_machine`: the machine, and its newest version, "" without any."""
    machine = sfn.describe_state_machine(stateMachineArn=arn)
    assert set(machine) >= MACHINE_MEMBERS
    versions = sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    return machine, versions[0]["stateMachineVersionArn"] if versions else ""


def test_the_provider_asks_whose_account_it_is(stack: Stack) -> None:
    """STS's GetCallerIdentity, with the endpoint that the provider's block `endpoints` gives, which is the API's."""
    sts = boto3.client(
        "sts",
        endpoint_url=stack.api,
        region_name=REGION,
        aws_access_key_id="any",
        aws_secret_access_key="any",  # noqa: S106 - no key of anybody's
    )
    found = sts.get_caller_identity()
    assert (found["Account"], found["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")


def test_a_state_machine_is_planned_created_changed_and_destroyed(sfn: Any) -> None:
    """`aws_sfn_state_machine` with `publish`, every block and default tags."""
    definition, changed = states(**PASS), states(P={"Type": "Pass", "Result": 2, "End": True})
    assert sfn.validate_state_machine_definition(definition=definition, type="STANDARD")["result"] == "OK"
    arn = sfn.create_state_machine(
        name="terraformed",
        definition=definition,
        roleArn=ROLE,
        type="STANDARD",
        tags=[{"key": "team", "value": "a"}],
        publish=True,
        **BLOCKS,
    )["stateMachineArn"]
    machine, version = refreshed(sfn, arn)
    assert {name: machine[name] for name in BLOCKS} == BLOCKS
    assert (version, tags_of(sfn, arn)) == (f"{arn}:1", {"team": "a"})
    assert "description" not in machine

    updated = sfn.update_state_machine(
        stateMachineArn=arn,
        definition=changed,
        roleArn=ROLE,
        publish=True,
        versionDescription="second",
        loggingConfiguration=BLOCKS["loggingConfiguration"],
        tracingConfiguration={"enabled": False},
        encryptionConfiguration=BLOCKS["encryptionConfiguration"],
    )

    def applied() -> bool:
        found = sfn.describe_state_machine(stateMachineArn=arn)
        same = json.loads(found["definition"]) == json.loads(changed)
        return same and found["roleArn"] == ROLE and not found["tracingConfiguration"]["enabled"]

    waited(applied)
    machine, version = refreshed(sfn, arn)
    assert (version, machine["revisionId"]) == (f"{arn}:2", updated["revisionId"])
    assert sfn.describe_state_machine(stateMachineArn=version)["description"] == "second"

    sfn.untag_resource(resourceArn=arn, tagKeys=["team"])
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "owner", "value": "b"}])
    assert tags_of(sfn, arn) == {"owner": "b"}
    again, _ = refreshed(sfn, arn)
    assert again["revisionId"] == machine["revisionId"], "a change of tags is none of the machine"

    sfn.delete_state_machine(stateMachineArn=arn)
    waited(lambda: gone(sfn.describe_state_machine, "StateMachineDoesNotExist", stateMachineArn=arn))
    sfn.create_state_machine(name="terraformed", definition=definition, roleArn=ROLE)
    assert refreshed(sfn, arn)[1] == ""


def test_an_alias_is_created_moved_and_destroyed(sfn: Any) -> None:
    """`aws_sfn_alias`: traffic moves from one version to another, and the name leads to what runs."""
    arn = sfn.create_state_machine(name="aliased", definition=states(**PASS), roleArn=ROLE, publish=True)[
        "stateMachineArn"
    ]
    other = states(P={"Type": "Pass", "Result": 2, "End": True})
    second = sfn.update_state_machine(stateMachineArn=arn, definition=other, publish=True)["stateMachineVersionArn"]
    route = {"stateMachineVersionArn": f"{arn}:1", "weight": 100}
    alias = sfn.create_state_machine_alias(name="prod", description="p", routingConfiguration=[route])[
        "stateMachineAliasArn"
    ]
    read = sfn.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert {name: read[name] for name in ("stateMachineAliasArn", "name", "description", "routingConfiguration")} == {
        "stateMachineAliasArn": alias,
        "name": "prod",
        "description": "p",
        "routingConfiguration": [route],
    }
    assert read["creationDate"]
    for routes in ([{**route, "weight": 40}, {"stateMachineVersionArn": second, "weight": 60}], [{**route}]):
        sfn.update_state_machine_alias(stateMachineAliasArn=alias, description="q", routingConfiguration=routes)
        read = sfn.describe_state_machine_alias(stateMachineAliasArn=alias)
        assert (read["description"], read["routingConfiguration"]) == ("q", routes)
    [listed] = sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]
    assert listed["stateMachineAliasArn"] == alias
    execution = sfn.start_execution(stateMachineArn=alias)["executionArn"]
    assert ended(sfn, execution)["stateMachineVersionArn"] == f"{arn}:1"
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
    assert gone(sfn.describe_state_machine_alias, "ResourceNotFound", stateMachineAliasArn=alias)
    sfn.delete_state_machine(stateMachineArn=arn)


def test_an_activity_is_created_read_and_destroyed(sfn: Any) -> None:
    """`aws_sfn_activity`: the provider takes an answer without a creation date for an empty one."""
    made = sfn.create_activity(
        name="terraformed",
        tags=[{"key": "team", "value": "a"}],
        encryptionConfiguration={"type": "AWS_OWNED_KEY"},
    )
    arn = made["activityArn"]
    read = sfn.describe_activity(activityArn=arn)
    assert (read["name"], read["creationDate"], read["encryptionConfiguration"]) == (
        "terraformed",
        made["creationDate"],
        {"type": "AWS_OWNED_KEY"},
    )
    assert tags_of(sfn, arn) == {"team": "a"}
    sfn.delete_activity(activityArn=arn)
    assert gone(sfn.describe_activity, "ActivityDoesNotExist", activityArn=arn)


def test_data_sources_look_by_name(sfn: Any) -> None:
    """They page through the lists until the name is there, then describe what they found."""
    made = {
        "state_machines": sfn.create_state_machine(name="looked-up", definition=states(**PASS), roleArn=ROLE)[
            "stateMachineArn"
        ],
        "activities": sfn.create_activity(name="looked-up")["activityArn"],
    }
    for listed, member in (("state_machines", "stateMachines"), ("activities", "activities")):
        pages = sfn.get_paginator(f"list_{listed}").paginate(PaginationConfig={"PageSize": 2})
        found = [row for page in pages for row in page[member] if row["name"] == "looked-up"]
        assert [next(value for name, value in row.items() if name.endswith("Arn")) for row in found] == [made[listed]]
