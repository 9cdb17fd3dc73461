"""CloudFormation's functions as `maprun deploy` works them out, without CloudFormation."""

import json
from pathlib import Path
from typing import Any

import pytest

from maprun.cli.definitions import read_machines
from maprun.cli.errors import FileRefused
from schemas.arns import Names

NAMES = Names("eu-central-1", "111122223333")
FUNCTION = "arn:aws:lambda:eu-central-1:111122223333:function:"


def include(location: Any) -> dict[str, Any]:
    """The transform that takes in a file."""
    return {"Name": "AWS::Include", "Parameters": {"Location": location}}


FN = {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "f"}}


def of_template(folder: Path, resource: Any, *, given: dict[str, str] | None = None, **members: Any) -> str:
    """The Comment of a machine, worked out in a template with these members."""
    properties = {"Definition": {"Comment": resource, "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    template = {"Resources": {"M": machine, "F": FN, **members.pop("Resources", {})}, **members}
    path = folder / "t.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    (found,) = read_machines(path, given or {}, NAMES, ("M",))
    return str(json.loads(found.definition)["Comment"])


@pytest.mark.parametrize(
    ("value", "members", "text"),
    [
        ({"Fn::Sub": "${AWS::Region}/${AWS::AccountId}/${AWS::Partition}"}, {}, "eu-central-1/111122223333/aws"),
        ({"Fn::Sub": ["${a}-${F}-${F.Arn}", {"a": {"Ref": "AWS::StackName"}}]}, {}, f"t-f-{FUNCTION}f"),
        ({"Fn::Join": ["-", ["a", {"Ref": "F"}, {"Fn::Select": ["1", ["x", "y"]]}]]}, {}, "a-f-y"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, {}, "b"),
        ({"Fn::GetAtt": "F.Arn"}, {}, f"{FUNCTION}f"),
        ({"Ref": "P"}, {"Parameters": {"P": {"Type": "Number", "Default": 5}}}, "5"),
        (
            {"Fn::Join": [",", {"Ref": "P"}]},
            {"Parameters": {"P": {"Type": "CommaDelimitedList", "Default": "a,b"}}},
            "a,b",
        ),
        ({"Fn::FindInMap": ["X", {"Ref": "AWS::Region"}, "v"]}, {"Mappings": {"X": {"eu-central-1": {"v": "z"}}}}, "z"),
        ({"Fn::If": ["C", "yes", "no"]}, {"Conditions": {"C": {"Fn::Equals": [{"Ref": "F"}, "f"]}}}, "yes"),
        (
            {"Fn::If": ["C", "yes", "no"]},
            {
                "Conditions": {
                    "C": {"Fn::And": [{"Condition": "D"}, {"Fn::Not": [{"Condition": "D"}]}]},
                    "D": {"Fn::Equals": [1, 1]},
                }
            },
            "no",
        ),
        ({"Fn::Base64": "a"}, {}, "YQ=="),
        ({"Fn::ToJsonString": {"a": {"Ref": "F"}}}, {}, '{"a":"f"}'),
        ({"Ref": "M"}, {}, "arn:aws:states:eu-central-1:111122223333:stateMachine:M"),
        (
            {"Ref": "T"},
            {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}}},
            "arn:aws:sns:eu-central-1:111122223333:t",
        ),
        (
            {"Fn::GetAtt": ["B", "Arn"]},
            {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "b"}}}},
            "arn:aws:s3:::b",
        ),
        (
            {"Fn::GetAtt": ["C", "Arn"]},
            {"Resources": {"C": {"Type": "AWS::Events::Connection", "Properties": {"Name": "stripe"}}}},
            "arn:aws:events:eu-central-1:111122223333:connection/stripe",
        ),
    ],
)
def test_functions_of_cloudformation(tmp_path: Path, value: Any, members: dict[str, Any], text: str) -> None:
    """Each gives what CloudFormation would, for the account and Region that the command line is set to."""
    assert of_template(tmp_path, value, **members) == text


@pytest.mark.parametrize(
    ("value", "name", "what"),
    [
        ({"Fn::ImportValue": "shared-arn"}, "shared-arn", "what another stack exports by this name"),
        ({"Fn::GetAtt": ["Q", "Nope"]}, "Q.Nope", "Nope of the AWS::SQS::Queue"),
        ({"Ref": "C"}, "C", "the Ref of the Custom::Thing"),
        ({"Ref": "Gone"}, "Gone", "a name that the template refers to and does not have"),
        ({"Ref": "P"}, "P", "the parameter, of type String"),
        ({"Ref": "S"}, "S", "the parameter, of type AWS::SSM::Parameter::Value<String>"),
    ],
)
def test_what_only_a_deployment_knows_is_asked_for(tmp_path: Path, value: Any, name: str, what: str) -> None:
    """An import, an attribute, a custom resource, a parameter without default, one that SSM holds."""
    members: dict[str, Any] = {
        "Parameters": {"P": {"Type": "String"}, "S": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"}},
        "Resources": {"Q": {"Type": "AWS::SQS::Queue"}, "C": {"Type": "Custom::Thing"}},
    }
    with pytest.raises(FileRefused) as error:
        of_template(tmp_path, value, **members)
    assert f"--set {name}=…   {what}" in error.value.format_message()
    assert of_template(tmp_path, value, given={name: "given"}, **members) == "given"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"Fn::Transform": {"Name": "AWS::Include"}}, "Fn::Transform is written wrongly"),
        ({"Fn::Transform": {"Name": "Mine"}}, "the transform Mine is done by AWS alone"),
        ({"Fn::Transform": include("s3://b/k.yaml")}, "s3://b/k.yaml is included from S3"),
        ({"Fn::Cidr": ["10.0.0.0/16", 1, 8]}, "Fn::Cidr is not known here"),
        ({"Fn::Select": [7, ["a"]]}, "Fn::Select is written wrongly"),
        ({"Fn::Join": ["-", "text"]}, "Fn::Join needs a list"),
        ({"Fn::FindInMap": ["X", "a", "b"]}, "Fn::FindInMap finds nothing at X.a.b"),
        ({"Fn::If": ["Nope", 1, 2]}, "the template has no condition 'Nope'"),
        ("{{resolve:ssm:/x}}", "is looked up by AWS alone"),
    ],
)
def test_what_can_not_be_worked_out_is_told(tmp_path: Path, value: Any, what: str) -> None:
    """With the machine in which it stands."""
    with pytest.raises(FileRefused, match="can't be worked out in M") as error:
        of_template(tmp_path, value)
    assert what in error.value.format_message()


def test_a_template_includes_files(tmp_path: Path) -> None:
    """What AWS::Include names lies beside the template, and is worked out as if it stood in it."""
    (tmp_path / "comment.yaml").write_text("Fn::Sub: to ${F}\n", encoding="utf-8")
    assert of_template(tmp_path, {"Fn::Transform": include({"Fn::Sub": "comment.yaml"})}) == "to f"
