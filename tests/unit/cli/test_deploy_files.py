"""What `maprun deploy` makes of files: definitions, templates of every tool, and files that are something else."""

import json
from pathlib import Path
from typing import Any

import pytest

from maprun.cli.definitions import read_machines
from maprun.cli.errors import EXIT_USAGE, FileRefused
from maprun.cli.publications import ALIAS, VERSION, AliasSource, Publication
from maprun.cli.templates import MachineSource
from maprun.language import examine
from schemas.arns import Names

DATA = Path(__file__).parent / "data"
NAMES = Names("eu-central-1", "111122223333")
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:"
ROLE = "arn:aws:iam::111122223333:role/"
LOGS = "arn:aws:logs:eu-central-1:111122223333:log-group:"


def read(path: Path, *logical_ids: str, **given: str) -> list[MachineSource]:
    """The machines of a file, each of which must validate."""
    machines = read_machines(path, given, NAMES, logical_ids)
    for machine in machines:
        assert [found.line for found in examine(machine.definition.encode()).errors] == []
    return machines


def written(folder: Path, name: str, text: str | dict[str, Any]) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


def refused(path: Path, *logical_ids: str, **given: str) -> str:
    """What a file is refused with."""
    with pytest.raises(FileRefused) as error:
        read_machines(path, given, NAMES, logical_ids)
    assert error.value.exit_code == EXIT_USAGE
    return error.value.format_message()


def calls(machine: MachineSource, state: str) -> Any:
    """The function that a state of the machine calls."""
    found = json.loads(machine.definition)["States"][state]
    return found["Parameters"]["FunctionName"]


def test_a_cdk_application() -> None:
    """Fn::Join, GetAtt, a definition in an asset, logging, tracing and tags; both machines of the stack."""
    imported, loop = read(DATA / "cdk.out", Echo11F3FB29="echo", Data666C94C7="rows")
    assert (imported.name, imported.role) == ("import-rows", f"{ROLE}ImportRoleDBDBFD64")
    assert imported.logging == {
        "level": "ERROR",
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": f"{LOGS}Log95422804:*"}}],
    }
    assert (imported.tracing, imported.tags) == ({"enabled": True}, {"team": "data"})
    rows = json.loads(imported.definition)["States"]["EachRow"]
    assert rows["ItemReader"]["Parameters"]["Bucket"] == "rows"
    work = rows["ItemProcessor"]["States"]["Work"]
    assert (work["Resource"], work["Parameters"]["FunctionName"]) == (
        "arn:aws:states:::lambda:invoke",
        f"{FUNCTION}echo",
    )
    assert (loop.name, loop.machine_type, calls(loop, "Call")) == ("Loop060FBE9D", "STANDARD", "echo")


def test_all_that_is_missing_is_asked_for_at_once() -> None:
    """Names of functions and buckets that the deployment would have made up, with the --set to give."""
    assert refused(DATA / "cdk.out").splitlines()[1:] == [
        "  --set Echo11F3FB29=…   the name of the AWS::Lambda::Function",
        "  --set Data666C94C7=…   the name of the AWS::S3::Bucket",
    ]


def test_one_machine_of_a_template() -> None:
    """Only what that machine needs is asked for."""
    (loop,) = read(DATA / "cdk.out" / "Rows.template.json", "Loop060FBE9D", Echo11F3FB29="echo")
    assert loop.name == "Loop060FBE9D"
    assert "has no state machine 'Nope'" in refused(DATA / "cdk.out" / "Rows.template.json", "Nope")


def test_a_value_may_be_an_arn_or_an_attribute() -> None:
    """A resource is given by its name, by its ARN, or attribute by attribute."""
    other = "arn:aws:lambda:us-east-1:999999999999:function:other"
    template = DATA / "cdk.out" / "Rows.template.json"
    for given in ({"Echo11F3FB29": other}, {"Echo11F3FB29.Arn": other}):
        machine, *_ = read_machines(template, {**given, "Data666C94C7": "b"}, NAMES, ("Import98530AF4",))
        assert other in machine.definition


def test_a_sam_template() -> None:
    """Short YAML tags, parameters, mappings, conditions, a definition in a file of its own, SAM's own names."""
    nightly, inline = read(DATA / "sam" / "template.yaml", Bucket="rows")
    assert (nightly.name, nightly.machine_type) == ("nightly-dev", "STANDARD")
    assert (nightly.role, nightly.tracing) == (f"{ROLE}NightlyRole", {"enabled": True})
    assert nightly.logging is not None
    assert nightly.logging["includeExecutionData"] is False
    assert nightly.notes == ("Nightly: its Events are not taken over; start it yourself",)
    each = json.loads(nightly.definition)["States"]["Each"]
    assert each["ItemBatcher"] == {"MaxItemsPerBatch": 10}
    assert each["ItemReader"]["Parameters"] == {"Bucket": "rows"}
    assert each["ItemProcessor"]["States"]["Call"]["Resource"] == f"{FUNCTION}echo-dev"
    payload = json.loads(inline.definition)["States"]["Tell"]["Parameters"]["Payload"]
    assert payload == {"day": "2026-11-28", "on": "yes"}  # YAML 1.2: no date, no boolean, and NoValue left out


