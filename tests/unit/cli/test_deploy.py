"""`maprun deploy` of templates, against an API that answers from a table."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.fake_api import Answer, FakeApi, Json
from tests.unit.cli.test_commands import MACHINE, refused, run


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A fake API that runs for one test."""
    with FakeApi() as fake:
        yield fake


def test_deploy_takes_a_template_with_all_it_says(api: FakeApi) -> None:
    """Logging, tracing, tags and role of each machine of a CDK application; what is missing is given by --set."""
    api.answers["DescribeStateMachine"] = lambda _: refused("StateMachineDoesNotExist", "no")
    api.answers["CreateStateMachine"] = lambda asked: {"stateMachineArn": f"arn:{asked['name']}"}
    application = str(Path(__file__).parent / "data" / "cdk.out")
    result = run(api, "deploy", application, "--set", "Echo11F3FB29=echo", "--set", "Data666C94C7=rows", "--json")
    assert [answer["action"] for answer in json.loads(result.stdout)] == ["created", "created"]
    imported, loop = (asked for operation, asked in api.asked if operation == "CreateStateMachine")
    assert (imported["name"], loop["name"]) == ("import-rows", "Loop060FBE9D")
    assert imported["tracingConfiguration"] == {"enabled": True}
    assert imported["loggingConfiguration"]["level"] == "ERROR"
    assert imported["tags"] == [{"key": "team", "value": "data"}]
    assert "loggingConfiguration" not in loop
    assert run(api, "deploy", application).exit_code == 2
    assert run(api, "deploy", application, "--set", "nothing").exit_code == 2


def test_deploy_of_a_template_changes_what_differs(api: FakeApi) -> None:
    """A second time nothing is done; tags and configurations that differ are written."""
    template = str(Path(__file__).parent / "data" / "sam-translated.json")
    has: Json = {"type": "STANDARD", "tracingConfiguration": {"enabled": True}}
    tags = [{"key": "team", "value": "data"}, {"key": "stateMachine:createdBy", "value": "SAM"}]
    api.answers["DescribeStateMachine"] = lambda _: refused("StateMachineDoesNotExist", "no")

    def create(asked: Json) -> Answer:
        has.update(asked)
        return {"stateMachineArn": MACHINE}

    api.answers["CreateStateMachine"] = create
    api.answers["ListTagsForResource"] = lambda _: {"tags": tags}
    api.answers["TagResource"] = lambda _: {}
    api.answers["UpdateStateMachine"] = lambda _: {"updateDate": 1}
    publishing = {"PublishStateMachineVersion", "CreateStateMachineAlias"}
    api.answers |= dict.fromkeys(publishing, lambda _: {"stateMachineVersionArn": f"{MACHINE}:1"})
    assert json.loads(run(api, "deploy", template, "--json").stdout)["action"] == "created"
    api.answers["DescribeStateMachine"] = lambda _: has
    assert json.loads(run(api, "deploy", template, "--json").stdout)["action"] == "unchanged"
    tags.pop()
    assert json.loads(run(api, "deploy", template, "--json").stdout)["action"] == "updated"
    assert _last(api, "TagResource")["tags"] == [{"key": "stateMachine:createdBy", "value": "SAM"}]
    has["loggingConfiguration"] = {"level": "OFF"}
    run(api, "deploy", template, "--json")
    assert _last(api, "UpdateStateMachine")["loggingConfiguration"]["level"] == "ALL"


def _last(api: FakeApi, operation: str) -> Json:
    """The members of the last call of an operation."""
    return next(asked for name, asked in reversed(api.asked) if name == operation)


