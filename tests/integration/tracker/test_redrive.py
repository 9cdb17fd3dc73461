"""RedriveExecution, UpdateMapRun and retention as unmodified boto3 sees them, over real Kafka."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from maprun.bus import making
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.home import ABORTED, FAILED, RETURNED, SUCCEEDED, ItemsRead, LaneProgress, SourceFailed
from services.maprun_tracker import rows
from tests.integration.bus.broker import running_kafka
from tests.integration.tracker.conftest import Decider, tracker_settings
from tests.integration.tracker.process import TrackerProcess
from tests.integration.tracker.test_api import PASS, Fed, created, refused, wait_for
from tests.unit.mapruns.generations import Child, outcome

pytestmark = pytest.mark.integration
CHANGELOG = "maprun.maprun-tracker-state-changelog"
RETENTION_SECONDS = 3.0


def stopped(client: Any, decider: Decider, kind: str) -> Fed:
    """A run of 20 items, stopped: two children failed, one was aborted, five never started, twelve succeeded."""
    fed = Fed(client, decider, kind)
    ends = {p: Child(p, FAILED if p < 2 else SUCCEEDED) for p in range(14)}
    decider.write(fed.home, ItemsRead(fed.run, 0, 0, 20, 20, 200, b"c"), outcome(0, ends, run=fed.run))
    wait_for(lambda: client.describe_map_run(mapRunArn=fed.arn)["itemCounts"]["succeeded"] == 12)
    client.stop_execution(executionArn=fed.parent)
    rest = {p: Child(p, ABORTED if p == 14 else RETURNED) for p in range(14, 20)}
    decider.write(fed.home, SourceFailed(fed.run, 0, "E", "no more"), outcome(0, rest, run=fed.run))
    assert fed.wait()["status"] == "ABORTED"
    return fed


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_an_execution_is_redriven(tracker: TrackerProcess, decider: Decider, kind: str) -> None:
    """A stopped execution goes on: its Map Run keeps ARN and start, and only what was lost runs again."""
    client = tracker.client()
    fed = stopped(client, decider, kind)
    before = client.describe_map_run(mapRunArn=fed.arn)
    assert client.describe_execution(executionArn=fed.parent)["redriveStatus"] == "REDRIVABLE"
    token = uuid.uuid4().hex
    asked = {"executionArn": fed.parent, "clientToken": token}
    redriven = client.redrive_execution(**asked)["redriveDate"]
    assert client.redrive_execution(**asked)["redriveDate"] == redriven
    answer = refused("ExecutionNotRedrivable", client.redrive_execution, executionArn=fed.parent)
    assert answer["Error"]["Message"] == "Execution is RUNNING and cannot be redriven"
    root = client.describe_execution(executionArn=fed.parent)
    assert (root["status"], root["redriveCount"], root["redriveDate"]) == ("RUNNING", 1, redriven)
    assert "stopDate" not in root
    run = client.describe_map_run(mapRunArn=fed.arn)
    assert (run["status"], run["redriveCount"], run["startDate"]) == ("RUNNING", 1, before["startDate"])
    counts = run["itemCounts"]
    assert (counts["succeeded"], counts["pendingRedrive"], counts["pending"], counts["total"]) == (12, 3, 5, 20)
    assert len(children(client, fed, statusFilter="PENDING_REDRIVE")) == 3
    by_machine = client.list_executions(stateMachineArn=fed.machine, redriveFilter="REDRIVEN")["executions"]
    assert [(row["executionArn"], row["redriveCount"]) for row in by_machine] == [(fed.parent, 1)]
    assert client.list_executions(stateMachineArn=fed.machine, redriveFilter="NOT_REDRIVEN")["executions"] == []
    lost = ItemsRead(fed.run, 1, 0, 3, 3, 30, b"c", redriven=(FAILED, 2, 2, ABORTED, 1, 1))
    decider.write(fed.home, lost, LaneProgress(fed.run, 1, 0, (0, 1)))
    [running] = wait_for(lambda: children(client, fed, statusFilter="RUNNING"))
    assert (running["redriveCount"], "stopDate" in running) == (1, False)
    again = {0: Child(0, SUCCEEDED, 1), 1: Child(1, FAILED, 1), 2: Child(14, SUCCEEDED, 1)}
    decider.write(fed.home, outcome(1, again, run=fed.run))
    redone = wait_for(lambda: len(found := children(client, fed, redriveFilter="REDRIVEN")) == 3 and found)
    assert [row["status"] for row in redone] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert all(row["redriveCount"] == 1 and ("redriveDate" in row) == (kind == "STANDARD") for row in redone)
    assert len(children(client, fed, redriveFilter="NOT_REDRIVEN")) == 12
    if kind == "STANDARD":
        refused("ExecutionNotRedrivable", client.redrive_execution, executionArn=redone[0]["executionArn"])
        events = client.get_execution_history(executionArn=redone[-1]["executionArn"])["events"]
        assert [e["type"] for e in events] == ["ExecutionStarted", "ExecutionRedriven", "ExecutionSucceeded"]
    else:
        refused("InvalidArn", client.redrive_execution, executionArn=redone[0]["executionArn"])
    types = [e["type"] for e in client.get_execution_history(executionArn=fed.parent)["events"]]
    assert types[-2:] == ["ExecutionRedriven", "MapRunRedriven"]


def children(client: Any, fed: Fed, **filters: str) -> list[dict[str, Any]]:
    """The children of a run, newest first."""
    rows_: list[dict[str, Any]] = client.list_executions(mapRunArn=fed.arn, **filters)["executions"]
    return rows_


def test_a_map_run_is_updated_while_it_runs(tracker: TrackerProcess, decider: Decider) -> None:
    """UpdateMapRun changes a running run at once; one that is over is refused with AWS's reason."""
    client = tracker.client()
    fed = Fed(client, decider, "STANDARD", concurrency=5)
    client.update_map_run(mapRunArn=fed.arn, maxConcurrency=7, toleratedFailurePercentage=12.5)
    run = client.describe_map_run(mapRunArn=fed.arn)
    assert (run["maxConcurrency"], run["toleratedFailurePercentage"], run["toleratedFailureCount"]) == (7, 12.5, 0)
    client.update_map_run(mapRunArn=fed.arn, maxConcurrency=0, toleratedFailureCount=3)
    run = client.describe_map_run(mapRunArn=fed.arn)
    assert (run["maxConcurrency"], run["toleratedFailurePercentage"], run["toleratedFailureCount"]) == (0, 12.5, 3)
    client.stop_execution(executionArn=fed.parent)
    decider.write(fed.home, SourceFailed(fed.run, 0, "E", "no more"))
    fed.wait()
    answer = refused("ValidationException", client.update_map_run, mapRunArn=fed.arn, maxConcurrency=1)
    assert answer["reason"] == "CANNOT_UPDATE_COMPLETED_MAP_RUN"
    missing = fed.arn[:-1] + ("0" if fed.arn[-1] != "0" else "1")
    refused("ResourceNotFound", client.update_map_run, mapRunArn=missing, maxConcurrency=1)
    body = b'{"mapRunArn": "%s", "toleratedFailurePercentage": 101}' % fed.arn.encode()
    assert tracker.post("AWSStepFunctions.UpdateMapRun", body)[1]["__type"] == "ValidationException"


