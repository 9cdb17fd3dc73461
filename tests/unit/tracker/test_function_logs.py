"""What `GET /maprun/function-logs` answers: what hosts have, why there is none, and to few at once."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from maprun.aws.function_logs import FunctionLogError
from maprun.requests.checks import Refusal
from schemas.invocations import FoundLog, FoundLogs
from services.maprun_tracker.api.function_logs import function_logs
from services.maprun_tracker.api.own_inputs import LogsAsked
from services.maprun_tracker.api.service import LOG_QUESTIONS_MAX
from tests.unit.tracker.test_state_tests import Port

ARN = "arn:aws:states:us-east-1:123456789012:execution:m/L:child"
CALL = FoundLog("f", "r", "START", truncated=False)
CALLER: Any = None


class Hosts:
    """Function hosts: what they say, and how many questions they had at once."""

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.at_once = self.most = 0

    def of(self, execution: str) -> tuple[FoundLogs, list[str]]:
        """The calls of an execution."""
        assert execution == ARN
        if self.error:
            raise FunctionLogError(self.error)
        return FoundLogs([CALL], truncated=True), ["another host is away"]


class CountingPort(Port):
    """Counts the work that is under way."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    async def call(self, work: Any) -> Any:
        """Work that takes a turn."""
        self._hosts.at_once += 1
        self._hosts.most = max(self._hosts.most, self._hosts.at_once)
        await asyncio.sleep(0)
        self._hosts.at_once -= 1
        return work()


def service(hosts: Hosts | None) -> Any:
    """What the question needs of a service."""
    limit = asyncio.Semaphore(LOG_QUESTIONS_MAX)
    return SimpleNamespace(port=CountingPort(hosts or Hosts()), function_logs=hosts, asking_for_logs=limit)


def test_what_hosts_have_is_answered() -> None:
    """Each call with its function, its id and its lines; that there are more, or may be elsewhere, is said."""
    answer = asyncio.run(function_logs(service(Hosts()), LogsAsked(execution_arn=ARN), CALLER))
    assert [(call.function_name, call.request_id, call.log) for call in answer.calls] == [("f", "r", "START")]
    assert answer.truncated
    assert answer.error == "another host is away"


def test_why_there_are_none_is_answered() -> None:
    """A host that has none is no failure of the request."""
    answer = asyncio.run(function_logs(service(Hosts("in CloudWatch Logs")), LogsAsked(execution_arn=ARN), CALLER))
    assert (answer.calls, answer.error) == ((), "in CloudWatch Logs")
    assert asyncio.run(function_logs(service(None), LogsAsked(execution_arn=ARN), CALLER)).calls == ()


def test_few_questions_are_asked_at_once() -> None:
    """Each takes a thread while a host looks through its logs: others wait their turn, and all are answered."""
    hosts = Hosts()

    async def scene() -> list[Any]:
        made = service(hosts)
        return await asyncio.gather(*(function_logs(made, LogsAsked(execution_arn=ARN), CALLER) for _ in range(20)))

    assert len(asyncio.run(scene())) == 20
    assert hosts.most == LOG_QUESTIONS_MAX


@pytest.mark.parametrize("arn", ["", "me", "arn:aws:states:us-east-1:123456789012:stateMachine:m"])
def test_what_is_no_execution_is_refused(arn: str) -> None:
    """By AWS's name."""
    with pytest.raises(Refusal, match="InvalidArn"):
        asyncio.run(function_logs(service(Hosts()), LogsAsked(execution_arn=arn), CALLER))
