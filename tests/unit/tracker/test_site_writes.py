"""Writes over HTTP: the owner of the home answers; one that ends in the midst leaves nothing undone or done twice."""

import asyncio
from typing import Any

import pytest

from maprun.bus.port import Record
from maprun.mapruns.fold.home import decode_record
from schemas import topics
from schemas.arns import home_of
from schemas.home import ExecutionRequested
from schemas.starters import Starter
from schemas.tokens import NO_LANE, TaskToken, TokenSecret
from schemas.wire import encode
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import DESCRIBE, PREFIX, Log, Process, part_of, played, post

MADE = fakes.NAMES.machine("made")
DEFINITION = '{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}'
START = {"stateMachineArn": fakes.MACHINE, "input": "[1]"}


def started(log: Log, home: int) -> list[ExecutionRequested]:
    """The starts on a home but for the one that is there from the beginning."""
    found = [decode_record(value) for value in log.homes[home][1:]]
    return [record for record in found if isinstance(record, ExecutionRequested)]


def test_a_write_is_answered_by_the_owner_of_its_home() -> None:
    """Whoever is asked; and at once it is there to be read at every door."""

    async def play(first: Process, second: Process, log: Log) -> None:
        names = [f"w{n}" for n in range(6)]
        for name in names:
            answer = await post(first.url, f"{PREFIX}StartExecution", {**START, "name": name})
            assert answer.status == 200
            read = await post(second.url, DESCRIBE, {"executionArn": answer.body["executionArn"]})
            assert (read.status, read.body["status"]) == (200, "RUNNING")
        by_home = [{request.name for request in started(log, home)} for home in range(fakes.HOMES)]
        assert set.union(*by_home) == set(names)
        assert all(by_home)

    played(play)


def test_a_task_that_starts_an_execution_stands_in_its_request() -> None:
    """At whichever door it came in: by its token, from which name and request id follow."""
    secret = TokenSecret(b"secret")
    token = TaskToken("arn:aws:states:us-east-1:123456789012:execution:p:p", "ab" * 16, NO_LANE)
    headers = {"X-Maprun-Task-Token": secret.make(token), "X-Maprun-Task-Pattern": ".sync:2"}

    async def play(first: Process, second: Process, log: Log) -> None:
        for process in (first, second):
            process.service.secret.learn(b"secret")
            answer = await post(process.url, f"{PREFIX}StartExecution", START, headers)
            assert answer.status == 200
            assert answer.body["executionArn"].endswith(":abababab-abab-4bab-abab-abababababab")
        (home,) = (home for home in range(fakes.HOMES) if started(log, home))
        assert {request.starter for request in started(log, home)} == {Starter(token.arn, token.attempt, NO_LANE, True)}
        assert {request.request_id for request in started(log, home)} == {token.attempt}

    played(play)


def test_a_token_of_nobody_starts_nothing() -> None:
    """Who makes one up is told so."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        first.service.secret.learn(b"secret")
        answer = await post(first.url, f"{PREFIX}StartExecution", START, {"X-Maprun-Task-Token": "nonsense"})
        assert (answer.status, answer.body["__type"]) == (400, "InvalidToken")
        assert not any(started(log, home) for home in range(fakes.HOMES))

    played(play)


def test_a_machine_is_said_to_be_made_once_its_topic_shows_it() -> None:
    """Every other door looks for it there: the gate, and trackers that don't own its home."""

    async def play(first: Process, second: Process, log: Log) -> None:
        process, home = (first, 0) if home_of(MADE, fakes.HOMES) == 0 else (second, 1)
        process.port.goes_on.set()
        body = {"name": "made", "definition": DEFINITION, "roleArn": "arn:aws:iam::123456789012:role/r"}
        asked = asyncio.create_task(post(process.url, f"{PREFIX}CreateStateMachine", body))
        while MADE not in process.parts[home].home.state.machines:  # noqa: ASYNC110 - until it is folded
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert not asked.done()
        made = encode(process.parts[home].home.state.machines[MADE])
        process.service.machine_written(Record(topics.MACHINES.name, home, 0, 0, b"k", made))
        answer = await asked
        assert (answer.status, answer.body["stateMachineArn"]) == (200, MADE)
        assert len(log.homes[home]) == 2

    played(play)


@pytest.mark.parametrize("sdk", [True, False])
def test_an_owner_that_ends_in_the_midst_is_followed_by_one_with_the_same_answer(*, sdk: bool) -> None:
    """It wrote the request on home and was gone: asked again, its successor starts nothing new."""

    async def play(first: Process, second: Process, log: Log) -> None:
        second.folds = False
        asked: list[asyncio.Task[Any]] = []
        while not started(log, 1):  # the name follows from the call, and the home from the name
            headers = {"amz-sdk-invocation-id": f"call-{len(asked)}"} if sdk else {}
            asked.append(asyncio.create_task(post(first.url, f"{PREFIX}StartExecution", START, headers)))
            await asyncio.sleep(0.05)
        second.abort()
        await second.server.close()
        await asyncio.sleep(0.2)
        first.believed, first.parts[1] = {}, part_of(log, 1)
        answers = await asyncio.gather(*asked)
        assert [answer.status for answer in answers] == [200] * len(asked)
        assert len({request.arn for home in (0, 1) for request in started(log, home)}) == len(asked)
        assert len({request.request_id for request in started(log, 1)}) == 1
        assert len(started(log, 1)) > 1

    played(play)