def test_what_cannot_be_redriven_says_why(tracker: TrackerProcess) -> None:
    """An execution that succeeded, or that isn't there, is refused with AWS's words."""
    client = tracker.client()
    arn = client.start_execution(stateMachineArn=created(client, PASS))["executionArn"]
    answer = refused("ExecutionNotRedrivable", client.redrive_execution, executionArn=arn)
    assert answer["Error"]["Message"] == "Execution is SUCCEEDED and cannot be redriven"
    refused("ExecutionDoesNotExist", client.redrive_execution, executionArn=arn + "x")


def test_metrics_have_awss_names(tracker: TrackerProcess, decider: Decider) -> None:
    """Open Map Runs, their limit and the backlog stand in /metrics."""
    fed = Fed(tracker.client(), decider, "STANDARD")
    shown = dict(line.rsplit(" ", 1) for line in tracker.get("/metrics").splitlines() if not line.startswith("#"))
    assert float(shown["aws_states_approximate_open_map_run_count"]) >= 1
    assert float(shown["aws_states_open_map_run_limit"]) == 1_000
    assert float(shown["aws_states_approximate_map_run_backlog_size"]) == 0
    tracker.client().stop_execution(executionArn=fed.parent)


# ---------------------------------------------------------------------- retention


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A cluster that keeps ended executions for some seconds."""
    folder = tmp_path_factory.mktemp("retention")
    with running_kafka(folder / "state") as address:
        days = RETENTION_SECONDS / 86_400
        settings = Settings(kafka=address, instance="decider", state_dir=folder / "tracker", retention_days=days)
        asyncio.run(making.make_topics(settings, Limits()))
        yield settings


def test_ended_executions_are_forgotten(brief: Settings) -> None:
    """Behind the retention nothing is left of an execution: no answer, no row, and its name is free again."""
    thread = Decider(brief)
    thread.start()
    assert thread.up.wait(30)
    process = TrackerProcess(tracker_settings(brief, 0), Path(brief.state_dir).with_suffix(".log"))
    process.start()
    process.ready()
    try:
        client = process.client()
        fed = Fed(client, thread, "STANDARD")
        thread.write(fed.home, ItemsRead(fed.run, 0, 0, 200, 200, 9, b"c"))
        fed.end()
        over = fed.wait()
        assert over["status"] == "SUCCEEDED"
        name = fed.parent.rsplit(":", 1)[1]
        input_ = client.describe_execution(executionArn=fed.parent)["input"]
        wait_for(lambda: not written(brief, fed.home, fed.run))  # it is in the archive
        time.sleep(RETENTION_SECONDS + 0.5)
        for number in range(40):  # its home must hear of the time
            client.start_execution(stateMachineArn=fed.machine, name=f"later-{number}", input="[]")
        refused("ExecutionDoesNotExist", client.describe_execution, executionArn=fed.parent)
        refused("ResourceNotFound", client.describe_map_run, mapRunArn=fed.arn)
        process.kill()
        process.start()
        process.ready()
        refused("ExecutionDoesNotExist", client.get_execution_history, executionArn=fed.parent)
        taken = [line for line in process.log.read_text().splitlines() if "home_taken" in line]
        assert [json.loads(line)["rebuilt"] for line in taken[-brief.homes :]] == [""] * brief.homes
        again = client.start_execution(stateMachineArn=fed.machine, name=name, input=input_)["executionArn"]
        assert again == fed.parent
        assert client.describe_execution(executionArn=again)["status"] == "RUNNING"
        counts = client.describe_map_run(mapRunArn=fed.arn)["itemCounts"]
        assert counts["succeeded"] == 0
    finally:
        process.stop()
        thread.end()


def written(settings: Settings, home: int, run: str) -> list[bytes]:
    """The keys of a run's rows that the changelog still has, its tombstones heeded."""

    async def read() -> dict[bytes, bytes]:
        consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
        await consumer.start()
        partition = TopicPartition(CHANGELOG, home)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        table: dict[bytes, bytes] = {}
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(timeout_ms=200)).get(partition, ()):
                if record.value is None:
                    table.pop(record.key, None)
                else:
                    table[record.key] = record.value
        await consumer.stop()
        return table

    id_bytes = bytes.fromhex(run.replace("-", ""))
    return [key for key in asyncio.run(read()) if key[rows.KIND] in rows.SUMMED and id_bytes in key]
