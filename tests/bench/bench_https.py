"""Calls of `http:invoke`: `python -m tests.bench.bench_https`: so many under way to an API that hangs, another beside.

Prints threads, memory and time of calls to another origin before and meanwhile, and the CPU of one call.
"""

import asyncio
import json
import multiprocessing
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from maprun.runtime import files
from schemas.effects import TaskRequested, TaskSucceeded
from tests.bench.bench_sdk import memory_mb, told

WAITING, QUICK = 10_000, 300
AT_ONCE = 1_000  # calls begun at once: the server takes so many connections between two looks at its socket
KEY = {"ApiKeyName": "X-Api-Key", "ApiKeyValue": "k"}
CONNECTION = {"Name": "c", "AuthorizationType": "API_KEY", "AuthParameters": {"ApiKeyAuthParameters": KEY}}


def serve(ready: Connection) -> None:
    """Two origins: /hang never answers, every other path says how many hang."""
    files.allow_many()
    waiting = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal waiting
        if request.path == "/hang":
            waiting += 1
            await asyncio.sleep(600)
        return web.json_response({"waiting": waiting})

    async def run() -> None:
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        for _ in range(2):
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        ready.send([f"http://127.0.0.1:{address[1]}" for address in runner.addresses])
        await asyncio.sleep(3600)

    asyncio.run(run())


def task(url: str) -> TaskRequested:
    """A call with a small body."""
    arn = "arn:aws:events:us-east-1:123456789012:connection/c/1"
    asked = {"ApiEndpoint": url, "Method": "POST", "RequestBody": {"n": 1}, "InvocationConfig": {"ConnectionArn": arn}}
    return TaskRequested("r", "arn:aws:states:::http:invoke", json.dumps(asked).encode())


async def quick(runner: TaskRunner, url: str, count: int) -> tuple[list[float], int]:
    """Seconds of calls to the origin that answers, one after the other, and how many hang."""
    took, waiting = [], 0
    for n in range(count):
        began = time.perf_counter()
        found = await runner.call(task(url), str(n))
        took.append(time.perf_counter() - began)
        assert isinstance(found, TaskSucceeded), found
        waiting = json.loads(found.output)["ResponseBody"]["waiting"]
    return took, waiting


async def main(origins: list[str], folder: Path) -> None:
    """Prints what is found."""
    file = folder / "connections.json"
    file.write_text(json.dumps([CONNECTION]), encoding="utf-8")
    hanging, answering = origins
    settings = AwsSettings(region="us-east-1", connections_file=str(file), http_task_allow=",".join(origins))
    runner = TaskRunner(settings, time.time, time.monotonic)
    await quick(runner, answering, 20)
    cpu = time.process_time()
    alone, _ = await quick(runner, answering, QUICK)
    print(f"alone: {told(alone)}; CPU of one call {(time.process_time() - cpu) / QUICK * 1e3:.2f} ms")
    before, began = memory_mb(), time.perf_counter()
    slow: list[asyncio.Task[Any]] = []
    while len(slow) < WAITING:
        first = len(slow)
        slow += [asyncio.create_task(runner.call(task(f"{hanging}/hang"), str(first + n))) for n in range(AT_ONCE)]
        while (await quick(runner, answering, 1))[1] < len(slow):  # noqa: ASYNC110 - it is another process's
            await asyncio.sleep(0.05)
    print(f"{WAITING} calls are under way after {time.perf_counter() - began:.1f} s")
    beside, _ = await quick(runner, answering, QUICK)
    held = (memory_mb() - before) / WAITING * 1e3
    print(f"beside them: {told(beside)}; {threading.active_count()} threads, {held:.0f} KB for each that waits")
    assert not any(each.done() for each in slow), "a call gave up before it was measured"
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
        with tempfile.TemporaryDirectory() as made:
            asyncio.run(main(here.recv(), Path(made)))
    finally:
        server.kill()