def test_parameters_decide() -> None:
    """With --set Stage=live another mapping holds, and the machine of the condition would be deployed too."""
    given = {"Bucket": "rows", "Stage": "live"}
    (nightly,) = read_machines(DATA / "sam" / "template.yaml", given, NAMES, ("Nightly",))
    assert '"MaxItemsPerBatch": 1000' in nightly.definition


def test_what_sam_translates_to() -> None:
    """DefinitionString as Fn::Join of lines with DefinitionSubstitutions."""
    (machine,) = read(DATA / "sam-translated.json")
    assert (machine.name, calls(machine, "Call")) == ("nightly", f"{FUNCTION}echo-dev")
    assert machine.tags == {"stateMachine:createdBy": "SAM", "team": "data"}


def test_what_is_published() -> None:
    """The version and the alias that SAM's AutoPublishAlias became, with the machine they are of."""
    (machine,) = read(DATA / "sam-translated.json")
    assert machine.publication == Publication(aliases=(AliasSource("live"),))
    (nightly, *_) = read(DATA / "sam", "Nightly", Bucket="rows")
    assert nightly.publication is None


ROUTE = {"StateMachineVersionArn": {"Ref": "V"}, "Weight": 100}


@pytest.mark.parametrize(
    ("machine", "resources", "publication"),
    [
        ({"AutoPublishAlias": "live"}, {}, Publication(aliases=(AliasSource("live"),))),
        (
            {"AutoPublishAlias": "live", "DeploymentPreference": {"Type": "CANARY"}},
            {},
            Publication(None, (AliasSource("live"),), ("live: goes to the new version at once, not CANARY",)),
        ),
        (
            {},
            {
                "V": {
                    "Type": VERSION,
                    "Properties": {"StateMachineArn": {"Fn::GetAtt": ["M", "Arn"]}, "Description": "d"},
                },
                "A": {"Type": ALIAS, "Properties": {"RoutingConfiguration": [ROUTE], "Description": "a"}},
                "B": {"Type": ALIAS, "Properties": {"Name": "b", "RoutingConfiguration": [ROUTE, ROUTE]}},
            },
            Publication(
                "d",
                (AliasSource("A", "a"), AliasSource("b")),
                ("B: shares out between versions; all goes to the one that is published now",),
            ),
        ),
        (
            {},
            {
                "V": {"Type": VERSION, "Properties": {"StateMachineArn": {"Ref": "Other"}}},
                "A": {"Type": ALIAS, "Properties": {"RoutingConfiguration": [{"StateMachineVersionArn": "arn:x:1"}]}},
            },
            None,
        ),
    ],
)
def test_versions_and_aliases_of_a_template(
    tmp_path: Path, machine: dict[str, Any], resources: dict[str, Any], publication: Publication | None
) -> None:
    """Of CloudFormation and of SAM; what is done otherwise is said."""
    kind = "AWS::Serverless::StateMachine"
    made = {
        "Type": kind,
        "Properties": {"Definition": {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}, **machine},
    }
    (found,) = read(written(tmp_path, "template.json", {"Resources": {"M": made, **resources}}))
    assert found.publication == publication
    assert found.notes == (() if publication is None else publication.notes)


def test_a_package_of_the_serverless_framework() -> None:
    """Fn::Sub with names made of hashes; the folder is enough."""
    (machine,) = read(DATA / ".serverless")
    assert (machine.name, calls(machine, "Call")) == ("nightly", f"{FUNCTION}rows-dev-echo")


MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${Fn}", "End": True}}}


@pytest.mark.parametrize("name", ["m.asl.json", "m.json", "m.asl"])
def test_a_definition_with_placeholders(tmp_path: Path, name: str) -> None:
    """Each `${Name}` is filled in by --set; what is not given is named."""
    path = written(tmp_path, name, MACHINE)
    (machine,) = read(path, Fn=f"{FUNCTION}f")
    assert (machine.name, machine.definition) == ("m", json.dumps(MACHINE).replace("${Fn}", f"{FUNCTION}f"))
    assert "--set Fn=…" in refused(path)


