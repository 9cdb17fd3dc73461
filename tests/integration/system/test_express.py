"""Root executions of EXPRESS machines over the whole stack, by unmodified boto3."""

import itertools
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.system.running import PASS, ended, output_of, run, states
from tests.integration.system.stack import ROLE, Stack

Json = dict[str, Any]
_numbers = itertools.count()


@pytest.fixture(scope="session")
def sync(stack: Stack) -> Any:
    """A client that leaves the `sync-` before the host away: the stack is reached by an address."""
    return stack.client("stepfunctions", inject_host_prefix=False)


def express(sfn: Any, definition: str) -> str:
    """The ARN of a new EXPRESS machine."""
    name = f"express-{next(_numbers)}"
    made = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE, type="EXPRESS")
    return str(made["stateMachineArn"])


def calling(name: str) -> Json:
    """A Task that calls a function with the state's input."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": name, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "End": True,
    }


def test_a_call_is_answered_with_how_the_execution_ended(sfn: Any, sync: Any) -> None:
    """Status, output, dates, ARN of nine parts and billing come in the answer to StartSyncExecution."""
    arn = express(sfn, states(**PASS))
    answer = sync.start_sync_execution(stateMachineArn=arn, input='{"a": 1}', name="mine", traceHeader="Root=1-2-3")
    assert (answer["status"], json.loads(answer["output"])) == ("SUCCEEDED", {"a": 1})
    assert (answer["name"], answer["stateMachineArn"], answer["traceHeader"]) == ("mine", arn, "Root=1-2-3")
    assert (answer["input"], answer["inputDetails"]["included"], answer["outputDetails"]["included"]) == (
        '{"a": 1}',
        True,
        True,
    )
    assert answer["executionArn"].startswith(arn.replace(":stateMachine:", ":express:") + ":mine:")
    assert answer["billingDetails"] == {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100}
    assert answer["stopDate"] >= answer["startDate"]


def test_names_need_not_be_unique(sfn: Any, sync: Any) -> None:
    """The same name twice is two executions."""
    arn = express(sfn, states(**PASS))
    arns = {sync.start_sync_execution(stateMachineArn=arn, name="same")["executionArn"] for _ in range(2)}
    arns |= {sfn.start_execution(stateMachineArn=arn, name="same")["executionArn"] for _ in range(2)}
    assert len(arns) == 4


def test_a_failed_execution_is_an_answer(sfn: Any, sync: Any) -> None:
    """StartSyncExecution of what fails is answered with status, error and cause, and with no output."""
    arn = express(sfn, states(F={"Type": "Fail", "Error": "Mine", "Cause": "because"}))
    answer = sync.start_sync_execution(stateMachineArn=arn)
    assert (answer["status"], answer["error"], answer["cause"]) == ("FAILED", "Mine", "because")
    assert "output" not in answer
    assert answer["input"] == "{}"


def test_metadata_alone_leaves_payloads_out(sfn: Any, sync: Any) -> None:
    """With includedData METADATA_ONLY there is neither input nor output, and the details say so."""
    arn = express(sfn, states(**PASS))
    answer = sync.start_sync_execution(stateMachineArn=arn, includedData="METADATA_ONLY")
    assert "input" not in answer
    assert "output" not in answer
    assert (answer["inputDetails"], answer["outputDetails"]) == ({"included": False}, {"included": False})


def test_tasks_waits_and_time_limits(sfn: Any, sync: Any) -> None:
    """Functions are called, a Wait waits, and TimeoutSeconds ends an execution as TIMED_OUT."""
    wait = {"Type": "Wait", "Seconds": 1, "Next": "T"}
    answer = sync.start_sync_execution(stateMachineArn=express(sfn, states(W=wait, T=calling("echo"))), input='{"x":1}')
    assert (answer["status"], json.loads(answer["output"])["inputReceived"]) == ("SUCCEEDED", {"x": 1})
    assert answer["billingDetails"]["billedDurationInMilliseconds"] >= 1_000
    late = json.dumps({"TimeoutSeconds": 1, **json.loads(states(W={"Type": "Wait", "Seconds": 60, "End": True}))})
    assert sync.start_sync_execution(stateMachineArn=express(sfn, late))["status"] == "TIMED_OUT"


def test_a_synchronous_execution_sees_no_redrive_count(sfn: Any, sync: Any) -> None:
    """The context object of a synchronous execution has no RedriveCount; its Name is the name alone."""
    arn = express(sfn, states(P={"Type": "Pass", "Parameters": {"c.$": "$$.Execution"}, "End": True}))
    answer = sync.start_sync_execution(stateMachineArn=arn, name="seen")
    context = json.loads(answer["output"])["c"]
    assert set(context) == {"Id", "Input", "Name", "RoleArn", "StartTime"}
    assert (context["Id"], context["Name"]) == (answer["executionArn"], "seen")


@pytest.mark.parametrize("operation", ["describe_execution", "get_execution_history", "stop_execution"])
def test_what_aws_refuses_for_express_executions(sfn: Any, operation: str) -> None:
    """Root executions of EXPRESS machines can't be described, stopped, or asked for their history."""
    arn = express(sfn, states(**PASS))
    started = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    with pytest.raises(ClientError) as refused:
        getattr(sfn, operation)(executionArn=started)
    assert refused.value.response["Error"]["Code"] == "InvalidArn"


