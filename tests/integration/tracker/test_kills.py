"""What a killed tracker loses: nothing. And what several processes of it do: answer as one."""

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maprun.runtime.settings import Settings
from schemas.home import ItemsRead, SourceEnded
from schemas.wire import Fact
from tests.integration.tracker.conftest import Decider, tracker_settings
from tests.integration.tracker.process import TrackerProcess
from tests.integration.tracker.test_api import PASS, Fed, created, wait_for
from tests.unit.tracker import fakes

pytestmark = pytest.mark.integration
POSITIONS = 20_000
FRAME = 100


class Fleet:
    """Tracker processes in one group, each with its own address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.all: list[TrackerProcess] = []

    def add(self) -> TrackerProcess:
        """One more, started."""
        number = 100 + len(self.all)
        log = Path(self._settings.state_dir).with_name(f"tracker-{number}.log")
        process = TrackerProcess(tracker_settings(self._settings, number), log)
        process.start()
        self.all.append(process)
        return process

    def end(self) -> None:
        """Kills those that run."""
        for process in self.all:
            process.kill()


@pytest.fixture
def fleet(settings: Settings, tracker: TrackerProcess) -> Iterator[Fleet]:
    """More processes beside the one that is always there."""
    tracker.ready()
    fleet = Fleet(settings)
    yield fleet
    fleet.end()
    wait_for(lambda: tracker.post("AWSStepFunctions.ListStateMachines", b"{}")[0] == 200)


def frames_of(run: str, seed: int) -> list[tuple[Fact, ...]]:
    """Frames in scattered order with repeats and late contradictions; every eleventh child failed."""
    rng = random.Random(seed)
    order = sorted(range(POSITIONS), key=lambda p: p + rng.randrange(2_000))
    frames: list[tuple[Fact, ...]] = []
    for at in range(0, POSITIONS, FRAME):
        part = sorted(order[at : at + FRAME])
        ranges = tuple(n for p in part for n in (p, 1))
        frame = fakes.children_ended(run, 0, ranges, bytes(2 if p % 11 == 0 else 1 for p in part))
        batch: list[Fact] = [frame]
        if rng.random() < 0.1:
            batch.append(frame)
        if rng.random() < 0.1:
            batch.append(fakes.children_ended(run, 1, ranges, bytes(4 for _ in part)))
        frames.append(tuple(batch))
    return frames


def feed(decider: Decider, fed: Fed, seed: int, pause: float) -> None:
    """Answers all positions of a run, a frame now and then."""
    frames = frames_of(fed.run, seed)
    decider.write(fed.home, ItemsRead(fed.run, 0, 0, POSITIONS, POSITIONS, 10 * POSITIONS, b"c"))
    for batch in frames:
        decider.write(fed.home, *batch)
        time.sleep(pause)


def check_run(client: Any, fed: Fed, failed: int) -> None:
    """Counts, and the children that failed, one by one, with their histories."""
    described = wait_for(lambda: (d := client.describe_map_run(mapRunArn=fed.arn))["status"] != "RUNNING" and d)
    counts = described["executionCounts"]
    assert (counts["succeeded"], counts["failed"], counts["total"]) == (POSITIONS - failed, failed, POSITIONS)
    pages = client.get_paginator("list_executions").paginate(
        mapRunArn=fed.arn, statusFilter="FAILED", PaginationConfig={"PageSize": 1000}
    )
    rows = [row for page in pages for row in page["executions"]]
    assert len({row["executionArn"] for row in rows}) == len(rows) == failed
    positions = {int(row["name"][:8], 16) for row in rows}
    assert positions == set(range(0, POSITIONS, 11))
    for row in random.Random(1).sample(rows, 20):
        position = int(row["name"][:8], 16)
        assert client.describe_execution(executionArn=row["executionArn"])["cause"] == f"cause {position}"


def test_killed_while_it_folds_it_ends_exact(tracker: TrackerProcess, decider: Decider) -> None:
    """Killed four times while 20,000 answers come, some twice, some contradicting, it loses and doubles nothing."""
    client = tracker.client()
    fed = Fed(client, decider, "STANDARD", concurrency=POSITIONS)
    feeder = threading.Thread(target=feed, args=(decider, fed, 3, 0.01))
    feeder.start()
    ready = []
    totals = []
    for _ in range(4):
        time.sleep(0.7)
        totals.append(client.describe_map_run(mapRunArn=fed.arn)["executionCounts"]["succeeded"])
        tracker.kill()
        tracker.start()
        ready.append(tracker.ready())
    feeder.join()
    decider.write(fed.home, SourceEnded(fed.run, 0, POSITIONS))
    check_run(client, fed, len(range(0, POSITIONS, 11)))
    assert totals == sorted(totals)
    print("seconds from start to ready after kill -9:", [round(r, 2) for r in ready])
    tracker.kill()
    tracker.start()
    tracker.ready()
    check_run(client, fed, len(range(0, POSITIONS, 11)))


def test_several_processes_answer_as_one(tracker: TrackerProcess, decider: Decider, fleet: Fleet) -> None:
    """A second process takes its share; each answers for all, whoever owns what; when it dies, the first has it all."""
    client = tracker.client()
    machine = created(client, PASS)
    arns = [client.start_execution(stateMachineArn=machine, name=f"a{n}")["executionArn"] for n in range(12)]
    other = fleet.add()
    other.ready()
    second = other.client()
    wait_for(lambda: tracker.post("AWSStepFunctions.ListStateMachines", b"{}")[0] == 200)
    arns += [second.start_execution(stateMachineArn=machine, name=f"b{n}")["executionArn"] for n in range(12)]
    for each in (client, second):
        assert {each.describe_execution(executionArn=arn)["status"] for arn in arns} == {"SUCCEEDED"}
        pages = each.get_paginator("list_executions").paginate(
            stateMachineArn=machine, PaginationConfig={"PageSize": 5}
        )
        listed = [row["executionArn"] for page in pages for row in page["executions"]]
        assert sorted(listed) == sorted(arns)
    fed = Fed(second, decider, "STANDARD")
    decider.write(fed.home, ItemsRead(fed.run, 0, 0, 200, 200, 2_000, b"c"))
    fed.end()
    assert fed.wait()["status"] == "SUCCEEDED"
    assert client.describe_map_run(mapRunArn=fed.arn)["itemCounts"] == fed.wait()["itemCounts"]
    other.kill()
    fleet.all.remove(other)
    assert wait_for(lambda: _statuses(tracker, arns) == {"SUCCEEDED"})


def test_an_owner_killed_in_mid_write_leaves_nothing_undone_or_done_twice(
    tracker: TrackerProcess, decider: Decider, fleet: Fleet
) -> None:
    """Executions are started without names while the owner of some homes dies: each call starts one and is answered."""
    assert decider.up.is_set()
    client = tracker.client()
    machine = created(client, PASS)
    other = fleet.add()
    other.ready()
    wait_for(lambda: tracker.post("AWSStepFunctions.ListStateMachines", b"{}")[0] == 200)
    started: list[str] = []

    def start() -> None:
        started.extend(client.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(60))

    writers = [threading.Thread(target=start) for _ in range(2)]
    for writer in writers:
        writer.start()
    time.sleep(0.3)
    other.kill()
    fleet.all.remove(other)
    for writer in writers:
        writer.join()
    pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine)
    listed = [row["executionArn"] for page in pages for row in page["executions"]]
    assert sorted(listed) == sorted(started)
    assert len(set(started)) == 120


def test_one_that_joins_in_mid_run_shares_the_work(tracker: TrackerProcess, decider: Decider, fleet: Fleet) -> None:
    """A second process that joins while 20,000 answers come takes its share, and both answer soon after."""
    client = tracker.client()
    fed = Fed(client, decider, "STANDARD", concurrency=POSITIONS)
    feeder = threading.Thread(target=feed, args=(decider, fed, 5, 0.03))
    feeder.start()
    time.sleep(1.5)
    other = fleet.add()
    other.ready()
    began = time.monotonic()
    for each in (tracker, other):
        wait_for(
            lambda each=each: (
                each.post("AWSStepFunctions.DescribeMapRun", json.dumps({"mapRunArn": fed.arn}).encode())[0] == 200
            )
        )
    print("seconds from the second's readiness to both answering:", round(time.monotonic() - began, 2))
    feeder.join()
    decider.write(fed.home, SourceEnded(fed.run, 0, POSITIONS))
    for each in (client, other.client()):
        check_run(each, fed, len(range(0, POSITIONS, 11)))


def _statuses(tracker: TrackerProcess, arns: list[str]) -> set[str]:
    """Statuses, or errors, of executions."""
    out = set()
    for arn in arns:
        _, body, _ = tracker.post("AWSStepFunctions.DescribeExecution", json.dumps({"executionArn": arn}).encode())
        out.add(body.get("status") or body["__type"])
    return out
