"""What `maprun deploy` makes of a project of the Serverless Framework with its plugin for Step Functions."""

import json
from pathlib import Path
from typing import Any

import pytest

from maprun.cli.definitions import read_machines
from maprun.cli.errors import FileRefused
from maprun.cli.templates import MachineSource, Origin
from maprun.cli.variables import Variables
from schemas.arns import Names

PROJECT = Path(__file__).parent / "data" / "serverless"
NAMES = Names("us-east-1", "111122223333")
PLACE = "arn:aws:{}:us-east-1:111122223333:"


def written(folder: Path, **files: str) -> Path:
    """A project in a folder: `serverless` is its serverless.yml, other names are files beside it."""
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder / "serverless.yml"


def machine(value: str, more: str = "") -> str:
    """A serverless.yml with one machine, of which a text is to be worked out."""
    return (
        f"service: s\nprovider: {{name: aws}}\n{more}\nstepFunctions:\n  stateMachines:\n    m:\n      name: m\n"
        f"      definition:\n        Comment: {value}\n        StartAt: A\n        States: {{A: {{Type: Succeed}}}}\n"
    )


def comment(folder: Path, value: str, more: str = "", given: dict[str, str] | None = None, **files: str) -> Any:
    """That text, worked out."""
    (found,) = read_machines(written(folder, serverless=machine(value, more), **files), given or {}, NAMES)
    return json.loads(found.definition)["Comment"]


def refused(path: Path, **given: str) -> str:
    """What a project is refused with."""
    with pytest.raises(FileRefused) as error:
        read_machines(path, given, NAMES)
    return error.value.format_message()


def test_a_project_as_it_is() -> None:
    """Two machines, by names, files, stages, functions and resources of the project."""
    nightly, quick = read_machines(PROJECT, {}, NAMES)
    assert (nightly.name, nightly.logical_id) == ("orders-nightly-dev", "OrdersDashnightlyDashdev")
    assert nightly.tags == {"team": "orders", "stage": "dev"}
    assert nightly.tracing == {"enabled": True}
    assert nightly.logging is not None
    assert nightly.logging["destinations"] == [
        {"cloudWatchLogsLogGroup": {"logGroupArn": f"{PLACE.format('logs')}log-group:/orders/dev:*"}}
    ]
    assert nightly.notes == ("nightly: its events are not taken over; start it yourself",)
    each = json.loads(nightly.definition)["States"]["Each order"]
    assert (each["MaxConcurrency"], each["ItemReader"]["Parameters"]["Bucket"]) == (20, "orders-test")
    charge, pack = (each["ItemProcessor"]["States"][name] for name in ("Charge", "Pack"))
    assert charge["Parameters"]["FunctionName"] == f"{PLACE.format('lambda')}function:orders-dev-charge-card"
    assert pack["Resource"] == f"{PLACE.format('states')}activity:pack"
    assert (quick.name, quick.machine_type, quick.tags) == ("QuickStepFunctionsStateMachine", "EXPRESS", {})
    check, tell = (json.loads(quick.definition)["States"][name] for name in ("Check", "Tell"))
    assert check["Resource"] == f"{PLACE.format('lambda')}function:orders-check"
    assert tell["Parameters"]["QueueUrl"].endswith("/orders-dev")
    assert tell["Parameters"]["MessageAttributes"]["Account"]["StringValue"] == "111122223333/20"


def test_another_stage() -> None:
    """With --set opt:stage=live, as `serverless --stage live`."""
    nightly, _ = read_machines(PROJECT / "serverless.yml", {"opt:stage": "live"}, NAMES)
    found = json.loads(nightly.definition)
    assert (nightly.name, found["Comment"]) == ("orders-nightly-live", "every night")
    assert found["States"]["Each order"]["MaxConcurrency"] == 500


def test_a_definition_stands_in_the_file_that_it_is_written_in() -> None:
    """So that what is wrong with it is told with that file's lines."""
    nightly, quick = read_machines(PROJECT, {}, NAMES)
    assert nightly.origin == Origin(PROJECT / "machines" / "nightly.yml")
    assert quick.origin == Origin(PROJECT / "serverless.yml", "/stepFunctions/stateMachines/quick/definition")


@pytest.mark.parametrize(
    ("value", "more", "found"),
    [
        ("${self:custom.a}", "custom: {a: 1}", 1),
        ("${self:custom.a}-x", "custom: {a: 1}", "1-x"),
        ("${self:custom.list.1}", "custom: {list: [a, b]}", "b"),
        ("${self:custom.${self:custom.which}.v}", "custom: {which: a, a: {v: deep}}", "deep"),
        ("${self:custom.none, 'a, b'}", "", "a, b"),
        ("${self:custom.none, self:service}", "", "s"),
        ("${self:custom.none, ${self:service}}-x", "", "s-x"),
        ("${opt:none, 2.5}", "", 2.5),
        ("${opt:none, true}", "", True),
        ("${opt:none, true}-x", "", "true-x"),
        ("${sls:stage}/${self:provider.stage}/${self:provider.region}", "", "dev/dev/us-east-1"),
        ("${aws:accountId} ${aws:region}", "", "111122223333 us-east-1"),
        ("${param:a}${param:b}", "params: {default: {a: 1, b: 2}, dev: {b: 3}}", "13"),
        ("${strToBool(true)}", "", True),
        ("${file(other.yml):a.b}", "", "there"),
        ("${file(other.yml):included}", "", "s"),
        ("${file(./text.txt)}", "", "text"),
        ("${file(none.yml):a, 'x'}", "", "x"),
        ("${AWS::Region}", "", "us-east-1"),
        ('"#{AWS::Region}"', "", "us-east-1"),
        ("{Ref: AWS::Region}", "", "us-east-1"),
    ],
)
def test_variables(tmp_path: Path, value: str, more: str, found: Any) -> None:
    """Each gives what the framework would."""
    other = "a: {b: there}\nincluded: ${self:service}\n"
    (tmp_path / "text.txt").write_text("text", encoding="utf-8")
    assert comment(tmp_path, value, more, other=other) == found