def test_a_history_by_the_endpoint_of_our_own(sfn: Any, sync: Any, stack: Stack) -> None:
    """`GET /maprun/history` shows what happened, whoever waits for the execution, and while it runs."""
    arn = express(sfn, states(**PASS))
    answer = sync.start_sync_execution(stateMachineArn=arn, input='{"a": 1}')
    events = shown(stack, answer["executionArn"])["events"]
    types = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert [event["type"] for event in events] == types
    assert [event["id"] for event in events] == [1, 2, 3, 4]
    assert json.loads(events[0]["executionStartedEventDetails"]["input"]) == {"a": 1}
    assert json.loads(events[3]["executionSucceededEventDetails"]["output"]) == {"a": 1}
    waiting = express(sfn, states(W={"Type": "Wait", "Seconds": 3, "End": True}))
    started = sfn.start_execution(stateMachineArn=waiting)["executionArn"]
    seen: list[list[str]] = []
    until = time.monotonic() + 60
    while not seen or seen[-1][-1] != "ExecutionSucceeded":
        assert time.monotonic() < until, seen
        found = shown(stack, started).get("events")
        if found:
            seen.append([event["type"] for event in found])
        time.sleep(0.2)
    assert ["ExecutionStarted", "WaitStateEntered"] in seen
    assert seen[-1] == ["ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"]
    assert shown(stack, f"{started}0")["__type"].endswith("ExecutionDoesNotExist")


def shown(stack: Stack, arn: str) -> Json:
    """What the own endpoint answers about an execution's history."""
    try:
        with urllib.request.urlopen(f"{stack.api}/maprun/history?arn={arn}", timeout=30) as answer:  # noqa: S310 - http
            found: Json = json.load(answer)
    except urllib.error.HTTPError as refused:
        found = json.load(refused)
    return found


def test_machines_of_the_other_type_are_refused(sfn: Any, sync: Any) -> None:
    """ListExecutions of an EXPRESS machine, and StartSyncExecution of a STANDARD one."""
    arn = express(sfn, states(**PASS))
    with pytest.raises(sfn.exceptions.StateMachineTypeNotSupported):
        sfn.list_executions(stateMachineArn=arn)
    standard = sfn.create_state_machine(name="standard-sync", definition=states(**PASS), roleArn=ROLE)
    with pytest.raises(sync.exceptions.StateMachineTypeNotSupported):
        sync.start_sync_execution(stateMachineArn=standard["stateMachineArn"])
    with pytest.raises(sync.exceptions.StateMachineDoesNotExist):
        sync.start_sync_execution(stateMachineArn=standard["stateMachineArn"] + "-none")
    with pytest.raises(sync.exceptions.InvalidExecutionInput):
        sync.start_sync_execution(stateMachineArn=arn, input="{")
    with pytest.raises(sync.exceptions.InvalidName):
        sync.start_sync_execution(stateMachineArn=arn, name="a b")


def test_a_task_starts_express_executions(sfn: Any) -> None:
    """`states:startExecution` starts one without waiting; to wait for one is refused."""
    arn = express(sfn, states(**PASS))
    starting = {"Type": "Task", "Parameters": {"StateMachineArn": arn, "Input": {"n": 1}}, "End": True}
    begun = output_of(run(sfn, states(T={**starting, "Resource": "arn:aws:states:::states:startExecution"})))
    assert ":express:" in begun["ExecutionArn"]
    waited = {**starting, "Resource": "arn:aws:states:::states:startExecution.sync"}
    made = sfn.create_state_machine(name="waits-for-express", definition=states(T=waited), roleArn=ROLE)
    failed = ended(sfn, sfn.start_execution(stateMachineArn=made["stateMachineArn"])["executionArn"])
    assert (failed["status"], failed["error"]) == ("FAILED", "StepFunctions.StateMachineTypeNotSupportedException")


def test_callers_hear_when_a_runner_is_killed(stack: Stack, sfn: Any, sync: Any) -> None:
    """Of a synchronous execution whose runner is killed nobody can say whether it ran: the caller hears 503."""
    arn = express(sfn, states(W={"Type": "Wait", "Seconds": 20, "End": True}))
    runners = [part for part in stack.pids() if part.startswith("child-runner")]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(sync.start_sync_execution, stateMachineArn=arn) for _ in range(8)]
        time.sleep(2)
        for runner in runners:
            stack.kill(runner)
        errors = [call.exception() for call in calls]
    told = [error.response["ResponseMetadata"] for error in errors if isinstance(error, ClientError)]
    assert [metadata["HTTPStatusCode"] for metadata in told] == [503] * 8
    assert sync.start_sync_execution(stateMachineArn=express(sfn, states(**PASS)))["status"] == "SUCCEEDED"
