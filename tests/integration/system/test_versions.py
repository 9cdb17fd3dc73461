"""Versions and aliases with unmodified boto3: as AWS was seen to answer, member by member."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.system.running import PASS, ended, states
from tests.integration.system.stack import ROLE, Stack
from tests.integration.system.test_api import error_of

pytestmark = pytest.mark.integration


def definition(comment: str) -> str:
    """A definition that differs by its comment, and puts it out."""
    return states(P={"Type": "Pass", "Result": comment, "End": True})


def members(answer: Any) -> dict[str, Any]:
    """An answer without what boto3 adds."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def pages(call: Callable[..., Any], listed: str, size: int, **query: Any) -> list[str]:
    """The ARNs of a list that boto3 has no paginator for."""
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = call(maxResults=size, **query, **token)
        assert len(page[listed]) <= size
        found += [item[next(name for name in item if name.endswith("Arn"))] for item in page[listed]]
        if "nextToken" not in page:
            return found
        token = {"nextToken": page["nextToken"]}


@pytest.fixture(scope="module")
def published(sfn: Any) -> str:
    """A machine with the versions 1, 2 and 3; the last one is what it is now."""
    arn: str = sfn.create_state_machine(
        name="versioned", definition=definition("one"), roleArn=ROLE, publish=True, versionDescription="the first"
    )["stateMachineArn"]
    for comment in ("two", "three"):
        sfn.update_state_machine(stateMachineArn=arn, definition=definition(comment), publish=True)
    return arn


def test_what_is_published_is_described_and_listed(sfn: Any, published: str) -> None:
    """Newest first, page by page; a version has the definition, the date and the description of its publication."""
    assert pages(sfn.list_state_machine_versions, "stateMachineVersions", 2, stateMachineArn=published) == [
        f"{published}:{number}" for number in (3, 2, 1)
    ]
    first = members(sfn.describe_state_machine(stateMachineArn=f"{published}:1"))
    assert (first["stateMachineArn"], first["name"]) == (f"{published}:1", "versioned")
    assert json.loads(first["definition"]) == json.loads(definition("one"))
    assert (first["description"], "revisionId" in first) == ("the first", False)
    second = members(sfn.describe_state_machine(stateMachineArn=f"{published}:2"))
    assert ("description" in second, "revisionId" in second) == (False, True)
    now = members(sfn.describe_state_machine(stateMachineArn=published))
    assert "description" not in now
    newest = sfn.describe_state_machine(stateMachineArn=f"{published}:3")
    assert newest["revisionId"] == now["revisionId"] != second["revisionId"]


def test_publishing_again_is_the_same_version(sfn: Any, published: str) -> None:
    """Another revision than the present one is a conflict, and so is that of a machine that was never updated."""
    newest = sfn.publish_state_machine_version(stateMachineArn=published)
    assert newest["stateMachineVersionArn"] == f"{published}:3"
    revision = sfn.describe_state_machine(stateMachineArn=published)["revisionId"]
    assert members(sfn.publish_state_machine_version(stateMachineArn=published, revisionId=revision)) == members(newest)
    same = members(sfn.update_state_machine(stateMachineArn=published, definition=definition("three"), publish=True))
    assert (same["stateMachineVersionArn"], same["revisionId"]) == (f"{published}:3", revision)
    assert error_of(sfn.publish_state_machine_version, stateMachineArn=published, revisionId="INITIAL") == (
        "ConflictException",
        (
            "Failed to publish the State Machine version for revision INITIAL. "
            f"The current State Machine revision is {revision}."
        ),
    )


