"""The function host as its callers see it: over HTTP, with handlers that behave, raise, exit, crash and hang."""

import asyncio
from pathlib import Path

import pytest

from maprun.aws.checkup_functions import look_at_functions
from maprun.aws.clients import AwsSettings
from tests.integration.local.hosting import entrance, host

pytestmark = pytest.mark.integration


def test_a_function_is_called_by_name_and_by_arn(tmp_path: Path) -> None:
    """Name, name with a qualifier and ARN reach the same file; `my-fn` may live in `my_fn.py`."""

    async def scene() -> None:
        async with host(tmp_path) as invoke:
            for name in ("echo", "echo:prod", "arn:aws:lambda:us-east-1:123456789012:function:echo"):
                status, headers, body = await invoke(name, {"a": 1})
                assert (status, body) == (200, {"got": {"a": 1}})
                assert headers["X-Amz-Executed-Version"] == "$LATEST"
            assert (await invoke("my-fn", {}))[2] == "my-fn"

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("name", "event", "error_type", "message"),
    [
        ("broken", {"kind": "raise"}, "ValueError", "boom"),
        ("broken", {}, "KeyError", "'kind'"),
        ("broken", {"kind": "exit"}, "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("broken", {"kind": "crash"}, "Runtime.ExitError", "Runtime exited with error: exit status 4"),
        ("broken", {"kind": "object"}, "Runtime.MarshalError", "Unable to marshal response"),
        ("broken", {"kind": "hang"}, "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        ("unimportable", {}, "Runtime.ImportModuleError", "No module named 'there_is_no_such_module'"),
        ("without", {}, "Runtime.HandlerNotFound", "Handler 'handler' missing"),
    ],
)
def test_what_goes_wrong_in_a_handler_is_told_as_lambda_tells_it(
    tmp_path: Path, name: str, event: dict[str, str], error_type: str, message: str
) -> None:
    """The status is 200, the header says Unhandled, the body names type and message; the next call works."""

    async def scene() -> None:
        async with host(tmp_path, timeout_seconds=1.0) as invoke:
            status, headers, body = await invoke(name, event)
            assert (status, headers["X-Amz-Function-Error"]) == (200, "Unhandled")
            assert body["errorType"] == error_type
            assert message in body["errorMessage"]
            assert (await invoke("echo", 7))[2] == {"got": 7}

    asyncio.run(scene())


def test_what_the_service_refuses_never_reaches_a_handler(tmp_path: Path) -> None:
    """An unknown function is 404, a payload that is no JSON 400, with Lambda's error names."""

    async def scene() -> None:
        async with host(tmp_path) as invoke:
            status, headers, body = await invoke("nobody", {})
            assert (status, headers["x-amzn-ErrorType"]) == (404, "ResourceNotFoundException")
            assert body["Message"] == "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody"
            status, headers, _ = await invoke("echo", b"{broken")
            assert (status, headers["x-amzn-ErrorType"]) == (400, "InvalidRequestContentException")
            deep = b"[" * 100_000 + b"]" * 100_000
            status, headers, _ = await invoke("echo", deep)
            assert (status, headers["x-amzn-ErrorType"]) == (400, "InvalidRequestContentException")

    asyncio.run(scene())


def test_the_idempotency_key_reaches_the_handler(tmp_path: Path) -> None:
    """The caller's key stands in the client context, where real AWS has it too."""

    async def scene() -> None:
        async with host(tmp_path) as invoke:
            assert (await invoke("keyed", {}, X_Maprun_Idempotency_Key="k-1"))[2] == "k-1"

    asyncio.run(scene())


def test_event_and_dry_run_answer_at_once(tmp_path: Path) -> None:
    """InvocationType Event is 202 before the handler ends, DryRun 204 without running it."""

    async def scene() -> None:
        async with host(tmp_path) as invoke:
            assert (await invoke("broken", {"kind": "nap"}, X_Amz_Invocation_Type="Event"))[0] == 202
            assert (await invoke("broken", {"kind": "crash"}, X_Amz_Invocation_Type="DryRun"))[0] == 204

    asyncio.run(scene())


def test_a_crash_takes_no_call_with_it_that_had_not_begun(tmp_path: Path) -> None:
    """Of 40 calls beside a crash, all are answered, and only those that ran in the dead process may have failed."""

    async def scene() -> None:
        async with host(tmp_path) as invoke:
            naps = [asyncio.create_task(invoke("broken", {"kind": "nap"})) for _ in range(40)]
            await asyncio.sleep(0.1)
            crashed = await invoke("broken", {"kind": "crash"})
            assert crashed[2]["errorType"] == "Runtime.ExitError"
            outcomes = [(await nap)[2] for nap in naps]
            assert sum(outcome == "nap" for outcome in outcomes) >= 20
            assert all(outcome == "nap" or outcome["errorType"] == "Runtime.ExitError" for outcome in outcomes)

    asyncio.run(scene())


def test_handlers_that_wait_run_beside_each_other(tmp_path: Path) -> None:
    """Thirty naps of 0.3 s end in far less than nine seconds, on two workers."""

    async def scene() -> None:
        async with host(tmp_path) as invoke:
            async with asyncio.timeout(4):
                outcomes = await asyncio.gather(*(invoke("broken", {"kind": "nap"}) for _ in range(30)))
            assert [outcome[2] for outcome in outcomes] == ["nap"] * 30

    asyncio.run(scene())


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """A handler's next version answers within a second of being saved."""

    async def scene() -> None:
        async with host(tmp_path) as invoke:
            assert (await invoke("echo", 1))[2] == {"got": 1}
            (tmp_path / "echo.py").write_text("def handler(event, context):\n    return 'new'\n", encoding="utf-8")
            await asyncio.sleep(0.5)
            assert (await invoke("echo", 1))[2] == "new"

    asyncio.run(scene())


def test_a_look_tells_which_functions_are_missing(tmp_path: Path) -> None:
    """`maprun doctor` asks the host for each function that machines name, and calls none."""

    async def scene() -> None:
        async with entrance(tmp_path) as address:
            settings = AwsSettings(region="us-east-1", lambda_endpoint=address)

            async def look(*names: str) -> list[tuple[str, str]]:
                found = await asyncio.to_thread(look_at_functions, settings, names, lambda: 5.0)
                return [(each.state, each.said) for each in found]

            there = "echo", "my-fn", "arn:aws:lambda:us-east-1:123456789012:function:echo:prod"
            assert await look(*there) == [("ok", f"{address} has 3 that machines name")]
            assert await look() == [("ok", f"{address}: no machine that was deployed names a function of it")]
            gone = "arn:aws:lambda:us-east-1:123456789012:function:gone"
            missing = f"{address} has no function ehco, {gone}, which machines call"
            assert await look("echo", "ehco", gone) == [("wrong", missing)]

    asyncio.run(scene())


def test_a_call_knows_its_trace(tmp_path: Path) -> None:
    """By either way in: X-Ray's header of an Invoke call, and a Task's own."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

    async def scene() -> None:
        async with host(tmp_path) as invoke:
            assert (await invoke("traced", {}, X_Amzn_Trace_Id=trace))[2] == trace
            assert (await invoke("traced", {}))[2] is None

    asyncio.run(scene())
