"""The three doors of a running stack, as bad inputs go through them: the topic, the AWS JSON API, the command line."""

import asyncio
import contextlib
import http.client
import json
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from click.testing import CliRunner, Result

from maprun.cli import main
from tests.integration.system.stack import Stack

Json = dict[str, Any]
Answer = tuple[str, str]
"""Error name and message; the name is empty when there was no error."""
REQUESTS, REJECTED, EVENTS = "maprun.execution-requests", "maprun.rejected-requests", "maprun.execution-events"
LOGS = "maprun.execution-logs"
_REJECTION_SECONDS_MAX = 30.0
T = TypeVar("T")


def post(stack: Stack, target: str, body: bytes, method: str = "POST") -> tuple[int, Json]:
    """One HTTP request as it is, without an SDK that would mend it; answers status and body."""
    at = urlsplit(stack.api)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
    try:
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        if target:
            headers["X-Amz-Target"] = target
        # It may answer before it has read all of a body that is too large.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, "/", body, headers)
        response = connection.getresponse()
        raw = response.read()
        try:
            return response.status, json.loads(raw or b"{}")
        except json.JSONDecodeError:
            return response.status, {"__type": f"HTTP {response.status}", "message": raw.decode(errors="replace")}
    finally:
        connection.close()


def api_answer(stack: Stack, operation: str, body: bytes) -> Answer:
    """What the API says to a body."""
    status, answer = post(stack, f"AWSStepFunctions.{operation}", body)
    if status == 200:
        return "", ""
    return str(answer.get("__type", f"HTTP {status}")), str(answer.get("message", ""))


def cli(stack: Stack, *arguments: str) -> Result:
    """The command line."""
    environment = {name: value for name, value in stack.environ.items() if name.startswith(("MAPRUN_", "AWS_"))}
    return CliRunner().invoke(main, arguments, env=environment)


def cli_start(stack: Stack, members: Json, folder: Path) -> Answer:
    """What the command line says to a start."""
    arguments = ["start", members["stateMachineArn"]]
    if "name" in members:
        arguments += ["--name", members["name"]]
    if "input" in members:
        file = folder / f"{uuid.uuid4()}.json"
        file.write_text(members["input"], encoding="utf-8")
        arguments += ["--input", f"@{file}"]
    return cli_answer(cli(stack, *arguments))


def cli_answer(result: Result) -> Answer:
    """Error name and message of a command that was refused; a usage error is called `usage`."""
    if result.exit_code == 0:
        return "", ""
    assert "Traceback" not in result.output, result.output
    if result.exit_code == 4:
        _, _, rest = result.stderr.partition(" was refused: ")
        code, _, message = rest.partition(": ")
        return code, message.strip()
    return {2: "usage", 3: "unreachable"}.get(result.exit_code, f"exit {result.exit_code}"), result.stderr.strip()


class Topic:
    """The door of Kafka: records in, rejections out."""

    def __init__(self, stack: Stack) -> None:
        self._bootstrap = stack.kafka

    def send(self, values: list[bytes | None]) -> list[tuple[int, int]]:
        """Publishes records; answers partition and offset of each."""

        async def act() -> list[tuple[int, int]]:
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, max_request_size=4 << 20, acks="all")
            await producer.start()
            try:
                sent = [await producer.send_and_wait(REQUESTS, value, key=b"k%d" % i) for i, value in enumerate(values)]
            finally:
                await producer.stop()
            return [(found.partition, found.offset) for found in sent]

        return _run(act)

    def rejections(self, of: list[tuple[int, int]]) -> dict[tuple[int, int], Json]:
        """The rejections of these records, or as many as come within half a minute."""

        async def act() -> dict[tuple[int, int], Json]:
            found: dict[tuple[int, int], Json] = {}
            async with contextlib.aclosing(_tail(self._bootstrap, REJECTED, _REJECTION_SECONDS_MAX)) as values:
                async for value in values:
                    body = json.loads(value)
                    place = (body["origin"]["partition"], body["origin"]["offset"])
                    if place in of:
                        found[place] = body
                    if len(found) == len(of):
                        break
            return found

        return _run(act)

    def events(self, execution: str, until: str, seconds_max: float) -> list[Json]:
        """The status events of an execution, up to the status `until`."""

        async def act() -> list[Json]:
            found: list[Json] = []
            async with contextlib.aclosing(_tail(self._bootstrap, EVENTS, seconds_max)) as values:
                async for value in values:
                    body = json.loads(value)
                    if body["detail"]["executionArn"] == execution:
                        found.append(body)
                        if body["detail"]["status"] == until:
                            break
            return found

        return _run(act)

    def logs(
        self, complete: Callable[[dict[str, list[Json]]], bool], seconds_max: float = 30.0
    ) -> dict[str, list[Json]]:
        """Log records by execution, once these are all, or as many as come in time."""

        async def act() -> dict[str, list[Json]]:
            found: dict[str, list[Json]] = {}
            async with contextlib.aclosing(_tail(self._bootstrap, LOGS, seconds_max)) as values:
                async for value in values:
                    record = json.loads(value)
                    found.setdefault(record["execution_arn"], []).append(record)
                    if complete(found):
                        break
            return found

        return _run(act)


async def _tail(bootstrap: str, topic: str, seconds_max: float) -> AsyncGenerator[bytes, None]:
    """The values of a topic from its beginning, as they come, for so long."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        parts = [TopicPartition(topic, number) for number in await _partitions(consumer, topic)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        deadline = asyncio.get_running_loop().time() + seconds_max
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            for records in (await consumer.getmany(timeout_ms=int(min(left, 0.5) * 1000))).values():
                for record in records:
                    yield record.value
    finally:
        await consumer.stop()


async def _partitions(consumer: Any, topic: str) -> list[int]:
    """A topic's partitions."""
    cluster = await consumer._client.fetch_all_metadata()
    return sorted(cluster.partitions_for_topic(topic) or ())


def _run(act: Callable[[], Awaitable[T]]) -> T:
    """Runs a coroutine in a loop of its own."""

    async def whole() -> T:
        return await act()

    return asyncio.run(whole())