def test_an_execution_says_by_which_version_and_alias_it_was_started(sfn: Any, published: str) -> None:
    """It is the machine's in any case, and is listed by what it was started by."""
    made = sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{published}:2", "weight": 100}]
    )
    alias = made["stateMachineAliasArn"]
    assert alias == f"{published}:live"
    expected = {
        published: ("three", None, None),
        f"{published}:1": ("one", f"{published}:1", None),
        alias: ("two", f"{published}:2", alias),
    }
    ran: dict[str, str] = {}
    for arn, (output, version, by) in expected.items():
        execution = ran[arn] = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        found = ended(sfn, execution)
        assert json.loads(found["output"]) == output
        assert found["stateMachineArn"] == published
        assert (found.get("stateMachineVersionArn"), found.get("stateMachineAliasArn")) == (version, by)
        started = sfn.get_execution_history(executionArn=execution, maxResults=1)["events"][0]
        details = started["executionStartedEventDetails"]
        assert (details.get("stateMachineVersionArn"), details.get("stateMachineAliasArn")) == (version, by)
        machine = sfn.describe_state_machine_for_execution(executionArn=execution)
        assert machine["stateMachineArn"] == published
        assert json.loads(machine["definition"]) == json.loads(definition(output))
    listed = {arn: sfn.list_executions(stateMachineArn=arn)["executions"] for arn in (*expected, f"{published}:2")}
    assert [row["executionArn"] for row in listed[published]] == [*reversed(ran.values())]
    for arn in (f"{published}:1", alias):
        assert [row["executionArn"] for row in listed[arn]] == [ran[arn]]
    [row] = listed[f"{published}:2"]
    assert (row["stateMachineVersionArn"], row["stateMachineAliasArn"]) == (f"{published}:2", alias)
    assert error_of(sfn.list_executions, stateMachineArn=f"{published}:9")[0] == "StateMachineDoesNotExist"
    for missing in (f"{published}:9", f"{published}:none"):
        assert error_of(sfn.start_execution, stateMachineArn=missing) == (
            "StateMachineDoesNotExist",
            f"State Machine Does Not Exist: '{missing}'",
        )


def test_an_alias_of_two_versions_shares_out_executions(sfn: Any) -> None:
    """By their weights; the same execution asked for again is the same one."""
    arn = sfn.create_state_machine(name="shared", definition=definition("a"), roleArn=ROLE, publish=True)[
        "stateMachineArn"
    ]
    sfn.update_state_machine(stateMachineArn=arn, definition=definition("b"), publish=True)
    routes = [
        {"stateMachineVersionArn": f"{arn}:1", "weight": 30},
        {"stateMachineVersionArn": f"{arn}:2", "weight": 70},
    ]
    alias = sfn.create_state_machine_alias(name="both", routingConfiguration=routes)["stateMachineAliasArn"]
    for number in range(60):
        sfn.start_execution(stateMachineArn=alias, name=f"n{number}")
    by_version = [len(sfn.list_executions(stateMachineArn=f"{arn}:{number}")["executions"]) for number in (1, 2)]
    assert sum(by_version) == len(sfn.list_executions(stateMachineArn=alias)["executions"]) == 60
    assert 5 <= by_version[0] <= 33


