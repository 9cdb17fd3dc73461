"""The gate: good records become commands on home, bad ones rejections with a reason, and none blocks the next."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from maprun.runtime.throttles import Rate, Throttle
from schemas import topics
from schemas.arns import home_of
from schemas.effects import HeartbeatReceived, TaskFailed, TaskSucceeded
from schemas.express import NOBODY_WAITS, ExpressRequested, ExpressStart
from schemas.home import CallbackReceived, ExecutionRequested, Origin
from schemas.lanes import Cause
from schemas.machines import Alias, MachineSpec, MachineWritten
from schemas.requests import record_of
from schemas.tokens import NO_LANE, TaskToken, TokenSecret
from services.scheduler.gate import own_requests
from services.scheduler.limits import SchedulerLimits
from tests.unit.mapruns.programs import HOMES, LANES, NAMES
from tests.unit.scheduler.rig import Rig

Make = Callable[..., Rig]
ARN = NAMES.machine("m")
SECRET = TokenSecret(b"secret")


def _machine(rig: Rig, offset: int = 0, definition: bytes = b"[]", machine_type: str = "STANDARD") -> None:
    spec = MachineSpec(definition, "role", machine_type)
    written = MachineWritten(Cause(0, offset, 0), ARN, "m", spec, "rev", 1, 1)
    rig.put(topics.MACHINES, home_of(ARN, HOMES), written)


def _commands(rig: Rig) -> list[ExecutionRequested]:
    records = [record for home in range(HOMES) for record in rig.records(topics.HOME, home)]
    return [msgspec.msgpack.decode(record.value or b"", type=ExecutionRequested) for record in records]


def _rejections(rig: Rig) -> list[Any]:
    return [json.loads(record.value or b"") for record in rig.records(topics.REJECTED_REQUESTS)]


def _ask(rig: Rig, record: Any) -> int:
    return rig.put(topics.EXECUTION_REQUESTS, 0, record if isinstance(record, bytes) else json.dumps(record).encode())


def test_good_and_bad_records_side_by_side(make_rig: Make) -> None:
    """Forty bad records between good ones: each is rejected with its place, by the name that users know."""
    rig = make_rig(topic_prefix="ours.")
    _machine(rig)
    rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    bad = [b"{", b"\xff", {"stateMachineArn": "x"}, {"stateMachineArn": ARN, "name": "a b"}] * 10
    for i, record in enumerate(bad):
        _ask(rig, record)
        _ask(rig, {"stateMachineArn": ARN, "name": f"good-{i}", "input": {"i": i}})
    rig.until(lambda: len(_commands(rig)) == 40 and len(_rejections(rig)) == 40)
    assert {command.name for command in _commands(rig)} == {f"good-{i}" for i in range(40)}
    assert [r["origin"]["offset"] for r in _rejections(rig)] == list(range(0, 80, 2))
    assert {r["error"] for r in _rejections(rig)} == {"SerializationException", "InvalidArn", "InvalidName"}
    keys = {record.key for record in rig.records(topics.REJECTED_REQUESTS)}
    assert b"ours.execution-requests/0/78" in keys


def test_a_command_stands_on_the_home_of_its_execution(make_rig: Make) -> None:
    """The partition is that of the execution's ARN, whatever the user's key was."""
    rig = make_rig()
    _machine(rig)
    rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    for i in range(20):
        _ask(rig, {"stateMachineArn": ARN, "name": f"n{i}"})
    rig.until(lambda: len(_commands(rig)) == 20)
    for home in range(HOMES):
        for record in rig.records(topics.HOME, home):
            command = msgspec.msgpack.decode(record.value or b"", type=ExecutionRequested)
            assert home_of(command.arn, HOMES) == home


def test_a_record_may_start_an_express_execution(make_rig: Make) -> None:
    """A start of an EXPRESS machine goes to a lane and to no home; read again, the record asks for the same ARN."""
    rig = make_rig()
    _machine(rig, machine_type="EXPRESS")
    process = rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    rig.world.observers.append(lambda record: process.kill() if record.topic == topics.EXPRESS_REQUESTS.name else None)

    def starts() -> list[ExpressStart]:
        records = [record for lane in range(LANES) for record in rig.records(topics.EXPRESS_REQUESTS, lane)]
        frames = [msgspec.msgpack.decode(record.value or b"", type=ExpressRequested) for record in records]
        return [start for frame in frames for start in frame.starts]

    _ask(rig, {"stateMachineArn": ARN, "name": "n", "input": {"a": 1}})
    rig.until(lambda: len(starts()) >= 1)
    rig.world.observers.pop()
    rig.until(lambda: len(starts()) == 2, 60)
    first, second = starts()
    assert (first.arn, first.name, first.input, first.call) == (second.arn, "n", b'{"a": 1}', NOBODY_WAITS)
    assert first.arn.startswith(NAMES.express("m", "n", ""))
    assert _commands(rig) == []
    assert _rejections(rig) == []


def test_a_record_may_tell_a_task_what_became_of_it(make_rig: Make) -> None:
    """Success, failure and heartbeat of a Task that waits for its token, on the home of its execution."""
    rig = make_rig(secret=SECRET)
    rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    token = TaskToken(NAMES.execution("m", "waits"), "ab" * 16, NO_LANE)
    text = SECRET.make(token)
    for told in ({"output": '{"a": 1}'}, {"output": [1]}, {"error": "Mine", "cause": "c"}, {"heartbeat": True}):
        _ask(rig, {"taskToken": text, **told})
    home = home_of(token.arn, HOMES)
    rig.until(lambda: len(rig.records(topics.HOME, home)) == 4)
    values = [record.value or b"" for record in rig.records(topics.HOME, home)]
    found = [msgspec.msgpack.decode(value, type=CallbackReceived) for value in values]
    assert [record.callback for record in found] == [
        TaskSucceeded(token.attempt, b'{"a": 1}'),
        TaskSucceeded(token.attempt, b"[1]"),
        TaskFailed(token.attempt, "Mine", "c"),
        HeartbeatReceived(token.attempt),
    ]
    assert {(record.arn, record.lane) for record in found} == {(token.arn, NO_LANE)}
    assert [record_of(record.request_id) for record in found] == [Origin("execution-requests", 0, n) for n in range(4)]


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"taskToken": "nonsense", "output": "{}"}, "InvalidToken"),
        ({"taskToken": 7, "output": "{}"}, "SerializationException"),
        ({"taskToken": "", "output": "{}"}, "ValidationException"),
        ({"output": "{"}, "InvalidOutput"),
        ({"output": "{}", "heartbeat": True}, "ValidationException"),
        ({"output": "{}", "error": "E"}, "ValidationException"),
        ({"heartbeat": []}, "ValidationException"),
        ({"heartbeat": False}, "ValidationException"),
        ({"error": 7}, "SerializationException"),
        ({"error": "e" * 257}, "ValidationException"),
        ({"stateMachineArn": ARN, "output": "{}"}, "ValidationException"),
        ({}, "ValidationException"),
    ],
)
def test_a_record_that_tells_a_task_nothing_is_rejected(make_rig: Make, told: dict[str, Any], error: str) -> None:
    """With the error that the API has for it, or what is wrong with the record."""
    rig = make_rig(secret=SECRET)
    rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    _ask(rig, {"taskToken": SECRET.make(TaskToken(NAMES.execution("m", "e"), "ab" * 16, NO_LANE)), **told})
    rig.until(lambda: len(_rejections(rig)) == 1)
    assert _rejections(rig)[0]["error"] == error


def test_a_machine_is_known_as_soon_as_it_is_on_its_topic(make_rig: Make) -> None:
    """`machines` is read up to its end before each answer: a machine made a moment ago exists, a new one is used."""
    rig = make_rig()
    rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    _ask(rig, {"stateMachineArn": ARN, "name": "early"})
    rig.until(lambda: len(_rejections(rig)) == 1)
    assert _rejections(rig)[0]["error"] == "StateMachineDoesNotExist"
    for version in range(5):
        _machine(rig, version, b"[%d]" % version)
        _ask(rig, {"stateMachineArn": ARN, "name": f"v{version}"})
        rig.until(lambda v=version: len(_commands(rig)) == v + 1)  # type: ignore[misc]
    assert {(c.name, c.definition) for c in _commands(rig)} == {(f"v{v}", b"[%d]" % v) for v in range(5)}


@pytest.mark.parametrize(("qualifier", "by"), [(":1", ""), (":live", "live")])
def test_a_record_may_name_a_version_or_an_alias(make_rig: Make, qualifier: str, by: str) -> None:
    """It is looked for on its machine's home; the command says by what the execution was started, and what runs."""
    rig = make_rig()
    home = home_of(ARN, HOMES)
    rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    spec = MachineSpec(b"[1]", "role")
    version = MachineWritten(Cause(0, 0, 0), f"{ARN}:1", "m", spec, "rev", 1, 1, version=1)
    rig.put(topics.MACHINES, home, version)
    live = Alias("live", (1, 100), "", 1, 1)
    now = msgspec.structs.replace(spec, definition=b"[2]")
    machine = MachineWritten(Cause(0, 1, 0), ARN, "m", now, "rev-2", 1, 1, versions=(1,), aliases=(live,))
    rig.put(topics.MACHINES, home, machine)
    for asked in (qualifier, ":2", ":dead"):
        _ask(rig, {"stateMachineArn": ARN + asked, "name": "n"})
    rig.until(lambda: len(_commands(rig)) == 1 and len(_rejections(rig)) == 2)
    [command] = _commands(rig)
    assert (command.arn, command.machine_arn) == (NAMES.execution("m", "n"), ARN)
    assert (command.definition, command.version, command.alias) == (b"[1]", 1, by)
    assert {rejected["error"] for rejected in _rejections(rig)} == {"StateMachineDoesNotExist"}


