"""The Kafka topic and the command line as ways in: a request becomes an execution, its changes become events."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.system import doors
from tests.integration.system.running import PASS, ended, map_definition, output_of, states
from tests.integration.system.stack import ACCOUNT, REGION, ROLE, ROOT, Stack

pytestmark = pytest.mark.integration
ARN = f"arn:aws:states:{REGION}:{ACCOUNT}"


def test_a_record_of_the_topic_starts_an_execution_and_its_changes_are_events(stack: Stack, sfn: Any) -> None:
    """A request published to Kafka runs; RUNNING and SUCCEEDED are published in EventBridge's shape."""
    machine = sfn.create_state_machine(name="by-topic", definition=states(**PASS), roleArn=ROLE)["stateMachineArn"]
    topic = doors.Topic(stack)
    record = {"stateMachineArn": machine, "name": "one", "input": {"a": 1}}
    topic.send([json.dumps(record).encode()])
    arn = f"{ARN}:execution:by-topic:one"
    found = ended(sfn, arn)
    assert output_of(found) == {"a": 1}
    events = topic.events(arn, "SUCCEEDED", 20)
    assert [event["detail"]["status"] for event in events] == ["RUNNING", "SUCCEEDED"]
    last = events[-1]
    assert (last["source"], last["detail-type"]) == ("aws.states", "Step Functions Execution Status Change")
    assert last["resources"] == [arn]
    assert json.loads(last["detail"]["output"]) == {"a": 1}
    assert last["detail"]["stateMachineArn"] == machine
    assert last["detail"]["stopDate"] >= last["detail"]["startDate"]


def test_a_record_sent_twice_starts_one_execution_by_its_name(stack: Stack, sfn: Any) -> None:
    """The same name and input twice: one execution; the second is answered or rejected, never run again."""
    machine = sfn.create_state_machine(name="twice", definition=states(**PASS), roleArn=ROLE)["stateMachineArn"]
    record = json.dumps({"stateMachineArn": machine, "name": "one", "input": "{}"}).encode()
    doors.Topic(stack).send([record, record])
    ended(sfn, f"{ARN}:execution:twice:one")
    assert len(sfn.list_executions(stateMachineArn=machine)["executions"]) == 1


def test_a_record_without_a_name_gets_one(stack: Stack, sfn: Any) -> None:
    """A name that is not given is derived from where the record stands, and the execution runs."""
    machine = sfn.create_state_machine(name="nameless", definition=states(**PASS), roleArn=ROLE)["stateMachineArn"]
    topic = doors.Topic(stack)
    topic.send([json.dumps({"stateMachineArn": machine}).encode()] * 2)
    rows: list[Any] = []
    for _ in range(200):
        rows = sfn.list_executions(stateMachineArn=machine)["executions"]
        if len(rows) == 2:
            break
    assert len({row["executionArn"] for row in rows}) == 2


def test_the_command_line_runs_a_map_from_deploy_to_stop(stack: Stack, tmp_path: Path) -> None:
    """deploy, start --follow, describe, list, history and stop against the real API."""
    file = tmp_path / "by-cli.asl.json"
    file.write_text(map_definition(PASS, child_type="EXPRESS"))
    assert json.loads(doors.cli(stack, "deploy", str(file), "--json").stdout)["action"] == "created"
    assert json.loads(doors.cli(stack, "deploy", str(file), "--json").stdout)["action"] == "unchanged"
    followed = doors.cli(stack, "start", "by-cli", "--name", "one", "--input", json.dumps(list(range(50))), "--follow")
    assert followed.exit_code == 0, followed.output
    assert "50 succeeded of 50" in followed.stdout
    arn = f"{ARN}:execution:by-cli:one"
    [run] = json.loads(doors.cli(stack, "list", "map-runs", arn, "--json").stdout)
    described = json.loads(doors.cli(stack, "describe", run["mapRunArn"], "--json").stdout)
    assert described["itemCounts"]["succeeded"] == 50
    rows = json.loads(doors.cli(stack, "list", "executions", "--map-run", run["mapRunArn"], "--json").stdout)
    assert len(rows) == 50
    events = json.loads(doors.cli(stack, "history", rows[0]["executionArn"], "--json").stdout)
    assert events[0]["type"] == "ExecutionStarted"
    assert doors.cli(stack, "history", arn).exit_code == 0
    stopped = doors.cli(stack, "stop", f"{ARN}:execution:by-cli:nobody")
    assert stopped.exit_code == 4
    status = json.loads(doors.cli(stack, "status", "--json").stdout)
    assert {part["state"] for part in status["parts"] if part["pid"]} == {"ready"}


def test_the_tutorial_runs_and_checks_itself(stack: Stack) -> None:
    """A small tutorial: every row comes back from S3 equal to the source, and the exit code says so."""
    done = subprocess.run(
        [sys.executable, "-m", "maprun.cli", "demo", "--rows", "3000"],
        cwd=ROOT,
        env=stack.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3,000 results read back from S3, each equal to its row of the source" in done.stdout