def test_an_alias_from_create_to_delete(sfn: Any, published: str) -> None:
    """As AWS was seen to answer; the update's date moves with a change alone."""
    route = {"stateMachineVersionArn": f"{published}:1", "weight": 100}
    made = members(sfn.create_state_machine_alias(name="a.b-c_1", description="d", routingConfiguration=[route]))
    arn = made["stateMachineAliasArn"]
    again = members(sfn.create_state_machine_alias(name="a.b-c_1", description="d", routingConfiguration=[route]))
    assert again == made
    assert error_of(sfn.create_state_machine_alias, name="a.b-c_1", routingConfiguration=[route]) == (
        "ConflictException",
        (
            "Failed to create alias because an alias with the same name and a different routing configuration "
            "already exists."
        ),
    )
    described = members(sfn.describe_state_machine_alias(stateMachineAliasArn=arn))
    assert described == {
        "stateMachineAliasArn": arn,
        "name": "a.b-c_1",
        "description": "d",
        "routingConfiguration": [route],
        "creationDate": made["creationDate"],
        "updateDate": made["creationDate"],
    }
    updated = sfn.update_state_machine_alias(stateMachineAliasArn=arn, description="new")
    described = members(sfn.describe_state_machine_alias(stateMachineAliasArn=arn))
    assert (described["description"], described["updateDate"]) == ("new", updated["updateDate"])
    assert error_of(sfn.delete_state_machine_version, stateMachineVersionArn=f"{published}:1") == (
        "ConflictException",
        (
            "Version to be deleted must not be referenced by an alias. "
            "Current list of aliases referencing this version: [a.b-c_1]"
        ),
    )
    of_version = sfn.list_state_machine_aliases(stateMachineArn=f"{published}:1")["stateMachineAliases"]
    assert [item["stateMachineAliasArn"] for item in of_version] == [arn]
    for _ in range(2):  # AWS is silent when there is nothing to delete
        assert members(sfn.delete_state_machine_alias(stateMachineAliasArn=arn)) == {}
    missing = ("ResourceNotFound", "Request references a resource that does not exist.")
    assert error_of(sfn.describe_state_machine_alias, stateMachineAliasArn=arn) == missing
    assert error_of(sfn.update_state_machine_alias, stateMachineAliasArn=arn, description="x") == missing


def test_aliases_are_listed_page_by_page(sfn: Any) -> None:
    """In the order they were created, as AWS was seen to list them; of another machine's token nothing comes."""
    arn = sfn.create_state_machine(name="named", definition=definition("n"), roleArn=ROLE, publish=True)[
        "stateMachineArn"
    ]
    route = [{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    names = ["z", "y", "x", "w", "v"]
    for name in names:
        sfn.create_state_machine_alias(name=name, routingConfiguration=route)
    found = pages(sfn.list_state_machine_aliases, "stateMachineAliases", 2, stateMachineArn=arn)
    assert found == [f"{arn}:{name}" for name in names]
    token = sfn.list_state_machine_aliases(stateMachineArn=arn, maxResults=1)["nextToken"]
    refused = ("InvalidToken", "Invalid Token: 'Invalid token'")
    assert error_of(sfn.list_state_machine_aliases, stateMachineArn=f"{arn}:1", nextToken=token) == refused
    assert error_of(sfn.list_state_machine_versions, stateMachineArn=arn, nextToken=token) == refused


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ([("{0}", 100)], "Routing configuration must contain state machine version ARNs. Received: [{0}]"),
        ([("{0}:1", 70), ("{0}:2", 29)], "Sum of routing configuration weights must equal 100. Received: [70, 29]"),
        (
            [("{0}:1", 50), ("{0}:1", 50)],
            "Routing configuration must contain distinct state machine version ARNs. Received: [{0}:1, {0}:1]",
        ),
        (
            [("{0}:1", 101)],
            (
                "1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy "
                "constraint: Member must have value less than or equal to 100"
            ),
        ),
        (
            [("{0}:1", 50), ("{0}:2", 30), ("{0}:3", 20)],
            (
                "1 validation error detected: Value '[RoutingConfigurationListItem(stateMachineVersionArn={0}:1, "
                "weight=50), RoutingConfigurationListItem(stateMachineVersionArn={0}:2, weight=30), "
                "RoutingConfigurationListItem(stateMachineVersionArn={0}:3, weight=20)]' at 'routingConfiguration' "
                "failed to satisfy constraint: Member must have length less than or equal to 2"
            ),
        ),
    ],
)
def test_routes_that_are_refused(sfn: Any, published: str, routes: list[tuple[str, int]], message: str) -> None:
    """In AWS's words."""
    configuration = [{"stateMachineVersionArn": arn.format(published), "weight": weight} for arn, weight in routes]
    assert error_of(sfn.create_state_machine_alias, name="bad", routingConfiguration=configuration) == (
        "ValidationException",
        message.format(published),
    )


