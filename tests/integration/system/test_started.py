"""Thousands of children that each start an execution and wait for it, while the services are killed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.system.running import Json, ended, map_definition, output_of, states
from tests.integration.system.stack import ROLE, Stack

pytestmark = pytest.mark.integration
COUNT = 2_000
KILLED = ("child-runner-0", "scheduler", "maprun-tracker")
START = "arn:aws:states:::states:startExecution"
KEY = ("CIKEY", "a-secret-of-a-key-for-tests")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: what is killed here is nobody else's. Its API asks for signatures."""
    folder = Path(tmp_path_factory.mktemp("started"))
    keys = folder / "keys.json"
    keys.write_text(json.dumps([{"name": "ci", "id": KEY[0], "secret": KEY[1]}]))
    keys.chmod(0o600)
    made = Stack(folder, MAPRUN_KEYS_FILE=str(keys))
    made.keys["stepfunctions"] = KEY
    made.up()
    yield made
    made.down()


def machine(sfn: Any, name: str, definition: str) -> str:
    """A machine's ARN."""
    arn: str = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    return arn


def started(sfn: Any, arn: str) -> list[Json]:
    """All executions of a machine, as the API has them."""
    pages = sfn.get_paginator("list_executions").paginate(stateMachineArn=arn)
    return [item for page in pages for item in page["executions"]]


def ended_after_kills(sfn: Any, arn: str, seconds_max: float = 240) -> Json:
    """DescribeExecution at the end of an execution; the API may be away meanwhile."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        try:
            described: Json = sfn.describe_execution(executionArn=arn)
            if described["status"] != "RUNNING":
                return described
        except (BotoCoreError, ClientError):
            pass  # the tracker was killed a moment ago
        time.sleep(0.2)
    raise AssertionError(f"{arn} is still running after {seconds_max:.0f} s")


def starts(callee: str, pattern: str, **members: Any) -> Json:
    """A Task that starts the callee with its own input."""
    parameters = {"StateMachineArn": callee, "Input.$": "$"}
    return {"Type": "Task", "Resource": f"{START}{pattern}", "Parameters": parameters, "End": True, **members}


def test_none_is_started_twice_and_none_is_lost(stack: Stack) -> None:
    """After kill -9 of each service in mid-run, each child has the output of its own execution, and there is one."""
    sfn = stack.client("stepfunctions")
    wait = {"Type": "Wait", "Seconds": 1, "Next": "Done"}
    callee = machine(sfn, "callee", states(Wait=wait, Done={"Type": "Pass", "End": True}))
    child = {"Start": starts(callee, ".sync:2", OutputPath="$.Output")}
    selected = {"i.$": "$$.Map.Item.Value"}
    caller = machine(
        sfn, "caller", map_definition(child, ItemsPath="$.items", ItemSelector=selected, MaxConcurrency=300)
    )
    given = json.dumps({"items": list(range(COUNT))})
    arn = sfn.start_execution(stateMachineArn=caller, input=given)["executionArn"]
    for part in KILLED:
        time.sleep(2.5)
        assert sfn.describe_execution(executionArn=arn)["status"] == "RUNNING", "it ended before it was hit"
        stack.kill(part)
    output = output_of(ended_after_kills(sfn, arn))
    assert [item["i"] for item in output] == list(range(COUNT))
    executions = started(sfn, callee)
    assert {item["status"] for item in executions} == {"SUCCEEDED"}
    assert len(executions) == COUNT
    inputs = [json.loads(sfn.describe_execution(executionArn=item["executionArn"])["input"]) for item in executions]
    assert sorted(item["i"] for item in inputs) == list(range(COUNT))


def test_a_history_tells_of_the_submission(stack: Stack) -> None:
    """TaskScheduled, TaskStarted, TaskSubmitted with the answer of StartExecution, TaskSucceeded with the execution."""
    sfn = stack.client("stepfunctions")
    wait = states(Wait={"Type": "Wait", "Seconds": 1, "End": True})
    callee = machine(sfn, "waits", wait)
    caller = machine(sfn, "one", states(Start=starts(callee, ".sync")))
    arn = sfn.start_execution(stateMachineArn=caller, input='{"a": 1}')["executionArn"]
    output = output_of(ended(sfn, arn))
    assert (output["Status"], output["Output"], output["Input"]) == ("SUCCEEDED", '{"a":1}', '{"a":1}')
    events = sfn.get_execution_history(executionArn=arn)["events"]
    kinds = [event["type"] for event in events]
    assert kinds[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    details = events[4]["taskSubmittedEventDetails"]
    assert (details["resourceType"], details["resource"]) == ("states", "startExecution.sync")
    assert json.loads(details["output"])["ExecutionArn"] == output["ExecutionArn"]


def test_an_execution_is_stopped_with_its_task(stack: Stack) -> None:
    """StopExecution of the parent ends it, in AWS's words."""
    sfn = stack.client("stepfunctions")
    callee = machine(sfn, "sleeps", states(Wait={"Type": "Wait", "Seconds": 600, "End": True}))
    caller = machine(sfn, "stops", states(Start=starts(callee, ".sync")))
    arn = sfn.start_execution(stateMachineArn=caller, input="{}")["executionArn"]
    deadline = time.monotonic() + 20
    while not (found := started(sfn, callee)) and time.monotonic() < deadline:
        time.sleep(0.1)
    sfn.stop_execution(executionArn=arn)
    described = ended(sfn, found[0]["executionArn"])
    assert described["status"] == "ABORTED"
    words = f"The Task state in AWS Step Functions execution [{arn}] which was managing this resource was aborted"
    assert described["cause"] == words


