"""`maprun validate`: every finding with its file, line and column, in JSON and YAML, in definitions and templates."""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from maprun import language
from maprun.cli import main
from maprun.cli.findings import NOT_READ
from maprun.cli.positions import places_of
from maprun.cli.sarif import RULES
from tests.unit.cli.json_schema import faults

DATA = Path(__file__).parent / "data"
DEFINITION = """{
  "StartAt": "A",
  "States": {
    "A": {"Type": "Pass", "Foo": 1,
      "Next": "Gone"},
    "W/x": {"Type": "Wait", "Seconds": "$.x", "End": true}
  }
}
"""
WRONG = [
    (4, 27, "error SCHEMA_VALIDATION_FAILED", "Field 'Foo' is not supported"),
    (5, 7, "error MISSING_TRANSITION_TARGET", "Missing 'Next' target: Gone"),
    (6, 5, "error MISSING_TRANSITION_TARGET", 'State "W/x" is not reachable.'),
    (6, 29, "error SCHEMA_VALIDATION_FAILED", "Expected value of type [NUMBER]"),
    (6, 29, "warning NO_PATH", "looks like a path"),
]
YAML = """StartAt: A
States:
  A:
    Type: Task
    Resource: "${Fn}"
    Parameters:
      a: $.b
    Nope: 1
    End: true
"""
TEMPLATE = """Resources:
  Text:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: x
      DefinitionString: !Sub |
        {
          "StartAt": "A",
          "States": {"A": {"Type": "Task", "Resource": "${Fn.Arn}",
             "X": 1, "End": true}}
        }
  Object:
    Type: AWS::Serverless::StateMachine
    Properties:
      Definition:
        StartAt: A
        States:
          A: {Type: Task, Resource: !GetAtt F.Arn, X: 1, End: true}
"""
SERVERLESS = """service: x
provider: {name: aws}
stepFunctions:
  stateMachines:
    hello:
      type: EXPRESS
      definition:
        StartAt: A
        States:
          A:
            Type: Task
            Resource: {Fn::GetAtt: [hello, Arn]}
            Parameters: {day: "${self:custom.day}"}
            Nope: 1
            End: true
"""


def ran(*arguments: str | Path) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)."""
    result = CliRunner().invoke(main, ["validate", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def written(folder: Path, name: str, text: str) -> Path:
    """A file with this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def places(out: str) -> list[tuple[str, str]]:
    """(file:line:column, severity and code) of each line."""
    lines = [line.split(": ", 2) for line in out.splitlines()]
    return [(Path(place).name, found) for place, found, _ in lines]


def test_each_finding_has_its_place(tmp_path: Path) -> None:
    """The field it is about, as `file:line:column`, which editors jump to; errors first; counts on stderr."""
    path = written(tmp_path, "a.asl.json", DEFINITION)
    code, out, err = ran(path)
    lines = out.splitlines()
    assert len(lines) == len(WRONG)
    for line, (row, column, found, text) in zip(lines, WRONG, strict=True):
        assert line.startswith(f"{path}:{row}:{column}: {found}: ")
        assert text in line
    assert (code, err) == (1, "1 state machine, 4 errors, 1 warning\n")


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "b.asl.yaml",
            YAML,
            [("b.asl.yaml:8:5", "error SCHEMA_VALIDATION_FAILED"), ("b.asl.yaml:7:7", "warning NO_DOLLAR")],
        ),
        (
            "t.yaml",
            TEMPLATE,
            [("t.yaml:10:14", "error SCHEMA_VALIDATION_FAILED"), ("t.yaml:18:52", "error SCHEMA_VALIDATION_FAILED")],
        ),
        ("serverless.yml", SERVERLESS, [("serverless.yml:14:13", "error SCHEMA_VALIDATION_FAILED")]),
        ("c.json", '{"StartAt": "A",\n "States": }', [("c.json:2:12", "error FILE_NOT_READ")]),
        ("d.yaml", "a: [1\nb: 2\n", [("d.yaml:2:2", "error FILE_NOT_READ")]),
        ("main.tf", 'resource "aws_sfn_state_machine" "m" {}', [("main.tf:1:1", "error FILE_NOT_READ")]),
        ("e.json", '{"States": {}, "StartAt": "A"}', [("e.json:1:2", "error SCHEMA_VALIDATION_FAILED")]),
    ],
)
def test_whatever_the_definition_is_written_in(
    tmp_path: Path, name: str, text: str, found: list[tuple[str, str]]
) -> None:
    """YAML, text within a template, objects in it, the Serverless Framework's own file; and files that are none."""
    code, out, _ = ran(written(tmp_path, name, text))
    assert (places(out), code) == (found, 1)


