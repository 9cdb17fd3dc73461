"""Too much of something: requests in a second, state machines, activities, open executions, over HTTP."""

from typing import Any

import msgspec
import pytest

from maprun.requests.checks import Refusal
from maprun.requests.registry import MachineRegistry
from maprun.runtime.throttles import EXPRESS_STARTS, Rate, Throttle
from schemas.activities import ActivityWritten
from schemas.arns import home_of
from schemas.lanes import Cause
from schemas.machines import MachineSpec, MachineWritten
from services.maprun_tracker.api import inputs
from services.maprun_tracker.api.errors import ThrottledError
from services.maprun_tracker.api.owners import PEER_PATH
from services.maprun_tracker.api.quotas import Quotas
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import DESCRIBE, LIST, PREFIX, Log, Process, played, post


def throttle(name: str, rate: Rate) -> Throttle:
    """One bucket, in a world whose time stands still."""
    return Throttle({name: rate}, lambda: 0.0)


def registry() -> MachineRegistry:
    """Two machines and an activity."""
    machines = MachineRegistry()
    for name, kind in (("m", "STANDARD"), ("e", "EXPRESS")):
        spec = MachineSpec(b"{}", "r", kind)
        machines.apply(MachineWritten(Cause(0, 0, 0), fakes.NAMES.machine(name), name, spec, "", 0, 0))
    machines.activities.apply(ActivityWritten(Cause(0, 1, 0), fakes.NAMES.activity("a"), "a", b"", b"", 0))
    return machines


def test_a_throttled_request_is_told_when_to_come_again() -> None:
    """HTTP 400, ThrottlingException, Rate exceeded, as on AWS; other operations are not concerned."""

    async def play(first: Process, second: Process, log: Log) -> None:
        first.service.quotas = Quotas(throttle("DescribeExecution", Rate(4, 0.8)))
        asked = {"executionArn": log.arns[0]}
        answers = [await post(first.url, DESCRIBE, asked) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 400]
        assert answers[2].body == {"__type": "ThrottlingException", "message": "Rate exceeded"}
        assert answers[2].headers["x-amz-retry-after"] == "2500"
        assert answers[2].headers["Retry-After"] == "3"
        assert (await post(first.url, LIST, {"stateMachineArn": fakes.MACHINE})).status == 200
        assert (await post(second.url, DESCRIBE, asked)).status == 200

    played(play)


def test_a_request_that_is_handed_on_is_counted_once() -> None:
    """By the process where it came in: the one that knows the answer takes it from no bucket of its own."""

    async def play(first: Process, second: Process, log: Log) -> None:
        second.service.quotas = Quotas(throttle("DescribeExecution", Rate(2, 1)))
        for _ in range(5):
            assert (await post(first.url, DESCRIBE, {"executionArn": log.arns[1]})).status == 200
            assert (await post(second.url + PEER_PATH, DESCRIBE, {"executionArn": log.arns[1]})).status == 200

    played(play)


def test_starts_of_express_machines_have_a_bucket_of_their_own() -> None:
    """As on AWS; what can't be read, or names no machine, is counted as a start of a STANDARD one."""
    quotas, machines = Quotas(throttle(EXPRESS_STARTS, Rate(1, 1))), registry()

    def start(body: bytes) -> None:
        quotas.check_rate("StartExecution", body, machines, 1)

    express = msgspec.json.encode({"stateMachineArn": fakes.NAMES.machine("e"), "input": "{}"})
    others = (msgspec.json.encode({"stateMachineArn": fakes.MACHINE}), b"{", b'{"stateMachineArn":1}', b"\xff", b"[]")
    start(express)
    for body in others:
        start(body)
    with pytest.raises(ThrottledError):
        start(express)


@pytest.mark.parametrize(
    ("ask", "bounds", "error"),
    [
        (inputs.CreateStateMachine(name="new"), (2, 0), "StateMachineLimitExceeded: State Machine Limit Exceeded: '2'"),
        (inputs.CreateStateMachine(name="new"), (3, 1), ""),
        (inputs.CreateStateMachine(name="new"), (0, 0), ""),
        (inputs.CreateStateMachine(name="m"), (2, 0), ""),  # it is there
        (inputs.CreateActivity(name="new"), (0, 1), "ActivityLimitExceeded: Activity Limit Exceeded: '1'"),
        (inputs.CreateActivity(name="a"), (0, 1), ""),
        (inputs.CreateActivity(name="new"), (1, 2), ""),
        (inputs.CreateActivity(name="new"), (0, 0), ""),
        (inputs.MachineAsked(), (1, 1), ""),
    ],
)
def test_one_too_many(ask: Any, bounds: tuple[int, int], error: str) -> None:
    """Is refused with AWS's code; what is there already may be created again."""
    said = ""
    try:
        Quotas(None, *bounds).check_room(ask, registry(), fakes.NAMES)
    except Refusal as refusal:
        said = str(refusal)
    assert said == error


def test_where_time_helps_a_no_says_how_much() -> None:
    """Also one that another process said."""

    async def play(first: Process, second: Process, _log: Log) -> None:
        name = next(name for name in "abcdefgh" if home_of(fakes.NAMES.machine(name), fakes.HOMES) == 0)
        first.service.quotas = Quotas(None, 1, 0)  # which owns that home
        asked = {"name": name, "definition": "{}", "roleArn": "arn:aws:iam::123456789012:role/r"}
        for process in (first, second):
            answer = await post(process.url, PREFIX + "CreateStateMachine", asked)
            assert (answer.status, answer.body["__type"]) == (400, "StateMachineLimitExceeded")
            assert (answer.headers["x-amz-retry-after"], answer.headers["Retry-After"]) == ("60000", "60")

    played(play)
