"""Attempts of `http:invoke` and `apigateway:invoke` against a server of the test's own, which a setting allows."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from schemas.effects import TaskRequested
from tests.unit.aws.service import Handler, Outcome, serving, task

HTTP = "arn:aws:states:::http:invoke"
ARN = "arn:aws:events:eu-west-1:210987654321:connection/%s/81210c42-8af1-456b-9c4a-6ff02fc664ac"
KEY: dict[str, Any] = {
    "Name": "key",
    "AuthorizationType": "API_KEY",
    "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "X-Api-Key", "ApiKeyValue": "very-secret"}},
}
"""A connection with a key."""


def with_parameters(connection: Mapping[str, Any], **parameters: list[dict[str, str]]) -> dict[str, Any]:
    """The connection with parameters of its own for every request."""
    return {**connection, "AuthParameters": {**connection["AuthParameters"], "InvocationHttpParameters": parameters}}


def pairs(**members: str) -> list[dict[str, str]]:
    """Parameters as a connection has them."""
    return [{"Key": key.replace("_", "-"), "Value": value} for key, value in members.items()]


class Kept:
    """A handler that keeps what it got and gives one answer."""

    def __init__(self, answer: Any = None, **response: Any) -> None:
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self._response = {"body": b"" if answer is None else json.dumps(answer).encode(), **response}
        if answer is not None:
            self._response.setdefault("content_type", "application/json")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer."""
        self.requests.append(request)
        self.bodies.append(await request.read())
        return web.Response(**self._response)

    @property
    def body(self) -> Any:
        """The last body, as JSON."""
        return json.loads(self.bodies[-1])

    @property
    def headers(self) -> Mapping[str, str]:
        """The last request's headers."""
        return self.requests[-1].headers


def runner_for(folder: Path, connections: Any, allow: str = "", gateways: str = "") -> TaskRunner:
    """A runner with these connections, at a fixed wall time."""
    file = folder / "connections.json"
    file.write_text(json.dumps(connections))
    made = AwsSettings(
        region="us-east-1",
        access_key_id="AKID",
        secret_access_key="secret",  # noqa: S106 - no secret
        connections_file=str(file),
        http_task_allow=allow,
        apigateway_endpoints=gateways,
    )
    return TaskRunner(made, wall_seconds=lambda: 1_700_000_000.0, monotonic=lambda: 0.0)


def invoked(
    folder: Path, handler: Handler, *asked: Mapping[str, Any], connections: Any = (KEY,), name: str = "key"
) -> list[Outcome]:
    """How calls of the handler end, one after the other; each is to the path it names as `path`, `/` if none."""

    async def use(endpoint: str) -> list[Outcome]:
        """The attempts."""
        placed = json.loads(json.dumps(connections).replace("http://here", endpoint))
        runner = runner_for(folder, placed, allow=endpoint)
        try:
            return [await runner.call(request_at(endpoint, each, name), "key-1") for each in asked]
        finally:
            await runner.close()

    found: list[Outcome] = asyncio.run(serving(handler, use))
    return found


def request_at(endpoint: str, asked: Mapping[str, Any], name: str) -> TaskRequested:
    """A Task that calls the endpoint by a connection of this name."""
    fields = dict(asked)
    place = endpoint + fields.pop("path", "/")
    return task(
        HTTP, {"ApiEndpoint": place, "Method": "GET", "Authentication": {"ConnectionArn": ARN % name}, **fields}
    )
