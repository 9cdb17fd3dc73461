"""Several processes of the API over HTTP: who is asked, how long a request is held, and what a "not now" says."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY

from maprun.bus.port import Record
from schemas import topics
from schemas.arns import home_of
from schemas.lanes import Cause
from schemas.machines import MachineSpec, MachineWritten
from schemas.wire import encode
from services.maprun_tracker.api.holding import Holding, Reply
from services.maprun_tracker.api.owners import HOMES_HEADER, PEER_PATH
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import DESCRIBE, LIST, Log, Process, part_of, played, post


def test_who_does_not_own_a_home_asks_its_owner() -> None:
    """Each process answers for every home, and lists what all have."""

    async def play(first: Process, second: Process, log: Log) -> None:
        for process in (first, second):
            for arn in log.arns.values():
                answer = await post(process.url, DESCRIBE, {"executionArn": arn})
                assert (answer.status, answer.body["executionArn"]) == (200, arn)
            answer = await post(process.url, LIST, {"stateMachineArn": fakes.MACHINE})
            assert {row["executionArn"] for row in answer.body["executions"]} == set(log.arns.values())

    played(play)


def test_no_header_makes_an_answer_partial() -> None:
    """What one process knows alone is had under a path of its own, and by no header of a user's request."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        for header in ("X-Maprun-Forwarded", HOMES_HEADER):
            answer = await post(first.url, LIST, {"stateMachineArn": fakes.MACHINE}, {header: "1"})
            assert len(answer.body["executions"]) == fakes.HOMES
        own = await post(first.url + PEER_PATH, LIST, {"stateMachineArn": fakes.MACHINE})
        assert [row["executionArn"] for row in own.body["executions"]] == [log.arns[0]]
        assert own.headers[HOMES_HEADER] == "0"
        other = await post(first.url + PEER_PATH, DESCRIBE, {"executionArn": log.arns[1]})
        assert (other.status, other.body["__type"]) == (503, "ServiceUnavailable")

    played(play)


def test_a_dead_owner_is_waited_out() -> None:
    """Handed on to a process that is no more, a request is held until the group knows, and then answered."""

    async def play(first: Process, second: Process, log: Log) -> None:
        await second.server.close()
        asked = asyncio.create_task(post(first.url, DESCRIBE, {"executionArn": log.arns[1]}))
        listed = asyncio.create_task(post(first.url, LIST, {"stateMachineArn": fakes.MACHINE}))
        await asyncio.sleep(0.4)
        assert not asked.done()
        assert not listed.done()
        first.believed, first.parts[1] = {}, part_of(log, 1)
        assert (await asked).status == 200
        assert len((await listed).body["executions"]) == fakes.HOMES

    played(play)


def test_a_frozen_owner_is_left_when_the_home_goes_elsewhere() -> None:
    """A process that takes a request and never answers is waited for only as long as the home is its."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        asked_by = asyncio.Event()

        async def hang(_request: web.Request) -> web.Response:
            asked_by.set()
            await asyncio.sleep(60)
            return web.Response()

        application = web.Application()
        application.add_routes([web.post(PEER_PATH, hang)])
        frozen = TestServer(application)
        async with frozen:
            first.believed = {str(frozen.make_url("")).rstrip("/"): [1]}
            asked = asyncio.create_task(post(first.url, DESCRIBE, {"executionArn": log.arns[1]}))
            await asked_by.wait()
            first.believed, first.parts[1] = {}, part_of(log, 1)
            assert (await asked).status == 200

    played(play)


def test_a_list_that_lacks_a_home_is_no_answer() -> None:
    """When the other process lost a home meanwhile, its list is not taken for the whole."""

    async def play(first: Process, second: Process, log: Log) -> None:
        part = second.parts.pop(1)
        listed = asyncio.create_task(post(first.url, LIST, {"stateMachineArn": fakes.MACHINE}))
        await asyncio.sleep(0.4)
        assert not listed.done()
        second.parts[1] = part
        assert {row["executionArn"] for row in (await listed).body["executions"]} == set(log.arns.values())

    played(play)


def test_a_request_is_held_until_its_home_is_read() -> None:
    """What a recovery will answer in a moment is not refused; other homes of the process answer at once."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        first.parts[1] = part_of(log, 1)
        first.reading = {1}
        asked = asyncio.create_task(post(first.url, DESCRIBE, {"executionArn": log.arns[1]}))
        assert (await post(first.url, DESCRIBE, {"executionArn": log.arns[0]})).status == 200
        await asyncio.sleep(0.3)
        assert not asked.done()
        first.reading = set()
        assert (await asked).status == 200

    played(play)