def test_a_placeholder_may_stand_for_any_json(tmp_path: Path) -> None:
    """A text that becomes JSON only once it is filled in, as DefinitionSubstitutions allow."""
    text = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"list": ${List}, "n": "${N}"}, "End": true}}}'
    path = written(tmp_path, "m.json", text)
    (machine,) = read(path, List="[1, 2]", N="${N}")
    assert json.loads(machine.definition)["States"]["A"]["Result"] == {"list": [1, 2], "n": "${N}"}
    assert refused(path).splitlines()[1:] == [
        "  --set List=…   a placeholder of the definition; '${List}' keeps it as it is",
        "  --set N=…   a placeholder of the definition; '${N}' keeps it as it is",
    ]


def test_a_definition_in_yaml(tmp_path: Path) -> None:
    """Comments, block texts and plain values as YAML 1.2 has them."""
    text = (
        "# rows\nStartAt: A\nStates:\n  A:\n    Type: Pass\n    Result:\n      day: 2026-11-28\n      off: no\n"
        "      n: 1\n      f: 1.5\n      t: true\n      z: null\n      m: 12:30\n    End: true\n"
    )
    (machine,) = read(written(tmp_path, "m.asl.yaml", text))
    result = json.loads(machine.definition)["States"]["A"]["Result"]
    assert result == {"day": "2026-11-28", "off": "no", "n": 1, "f": 1.5, "t": True, "z": None, "m": "12:30"}


@pytest.mark.parametrize(
    ("name", "text", "what", "cure"),
    [
        (
            "t.yaml",
            "Resources: {B: {Type: 'AWS::S3::Bucket'}}",
            "has no state machines",
            "AWS::StepFunctions::StateMachine",
        ),
        (
            "main.tf",
            'resource "aws_sfn_state_machine" "m" {\n  name = "${var.n}"\n}',
            "is a file of Terraform",
            "endpoints",
        ),
        (
            "state.json",
            '{"version": 4, "terraform_version": "1", "resources": []}',
            "is a file of Terraform",
            "terraform show -json plan",
        ),
        (
            "serverless.yml",
            "service: s\nprovider: {name: aws}\n",
            "has no state machines",
            "stepFunctions.stateMachines",
        ),
        ("manifest.json", '{"version": "1", "artifacts": {}}', "the manifest of a CDK application", "*.template.json"),
        ("package.json", '{"name": "x"}', "is no definition and no template", "StartAt and States"),
        ("list.json", "[1]", "is no definition and no template", "StartAt and States"),
        ("empty.yaml", "", "is no definition and no template", "StartAt and States"),
        ("bad.json", '{\n"StartAt": }', "is not valid JSON", "line 2"),
        ("bad.yaml", "a: [1\nb: 2", "is not valid YAML", "line 2"),
        (
            "twice.yaml",
            "StartAt: A\nStates: {A: {Type: Succeed}, A: {Type: Fail}}",
            "the key 'A' occurs twice",
            "line 2",
        ),
    ],
)
def test_a_file_that_is_something_else_is_told_what_it_is(
    tmp_path: Path, name: str, text: str, what: str, cure: str
) -> None:
    """What the file is, and what to do."""
    message = refused(written(tmp_path, name, text))
    assert what in message
    assert cure in message


def test_a_mistake_in_a_template_has_its_line(tmp_path: Path) -> None:
    """That of the machine which can't be worked out."""
    text = "Resources:\n  M:\n    Type: AWS::StepFunctions::StateMachine\n    Properties: {Definition: {Fn::Cidr: 1}}\n"
    assert refused(written(tmp_path, "t.yaml", text)).startswith(f"{tmp_path}/t.yaml:2 can't be worked out in M")


def test_templates_of_a_stage(tmp_path: Path) -> None:
    """An application of CDK has them in a folder for each of its stages."""
    (tmp_path / "assembly-Live").mkdir()
    template = (DATA / "cdk.out" / "Rows.template.json").read_text(encoding="utf-8")
    written(tmp_path / "assembly-Live", "LiveRows.template.json", template)
    for asset in (DATA / "cdk.out").glob("asset.*"):
        written(tmp_path, asset.name, asset.read_text(encoding="utf-8"))
    (loop,) = read(tmp_path, "Loop060FBE9D", Echo11F3FB29="echo")
    assert loop.name == "Loop060FBE9D"


def test_a_definition_in_s3_or_in_a_folder_without_template(tmp_path: Path) -> None:
    """What is not beside the template, and a folder that no tool wrote."""
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"DefinitionS3Location": {"Key": "k"}}}
    path = written(tmp_path, "t.json", {"Resources": {"M": machine}})
    assert "has the definition of M in S3" in refused(path)
    assert "is a folder without a template" in refused(tmp_path)


def test_a_set_that_nothing_asks_for_is_a_mistake() -> None:
    """So that a mistyped name is not silently nothing."""
    assert "has nothing that is called Ecko" in refused(DATA / "sam-translated.json", Ecko="x")
