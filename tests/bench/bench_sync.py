"""`python -m tests.bench.bench_sync`: StartSyncExecution on a local stack of its own, by many clients at once.

The clients are asyncio streams that write HTTP themselves: an SDK's own work would be most of what is measured.
"""

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from tests.bench import processes
from tests.integration.system.stack import ROLE, Stack

DEFINITIONS = {
    "pass": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}},
    "task": {
        "StartAt": "T",
        "States": {
            "T": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "echo", "Payload.$": "$"},
                "End": True,
            }
        },
    },
}
INPUT = '{"order": 17, "items": ["a", "b", "c"]}'


def request_bytes(api: str, operation: str, members: dict[str, Any]) -> bytes:
    """One request as it goes over the wire."""
    body = json.dumps(members).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: {urlsplit(api).netloc}\r\nX-Amz-Target: AWSStepFunctions.{operation}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> dict[str, Any]:
    """Asks once and reads the answer."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    answer: dict[str, Any] = json.loads(await reader.readexactly(int(length.partition(b":")[2])))
    return answer


async def client(address: tuple[str, int], request: bytes, until: float, every_seconds: float) -> list[float]:
    """Asks until then, one call after the other: at once, or each at its time; the seconds from then to the answer."""
    reader, writer = await asyncio.open_connection(*address)
    took: list[float] = []
    due = time.perf_counter() + every_seconds * random.random()  # not all clients at the same time
    while (now := time.perf_counter()) < until:
        if every_seconds:
            await asyncio.sleep(max(0.0, due - now))
            began, due = due, due + every_seconds
        else:
            began = now
        answer = await answered(reader, writer, request)
        assert answer.get("status") == "SUCCEEDED", answer
        took.append(time.perf_counter() - began)
    writer.close()
    return took


async def clients(api: str, machine: str, count: int, seconds: float, a_second: float) -> list[float]:
    """The times of all calls of so many clients at once; `a_second` 0 = as many as go."""
    parts = urlsplit(api)
    address = (parts.hostname or "", parts.port or 0)
    request = request_bytes(api, "StartSyncExecution", {"stateMachineArn": machine, "input": INPUT})
    until = time.perf_counter() + seconds
    every = count / a_second if a_second else 0.0
    done = await asyncio.gather(*(client(address, request, until, every) for _ in range(count)))
    return [each for took in done for each in took]


def told(took: Sequence[float], seconds: float) -> dict[str, float]:
    """The figures of one measurement."""
    cuts = statistics.quantiles(took, n=100)
    return {
        "a_second": round(len(took) / seconds),
        "p50_ms": round(cuts[49] * 1000, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
    }


@click.command()
@click.option("--kind", default="pass", type=click.Choice(sorted(DEFINITIONS)), show_default=True)
@click.option("--at-once", default=64, show_default=True, help="Clients.")
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--paced", default=2_000.0, show_default=True, help="Calls a second of the second measurement.")
def main(kind: str, at_once: int, seconds: float, paced: float) -> None:
    """As many calls as go, then a fixed number a second."""
    found: dict[str, Any] = {"machine": processes.machine(), "kind": kind, "clients": at_once}
    with tempfile.TemporaryDirectory(prefix="maprun-bench-") as folder:
        stack = Stack(Path(folder))
        print(f"up in {stack.up():.1f} s", file=sys.stderr)
        try:
            sfn = stack.client("stepfunctions")
            definition = json.dumps(DEFINITIONS[kind])
            made = sfn.create_state_machine(name=f"sync-{kind}", definition=definition, roleArn=ROLE, type="EXPRESS")
            machine = made["stateMachineArn"]
            asyncio.run(clients(stack.api, machine, at_once, 2.0, 0))
            for name, a_second in (("most", 0.0), ("paced", paced), ("alone", 0.0)):
                number = 1 if name == "alone" else at_once
                before = processes.cpu_seconds(stack.pids())
                took = asyncio.run(clients(stack.api, machine, number, seconds, a_second))
                used = {
                    part: round(s - before.get(part, 0.0), 2) for part, s in processes.cpu_seconds(stack.pids()).items()
                }
                found[name] = {**told(took, seconds), "cpu_seconds": used}
                print(json.dumps({name: found[name]}), file=sys.stderr, flush=True)
        finally:
            stack.down()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
