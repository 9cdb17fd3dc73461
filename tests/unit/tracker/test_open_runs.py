"""The Map Runs that are open: of one process, and of all."""

import asyncio
from typing import Any

import aiohttp
import msgspec

from schemas.home import ItemsRead
from services.maprun_tracker.api.operations import OPEN_RUNS, OWN_PATHS
from tests.unit.tracker.processes import Log, Process, played
from tests.unit.tracker.stories import Story
from tests.unit.tracker.test_api_redrive import CALL, World


def test_an_open_run_is_told_as_it_is_described() -> None:
    """With its machine, and how many items it will have; one that is over is not told of."""
    story = Story(1)
    world = World(story)
    run = story.begin(0)
    story.put(ItemsRead(run, 0, 0, 40, 40, 400, b"c", share=0.1))
    world.fold()
    own = OWN_PATHS[OPEN_RUNS]
    told: Any = msgspec.to_builtins(asyncio.run(own.handle(world.service, own.asked(), CALL)))  # type: ignore[arg-type]
    (row,) = told["mapRuns"]
    described: Any = OWN_PATHS["/maprun/progress"]
    arn = row["mapRunArn"]
    progress = asyncio.run(described.handle(world.service, described.asked(map_run_arn=arn), CALL))
    assert row["itemsExpected"] == progress.items_expected == 400
    assert (row["status"], row["waiting"]) == ("RUNNING", False)
    assert row["stateMachineArn"].endswith("/L")
    assert told["count"] == 1


def test_all_processes_are_asked_and_what_nobody_tells_is_named() -> None:
    """Each process answers for all homes; of one whose owner is gone it says that it is missing."""

    async def ask(process: Process) -> Any:
        async with aiohttp.ClientSession() as http, http.get(process.url + OPEN_RUNS) as answer:
            assert answer.status == 200
            return await answer.json(content_type=None)

    async def play(first: Process, second: Process, log: Log) -> None:
        for process in (first, second):
            told = await ask(process)
            assert (told["count"], told["homes"], told.get("missingHomes")) == (2, [0, 1], None)
            assert {row["executionArn"] for row in told["mapRuns"]} == set(log.arns.values())
        await second.server.close()
        told = await ask(first)
        assert (told["count"], told["homes"], told["missingHomes"]) == (1, [0], [1])

    played(play)
