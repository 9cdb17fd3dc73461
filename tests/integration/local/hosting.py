"""A function host in this process, with handlers that behave, raise, exit, crash and hang, and callers of it."""

import asyncio
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from prometheus_client import CollectorRegistry

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from maprun.local.functions.catalog import Catalog
from maprun.local.functions.entrance import Entrance
from maprun.local.functions.group import GroupLimits
from maprun.local.functions.invoking import Functions
from maprun.local.functions.pool import Pool
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

HANDLERS = {
    "echo.py": "def handler(event, context):\n    return {'got': event}\n",
    "broken.py": (
        "import os, sys, time\n"
        "def handler(event, context):\n"
        "    kind = event['kind']\n"
        "    if kind == 'raise': raise ValueError('boom')\n"
        "    if kind == 'exit': sys.exit(3)\n"
        "    if kind == 'crash': os._exit(4)\n"
        "    if kind == 'hang': time.sleep(30)\n"
        "    if kind == 'nap': time.sleep(0.3)\n"
        "    if kind == 'object': return object()\n"
        "    return kind\n"
    ),
    "keyed.py": "def handler(event, context):\n    return context.client_context.custom['maprunIdempotencyKey']\n",
    "traced.py": "def handler(event, context):\n    return context.trace_id\n",
    "my_fn.py": "def lambda_handler(event, context):\n    return context.function_name\n",
    "unimportable.py": "import there_is_no_such_module\n",
    "without.py": "x = 1\n",
}
Invoke = Callable[..., Coroutine[None, None, tuple[int, dict[str, str], Any]]]
Outcome = TaskSucceeded | TaskFailed


@asynccontextmanager
async def entrance(
    folder: Path, timeout_seconds: float = 5.0, environ: Mapping[str, str] = os.environ, **limits: float
) -> AsyncIterator[str]:
    """A running function host: its address."""
    for name, text in HANDLERS.items():
        (folder / name).write_text(text, encoding="utf-8")
    asked = GroupLimits(threads_max=16, timeout_seconds=timeout_seconds)
    pool = Pool(msgspec.structs.replace(asked, **limits), environ, "us-east-1", folder / "log")
    pool.start()
    registry = CollectorRegistry()
    functions = Functions(pool, Catalog(folder), "us-east-1", "123456789012", registry)
    opened = Entrance(functions, pool, registry)
    try:
        yield f"http://127.0.0.1:{await opened.open('127.0.0.1', 0)}"
    finally:
        await opened.close()
        await pool.close()


@asynccontextmanager
async def host(folder: Path, **host_of: Any) -> AsyncIterator[Invoke]:
    """A running function host and a call of its Invoke API: (status, headers, parsed body)."""
    async with entrance(folder, **host_of) as address, aiohttp.ClientSession() as session:

        async def invoke(name: str, event: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
            body = event if isinstance(event, bytes) else json.dumps(event).encode()
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            url = f"{address}/2015-03-31/functions/{name}/invocations"
            async with session.post(url, data=body, headers=named) as answer:
                got = await answer.read()
                return answer.status, dict(answer.headers), json.loads(got) if got else None

        yield invoke


@asynccontextmanager
async def caller(address: str) -> AsyncIterator[Callable[..., Coroutine[None, None, Outcome]]]:
    """Runs attempts of Tasks against a host, as a child-runner does: `lambda:invoke` of a function with an event.

    By turns in both ways: awaited, and begun without a coroutine where there is a stream to do that.
    """
    settings = AwsSettings(region="us-east-1", lambda_endpoint=address)
    runner = TaskRunner(settings, time.time, time.monotonic)
    numbers = itertools.count()

    async def invoke(name: str, event: Any, key: str = "key", **parameters: Any) -> Outcome:
        asked = json.dumps({"FunctionName": name, "Payload": event, **parameters}).encode()
        request = TaskRequested("r", "arn:aws:states:::lambda:invoke", asked)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        begun = runner.begin_task(request, key, asyncio.Future.set_result, answer) if next(numbers) % 2 else None
        if begun is None:
            return await runner.call(request, key)
        try:
            return await answer
        except asyncio.CancelledError:
            begun.cancel()
            raise

    try:
        yield invoke
    finally:
        await runner.close()