@pytest.mark.parametrize("name", ["123", "INVALID ALIAS", "!INVALID", "ALIAS@", "A" * 81])
def test_names_that_no_alias_may_have(sfn: Any, published: str, name: str) -> None:
    """AWS's pattern: a number alone would be a version."""
    route = [{"stateMachineVersionArn": f"{published}:1", "weight": 100}]
    code, message = error_of(sfn.create_state_machine_alias, name=name, routingConfiguration=route)
    assert code == "ValidationException"
    constraint = (
        "Member must have length less than or equal to 80"
        if len(name) > 80
        else r"Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"
    )
    assert (
        message == f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: {constraint}"
    )


def test_arns_of_versions_and_aliases_where_a_machine_is_asked_for(sfn: Any, published: str) -> None:
    """An update finds no such machine, as on AWS; a deletion and tags are refused, nothing is changed."""
    version = f"{published}:1"
    missing = ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{version}'")
    assert error_of(sfn.update_state_machine, stateMachineArn=version, definition=definition("x")) == missing
    assert error_of(sfn.publish_state_machine_version, stateMachineArn=version) == missing
    assert error_of(sfn.delete_state_machine, stateMachineArn=version)[0] == "ValidationException"
    found = error_of(sfn.tag_resource, resourceArn=version, tags=[{"key": "a", "value": "b"}])
    assert found == ("ResourceNotFound", f"Resource not found: '{version}'")
    assert error_of(sfn.list_tags_for_resource, resourceArn=version)[0] == "ResourceNotFound"
    assert error_of(sfn.delete_state_machine_version, stateMachineVersionArn=published)[0] == "ValidationException"
    assert error_of(sfn.publish_state_machine_version, stateMachineArn="invalid_arn") == (
        "InvalidArn",
        "Invalid Arn: 'Invalid ARN prefix: invalid_arn'",
    )
    assert error_of(
        sfn.create_state_machine, name="described", definition=states(**PASS), roleArn=ROLE, versionDescription="d"
    ) == ("ValidationException", "Version description can only be set when publish is true")


def test_an_express_version_is_run_and_waited_for(stack: Stack, sfn: Any) -> None:
    """By its own ARN or by an alias; the machine itself has become another one."""
    arn = sfn.create_state_machine(
        name="fast", definition=definition("one"), roleArn=ROLE, type="EXPRESS", publish=True
    )["stateMachineArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=definition("now"))
    route = {"stateMachineVersionArn": f"{arn}:1", "weight": 100}
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=[route])["stateMachineAliasArn"]
    sync = stack.client("stepfunctions", inject_host_prefix=False)
    outputs = [
        json.loads(sync.start_sync_execution(stateMachineArn=each)["output"]) for each in (arn, f"{arn}:1", alias)
    ]
    assert outputs == ["now", "one", "one"]
    assert error_of(sync.start_sync_execution, stateMachineArn=f"{arn}:2")[0] == "StateMachineDoesNotExist"


def test_a_deleted_version_is_gone_and_its_number_with_it(sfn: Any) -> None:
    """Deleting it again is silent; published again, the same revision has the next number."""
    arn = sfn.create_state_machine(name="numbered", definition=definition("n"), roleArn=ROLE, publish=True)[
        "stateMachineArn"
    ]
    for _ in range(2):
        assert members(sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")) == {}
    assert sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"] == []
    assert error_of(sfn.describe_state_machine, stateMachineArn=f"{arn}:1")[0] == "StateMachineDoesNotExist"
    assert sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == f"{arn}:2"
    assert [row["stateMachineArn"] for row in sfn.list_state_machines()["stateMachines"]].count(arn) == 1
    sfn.delete_state_machine(stateMachineArn=arn)
    assert error_of(sfn.describe_state_machine, stateMachineArn=f"{arn}:2")[0] == "StateMachineDoesNotExist"
