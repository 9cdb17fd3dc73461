"""TestState on a whole stack, with unmodified boto3: calls that are made, mocks that are held against models."""

import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.system.stack import ROLE, Stack

pytestmark = pytest.mark.integration
ECHO = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "echo", "Payload.$": "$.order"},
    "ResultSelector": {"got.$": "$.Payload.inputReceived"},
    "ResultPath": "$.answer",
    "Next": "Pay",
}


@pytest.fixture(scope="module")
def sfn(stack: Stack) -> Any:
    """A client that leaves the `sync-` before the host away: the stack is reached by an address."""
    return stack.client("stepfunctions", inject_host_prefix=False)


def test_a_task_is_really_called(sfn: Any) -> None:
    """The function host answers; every step of the data is shown; nothing is left of it."""
    before = sfn.list_state_machines()["stateMachines"]
    answer = sfn.test_state(
        definition=json.dumps(ECHO), roleArn=ROLE, input='{"order":{"id":7}}', inspectionLevel="DEBUG"
    )
    assert (answer["status"], answer["nextState"]) == ("SUCCEEDED", "Pay")
    assert json.loads(answer["output"]) == {"order": {"id": 7}, "answer": {"got": {"id": 7}}}
    seen = {name: json.loads(text) for name, text in answer["inspectionData"].items()}
    assert seen["afterParameters"] == {"FunctionName": "echo", "Payload": {"id": 7}}
    assert seen["result"]["StatusCode"] == 200
    assert seen["afterResultSelector"] == {"got": {"id": 7}}
    assert sfn.list_state_machines()["stateMachines"] == before


def test_a_function_that_is_not_there_fails_the_state(sfn: Any) -> None:
    """With Lambda's own error, which Retry and Catch see."""
    state = {**ECHO, "Parameters": {"FunctionName": "nobody"}}
    answer = sfn.test_state(definition=json.dumps(state), roleArn=ROLE, input="{}")
    assert (answer["status"], answer["error"]) == ("FAILED", "Lambda.ResourceNotFoundException")
    caught = {**state, "Catch": [{"ErrorEquals": ["Lambda.ResourceNotFoundException"], "Next": "Cure"}]}
    assert sfn.test_state(definition=json.dumps(caught), roleArn=ROLE, input="{}")["nextState"] == "Cure"


def test_mocks_and_refusals(sfn: Any) -> None:
    """A mock needs no role; what is wrong with it is said by AWS's error."""
    mocked = sfn.test_state(
        definition=json.dumps(ECHO), input='{"order":1}', mock={"result": '{"Payload":{"inputReceived":2}}'}
    )
    assert json.loads(mocked["output"])["answer"] == {"got": 2}
    with pytest.raises(ClientError, match="Field 'StatusCode' must be a number") as refused:
        sfn.test_state(definition=json.dumps(ECHO), mock={"result": '{"StatusCode":"x"}'})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(sfn.exceptions.InvalidDefinition):
        sfn.test_state(definition="{}")


def test_heavy_tests_hold_up_nobody(stack: Stack, sfn: Any) -> None:
    """While several compute for as long as an expression may, other requests are answered."""
    output = "{% $sum($map([1..100000], function($n) { $n * 2 })) %}"
    heavy = json.dumps({"Type": "Pass", "QueryLanguage": "JSONata", "Output": output, "End": True})
    clients = [stack.client("stepfunctions", inject_host_prefix=False) for _ in range(4)]
    answers: list[Any] = []

    def tries(client: Any) -> None:
        answers.extend(client.test_state(definition=heavy)["output"] for _ in range(3))

    threads = [threading.Thread(target=tries, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    waited = []
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        sfn.list_state_machines()
        waited.append(time.monotonic() - began)
    assert answers == ["10000100000"] * 12
    assert len(waited) > 3
    assert sorted(waited)[len(waited) // 2] < 0.5
