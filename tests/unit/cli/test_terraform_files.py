"""What `maprun deploy` makes of Terraform's plans and states, as `terraform show -json` prints them."""

import json
from pathlib import Path
from typing import Any

import pytest

from maprun.cli.definitions import read_machines
from maprun.cli.errors import FileRefused
from maprun.cli.publications import AliasSource, Publication
from schemas.arns import Names

PLAN = Path(__file__).parent / "data" / "terraform-plan.json"
NAMES = Names("eu-central-1", "111122223333")
DEFINITION = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})


def shown(folder: Path, values: dict[str, Any], configuration: dict[str, Any] | None = None) -> Path:
    """A state with one machine that has these values, or a plan with this configuration."""
    one = {"address": "aws_sfn_state_machine.m", "type": "aws_sfn_state_machine", "name": "m", "values": values}
    module = {"root_module": {"resources": [one]}}
    document: dict[str, Any] = {"format_version": "1.0", "values": module}
    if configuration is not None:
        document = {"format_version": "1.2", "planned_values": module, "configuration": {"root_module": configuration}}
    path = folder / "shown.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def refused(path: Path, *logical_ids: str) -> str:
    """What a file is refused with."""
    with pytest.raises(FileRefused) as error:
        read_machines(path, {}, NAMES, logical_ids)
    return error.value.format_message()


def test_a_plan() -> None:
    """Machines of all modules with name, type, tags, logging, tracing, and what is published of them."""
    nightly, first, second = read_machines(PLAN, {}, NAMES)
    assert (nightly.name, nightly.machine_type, nightly.tags) == (
        "nightly",
        "STANDARD",
        {"managed": "terraform", "team": "data"},
    )
    assert nightly.role == "arn:aws:iam::111122223333:role/nightly"
    assert nightly.tracing == {"enabled": True}
    assert nightly.publication == Publication(None, (AliasSource("live", "what runs"),))
    assert [(one.name, one.machine_type, one.publication) for one in (first, second)] == [
        ("shard-0", "EXPRESS", None),
        ("shard-1", "EXPRESS", None),
    ]


def test_a_log_group_that_is_not_made_yet_has_the_arn_of_its_name() -> None:
    """A plan knows a group's name, and no ARN before it is made."""
    nightly, *_ = read_machines(PLAN, {}, NAMES)
    group = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/vendedlogs/nightly:*"
    assert nightly.logging == {
        "level": "ERROR",
        "includeExecutionData": True,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
    }


def test_one_machine_by_its_address() -> None:
    """With --logical-id, as Terraform writes the address."""
    (shard,) = read_machines(PLAN, {}, NAMES, ("module.shards.aws_sfn_state_machine.shard[1]",))
    assert shard.name == "shard-1"
    assert "has no state machine 'nope'" in refused(PLAN, "nope")


def test_a_definition_that_holds_what_is_known_after_apply(tmp_path: Path) -> None:
    """The plan doesn't have it: what it holds is named, and what to do."""
    references = {"references": ["aws_lambda_function.echo.arn", "aws_lambda_function.echo", "var.n"]}
    resource = {"address": "aws_sfn_state_machine.m", "expressions": {"definition": references}}
    message = refused(shown(tmp_path, {"name": "m"}, {"resources": [resource]}))
    assert "aws_sfn_state_machine.m: it holds aws_lambda_function.echo.arn, var.n" in message
    assert "apply it and deploy what `terraform show -json` prints then" in message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"name": "m"}, {"name": "m", "logging": None, "tags": {}, "role": None}),
        ({"name_prefix": "jobs-"}, {"name": "jobs-m"}),
        ({"tags": {"a": "b"}}, {"name": "m", "tags": {"a": "b"}}),
        (
            {"logging_configuration": [{"level": "OFF", "include_execution_data": False, "log_destination": ""}]},
            {"logging": {"level": "OFF", "includeExecutionData": False}},
        ),
        (
            {"logging_configuration": [{"level": "ALL", "log_destination": "arn:aws:logs:x:y:log-group:g:*"}]},
            {
                "logging": {
                    "level": "ALL",
                    "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:x:y:log-group:g:*"}}],
                }
            },
        ),
        (
            {"encryption_configuration": [{"type": "AWS_OWNED_KEY", "kms_key_id": ""}]},
            {"encryption": {"type": "AWS_OWNED_KEY"}},
        ),
    ],
)
def test_a_state(tmp_path: Path, values: dict[str, Any], expected: dict[str, Any]) -> None:
    """What a state says of a machine, and what it doesn't."""
    (machine,) = read_machines(shown(tmp_path, {"definition": DEFINITION, **values}), {}, NAMES)
    assert {name: getattr(machine, name) for name in expected} == expected


def test_aliases_of_a_state_lead_to_versions_by_their_arns(tmp_path: Path) -> None:
    """Two routes: all goes to the version that is published now, and that is said."""
    arn = NAMES.machine("m")
    path = shown(tmp_path, {"definition": DEFINITION, "name": "m", "arn": arn, "publish": True})
    document = json.loads(path.read_text(encoding="utf-8"))
    routes = [{"state_machine_version_arn": f"{arn}:{version}", "weight": 50} for version in (1, 2)]
    for name, leads_to in (("live", routes), ("other", [{"state_machine_version_arn": f"{arn}x:1", "weight": 100}])):
        document["values"]["root_module"]["resources"].append(
            {
                "address": f"aws_sfn_alias.{name}",
                "type": "aws_sfn_alias",
                "name": name,
                "values": {"name": name, "description": "", "routing_configuration": leads_to},
            }
        )
    path.write_text(json.dumps(document), encoding="utf-8")
    (machine,) = read_machines(path, {}, NAMES)
    note = "aws_sfn_alias.live: shares out between versions; all goes to the one that is published now"
    assert machine.publication == Publication(None, (AliasSource("live"),), (note,))


def test_a_folder_of_terraform_is_told_what_to_do(tmp_path: Path) -> None:
    """How its plan is printed."""
    (tmp_path / "main.tf").write_text("", encoding="utf-8")
    assert "terraform show -json plan > plan.json" in refused(tmp_path)