def test_a_503_says_when_to_come_again() -> None:
    """When its time is over, a request gets the reason, and the waits that SDKs honour: milliseconds and seconds."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        first.reading = {0}
        answer = await post(first.url, DESCRIBE, {"executionArn": log.arns[0]})
        assert (answer.status, answer.body["message"]) == (503, "home 0 is being read")
        assert 1_000 <= int(answer.headers["x-amz-retry-after"]) <= 5_000
        assert int(answer.headers["Retry-After"]) * 1_000 >= int(answer.headers["x-amz-retry-after"])

    played(play, hold_seconds=0.3)


def test_nobody_is_held_in_vain() -> None:
    """A final answer is given at once; so is any when the client has gone, time is over, or too many are held."""

    async def asked(*, may_come: bool, gone_after: int = 99, held_max: int = 1, seconds: float = 99.0) -> int:
        """How often the answer was sought."""
        attempts = 0

        async def attempt() -> Reply:
            nonlocal attempts
            attempts += 1
            return Reply("ServiceUnavailable", web.Response(), may_come and attempts < 5)

        holding = Holding(seconds, held_max, lambda: float(attempts))
        await holding.answer(attempt, lambda: attempts >= gone_after)
        assert holding.held == 0
        return attempts

    assert asyncio.run(asked(may_come=False)) == 1
    assert asyncio.run(asked(may_come=True)) == 5
    assert asyncio.run(asked(may_come=True, gone_after=2)) == 2
    assert asyncio.run(asked(may_come=True, held_max=0)) == 1
    assert asyncio.run(asked(may_come=True, seconds=3.0)) == 3


def test_requests_are_answered_while_a_definition_is_examined() -> None:
    """A definition is examined in a thread, one after the other, and a request beside it is answered meanwhile."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        first.parts[1] = part_of(log, 1)
        definition = {"definition": "{}"}
        made = {**definition, "name": "n", "roleArn": "arn:aws:iam::123456789012:role/r"}
        asked = [
            asyncio.create_task(post(first.url, f"AWSStepFunctions.{name}", members))
            for name, members in (
                ("ValidateStateMachineDefinition", definition),
                ("CreateStateMachine", made),
                ("UpdateStateMachine", {"definition": "[]", "stateMachineArn": fakes.MACHINE}),
            )
        ]
        while not first.port.calls:  # noqa: ASYNC110 - until the first has come so far
            await asyncio.sleep(0.01)
        answer = await post(first.url, DESCRIBE, {"executionArn": log.arns[0]})
        assert answer.status == 200
        assert len(first.port.calls) == 1
        first.port.goes_on.set()
        answers = await asyncio.gather(*asked)
        assert [answer.body.get("result", answer.body.get("__type")) for answer in answers] == [
            "FAIL",
            "InvalidDefinition",
            "InvalidDefinition",
        ]
        assert len(first.port.calls) == 3
        again = await post(first.url, "AWSStepFunctions.CreateStateMachine", made)
        assert (again.body, len(first.port.calls)) == (answers[1].body, 3)

    played(play)


def test_a_machine_that_cannot_be_read_is_counted() -> None:
    """It is passed over, counted and logged; the machines behind it are read."""

    def count() -> float:
        return REGISTRY.get_sample_value("maprun_tracker_unreadable_records_total", {"topic": "machines"}) or 0.0

    service = Process(Log(), {0}).service
    home = home_of(fakes.MACHINE, fakes.HOMES)
    newer = MachineWritten(Cause(home, 9, 0), fakes.MACHINE, "m", MachineSpec(b"{}", "r"), "new", 0, 0)
    before = count()
    for offset, value in enumerate((b"\xff", None, b"\x91" * 100_000, encode(newer))):
        service.machine_written(Record(topics.MACHINES.name, home, offset, 0, b"k", value))
    assert count() - before == 2
    found = service.machines.get(fakes.MACHINE)
    assert found is not None
    assert found.revision_id == "new"
