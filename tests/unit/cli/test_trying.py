"""`maprun test`: one state tried without any server, its mocks from a file, and exit codes that scripts can use."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from maprun.cli import main
from maprun.cli.errors import EXIT_NOT_SUCCEEDED, EXIT_REFUSED, EXIT_USAGE

LAMBDA = "arn:aws:states:::lambda:invoke"
MACHINE = {
    "StartAt": "Greet",
    "States": {
        "Greet": {
            "Type": "Task",
            "Resource": LAMBDA,
            "Parameters": {"FunctionName": "${Fn}", "Payload.$": "$"},
            "ResultSelector": {"said.$": "$.Payload"},
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 3, "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["Busy"], "Next": "End"}],
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
                "Parameters": {"Bucket": "b", "Key": "k"},
            },
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                "StartAt": "One",
                "States": {"One": {"Type": "Pass", "End": True}},
            },
            "Next": "End",
        },
        "End": {"Type": "Succeed"},
    },
}
MOCKS = {
    "Greet": {"result": {"StatusCode": 200, "Payload": "hello"}},
    "Each": {"result": "[1]", "fieldValidationMode": "NONE"},
}
BUSY = '{"errorOutput": {"error": "Busy", "cause": "later"}}'


def ran(*arguments: str | Path) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)."""
    result = CliRunner().invoke(main, ["test", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A definition with a placeholder, beside a file of mocks."""
    (tmp_path / "mocks.json").write_text(json.dumps(MOCKS), encoding="utf-8")
    path = tmp_path / "machine.json"
    path.write_text(json.dumps(MACHINE), encoding="utf-8")
    return path


def seen(*arguments: str | Path) -> Any:
    """The answer with --json."""
    return json.loads(ran("--json", *arguments)[1])


def test_what_the_console_would_show(machine: Path) -> None:
    """Status and next state, then every step of the data, in the order in which it happens."""
    code, out, err = ran(
        machine,
        "--state",
        "Greet",
        "--input",
        '{"a": 1}',
        "--mock",
        f"@{machine.parent}/mocks.json",
        "--set",
        "Fn=greet",
    )
    assert (code, err) == (0, "")
    titles = [line for line in out.splitlines() if not line.startswith(" ")]
    assert titles == [
        "status     SUCCEEDED",
        "nextState  Each",
        *("input", "afterInputPath", "afterParameters", "result", "afterResultSelector", "afterResultPath", "output"),
    ]
    assert '    "FunctionName": "greet",\n' in out
    assert out.endswith('output\n  {\n    "said": "hello"\n  }\n')


def test_mocks_go_by_the_names_of_states(machine: Path) -> None:
    """A result may be JSON, or the text of it as the API takes it; an ItemReader's data comes from a file too."""
    (machine.parent / "rows.csv").write_text("a\n1\n", encoding="utf-8")
    mocks, rows = f"@{machine.parent}/mocks.json", f"@{machine.parent}/rows.csv"
    answer = seen(machine, "--state", "Each", "--mock", mocks, "--reader-data", rows)
    assert (answer["output"], answer["nextState"]) == ("[1]", "End")
    assert answer["inspectionData"]["afterItemSelector"] == '[{"a":"1"}]'
    assert seen(machine, "--state", "End", "--mock", mocks, "--level", "info") == {
        "output": "{}",
        "status": "SUCCEEDED",
    }


@pytest.mark.parametrize(
    ("retries", "status", "code"), [("0", "RETRIABLE", EXIT_NOT_SUCCEEDED), ("1", "CAUGHT_ERROR", EXIT_NOT_SUCCEEDED)]
)
def test_the_exit_code_is_by_status(machine: Path, retries: str, status: str, code: int) -> None:
    """0 for the status that is expected, SUCCEEDED unless another is named; 1 for any other."""
    arguments = (machine, "--state", "Greet", "--mock", BUSY, "--retries", retries)
    assert ran(*arguments)[0] == code
    assert ran(*arguments, "--expect", status)[0] == 0
    answer = seen(*arguments)
    assert answer["status"] == status
    details = {"retryIndex": 0, "retryBackoffIntervalSeconds": 3} if status == "RETRIABLE" else {"catchIndex": 0}
    assert answer["inspectionData"]["errorDetails"] == details


def test_a_file_of_one_state(tmp_path: Path) -> None:
    """JSON or YAML, without a name."""
    path = tmp_path / "state.yaml"
    path.write_text("Type: Pass\nParameters:\n  b.$: $.a\nNext: Gone\n", encoding="utf-8")
    answer = seen(path, "--input", '{"a": [1]}')
    assert (answer["output"], answer["nextState"]) == ('{"b":[1]}', "Gone")


class _Lambda(BaseHTTPRequestHandler):
    """Answers each call with what it was asked."""

    def do_POST(self) -> None:
        """One call."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"asked": json.loads(body), "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Silent."""


def test_a_call_is_made_if_that_is_wanted(machine: Path) -> None:
    """With --call a Task without a mock calls where the stack's own Tasks would."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lambda)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        arguments = ["--call", "--state", "Greet", "--input", '{"a": 1}', "--set", "Fn=greet", "--json"]
        environment = {"AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{server.server_port}"}
        result = CliRunner(env=environment).invoke(main, ["test", str(machine), *arguments])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    output = json.loads(json.loads(result.stdout)["output"])
    assert output["said"] == {"asked": {"a": 1}, "path": "/2015-03-31/functions/greet/invocations"}


def test_a_setting_that_calls_can_not_be_made_with_is_said(machine: Path, tmp_path: Path) -> None:
    """In a line, as by the services."""
    environment = {"MAPRUN_CONNECTIONS_FILE": str(tmp_path / "none.json")}
    arguments = ["test", str(machine), "--call", "--state", "Greet", "--set", "Fn=greet"]
    result = CliRunner(env=environment).invoke(main, arguments)
    assert result.exit_code == EXIT_NOT_SUCCEEDED
    assert result.stderr.startswith("Error: No calls can be made\n  MAPRUN_CONNECTIONS_FILE=")
    assert result.stderr.endswith("none.json': No such file or directory\n")


def test_the_states_are_named(machine: Path) -> None:
    """All of them, those of branches too, where none is chosen or none of that name is there."""
    names = "\n  name one with --state: Greet, Each, One, End\n"
    assert ran(machine) == (EXIT_USAGE, "", f"Error: {machine} is no single state{names}")
    assert ran(machine, "--state", "Nobody") == (EXIT_USAGE, "", f"Error: {machine} has no state 'Nobody'{names}")


def test_a_wrong_definition_is_told_by_its_lines(tmp_path: Path) -> None:
    """As by `validate`, with its exit code."""
    path = tmp_path / "wrong.json"
    text = '{"StartAt": "A",\n "States": {"A": {"Type": "Pass", "Next": "B"}, "C": {"Type": "Succeed"}}}'
    path.write_text(text, encoding="utf-8")
    code, _, err = ran(path, "--state", "A")
    assert err.splitlines() == [
        f"Error: {path} can't be tried before its definition is right",
        f"  {path}:2:35: error MISSING_TRANSITION_TARGET: Missing 'Next' target: B  /States/A/Next",
        f'  {path}:2:49: error MISSING_TRANSITION_TARGET: State "C" is not reachable.  /States/C',
    ]
    assert code == EXIT_NOT_SUCCEEDED


def test_another_end_than_the_expected_is_said(machine: Path) -> None:
    """On stderr, beside the answer: of many tests in a script the one that failed says why."""
    arguments = ("--state", "Greet", "--mock", BUSY, "--set", "Fn=f", "--level", "INFO")
    assert ran(machine, *arguments)[2] == "ended RETRIABLE, and SUCCEEDED was expected\n"
    assert ran(machine, *arguments, "--expect", "caught_error")[2] == "ended RETRIABLE, and CAUGHT_ERROR was expected\n"


def test_what_is_not_right_is_said(machine: Path) -> None:
    """What TestState refuses, states that nobody mocks, and mocks that are none."""
    code, _, err = ran(machine, "--state", "Greet")
    assert code == EXIT_NOT_SUCCEEDED
    assert err.startswith("Error: The state 'Greet' is a Task and has no mock\n  give it one with --mock, or --call")
    code, _, err = ran(machine, "--state", "Each", "--call")
    assert code == EXIT_NOT_SUCCEEDED
    assert err.startswith("Error: The state 'Each' is a Map or Parallel and has no mock\n  give it one with --mock")
    code, _, err = ran(machine, "--state", "Greet", "--mock", '{"result": {"StatusCode": "x"}}')
    assert code == EXIT_REFUSED
    assert "Mock result schema validation error: Field 'StatusCode' must be a number" in err
    assert ran(machine, "--state", "Greet", "--mock", "[]")[0] == EXIT_USAGE
    assert ran(machine, "--state", "Greet", "--mock", '{"Greet": {"nope": 1}}')[0] == EXIT_USAGE
    code, _, err = ran(machine, "--state", "Greet", "--mock", '{"reslt": {}}')
    assert (code, "reslt: neither the members of a mock (" in err) == (EXIT_USAGE, True)
    code, _, err = ran(machine, "--state", "Greet", "--mock", '{"result": }')
    assert (code, "--mock is not valid JSON" in err) == (EXIT_USAGE, True)
    assert "'Greet' is a Task and has no mock" in ran(machine, "--state", "Greet", "--mock", '{"Each": {}}')[2]


def test_a_machine_of_a_template(tmp_path: Path) -> None:
    """What only a deployment knows is made up; of several machines one is chosen."""
    one = {"Type": "AWS::Serverless::StateMachine", "Properties": {"Definition": MACHINE}}
    path = tmp_path / "template.json"
    path.write_text(json.dumps({"Resources": {"First": one, "Second": one}}), encoding="utf-8")
    assert ran(path, "--state", "End")[0] == EXIT_USAGE
    assert ran(path, "--state", "End", "--logical-id", "Second")[0] == 0
