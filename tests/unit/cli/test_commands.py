"""The command line against an API that answers from a table: what is asked, what is printed, how it exits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from maprun.cli import main
from maprun.local import statefile
from maprun.local.statefile import StackStatus
from tests.unit.cli.fake_api import Answer, FakeApi, Json
from tests.unit.cli.rows import EXECUTION, RUN, described_run, progress

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:demo"
CHILD = "arn:aws:states:us-east-1:123456789012:express:demo/Label:a:b"
DEFINITION = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A fake API that runs for one test."""
    with FakeApi() as fake:
        yield fake


def run(api: FakeApi, *arguments: str) -> Result:
    """The command line with these arguments, in a process environment of its own."""
    environment = {"MAPRUN_API": api.endpoint, "MAPRUN_REGION": "us-east-1", "MAPRUN_ACCOUNT": "123456789012"}
    return CliRunner().invoke(main, arguments, env=environment)


def refused(code: str, message: str) -> tuple[int, Json]:
    """One of AWS's errors."""
    return 400, {"__type": code, "message": message}


def test_deploy_creates_a_machine_that_is_not_there(api: FakeApi, tmp_path: Path) -> None:
    """The name comes from the file; what the API does not know is created."""
    api.answers["DescribeStateMachine"] = lambda _: refused("StateMachineDoesNotExist", "no")
    api.answers["CreateStateMachine"] = lambda body: {"stateMachineArn": f"arn:{body['name']}", "creationDate": 1.5}
    file = tmp_path / "demo.asl.json"
    file.write_text(DEFINITION)
    result = run(api, "deploy", str(file), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"action": "created", "stateMachineArn": "arn:demo"}
    assert api.asked[1][1]["definition"] == DEFINITION
    assert api.asked[1][1]["type"] == "STANDARD"


def test_deploy_updates_a_machine_whose_definition_differs(api: FakeApi, tmp_path: Path) -> None:
    """Deploying again is no error: another definition is an update, the same JSON changes nothing."""
    known = {"definition": '{"StartAt":"B"}', "type": "STANDARD", "roleArn": "r"}
    api.answers["DescribeStateMachine"] = lambda _: known
    api.answers["UpdateStateMachine"] = lambda _: {"updateDate": 1.5}
    file = tmp_path / "x.json"
    file.write_text(DEFINITION)
    assert json.loads(run(api, "deploy", str(file), "--name", "demo", "--json").stdout)["action"] == "updated"
    known["definition"] = json.dumps(json.loads(DEFINITION))
    assert json.loads(run(api, "deploy", str(file), "--name", "demo", "--json").stdout)["action"] == "unchanged"
    assert api.operations().count("UpdateStateMachine") == 1


def test_deploy_follows_the_api_to_its_own_account(api: FakeApi, tmp_path: Path) -> None:
    """An API of another account says where the machine is, and that one is updated."""
    other = "arn:aws:states:eu-west-1:999999999999:stateMachine:demo"

    def describe(body: Json) -> Answer:
        if body["stateMachineArn"] != other:
            return refused("StateMachineDoesNotExist", "no")
        return {"definition": "{}", "type": "STANDARD", "roleArn": "r"}

    api.answers["DescribeStateMachine"] = describe
    api.answers["CreateStateMachine"] = lambda _: refused(
        "StateMachineAlreadyExists", f"State Machine Already Exists: '{other}'"
    )
    api.answers["UpdateStateMachine"] = lambda _: {"updateDate": 1.5}
    file = tmp_path / "demo.json"
    file.write_text(DEFINITION)
    assert json.loads(run(api, "deploy", str(file), "--json").stdout) == {"action": "updated", "stateMachineArn": other}


def test_deploy_does_not_change_a_machines_type(api: FakeApi, tmp_path: Path) -> None:
    """A type that differs is an error with its cure, before anything is changed."""
    api.answers["DescribeStateMachine"] = lambda _: {"definition": "{}", "type": "STANDARD", "roleArn": "r"}
    file = tmp_path / "demo.json"
    file.write_text(DEFINITION)
    result = run(api, "deploy", str(file), "--type", "express")
    assert result.exit_code == 1
    assert "is STANDARD and can't become EXPRESS" in result.stderr
    assert api.operations() == ["DescribeStateMachine"]


