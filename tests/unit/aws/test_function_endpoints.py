"""Functions that are invoked elsewhere: by name, at an Invoke API, at an address of their own, at AWS."""

import asyncio
from functools import partial

from aiohttp import web

from maprun.aws.clients import AwsSettings
from maprun.aws.function_endpoints import FunctionEndpoints
from maprun.aws.tasks import TaskRunner
from schemas.effects import TaskRequested, TaskSucceeded
from tests.unit.aws.service import Handler, serving

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


def test_each_function_is_invoked_where_the_setting_says() -> None:
    """Names, ARNs and qualifiers reach the same endpoint; an emulator's own address is taken as it stands."""
    seen: list[tuple[str, str]] = []

    def answering(name: str) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.method == "POST":
                seen.append((name, request.raw_path))
                return web.json_response(name)
            return web.Response(status=404)

        return answer

    async def scene(usual: str, sam: str, emulator: str) -> None:
        one = f"{emulator}/2015-03-31/functions/function/invocations"
        settings = AwsSettings(
            region="us-east-1", lambda_endpoint=usual, function_endpoints=f"resize={one}, shop-*={sam}"
        )
        runner = TaskRunner(settings, wall_seconds=lambda: 1_700_000_000.0, monotonic=lambda: 0.0)
        for name in ("echo", "resize", "resize:3", "shop-orders", f"{ARN}shop-prices:live"):
            resource = name if name.startswith("arn") else f"{ARN}{name}"
            assert isinstance(await runner.run_task(TaskRequested("r", resource, b"{}"), "k"), TaskSucceeded)
        await runner.close()

    async def main() -> None:
        async def with_usual(usual: str) -> None:
            async def with_sam(sam: str) -> None:
                await serving(answering("emulator"), partial(scene, usual, sam))

            await serving(answering("sam"), with_sam)

        await serving(answering("usual"), with_usual)

    asyncio.run(main())
    assert [name for name, _ in seen] == ["usual", "emulator", "emulator", "sam", "sam"]
    assert [path for name, path in seen if name == "emulator"] == ["/2015-03-31/functions/function/invocations"] * 2


def test_aws_is_awss_own_whatever_the_usual_endpoint_is() -> None:
    """`aws` leads to the Region's Lambda, and to no stream."""
    settings = AwsSettings(region="eu-central-1", lambda_endpoint="http://127.0.0.1:1", function_endpoints="charge=aws")
    endpoint = FunctionEndpoints(settings, lambda: 0.0, lambda: 0.0).of("charge")
    assert endpoint.http.address == "https://lambda.eu-central-1.amazonaws.com"
    assert asyncio.run(endpoint.streams.offered()) is None