def test_deploy_publishes_what_a_template_publishes(api: FakeApi) -> None:
    """A version of what was deployed; its alias is made, or led to that version if it is there already."""
    template = str(Path(__file__).parent / "data" / "sam-translated.json")
    api.answers["DescribeStateMachine"] = lambda _: refused("StateMachineDoesNotExist", "no")
    api.answers["CreateStateMachine"] = lambda _: {"stateMachineArn": MACHINE}
    api.answers["PublishStateMachineVersion"] = lambda _: {"stateMachineVersionArn": f"{MACHINE}:2"}
    api.answers["CreateStateMachineAlias"] = lambda _: {"stateMachineAliasArn": f"{MACHINE}:live"}
    api.answers["UpdateStateMachineAlias"] = lambda _: {"updateDate": 1}
    routes = [{"stateMachineVersionArn": f"{MACHINE}:2", "weight": 100}]
    assert json.loads(run(api, "deploy", template, "--json").stdout) == {
        "action": "created",
        "stateMachineArn": MACHINE,
        "stateMachineVersionArn": f"{MACHINE}:2",
        "stateMachineAliasArns": [f"{MACHINE}:live"],
    }
    assert api.operations()[-2:] == ["PublishStateMachineVersion", "CreateStateMachineAlias"]
    assert _last(api, "CreateStateMachineAlias") == {"name": "live", "routingConfiguration": routes}
    api.answers["CreateStateMachineAlias"] = lambda _: refused("ConflictException", "another")
    result = run(api, "deploy", template)
    assert f"{MACHINE}:live" in result.stdout
    moved = {"stateMachineAliasArn": f"{MACHINE}:live", "routingConfiguration": routes}
    assert _last(api, "UpdateStateMachineAlias") == moved
    api.answers["CreateStateMachineAlias"] = lambda _: refused("ServiceQuotaExceededException", "too many")
    assert run(api, "deploy", template).exit_code == 4


def test_a_refusal_names_its_machine(api: FakeApi) -> None:
    """Of several machines in a template, the one that the API refused."""
    api.answers["DescribeStateMachine"] = lambda _: refused("StateMachineDoesNotExist", "no")
    api.answers["CreateStateMachine"] = lambda asked: (
        {"stateMachineArn": MACHINE} if asked["name"] == "import-rows" else refused("InvalidDefinition", "not so")
    )
    application = str(Path(__file__).parent / "data" / "cdk.out")
    result = run(api, "deploy", application, "--set", "Echo11F3FB29=echo", "--set", "Data666C94C7=rows")
    assert result.exit_code == 4
    assert "Loop060FBE9D: CreateStateMachine was refused: InvalidDefinition: not so" in result.stderr


def test_deploy_warns_of_what_may_be_meant_otherwise(api: FakeApi, tmp_path: Path) -> None:
    """On stderr, beside the answer; the machine is made all the same, as on AWS."""
    api.answers["DescribeStateMachine"] = lambda _: refused("StateMachineDoesNotExist", "no")
    api.answers["CreateStateMachine"] = lambda _: {"stateMachineArn": MACHINE}
    task = {"Type": "Pass", "Parameters": {"day": "$.day"}, "End": True}
    file = tmp_path / "job.json"
    file.write_text(json.dumps({"StartAt": "T", "States": {"T": task}}), encoding="utf-8")
    result = run(api, "deploy", str(file), "--json")
    assert json.loads(result.stdout)["action"] == "created"
    assert "job: warning: NO_DOLLAR: " in result.stderr
    assert result.stderr.endswith("at /States/T/Parameters/day\n")


@pytest.mark.parametrize("name", ["deep.json", "deep.yaml"])
def test_a_document_of_any_depth_is_refused_in_words(api: FakeApi, tmp_path: Path, name: str) -> None:
    """Nobody is asked, whatever Python's recursion limit is, and the words are not those of its errors."""
    file = tmp_path / name
    file.write_text("[" * 5_000 + "]" * 5_000)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        result = run(api, "deploy", str(file), "--name", "deep")
    finally:
        sys.setrecursionlimit(limit)
    assert (result.exit_code, "nests too deeply to be read" in result.stderr, api.asked) == (2, True, [])