def test_start_takes_a_name_and_a_file(api: FakeApi, tmp_path: Path) -> None:
    """A bare machine name becomes its ARN; @file is read; what is not given is not sent."""
    api.answers["StartExecution"] = lambda _: {"executionArn": EXECUTION, "startDate": 1.5}
    (tmp_path / "input.json").write_text('{"a": 1}')
    result = run(api, "start", "demo", "--input", f"@{tmp_path / 'input.json'}", "--json")
    assert json.loads(result.stdout)["executionArn"] == EXECUTION
    assert api.asked == [("StartExecution", {"stateMachineArn": MACHINE, "input": '{"a": 1}'})]


def test_follow_ends_with_counts_and_results(api: FakeApi) -> None:
    """`--follow` asks until the end and prints outcome, counts and where the results are."""
    polls: Iterator[Json] = iter([{"status": "RUNNING"}, {"status": "SUCCEEDED", "stopDate": 1700000012.5}])
    runs = iter(
        [described_run("RUNNING", total=10, succeeded=4, running=6), described_run("SUCCEEDED", total=10, succeeded=10)]
    )
    details = {"deep": [{"MapRunArn": RUN, "ResultWriterDetails": {"Bucket": "b", "Key": "p/u/manifest.json"}}]}

    def describe(_: Json) -> Answer:
        return {"executionArn": EXECUTION, "startDate": 1700000000.5, "output": json.dumps(details), **next(polls)}

    api.answers["StartExecution"] = lambda _: {"executionArn": EXECUTION, "startDate": 1.5}
    api.answers["DescribeExecution"] = describe
    api.answers["ListMapRuns"] = lambda _: {"mapRuns": [{"mapRunArn": RUN}]}
    api.answers["DescribeMapRun"] = lambda _: next(runs)
    api.answers["GET"] = lambda _: progress(1.0, 10, 10, ended=True)
    result = run(api, "start", MACHINE, "--follow")
    assert result.exit_code == 0, result.output
    assert "Label  4/10  4 succeeded, 6 running" in result.stderr
    assert "Label  10/10  10 succeeded  SUCCEEDED" in result.stderr
    assert "results    s3://b/p/u/manifest.json" in result.stdout
    assert "1 items/s over 10.0 s" in result.stdout