@pytest.mark.parametrize("name", ["cdk.out", "sam", "sam-translated.json", ".serverless"])
def test_nothing_is_asked_for(name: str) -> None:
    """What only a deployment knows is made up, so that what tools wrote is found right as it is."""
    code, out, err = ran(DATA / name)
    assert (code, out) == (0, "")
    assert err.endswith(" 0 errors, 0 warnings\n")
    assert not err.startswith("0 ")


def test_files_do_not_stop_each_other(tmp_path: Path) -> None:
    """Each is reported, in their order; one that can't be read is a finding of its own."""
    good = written(tmp_path, "good.json", '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
    bad = written(tmp_path, "bad.json", "{")
    code, out, _ = ran("--json", bad, good)
    first, second = json.loads(out)
    assert (code, first["machines"], second) == (1, [], {"file": str(good), "machines": ["good"], "findings": []})
    assert first["findings"][0]["code"] == "FILE_NOT_READ"
    assert ran(good)[0] == 0
    assert ran(tmp_path / "gone.json")[0] == 2


def test_warnings_fail_if_that_is_wanted(tmp_path: Path) -> None:
    """With --strict; --type judges a machine as an EXPRESS one."""
    hinted = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"a": "$.b"}, "End": True}}}
    path = written(tmp_path, "hinted.json", json.dumps(hinted))
    assert (ran(path)[0], ran("--strict", path)[0]) == (0, 1)
    task = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync", "Parameters": {}, "End": True}
    waits = written(tmp_path, "waits.json", json.dumps({"StartAt": "A", "States": {"A": task}}))
    assert (ran(waits)[0], ran("--type", "EXPRESS", waits)[0]) == (0, 1)


def test_sarif_is_as_its_schema_says(tmp_path: Path) -> None:
    """Version 2.1.0: each finding with its rule, level, message and region."""
    paths = [written(tmp_path, "a b.json", DEFINITION), written(tmp_path, "c.json", "{"), DATA / "sam"]
    code, out, _ = ran("--sarif", *paths)
    log = json.loads(out)
    schema = json.loads((DATA / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
    assert list(faults(log, schema, schema)) == []
    results = log["runs"][0]["results"]
    assert (code, len(results)) == (1, len(WRONG) + 1)
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 4, "startColumn": 27}
    assert place["artifactLocation"]["uri"].endswith("/a%20b.json")
    rules = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
    assert all(rules[one["ruleIndex"]] == one["ruleId"] for one in results)
    assert [one["level"] for one in results].count("warning") == 1
    assert ran("--sarif", "--json", paths[0])[0] == 2


def test_code_hosts_find_the_files(tmp_path: Path) -> None:
    """By their way from where the command runs, however they were named; one that is elsewhere by its whole address."""
    (tmp_path / "here").mkdir()
    paths = [written(tmp_path / "here", "a b.json", "{"), Path("a b.json"), written(tmp_path, "c.json", "{")]
    with contextlib.chdir(tmp_path / "here"):
        results = json.loads(ran("--sarif", *paths)[1])["runs"][0]["results"]
    found = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results]
    assert found == ["a%20b.json", "a%20b.json", (tmp_path / "c.json").as_uri()]


def test_every_rule_is_explained() -> None:
    """Each code that validation gives, and no other; code hosts want these texts."""
    folder = Path(language.__file__).parent
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    codes = re.findall(r'\b(?:error|warning)\("([A-Z_]+)"|^[A-Z]+ = "([A-Z]+_[A-Z_]+)"$', text, re.MULTILINE)
    assert {one or other for one, other in codes} | {NOT_READ} == RULES.keys()


@pytest.mark.parametrize(
    ("log", "wrong"),
    [
        ({"version": "2.1.0"}, ": lacks runs"),
        ({"version": "2.0.0", "runs": []}, "/version: '2.0.0' is none of ['2.1.0']"),
        ({"version": "2.1.0", "runs": [{"results": []}]}, "/runs[0]: lacks tool"),
        ({"version": "2.1.0", "runs": [], "more": 1}, ": may not have more"),
    ],
)
def test_the_schema_can_say_no(log: Any, wrong: str) -> None:
    """The check above can fail."""
    schema = json.loads((DATA / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
    assert wrong in list(faults(log, schema, schema))


def test_places_of_hard_texts() -> None:
    """Escapes, brackets in texts, names with signs, members of the same name, and a list in a list."""
    text = '{"a\\"{": [1,\n [true, "]"]],\n "ü": {"b": 1, "b": 2}, "ü/b": 3}'
    places = places_of(text, Path("x.json"))
    assert places.of('/a"{[1][1]') == (2, 9)
    assert places.of("/ü/b") == (3, 8)
    assert places.of("/ü/gone[3]/x") == (3, 2)
    assert places.of("") == (1, 1)
