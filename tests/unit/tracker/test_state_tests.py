"""TestState over HTTP: any process answers, calls go out once, and one that takes too long ends."""

import asyncio
import json
import time
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict
from yarl import URL

from maprun.aws.web.client import Watch, WebAnswer, WebRequest
from maprun.requests.checks import Refusal
from maprun.statetest import Asked
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded
from services.maprun_tracker.api.state_tests import StateTests
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import Log, Process, played, post

TEST = "AWSStepFunctions.TestState"
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "End": True}
PASS = {"Type": "Pass", "Parameters": {"a.$": "$.b"}, "Next": "On"}
ROLE = "arn:aws:iam::123456789012:role/r"


class Port:
    """What tests need of a process."""

    def now_ms(self) -> int:
        """Some time."""
        return 1_000

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic()

    async def call(self, work: Any) -> Any:
        """Work, in a thread."""
        return await asyncio.to_thread(work)


def ask(definition: Any) -> Asked:
    """The request."""
    return Asked(definition=json.dumps(definition), role_arn=ROLE)


def test_any_process_answers() -> None:
    """It needs no home; what it is given in members that are none is refused as everywhere."""

    async def play(first: Process, _second: Process, _log: Log) -> None:
        first.port.goes_on.set()
        members = {"definition": json.dumps(PASS), "input": '{"b":[1]}', "inspectionLevel": "DEBUG"}
        answer = await post(first.url, TEST, members)
        assert answer.status == 200
        assert (answer.body["output"], answer.body["nextState"]) == ('{"a":[1]}', "On")
        assert answer.body["inspectionData"]["afterParameters"] == '{"a":[1]}'
        for wrong, code in (
            ({"definition": json.dumps(PASS), "inspectionLevel": "ALL"}, "ValidationException"),
            ({"definition": json.dumps(PASS), "roleArn": "me"}, "InvalidArn"),
            ({"definition": "{"}, "InvalidDefinition"),
            ({"definition": json.dumps(PASS), "input": "not"}, "InvalidExecutionInput"),
            ({"definition": json.dumps(TASK), "mock": {"errorOutput": {}}}, "ValidationException"),
        ):
            refused = await post(first.url, TEST, wrong)
            assert (refused.status, refused.body["__type"]) == (400, code)

    played(play)


class World:
    """Makes calls as a test says, and is closed."""

    def __init__(self, run_task: Any) -> None:
        self.run_task = run_task

    async def close(self) -> None:
        """Holds nothing."""


def over(run_task: Any) -> StateTests:
    """Tests over a fake world."""
    port: Any = Port()
    return StateTests(port, fakes.NAMES, World(run_task))


def test_a_call_is_made_once_with_the_key_of_its_request() -> None:
    """Its result flows on."""
    calls = []

    async def run_task(request: TaskRequested, key: str, _watch: Any) -> TaskSucceeded:
        calls.append((request.resource, request.parameters, key))
        return TaskSucceeded(request.ref, b'{"Payload":1}')

    outcome = asyncio.run(over(run_task).test(ask(TASK), "k"))
    assert (outcome.status, outcome.output) == ("SUCCEEDED", '{"Payload":1}')
    assert calls == [("arn:aws:states:::lambda:invoke", b'{"FunctionName":"f"}', "k")]


def test_a_call_that_fails_is_caught() -> None:
    """By the state's own Catch."""

    async def run_task(request: TaskRequested, _key: str, _watch: Any) -> TaskFailed:
        return TaskFailed(request.ref, "Broken", "why")

    state = {**TASK, "Catch": [{"ErrorEquals": ["Broken"], "Next": "Cure"}]}
    outcome = asyncio.run(over(run_task).test(ask(state), "k"))
    assert (outcome.status, outcome.error, outcome.next_state) == ("CAUGHT_ERROR", "Broken", "Cure")


@pytest.mark.parametrize("hung", [True, False])
def test_a_call_ends_with_the_state_s_timeout(hung: bool) -> None:
    """TimeoutSeconds hold; the state fails with States.Timeout."""

    async def run_task(request: TaskRequested, _key: str, _watch: Any) -> TaskSucceeded:
        await asyncio.sleep(60 if hung else 0)
        return TaskSucceeded(request.ref, b"1")

    outcome = asyncio.run(over(run_task).test(ask({**TASK, "TimeoutSeconds": 1}), "k"))
    assert (outcome.status, outcome.error) == (("FAILED", "States.Timeout") if hung else ("SUCCEEDED", None))


HTTP = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": True}


@pytest.mark.parametrize("level", ["TRACE", "DEBUG"])
def test_trace_shows_what_went_over_the_wire(level: str) -> None:
    """Of an HTTP Task: the request, without what its connection adds, and the response."""

    async def run_task(request: TaskRequested, _key: str, watch: Watch | None) -> TaskSucceeded:
        assert (watch is not None) is (level == "TRACE")
        if watch is not None:
            headers = CIMultiDict({"Range": "bytes=0-262144", "A": "b"})
            watch.request = WebRequest("POST", URL("https://api.test/a?q=1"), headers, b'{"n":1}')
            watch.answer = WebAnswer(404, "Not Found", (("Date", "today"),), b"gone")
        return TaskSucceeded(request.ref, b"{}")

    asked = Asked(definition=json.dumps(HTTP), role_arn=ROLE, inspection_level=level)
    shown = asyncio.run(over(run_task).test(asked, "k")).inspection_data
    assert shown is not None
    if level == "DEBUG":
        assert (shown.request, shown.response) == (None, None)
        return
    assert json.loads(msgspec.json.encode(shown.request)) == {
        "protocol": "https",
        "method": "POST",
        "url": "https://api.test/a?q=1",
        "headers": "[Range: bytes=0-262144, A: b]",
        "body": '{"n":1}',
    }
    assert json.loads(msgspec.json.encode(shown.response)) == {
        "protocol": "https",
        "statusCode": "404",
        "statusMessage": "Not Found",
        "headers": "[Date: today]",
        "body": "gone",
    }


def test_secrets_of_connections_are_shown_to_nobody() -> None:
    """Whoever reaches the API could ask for them; other Tasks have none."""

    async def run_task(request: TaskRequested, _key: str, _watch: Any) -> TaskSucceeded:
        return TaskSucceeded(request.ref, b"{}")

    def asked(state: Any, **members: Any) -> Asked:
        return Asked(definition=json.dumps(state), role_arn=ROLE, reveal_secrets=True, **members)

    with pytest.raises(Refusal) as refused:
        asyncio.run(over(run_task).test(asked(HTTP, inspection_level="TRACE"), "k"))
    assert refused.value.code == "AccessDeniedException"
    assert asyncio.run(over(run_task).test(asked(TASK), "k")).status == "SUCCEEDED"
