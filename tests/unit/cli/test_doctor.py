"""`maprun doctor` where nothing is up: every part named, in time, with a cure; and which functions machines name."""

import contextlib
import http.server
import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from maprun.cli import main
from maprun.cli.doctor import functions_in
from maprun.local.commands import layout_from
from tests.unit.cli.fake_api import FakeApi

NOWHERE = {
    "MAPRUN_KAFKA": "127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9",
}


def test_each_part_that_is_away_is_named(tmp_path: Path) -> None:
    """Kafka, S3 and the function host are wrong, the disk is not, an API that isn't up yet is a note."""
    environment = {**NOWHERE, "MAPRUN_API": "http://127.0.0.1:9", "MAPRUN_STATE_DIR": str(tmp_path / "new")}
    result = CliRunner().invoke(main, ["doctor", "--json"], env=environment)
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    assert not told["well"]
    states = {(each["part"], each["check"]): each["state"] for each in told["findings"]}
    assert states["kafka", "brokers"] == states["s3", "answers"] == states["functions", "answers"] == "wrong"
    assert states["api", "answers"] == "note"
    assert states["disk", "space"] in {"ok", "note", "wrong"}
    assert all(each["cure"] for each in told["findings"] if each["state"] == "wrong")
    assert not (tmp_path / "new").exists()


def test_the_disk_is_the_local_stacks_own(tmp_path: Path) -> None:
    """From another folder too it looks at the disk that `maprun up` would fill, in a checkout the checkout's."""
    environment = {**NOWHERE, "MAPRUN_API": "http://127.0.0.1:9", "MAPRUN_STATE_DIR": None}
    with contextlib.chdir(tmp_path):
        result = CliRunner().invoke(main, ["doctor", "--json"], env=environment)
    [said] = [each["said"] for each in json.loads(result.stdout)["findings"] if each["check"] == "space"]
    assert said.endswith(f" on the disk of {layout_from({}).state}")
    assert str(tmp_path) not in said


def test_the_picture_comes_before_the_table(tmp_path: Path) -> None:
    """A line for each part with its address and what is worst, then the findings, then what to do."""
    definition = json.dumps({"States": {"A": {"Resource": "arn:aws:lambda:us-east-1:123456789012:function:echo"}}})
    with FakeApi() as api:
        api.answers["ListStateMachines"] = lambda _: {"stateMachines": [{"stateMachineArn": "m"}]}
        api.answers["DescribeStateMachine"] = lambda _: {"definition": definition}
        environment = {**NOWHERE, "MAPRUN_API": api.endpoint, "MAPRUN_STATE_DIR": str(tmp_path)}
        result = CliRunner().invoke(main, ["doctor"], env=environment)
    lines = result.stdout.splitlines()
    assert lines[0] == "maprun"
    assert [line.split()[1] for line in lines[1:6]] == ["api", "kafka", "s3", "functions", "disk"]
    assert "1 state machine" in result.stdout
    assert result.stdout.index("WHAT WAS FOUND") < result.stdout.index("WHAT TO DO")
    assert "things are wrong: kafka: brokers" in result.stderr


@pytest.mark.parametrize(("status", "state"), [(200, "wrong"), (404, "wrong"), (502, "note")])
def test_what_is_not_the_api_is_wrong_and_a_proxy_before_it_may_be(tmp_path: Path, status: int, state: str) -> None:
    """A web page in the API's place is a wrong address; one with a 5xx is said by a proxy while the API is away."""

    class Page(http.server.BaseHTTPRequestHandler):
        """Answers everything with a page."""

        def do_POST(self) -> None:
            """A page."""
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<html></html>")

        def log_message(self, *_: object) -> None:
            """Silent."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        environment = {
            **NOWHERE,
            "MAPRUN_API": f"http://127.0.0.1:{server.server_port}",
            "MAPRUN_STATE_DIR": str(tmp_path),
        }
        result = CliRunner().invoke(main, ["doctor", "--json"], env=environment)
        server.shutdown()
        thread.join()
    [found] = [each for each in json.loads(result.stdout)["findings"] if each["part"] == "api"]
    assert (found["check"], found["state"]) == ("answers", state)
    assert "which is not the API" in found["said"]
    assert found["cure"]


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ({"Resource": "arn:aws:lambda:us-east-1:1:function:f:live"}, ["arn:aws:lambda:us-east-1:1:function:f:live"]),
        ({"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}}, ["f"]),
        ({"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Arguments": {"FunctionName": "f"}}, ["f"]),
        ({"Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"FunctionName": "{% $f %}"}}, []),
        ({"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName.$": "$.f"}}, []),
        ({"Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": "q"}}, []),
        (
            {"Branches": [{"States": {"B": {"Resource": "arn:aws-cn:lambda:r:1:function:g"}}}]},
            ["arn:aws-cn:lambda:r:1:function:g"],
        ),
    ],
)
def test_functions_are_found_wherever_tasks_stand(state: object, names: list[str]) -> None:
    """By their ARN as Resource, or by a FunctionName that the definition holds."""
    assert list(functions_in({"States": {"A": state}})) == names
