"""`python -m tests.bench.reads`: every read of the API while a large Map Run goes on, and starts by both doors.

Clients write HTTP themselves, as those of `tests.bench.bench_sync`: an SDK's own work would be most of what counts.
"""

import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.bench import processes
from tests.bench.bench_sync import answered, request_bytes
from tests.bench.workloads import PASS, Runner, csv_machine, put_rows
from tests.integration.system.doors import EVENTS, REQUESTS
from tests.integration.system.stack import ROLE, Stack

Json = dict[str, Any]
Asked = tuple[str, Json]
CLIENTS = 20
CHILDREN_BEFORE = 1_000
"""So many children have ended before reads are measured: there is something to list."""


def times(took: Sequence[float]) -> Json:
    """How many there were, and their median and 99th percentile."""
    cuts = statistics.quantiles(took, n=100) if len(took) > 1 else list(took) * 99
    return {"calls": len(took), "p50_ms": round(cuts[49] * 1000, 1), "p99_ms": round(cuts[98] * 1000, 1)}


# ---------------------------------------------------------------------- reads


def reads_of(sfn: Any, root: str, run: str) -> list[Asked]:
    """One request of each reading operation, of the run that goes on, its children, and what else there is."""
    machine = sfn.describe_execution(executionArn=root)["stateMachineArn"]
    version = sfn.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=routes)["stateMachineAliasArn"]
    activity = sfn.create_activity(name="bench")["activityArn"]
    child = sfn.list_executions(mapRunArn=run, statusFilter="SUCCEEDED", maxResults=1)["executions"][0]["executionArn"]
    return [
        ("DescribeExecution", {"executionArn": root}),
        ("DescribeExecution", {"executionArn": child}),
        ("DescribeMapRun", {"mapRunArn": run}),
        ("GetExecutionHistory", {"executionArn": root}),
        ("GetExecutionHistory", {"executionArn": child}),
        ("ListExecutions", {"stateMachineArn": machine}),
        ("ListExecutions", {"mapRunArn": run}),
        ("ListExecutions", {"mapRunArn": run, "statusFilter": "RUNNING"}),
        ("ListMapRuns", {"executionArn": root}),
        ("DescribeStateMachine", {"stateMachineArn": machine}),
        ("DescribeStateMachineForExecution", {"executionArn": child}),
        ("DescribeStateMachineAlias", {"stateMachineAliasArn": alias}),
        ("ListStateMachines", {}),
        ("ListStateMachineVersions", {"stateMachineArn": machine}),
        ("ListStateMachineAliases", {"stateMachineArn": machine}),
        ("ListTagsForResource", {"resourceArn": machine}),
        ("DescribeActivity", {"activityArn": activity}),
        ("ListActivities", {}),
    ]


def name_of(asked: Asked) -> str:
    """What a request is called in the figures."""
    operation, members = asked
    of_child = any("/" in value for value in members.values() if ":execution:" in value)
    return " ".join([operation, *(key for key in members if operation == "ListExecutions"), *["child"] * of_child])


async def paced(api: str, requests: Sequence[Asked], a_second: float, seconds: float) -> dict[str, list[float]]:
    """Asks in turn, so many times a second by several clients; the seconds from when each was due to its answer."""
    parts = urlsplit(api)
    took: dict[str, list[float]] = defaultdict(list)
    turn, began = itertools.count(), time.perf_counter()
    wire = [(name_of(asked), request_bytes(api, *asked)) for asked in requests]

    async def client() -> None:
        """Asks what is next, when it is due."""
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (due := (number := next(turn)) / a_second) < seconds:
            name, request = wire[number % len(wire)]
            await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
            answer = await answered(reader, writer, request)
            assert "__type" not in answer, answer
            took[name].append(time.perf_counter() - began - due)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return took


