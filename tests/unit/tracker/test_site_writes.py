"""Writes over HTTP: the owner of the home answers; one that ends in the midst leaves nothing undone or done twice."""

import asyncio
from typing import Any

import pytest

from maprun.mapruns.fold.home import decode_record
from schemas.home import ExecutionRequested
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import DESCRIBE, PREFIX, Log, Process, part_of, played, post

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
