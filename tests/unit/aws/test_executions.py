"""states:startExecution against a server that speaks StartExecution."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from aiohttp import web

from maprun.integrations.executions import TASK_PATTERN_HEADER, TASK_TOKEN_HEADER
from schemas.effects import SubmissionFailed, TaskRequested, TaskSubmitted
from tests.unit.aws.service import failed, outcomes, output, runner_at, serving, task

START = "arn:aws:states:::states:startExecution"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
ARN = "arn:aws:states:us-east-1:123456789012:execution:m:n"
STARTED = {"executionArn": ARN, "startDate": 1_700_000_000.123}
REFUSED = {"__type": "ExecutionAlreadyExists", "message": f"Execution Already Exists: '{ARN}'"}


class Api:
    """Answers StartExecution with these, one after the other, the last one for ever; keeps what it was asked."""

    def __init__(self, *answers: tuple[int, dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Any] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        assert request.headers["X-Amz-Target"] == "AWSStepFunctions.StartExecution"
        self.asked.append(json.loads(await request.read()))
        self.headers.append(request.headers)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.json_response(body, status=status, headers={"x-amzn-RequestId": "q"})


def test_an_input_may_be_json_and_the_answer_has_milliseconds() -> None:
    """As the integration has both on AWS."""
    api = Api((200, STARTED))
    (found,) = outcomes(api.answer, task(START, {"StateMachineArn": MACHINE, "Name": "n", "Input": {"a": [1]}}))
    assert api.asked == [{"stateMachineArn": MACHINE, "name": "n", "input": '{"a":[1]}'}]
    answer = output(found)
    assert (answer["ExecutionArn"], answer["StartDate"]) == (ARN, 1_700_000_000_123)
    assert answer["SdkHttpMetadata"]["HttpStatusCode"] == 200


def test_all_attempts_of_a_call_are_one_request() -> None:
    """The idempotency key is their invocation id, so the API starts one execution."""
    api = Api((200, STARTED))
    outcomes(api.answer, task(START, {"StateMachineArn": MACHINE}), keys=("a", "a", "b"))
    assert [headers["amz-sdk-invocation-id"] for headers in api.headers] == ["a", "a", "b"]
    assert TASK_TOKEN_HEADER not in api.headers[0]


def test_a_refusal_is_worded_as_the_integration_words_it() -> None:
    """With the prefix of the service, and the SDK's words around the API's."""
    (found,) = outcomes(Api((400, REFUSED)).answer, task(START, {"StateMachineArn": MACHINE}))
    assert failed(found).error == "StepFunctions.ExecutionAlreadyExistsException"
    details = "Service: AWSStepFunctions; Status Code: 400; Error Code: ExecutionAlreadyExists; Request ID: q"
    assert failed(found).cause == f"Execution Already Exists: '{ARN}' ({details}; Proxy: null)"


def test_an_api_that_is_not_there_just_now_is_asked_again() -> None:
    """A tracker that was killed is no failure of the Task."""
    not_now = (503, {"__type": "ServiceUnavailable", "message": "not now"})
    api = Api(not_now, not_now, (200, STARTED))
    (found,) = outcomes(api.answer, task(START, {"StateMachineArn": MACHINE}))
    assert output(found)["ExecutionArn"] == ARN
    assert len(api.asked) == 3


@pytest.mark.parametrize(
    ("answer", "kind"), [((200, STARTED), TaskSubmitted), ((400, REFUSED), SubmissionFailed)], ids=["ok", "refused"]
)
def test_a_task_that_waits_says_who_it_is(answer: tuple[int, dict[str, Any]], kind: type) -> None:
    """Its token and its pattern go along, and the answer is that of a submission."""
    api = Api(answer)
    asked: TaskRequested = task(f"{START}.sync:2", {"StateMachineArn": MACHINE})
    asked = msgspec.structs.replace(asked, callback=True, token="token")  # noqa: S106 - no secret

    async def use(endpoint: str) -> object:
        """The attempt."""
        runner = runner_at(endpoint)
        try:
            return await runner.run_task(asked, "key")
        finally:
            await runner.close()

    assert isinstance(asyncio.run(serving(api.answer, use)), kind)
    assert api.headers[0][TASK_TOKEN_HEADER] == "token"
    assert api.headers[0][TASK_PATTERN_HEADER] == ".sync:2"


def test_an_execution_that_is_started_belongs_to_the_same_trace() -> None:
    """The call says so in its headers, which the API heeds."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    api = Api((200, STARTED))
    outcomes(api.answer, msgspec.structs.replace(task(START, {"StateMachineArn": MACHINE}), trace=trace))
    assert api.headers[0]["X-Amzn-Trace-Id"] == trace
