"""What functions print is found by the execution that called them, with hosts that have logs and with others."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from maprun.aws.clients import AwsSettings
from maprun.aws.function_logs import FunctionLogError, FunctionLogs
from schemas.invocations import FoundLog, FoundLogs
from tests.integration.local.hosting import entrance
from tests.integration.local.test_function_files import files
from tests.integration.local.test_runtime_api import bootstrap

pytestmark = pytest.mark.integration
ARN = "arn:aws:states:us-east-1:123456789012:execution:m/Map:child"
CODE = (
    "import time\n"
    "def handler(event, context):\n"
    "    print(f'begin {event}\\nand on')\n    time.sleep(0.1)\n    print('end', event)\n"
)
Call = Callable[[str, Any, str], Coroutine[Any, Any, None]]


def found(folder: Path, play: Callable[[Call], Coroutine[Any, Any, None]]) -> tuple[list[FoundLog], bool]:
    """What a host over this folder shows of ARN after it was called."""

    async def main() -> tuple[list[FoundLog], bool]:
        async with entrance(folder) as address, aiohttp.ClientSession() as session:

            async def call(name: str, event: Any, execution: str) -> None:
                url = f"{address}/2015-03-31/functions/{name}/invocations"
                async with session.post(url, json=event, headers={"X-Maprun-Execution": execution}) as answer:
                    assert answer.status == 200

            await play(call)
            logs = FunctionLogs(AwsSettings(lambda_endpoint=address))
            assert await asyncio.to_thread(logs.of, ARN[:-1]) == (FoundLogs([], truncated=False), [])
            all_of_it, troubles = await asyncio.to_thread(logs.of, ARN)
            assert troubles == []
            return all_of_it.calls, all_of_it.truncated

    return asyncio.run(main())


def test_what_was_printed_for_an_execution_is_found(tmp_path: Path) -> None:
    """The calls of one execution are shown whole, out of a log that others write into; those of no other."""
    files(tmp_path, f_py=CODE, g_py="def handler(event, context):\n    raise ValueError(event)\n")

    async def play(call: Call) -> None:
        calls = (call("f", n, ARN if n == 3 else f"{ARN}-{n}") for n in range(6))
        await asyncio.gather(*calls, call("g", 9, ARN))

    calls, truncated = found(tmp_path, play)
    assert [each.function_name for each in calls] == ["f", "g"]
    request_id = calls[0].request_id
    lines = calls[0].log.splitlines()
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST\tExecution: {ARN}"
    assert lines[1:4] == [f"{request_id}\tbegin 3", f"{request_id}\tand on", f"{request_id}\tend 3"]
    assert lines[4] == f"END RequestId: {request_id}"
    assert lines[5].startswith(f"REPORT RequestId: {request_id}\t")
    assert not truncated


def test_a_program_of_any_language_is_found_too(tmp_path: Path) -> None:
    """What a process prints between an invocation and its answer is that call's."""
    bootstrap(tmp_path, "own")

    async def play(call: Call) -> None:
        await asyncio.gather(*(call("own", n, ARN if n == 3 else f"{ARN}-{n}") for n in range(8)))

    [call], _ = found(tmp_path, play)
    lines = call.log.splitlines()
    assert lines[1:-2] == [f"{call.request_id}\tsaw 3"]
    assert lines[-1].startswith(f"REPORT RequestId: {call.request_id}")


def test_a_long_log_is_cut_and_says_so(tmp_path: Path) -> None:
    """Of a call 64 KiB are shown, from its beginning."""
    files(tmp_path, f_py="def handler(event, context):\n    for n in range(3000): print(f'{n:060}')\n")
    [call], truncated = found(tmp_path, lambda call: call("f", 1, ARN))
    assert call.truncated
    assert not truncated
    assert 60_000 < len(call.log) <= 64 << 10


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "it answers 404"),
        ({"calls": []}, "keeps no logs"),
        ([1], "keeps no logs"),
        ({"calls": [1], "truncated": False}, "no logs"),
    ],
)
def test_another_server_has_no_logs(body: Any, words: str) -> None:
    """Whatever else answers at the functions' address, the reason is said and nothing else ends."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=404) if body is None else web.Response(text=json.dumps(body))

    async def main() -> None:
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            logs = FunctionLogs(AwsSettings(lambda_endpoint=f"http://127.0.0.1:{runner.addresses[0][1]}"))
            nothing, [trouble] = await asyncio.to_thread(logs.of, ARN)
            assert nothing.calls == []
            assert words in trouble
        finally:
            await runner.cleanup()

    asyncio.run(main())


def test_a_host_without_logs_hides_none_of_another(tmp_path: Path) -> None:
    """Of two endpoints one has logs: they are shown, and what is wrong with the other is said."""
    files(tmp_path, f_py="def handler(event, context):\n    print('here')\n")

    async def main() -> tuple[FoundLogs, list[str]]:
        async with entrance(tmp_path) as address, aiohttp.ClientSession() as session:
            url, headers = f"{address}/2015-03-31/functions/f/invocations", {"X-Maprun-Execution": ARN}
            async with session.post(url, json=1, headers=headers) as answer:
                assert answer.status == 200
            logs = FunctionLogs(AwsSettings(lambda_endpoint=address, function_endpoints="g=http://127.0.0.1:1"))
            return await asyncio.to_thread(logs.of, ARN)

    shown, [trouble] = asyncio.run(main())
    assert [call.function_name for call in shown.calls] == ["f"]
    assert "http://127.0.0.1:1 does not answer" in trouble


def test_where_functions_are_lambdas_own_it_says_where_logs_are() -> None:
    """Without a function host nobody is asked."""
    with pytest.raises(FunctionLogError, match="CloudWatch Logs, /aws/lambda/NAME"):
        FunctionLogs(AwsSettings(lambda_endpoint="", function_endpoints="f=aws")).of(ARN)