def test_follow_of_a_failed_execution_exits_with_one(api: FakeApi) -> None:
    """A script sees by the exit code that the execution did not succeed; the error and its cause are shown."""
    answer: dict[str, Any] = {
        "executionArn": EXECUTION,
        "startDate": 1.5,
        "stopDate": 2.5,
        "status": "FAILED",
        "error": "States.ItemReaderFailed",
        "cause": "no such key",
    }
    api.answers["StartExecution"] = lambda _: {"executionArn": EXECUTION, "startDate": 1.5}
    api.answers["DescribeExecution"] = lambda _: answer
    api.answers["ListMapRuns"] = lambda _: {"mapRuns": []}
    shown = run(api, "start", "demo", "--follow")
    assert shown.exit_code == 1
    assert "States.ItemReaderFailed" in shown.stdout
    assert "no such key" in shown.stdout
    as_json = run(api, "start", "demo", "--follow", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["execution"] == answer


def test_follow_bridges_a_tracker_that_is_away(api: FakeApi) -> None:
    """A 503 in mid-run is waited out, not reported as the end."""
    answers: Iterator[Answer] = iter(
        [
            (503, {"__type": "ServiceUnavailable", "message": "recovering"}),
            {"executionArn": EXECUTION, "startDate": 1.5, "stopDate": 2.5, "status": "SUCCEEDED", "output": "{}"},
        ]
    )
    api.answers["StartExecution"] = lambda _: {"executionArn": EXECUTION, "startDate": 1.5}
    api.answers["DescribeExecution"] = lambda _: next(answers)
    api.answers["ListMapRuns"] = lambda _: {"mapRuns": []}
    assert run(api, "start", "demo", "--follow").exit_code == 0


@pytest.mark.parametrize(
    ("arn", "operation"),
    [(MACHINE, "DescribeStateMachine"), (EXECUTION, "DescribeExecution"), (CHILD, "DescribeExecution")],
)
def test_describe_chooses_the_operation_by_the_arn(api: FakeApi, arn: str, operation: str) -> None:
    """What is described follows from the resource type in the ARN; dates are UTC for people."""
    api.answers[operation] = lambda _: {"name": "x", "startDate": 1700000000.25}
    result = run(api, "describe", arn)
    assert "2023-11-14 22:13:20.250Z" in result.stdout
    assert api.operations() == [operation]


def test_describe_of_a_map_run_shows_both_counts(api: FakeApi) -> None:
    """Items and executions stand side by side."""
    api.answers["DescribeMapRun"] = lambda _: described_run("RUNNING", total=1234, running=7)
    result = run(api, "describe", RUN)
    assert [line.split() for line in result.stdout.splitlines() if line.startswith("total")] == [
        ["total", "1,234", "1,234"]
    ]


def test_list_reads_page_after_page_up_to_its_limit(api: FakeApi) -> None:
    """Pages are followed by their tokens, and no more rows are asked for than are wanted."""

    def page(body: Json) -> Answer:
        first = int(body.get("nextToken", "0"))
        rows = [
            {"executionArn": f"arn:{i}", "status": "RUNNING", "startDate": 1.5, "itemCount": 1}
            for i in range(first, first + min(3, body["maxResults"]))
        ]
        return {"executions": rows, "nextToken": str(first + 3)}

    api.answers["ListExecutions"] = page
    result = run(api, "list", "executions", "--map-run", RUN, "--status", "running", "--limit", "7", "--json")
    assert [row["executionArn"] for row in json.loads(result.stdout)] == [f"arn:{i}" for i in range(7)]
    assert [body["maxResults"] for _, body in api.asked] == [7, 4, 1]
    assert api.asked[0][1]["statusFilter"] == "RUNNING"


def test_list_needs_exactly_one_parent(api: FakeApi) -> None:
    """Neither or both of --machine and --map-run is a usage error and asks nothing."""
    assert run(api, "list", "executions").exit_code == 2
    assert run(api, "list", "executions", "--machine", "m", "--map-run", RUN).exit_code == 2
    assert api.asked == []


def test_history_of_an_express_child_comes_from_its_own_path(api: FakeApi) -> None:
    """AWS's operation refuses EXPRESS executions; the child's events are read from our own path."""
    events = [
        {
            "id": 1,
            "previousEventId": 0,
            "timestamp": 1.5,
            "type": "ExecutionStarted",
            "executionStartedEventDetails": {"input": "{}", "inputDetails": {}},
        },
        {
            "id": 2,
            "previousEventId": 0,
            "timestamp": 1.5,
            "type": "ExecutionAborted",
            "executionAbortedEventDetails": {},
        },
    ]
    api.answers["GET"] = lambda _: {"events": events}
    result = run(api, "history", CHILD, "--reverse")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["ID", "2", "1"]
    assert '{"input":"{}"}' in result.stdout
    api.answers["GetExecutionHistory"] = lambda _: {"events": events}
    assert json.loads(run(api, "history", EXECUTION, "--json").stdout) == events


def test_an_express_history_of_many_pages_is_shown_whole(api: FakeApi) -> None:
    """Page after page is asked for by the token of the one before; --limit and --reverse hold for all together."""
    pages: dict[str, Json] = {
        "": {"events": [_event(1), _event(2)], "nextToken": "a/="},
        "&nextToken=a%2F%3D": {"events": [_event(3)], "nextToken": "b"},
        "&nextToken=b": {"events": [_event(4)]},
    }
    asked = f"/maprun/history?arn={quote(CHILD, safe='')}"
    api.answers["GET"] = lambda members: pages[members["path"].removeprefix(asked)]
    shown = json.loads(run(api, "history", CHILD, "--json").stdout)
    assert [event["id"] for event in shown] == [1, 2, 3, 4]
    shown = json.loads(run(api, "history", CHILD, "--json", "--reverse", "--limit", "2").stdout)
    assert [event["id"] for event in shown] == [4, 3]


def _event(event_id: int) -> Json:
    return {"id": event_id, "previousEventId": event_id - 1, "timestamp": 1.5, "type": "PassStateEntered"}


def test_redrive_is_followed_to_its_end(api: FakeApi) -> None:
    """A redrive is asked for under one token; its progress says which redrive it is and what waits for it."""
    polls: Iterator[Json] = iter([{"status": "RUNNING"}, {"status": "SUCCEEDED", "stopDate": 1700000112.5}])
    runs = iter(
        [
            {**described_run("RUNNING", total=10, succeeded=4, pendingRedrive=5, running=1), "redriveCount": 2},
            {**described_run("SUCCEEDED", total=10, succeeded=10), "redriveCount": 2},
        ]
    )
    described = {"executionArn": EXECUTION, "startDate": 1700000000.5, "redriveCount": 2, "redriveDate": 1700000100.5}
    api.answers["RedriveExecution"] = lambda _: {"redriveDate": 1700000100.5}
    api.answers["DescribeExecution"] = lambda _: {**described, "output": "{}", **next(polls)}
    api.answers["ListMapRuns"] = lambda _: {"mapRuns": [{"mapRunArn": RUN}]}
    api.answers["DescribeMapRun"] = lambda _: next(runs)
    api.answers["GET"] = lambda _: progress(1.0, 10, 10, ended=True)
    result = run(api, "redrive", EXECUTION, "--follow")
    assert result.exit_code == 0, result.output
    assert "Label (redrive 2)  4/10  4 succeeded, 1 running, 5 pending redrive" in result.stderr
    assert "redrives   2" in result.stdout
    assert "time       12.0 s" in result.stdout
    assert "items/s over" not in result.stdout
    assert len(api.asked[0][1]["clientToken"]) == 32


def test_redrive_without_following_says_when(api: FakeApi) -> None:
    """A token that is given is passed on; a refusal is AWS's."""
    api.answers["RedriveExecution"] = lambda _: {"redriveDate": 1700000000.25}
    assert json.loads(run(api, "redrive", EXECUTION, "--token", "t", "--json").stdout) == {"redriveDate": 1700000000.25}
    assert api.asked == [("RedriveExecution", {"executionArn": EXECUTION, "clientToken": "t"})]
    assert "2023-11-14 22:13:20.250Z" in run(api, "redrive", EXECUTION).stdout
    api.answers["RedriveExecution"] = lambda _: refused(
        "ExecutionNotRedrivable", "Execution redrivable period exceeded"
    )
    result = run(api, "redrive", EXECUTION)
    assert result.exit_code == 4
    assert "Execution redrivable period exceeded" in result.stderr


def test_a_map_runs_limits_are_changed(api: FakeApi) -> None:
    """Only what is given is sent; nothing given is a usage error."""
    api.answers["UpdateMapRun"] = lambda _: {}
    arguments = ("update-map-run", RUN, "--max-concurrency", "0", "--tolerated-failure-percentage", "12.5")
    shown = json.loads(run(api, *arguments, "--json").stdout)
    assert shown == {"mapRunArn": RUN, "maxConcurrency": 0, "toleratedFailurePercentage": 12.5}
    assert api.asked == [("UpdateMapRun", shown)]
    assert run(api, "update-map-run", RUN).exit_code == 2
    assert run(api, "update-map-run", RUN, "--tolerated-failure-percentage", "101").exit_code == 2
    assert len(api.asked) == 1


def test_describe_shows_redrives(api: FakeApi) -> None:
    """How often and when a Map Run was redriven stands in its description, and what waits for it in its counts."""
    redriven = {"redriveCount": 3, "redriveDate": 1700000000.25}
    api.answers["DescribeMapRun"] = lambda _: {**described_run("RUNNING", total=9, pendingRedrive=4), **redriven}
    result = run(api, "describe", RUN)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["redriveCount", "3"] in lines
    assert ["redriveDate", "2023-11-14", "22:13:20.250Z"] in lines
    assert ["pendingRedrive", "4", "4"] in lines


def test_lists_filter_by_redrive(api: FakeApi) -> None:
    """`--redrive` becomes AWS's filter; rows that were redriven show how often and when."""
    row = {
        "executionArn": "arn:1",
        "status": "FAILED",
        "startDate": 1.5,
        "redriveCount": 1,
        "redriveDate": 1700000000.25,
    }
    api.answers["ListExecutions"] = lambda _: {"executions": [row]}
    result = run(api, "list", "executions", "--map-run", RUN, "--redrive", "redriven", "--status", "failed")
    assert {"redriveFilter": "REDRIVEN", "statusFilter": "FAILED"}.items() <= api.asked[0][1].items()
    assert "REDRIVE COUNT" in result.stdout
    assert "2023-11-14 22:13:20.250Z" in result.stdout


def test_stop_says_when(api: FakeApi) -> None:
    """A stop is passed on with its error and cause."""
    api.answers["StopExecution"] = lambda _: {"stopDate": 1700000000.25}
    assert run(api, "stop", EXECUTION, "--error", "Mine", "--json").exit_code == 0
    assert api.asked == [("StopExecution", {"executionArn": EXECUTION, "error": "Mine"})]


def test_a_refusal_names_the_error_and_exits_with_four(api: FakeApi) -> None:
    """AWS's error name and message reach the user, without a stack trace; a namespace before # is cut off."""
    api.answers["DescribeExecution"] = lambda _: refused(
        "x#ExecutionDoesNotExist", f"Execution Does Not Exist: '{EXECUTION}'"
    )
    result = run(api, "describe", EXECUTION)
    assert result.exit_code == 4
    assert result.stderr == (
        f"Error: DescribeExecution was refused: ExecutionDoesNotExist: Execution Does Not Exist: '{EXECUTION}'\n"
    )


def test_nothing_at_the_address_exits_with_three() -> None:
    """An API that is not there is named with its address and the cure."""
    result = CliRunner().invoke(main, ["--endpoint", "http://127.0.0.1:9", "list", "machines"])
    assert result.exit_code == 3
    assert "http://127.0.0.1:9 can't be reached: nothing listens there" in result.stderr
    assert "maprun up" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["describe", "nonsense"], "is not an ARN"),
        (["describe", "arn:aws:states:us-east-1:123456789012:activity:x"], "can't be described"),
        (["deploy", "/nowhere/x.json"], "No such file"),
        (["start", "demo", "--input", "@/nowhere"], "No such file"),
        (["--endpoint", "ftp://x", "list", "machines"], "must look like"),
        (["list", "executions", "--machine", "m", "--status", "sleeping"], "is not one of"),
    ],
)
def test_nonsense_is_a_usage_error(api: FakeApi, arguments: list[str], shown: str) -> None:
    """What makes no sense is refused before the API is asked, and the message names what was given."""
    result = run(api, *arguments)
    assert result.exit_code == 2
    assert shown in result.stderr
    assert api.asked == []


def test_status_without_a_stack_exits_with_three(tmp_path: Path) -> None:
    """A state folder on which nothing runs is said to be so."""
    result = CliRunner().invoke(main, ["status"], env={"MAPRUN_STATE_DIR": str(tmp_path / "none")})
    assert result.exit_code == 3
    assert "no stack is running" in result.stderr


def test_status_of_a_stack_that_died_names_the_cure(tmp_path: Path) -> None:
    """A supervisor that was killed leaves its state file; `status` says so and exits with 1."""
    dead = StackStatus(phase="ready", pid=1, api="", kafka="", s3="", functions="")
    statefile.write(tmp_path, dead)
    result = CliRunner().invoke(main, ["status"], env={"MAPRUN_STATE_DIR": str(tmp_path)})
    assert result.exit_code == 1
    assert "the stack is failed" in result.stderr
