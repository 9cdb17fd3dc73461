"""SDK calls of Tasks: `python -m tests.bench.bench_sdk`: so many under way to a service that hangs, others beside.

Prints threads, memory and time of calls to another service before and meanwhile, and the CPU of one call.
"""

import asyncio
import multiprocessing
import resource
import statistics
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from maprun.runtime import files
from schemas.effects import TaskRequested, TaskSucceeded

WAITING, QUICK = 10_000, 300


def serve(ready: Connection) -> None:
    """SQS hangs, DynamoDB answers; the number of SQS's calls is what S3 answers."""
    files.allow_many()
    waiting = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal waiting
        target = request.headers.get("X-Amz-Target", "")
        if target.startswith("AmazonSQS"):
            waiting += 1
            await asyncio.sleep(600)
        return web.json_response({"TableNames": [str(waiting)]})

    async def run() -> None:
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        ready.send(runner.addresses[0][1])
        await asyncio.sleep(3600)

    asyncio.run(run())


def task(what: str) -> TaskRequested:
    """A call."""
    return TaskRequested("r", f"arn:aws:states:::aws-sdk:{what}", b"{}")


async def quick(runner: TaskRunner, count: int) -> tuple[list[float], str]:
    """Seconds of calls to the service that answers, one after the other, and its last answer."""
    took, said = [], ""
    for n in range(count):
        began = time.perf_counter()
        found = await runner.call(task("dynamodb:listTables"), str(n))
        took.append(time.perf_counter() - began)
        assert isinstance(found, TaskSucceeded), found
        said = found.output.decode()
    return took, said


def memory_mb() -> float:
    """Of this process, at present."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize() / 1e6


def told(took: list[float]) -> str:
    """Median and the worst of a hundred, in milliseconds."""
    return f"median {statistics.median(took) * 1e3:.1f} ms, p99 {sorted(took)[len(took) * 99 // 100] * 1e3:.1f} ms"


async def main(endpoint: str) -> None:
    """Prints what is found."""
    settings = AwsSettings(
        region="us-east-1",
        access_key_id="a",
        secret_access_key="b",  # noqa: S106 - no secret
        sdk_endpoint=endpoint,
        read_timeout_seconds=600.0,
    )
    runner = TaskRunner(settings, time.time, time.monotonic)
    await quick(runner, 20)
    cpu = time.process_time()
    alone, _ = await quick(runner, QUICK)
    print(f"alone: {told(alone)}; CPU of one call {(time.process_time() - cpu) / QUICK * 1e3:.2f} ms")
    before, began = memory_mb(), time.perf_counter()
    slow = [asyncio.create_task(runner.call(task("sqs:listQueues"), str(n))) for n in range(WAITING)]
    while f'"{WAITING}"' not in (await quick(runner, 1))[1]:  # noqa: ASYNC110 - it is another process's
        await asyncio.sleep(0.2)
    print(f"{WAITING} calls are under way after {time.perf_counter() - began:.1f} s")
    beside, _ = await quick(runner, QUICK)
    held = (memory_mb() - before) / WAITING * 1e3
    print(f"beside them: {told(beside)}; {threading.active_count()} threads, {held:.0f} KB for each that waits")
    for each in slow:
        each.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    await runner.close()


if __name__ == "__main__":
    files.allow_many()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        asyncio.run(main(f"http://127.0.0.1:{here.recv()}"))
    finally:
        server.kill()