@pytest.mark.parametrize("pattern", ["", ".waitForTaskToken"])
def test_the_other_patterns_do_not_wait_for_the_execution(stack: Stack, pattern: str) -> None:
    """Request-response ends with the answer; a callback ends the other, sent by whoever has the token."""
    sfn = stack.client("stepfunctions")
    token = pattern == ".waitForTaskToken"
    callee = machine(sfn, f"answers{len(pattern)}", states(Pass={"Type": "Pass", "End": True}))
    task = starts(callee, pattern)
    given = {"token.$": "$$.Task.Token"} if token else {}
    task["Parameters"] = {"StateMachineArn": callee, "Name": "given", "Input": given}
    caller = machine(sfn, f"asks{len(pattern)}", states(Start=task))
    arn = sfn.start_execution(stateMachineArn=caller, input="{}")["executionArn"]
    if token:
        deadline = time.monotonic() + 20
        while not (found := started(sfn, callee)) and time.monotonic() < deadline:
            time.sleep(0.1)
        shown = json.loads(sfn.describe_execution(executionArn=found[0]["executionArn"])["input"])
        sfn.send_task_success(taskToken=shown["token"], output='"called back"')
        assert output_of(ended(sfn, arn)) == "called back"
    else:
        output = output_of(ended(sfn, arn))
        assert output["ExecutionArn"].endswith(":given")
        assert isinstance(output["StartDate"], int)


def test_only_who_has_a_key_is_answered(stack: Stack) -> None:
    """boto3 names the error; what Tasks start above was signed by the services, which have no key of the file."""
    assert "stateMachines" in stack.client("stepfunctions").list_state_machines()
    keys = dict(stack.keys)
    for wrong, code in (
        ((KEY[0], KEY[1][::-1]), "InvalidSignatureException"),
        (("maprun", "maprun-local"), "UnrecognizedClientException"),
    ):
        stack.keys["stepfunctions"] = wrong
        with pytest.raises(ClientError) as refused:
            stack.client("stepfunctions").list_state_machines()
        assert refused.value.response["Error"]["Code"] == code
    stack.keys = keys
