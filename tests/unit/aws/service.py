"""A service of AWS's that a test answers for, and attempts of Tasks against it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Outcome = TaskSucceeded | TaskFailed
SDK = "arn:aws:states:::aws-sdk:"


def task(resource: str, parameters: Any, timeout_seconds: int = 0) -> TaskRequested:
    """A Task."""
    return TaskRequested("r", resource, json.dumps(parameters).encode(), timeout_seconds, state="State")


async def serving(handler: Handler, use: Callable[[str], Awaitable[Any]]) -> Any:
    """What `use(endpoint)` gives while the handler answers there."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{tail:.*}", handler)
    server = web.AppRunner(app, shutdown_timeout=0.1)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    try:
        return await use(f"http://127.0.0.1:{server.addresses[0][1]}")
    finally:
        await server.cleanup()


def runner_at(endpoint: str) -> TaskRunner:
    """A runner all of whose services are at one endpoint."""
    settings = AwsSettings(
        region="us-east-1",
        access_key_id="AKID",
        secret_access_key="secret",  # noqa: S106 - no secret
        s3_endpoint=endpoint,
        lambda_endpoint=endpoint,
        states_endpoint=endpoint,
        sdk_endpoint=endpoint,
    )
    return TaskRunner(settings, wall_seconds=lambda: 1_700_000_000.0, monotonic=lambda: 0.0)


def outcomes(handler: Handler, *requests: TaskRequested, keys: tuple[str, ...] = ("key",)) -> list[Outcome]:
    """How attempts end, made one after the other, each with each of the keys."""

    async def use(endpoint: str) -> list[Outcome]:
        """The attempts."""
        runner = runner_at(endpoint)
        try:
            return [await runner.call(request, key) for request in requests for key in keys]
        finally:
            await runner.close()

    found: list[Outcome] = asyncio.run(serving(handler, use))
    return found


def failed(found: Outcome) -> TaskFailed:
    """The failure."""
    assert isinstance(found, TaskFailed)
    return found


def output(found: Outcome) -> Any:
    """The output."""
    assert isinstance(found, TaskSucceeded), found
    return json.loads(found.output)
