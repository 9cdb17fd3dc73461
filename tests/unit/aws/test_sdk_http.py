"""SDK calls wait without threads: how many at once, what hangs, redirects, and the words of calls without an answer."""

import asyncio
import threading
from typing import Any

import pytest
from aiohttp import web

from tests.unit.aws.service import SDK, failed, outcomes, output, runner_at, serving, task

LISTED = {"TableNames": ["t"]}
WAITING = 300


def test_calls_under_way_hold_no_threads_and_nobody_else() -> None:
    """Hundreds of calls to a service that hangs: a handful of threads, and another service's calls are answered."""
    hanging = asyncio.Event()
    arrived: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        """DynamoDB answers, SQS doesn't."""
        if "DynamoDB" in request.headers["X-Amz-Target"]:
            return web.json_response(LISTED)
        arrived.append(request.headers["X-Amz-Target"])
        await hanging.wait()
        return web.json_response({"QueueUrls": []})

    async def use(endpoint: str) -> Any:
        """The slow ones first, then a quick one."""
        runner = runner_at(endpoint)
        slow = [asyncio.create_task(runner.call(task(f"{SDK}sqs:listQueues", {}), f"{n}")) for n in range(WAITING)]
        while len(arrived) < WAITING:  # noqa: ASYNC110 - the server is in this loop
            await asyncio.sleep(0.01)
        threads = sum(thread.name.startswith("botocore") for thread in threading.enumerate())
        quick = await asyncio.wait_for(runner.call(task(f"{SDK}dynamodb:listTables", {}), "key"), 20)
        hanging.set()
        answered = await asyncio.gather(*slow)
        await runner.close()
        return threads, quick, answered

    threads, quick, answered = asyncio.run(serving(answer, use))
    assert threads <= 4
    assert output(quick) == LISTED
    assert [output(found) for found in answered] == [{"QueueUrls": []}] * WAITING


def test_a_call_that_is_given_up_closes_its_connection() -> None:
    """A Task that timed out leaves nothing behind."""
    closed = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        """Until the caller is gone."""
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.05)
        closed.set()
        return web.Response()

    async def use(endpoint: str) -> None:
        """One call, given up."""
        runner = runner_at(endpoint)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(runner.call(task(f"{SDK}sqs:listQueues", {}), "key"), 2)
        await asyncio.wait_for(closed.wait(), 10)
        await runner.close()

    asyncio.run(serving(hang, use))


def test_a_call_waits_no_longer_than_its_task() -> None:
    """Reading is bounded by the Task's own time-out."""

    async def hang(_: web.Request) -> web.StreamResponse:
        """For longer than that."""
        await asyncio.sleep(30)
        return web.Response()

    found = failed(outcomes(hang, task(f"{SDK}sqs:listQueues", {}, timeout_seconds=1))[0])
    assert found.error == "Sqs.SdkClientException"
    assert "Read timeout" in found.cause


def test_a_bucket_elsewhere_is_followed_to_its_region() -> None:
    """S3 says where it is; botocore signs for that Region and asks again: one more request of the same call."""
    regions: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        """In another Region than the first one asked for."""
        regions.append(request.headers["Authorization"].split("/")[2])
        if regions[-1] == "us-east-1":
            return web.Response(status=301, headers={"x-amz-bucket-region": "eu-west-1"}, text="<Error/>")
        return web.Response(text="<ListBucketResult><Name>b</Name></ListBucketResult>")

    found = outcomes(elsewhere, task(f"{SDK}s3:listObjectsV2", {"Bucket": "b"}))[0]
    assert output(found)["Name"] == "b"
    assert regions == ["us-east-1", "eu-west-1"]


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://127.0.0.1:9", "Could not connect to the endpoint URL"),
        ("http://no.such.host.invalid", "no.such.host.invalid: Name or service not known"),
    ],
)
def test_no_answer_is_told_in_words(endpoint: str, words: str) -> None:
    """Nobody listens, or nobody has that name."""

    async def use() -> Any:
        """One call."""
        runner = runner_at(endpoint)
        try:
            return await runner.call(task(f"{SDK}sqs:listQueues", {}), "key")
        finally:
            await runner.close()

    found = failed(asyncio.run(use()))
    assert found.error == "Sqs.SdkClientException"
    assert words in found.cause