def test_variables_of_the_environment() -> None:
    """As the framework reads them; --set has precedence."""
    environ = {"SOME_NAME": "here"}
    assert Variables(PROJECT, {}, {}, NAMES, environ).value("${env:SOME_NAME}") == "here"
    assert Variables(PROJECT, {}, {"env:SOME_NAME": "given"}, NAMES, environ).value("${env:SOME_NAME}") == "given"


@pytest.mark.parametrize(
    ("value", "name", "what"),
    [
        ("${opt:x}", "opt:x", "an option of the command line of `serverless`"),
        ("a-${ssm:/path/x}", "ssm:/path/x", "a parameter that SSM holds"),
        ("${cf:other.Arn}", "cf:other.Arn", "an output of another stack"),
        ("${file(x.js):a}", "file(x.js):a", "what a program answers"),
        ("${self:custom.no}", "self:custom.no", "a member that the file does not have"),
        ("${vault:x}", "vault:x", "a variable of the Serverless Framework"),
        ("{Ref: Gone}", "Gone", "a name that the template refers to and does not have"),
    ],
)
def test_what_only_a_user_knows_is_asked_for(tmp_path: Path, value: str, name: str, what: str) -> None:
    """By what stands between the braces."""
    path = written(tmp_path, serverless=machine(value))
    assert f"--set {name}=…   {what}" in refused(path)
    assert "given" in comment(tmp_path, value, given={name: "given"})


def test_nothing_is_asked_for_that_no_machine_needs(tmp_path: Path) -> None:
    """Settings of functions, a role, and resources may hold what only AWS knows."""
    more = (
        "functions:\n  f: {handler: h, name: 'x-${ssm:/f}'}\n"
        "resources: {Resources: {B: {Type: 'AWS::S3::Bucket', Properties: {BucketName: '${ssm:/b}'}}}}\n"
        "custom: {c: '${ssm:/c}'}\n"
    )
    text = machine("hello", more).replace("      name: m\n", "      name: m\n      role: ${ssm:/role}\n")
    (found,) = read_machines(written(tmp_path, serverless=text), {}, NAMES)
    assert found.role is None
    assert "--set FLambdaFunction=…   the name of the AWS::Lambda::Function" in refused(
        written(tmp_path, serverless=machine("{Ref: FLambdaFunction}", more))
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (machine("${file(none.yml):a}"), "serverless.yml:6 can't be worked out in m: none.yml is not there"),
        (machine("${file(serverless.yml):a}"), "serverless.yml has no a"),
        (
            machine("${self:custom.a}", "custom: {a: '${self:custom.b}', b: '${self:custom.a}'}"),
            "goes round in a circle",
        ),
        (machine("x-${self:custom}", "custom: {a: 1}"), "a variable within a text is no text"),
        ("service: s\nstepFunctions: {stateMachines: {m: {name: m}}}", "in m: it has no definition"),
        ("service: s\nprovider: {name: aws}\n", "has no state machines"),
    ],
)
def test_what_is_written_wrongly_is_told(tmp_path: Path, text: str, what: str) -> None:
    """With the file, the line and the machine in which it stands."""
    assert what in refused(written(tmp_path, serverless=text))


def test_machines_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    """All of them, or one, with what belongs to it."""
    whole = machine("hello").split("    m:\n")[1]
    text = "service: s\nprovider: {name: aws}\nstepFunctions: ${file(all.yml):steps}\n"
    one = "".join(line[6:] + "\n" for line in whole.splitlines())
    path = written(tmp_path, serverless=text, all="steps: {stateMachines: {m: '${file(one.yml)}'}}", one=one)
    (found,) = read_machines(path, {}, NAMES)
    assert (found.name, found.origin) == ("m", Origin(tmp_path / "one.yml", "/definition"))


def test_what_is_not_taken_over_is_told(tmp_path: Path) -> None:
    """Alarms, notifications, and exact versions of functions."""
    text = machine("hello").replace("      name: m\n", "      name: m\n      alarms: {}\n      useExactVersion: true\n")
    found: list[MachineSource] = read_machines(written(tmp_path, serverless=text), {}, NAMES)
    assert found[0].notes == (
        "m: its alarms are not taken over",
        "m: calls its functions as they are, not a version of each",
    )