def reads(stack: Stack, rows: int, a_second: float, seconds: float) -> Json:
    """The times of reads while a Map Run of that many Pass children goes on."""
    put_rows(stack, rows)
    runner = Runner(stack)
    root = runner.start("reads", csv_machine(rows, PASS))
    while (run := runner.map_run(root)) is None or run["itemCounts"]["succeeded"] < CHILDREN_BEFORE:
        time.sleep(0.05)
    asked, pids = reads_of(runner.sfn, root, run["mapRunArn"]), stack.pids()
    before = _ended(runner, root)
    cpu, waited = processes.cpu_seconds(pids), processes.waited_seconds(pids)
    began = time.monotonic()
    took = asyncio.run(paced(stack.api, asked, a_second, seconds))
    spent = time.monotonic() - began
    cpu = {part: used - cpu[part] for part, used in processes.cpu_seconds(pids).items()}
    waited = {part: used - waited[part] for part, used in processes.waited_seconds(pids).items()}
    after, run = _ended(runner, root), runner.map_run(root)
    assert run is not None
    found: Json = {
        "rows": rows,
        "went_on": run["status"] == "RUNNING",  # else part of the reads were of a run that is over
        "children_a_second": round((after - before) / spent),
        "cpu_share": {part: round(used / spent, 2) for part, used in cpu.items()},
        "waited_for_cpu_share": {part: round(used / spent, 2) for part, used in waited.items()},
        "reads": {name: times(each) for name, each in sorted(took.items())},
        "all": times([each for some in took.values() for each in some]),
    }
    runner.sfn.stop_execution(executionArn=root)
    return found


def _ended(runner: Runner, root: str) -> int:
    run = runner.map_run(root)
    assert run is not None
    return int(run["itemCounts"]["succeeded"])


# ---------------------------------------------------------------------- starts


async def started_by_api(api: str, machine: str, count: int) -> list[float]:
    """Starts so many, one after the other by each client; the seconds of each call."""
    parts, turn, took = urlsplit(api), iter(range(count)), list[float]()

    async def client() -> None:
        """Starts what is next."""
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number in turn:
            members = {"stateMachineArn": machine, "name": f"api-{number}"}
            began = time.perf_counter()
            answer = await answered(reader, writer, request_bytes(api, "StartExecution", members))
            assert "executionArn" in answer, answer
            took.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return took


async def ends(consumer: AIOKafkaConsumer, prefix: str, count: int) -> dict[str, float]:
    """When the events came that say that so many executions have succeeded, by name."""
    found: dict[str, float] = {}
    while len(found) < count:
        for records in (await consumer.getmany(timeout_ms=1_000)).values():
            for record in records:
                detail = json.loads(record.value)["detail"]
                if detail["status"] == "SUCCEEDED" and detail["name"].startswith(prefix):
                    found[detail["name"]] = time.perf_counter()
    return found


async def starts(stack: Stack, machine: str, door: str, count: int) -> Json:
    """How fast executions of one Pass go through by a door, from the first start to the last event."""
    kafka = stack.environ["MAPRUN_KAFKA"]
    consumer = AIOKafkaConsumer(EVENTS, bootstrap_servers=kafka, auto_offset_reset="latest")
    producer = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5)
    await asyncio.gather(consumer.start(), producer.start())
    try:
        await consumer.seek_to_end()
        heard = asyncio.ensure_future(ends(consumer, f"{door}-", count))
        began, sent = time.perf_counter(), dict[str, float]()
        if door == "api":
            took = await started_by_api(stack.api, machine, count)
        else:
            waits = []
            for number in range(count):
                sent[name := f"topic-{number}"] = time.perf_counter()
                record = json.dumps({"stateMachineArn": machine, "name": name}).encode()
                waits.append(await producer.send(REQUESTS, record))
            await asyncio.gather(*waits)
            took = []
        over = await heard
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())
    seconds = max(over.values()) - began
    waited = {"answer": times(took)} if took else {"to_the_end": times([over[name] - at for name, at in sent.items()])}
    return {"executions": count, "executions_a_second": round(count / seconds), **waited}


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Children of the Map Run.")
@click.option("--a-second", default=200.0, show_default=True, help="Reads, all operations together.")
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--starts", "count", default=20_000, show_default=True, help="Executions by each door.")
def main(rows: int, a_second: float, seconds: float, count: int) -> None:
    """Reads, then starts."""
    found: Json = {"machine": processes.machine(), "clients": CLIENTS}
    with tempfile.TemporaryDirectory(prefix="maprun-bench-") as folder:
        stack = Stack(Path(folder))
        print(f"up in {stack.up():.1f} s", file=sys.stderr)
        try:
            found["reads"] = reads(stack, rows, a_second, seconds)
            print(json.dumps(found["reads"], indent=2), file=sys.stderr, flush=True)
            definition = json.dumps(PASS)
            sfn = stack.client("stepfunctions")
            made = sfn.create_state_machine(name="one-pass", definition=definition, roleArn=ROLE)
            for door in ("api", "topic"):
                found[door] = asyncio.run(starts(stack, made["stateMachineArn"], door, count))
                print(json.dumps({door: found[door]}), file=sys.stderr, flush=True)
        finally:
            stack.down()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