def test_a_record_read_again_asks_for_the_same_execution(make_rig: Make) -> None:
    """After kill -9 behind the send and before the commit: the same request id and the same derived name."""
    rig = make_rig()
    _machine(rig)
    process = rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    rig.world.observers.append(lambda record: process.kill() if record.topic == topics.HOME.name else None)
    _ask(rig, {"stateMachineArn": ARN})
    rig.until(lambda: len(_commands(rig)) >= 1)
    rig.world.observers.pop()
    rig.until(lambda: len(_commands(rig)) == 2, 60)
    first, second = _commands(rig)
    assert first == second
    assert len(first.name) == 36


def test_starts_that_come_too_fast_wait_on_their_topic(make_rig: Make) -> None:
    """What the bucket holds goes at once, the rest as it is refilled, in order; what is refused costs nothing."""
    rig = make_rig()
    throttle = Throttle({"StartExecution": Rate(4, 2)}, lambda: rig.world.now)
    rig.over["throttle"] = throttle
    rig.over["limits"] = SchedulerLimits(records_per_turn_max=2)
    _machine(rig)
    rig.process(rig.group(topics.EXECUTION_REQUESTS, own_requests, 1))
    began = rig.world.now
    for i in range(10):
        _ask(rig, {"stateMachineArn": ARN, "name": f"n{i}"})
        _ask(rig, b"{")
    rig.until(lambda: len(_commands(rig)) == 4)
    assert rig.world.now - began < 1
    rig.until(lambda: len(_commands(rig)) == 10)
    assert rig.world.now - began > 2.9
    assert {command.name for command in _commands(rig)} == {f"n{i}" for i in range(10)}
    assert len(_rejections(rig)) == 10
