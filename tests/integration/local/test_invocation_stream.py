"""Many invocations over one connection to the function host: what one of them does harms no other."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest
from aiohttp import web

from maprun.aws.invocation_stream import SILENT_AGAIN_SECONDS, StreamKeeper
from schemas.effects import TaskFailed, TaskSucceeded
from tests.integration.local.hosting import Outcome, caller, entrance

pytestmark = pytest.mark.integration


def payload(outcome: Outcome) -> object:
    """What the function answered."""
    assert isinstance(outcome, TaskSucceeded), outcome
    return json.loads(outcome.output)["Payload"]


def error(outcome: Outcome) -> str:
    """The error's name."""
    assert isinstance(outcome, TaskFailed), outcome
    return outcome.error


def test_answers_go_to_those_who_asked(tmp_path: Path) -> None:
    """A thousand invocations at once over one connection, good ones and failing ones: each gets its own outcome."""

    async def scene() -> None:
        async with entrance(tmp_path) as address, caller(address) as invoke:
            asked = [invoke("echo", n) if n % 3 else invoke("broken", {"kind": "raise"}) for n in range(1_000)]
            for number, outcome in enumerate(await asyncio.gather(*asked)):
                if number % 3:
                    assert payload(outcome) == {"got": number}
                else:
                    assert error(outcome) == "ValueError"

    asyncio.run(scene())


def test_the_outcome_is_that_of_the_invoke_api(tmp_path: Path) -> None:
    """Keys, refusals and the members of lambda:invoke's result are the same over the stream."""

    async def scene() -> None:
        async with entrance(tmp_path) as address, caller(address) as invoke:
            assert payload(await invoke("keyed", {}, key="k-7")) == "k-7"
            assert error(await invoke("nobody", {})) == "Lambda.ResourceNotFoundException"
            assert error(await invoke("unimportable", {})) == "Runtime.ImportModuleError"
            whole = await invoke("echo", 1, LogType="Tail")
            assert isinstance(whole, TaskSucceeded)
            result = json.loads(whole.output)
            assert set(result) == {
                *("ExecutedVersion", "LogResult", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"),
            }
            assert result["ExecutedVersion"] == "$LATEST"

    asyncio.run(scene())


def test_a_slow_invocation_keeps_no_quick_one(tmp_path: Path) -> None:
    """Beside one that hangs, three hundred quick ones of the same batch are answered at once."""

    async def scene() -> None:
        async with entrance(tmp_path, timeout_seconds=2.0) as address, caller(address) as invoke:
            await invoke("echo", 0)
            slow = asyncio.create_task(invoke("broken", {"kind": "hang"}))
            began = time.monotonic()
            quick = await asyncio.gather(*(invoke("echo", n) for n in range(300)))
            assert time.monotonic() - began < 1.5
            assert [payload(outcome) for outcome in quick] == [{"got": n} for n in range(300)]
            assert error(await slow) == "Sandbox.Timedout"

    asyncio.run(scene())


PIDS = "import os, time\ndef handler(event, context):\n    time.sleep(event)\n    return os.getpid()\n"


def test_a_process_killed_in_mid_batch_takes_one_call_with_it_at_most(tmp_path: Path) -> None:
    """Of thousands of quick ones, all but what the dead processes were just running are answered by others."""
    (tmp_path / "pids.py").write_text(PIDS, encoding="utf-8")

    async def scene() -> None:
        async with entrance(tmp_path) as address, caller(address) as invoke:
            pids = {payload(outcome) for outcome in await asyncio.gather(*(invoke("pids", 0) for _ in range(500)))}
            calls = [asyncio.create_task(invoke("pids", 0)) for _ in range(5_000)]
            await asyncio.sleep(0.05)
            assert not all(call.done() for call in calls)
            for pid in pids:
                os.kill(int(str(pid)), signal.SIGKILL)
            outcomes = await asyncio.gather(*calls)
            failed = [error(outcome) for outcome in outcomes if isinstance(outcome, TaskFailed)]
            assert failed == ["Runtime.ExitError"] * len(failed)
            assert len(failed) <= len(pids)

    asyncio.run(scene())


def test_calls_beside_each_other_in_a_killed_process_are_repeated(tmp_path: Path) -> None:
    """Nobody knows which of several killed it, so each runs again alone, with its key, and none of them fails."""
    (tmp_path / "pids.py").write_text(PIDS, encoding="utf-8")

    async def scene() -> None:
        async with entrance(tmp_path) as address, caller(address) as invoke:
            first = payload(await invoke("pids", 0))
            calls = [asyncio.create_task(invoke("pids", 0.4)) for _ in range(12)]
            await asyncio.sleep(0.25)
            os.kill(int(str(first)), signal.SIGKILL)
            again = [payload(outcome) for outcome in await asyncio.gather(*calls)]
            assert first not in again

    asyncio.run(scene())


def test_who_gives_up_takes_no_answer_of_others(tmp_path: Path) -> None:
    """Invocations that are cancelled are given up; those beside them get their answers."""

    async def scene() -> None:
        async with entrance(tmp_path) as address, caller(address) as invoke:
            naps = [asyncio.create_task(invoke("broken", {"kind": "nap"})) for _ in range(60)]
            await asyncio.sleep(0.1)
            for nap in naps[::2]:
                nap.cancel()
            outcomes = await asyncio.gather(*naps, return_exceptions=True)
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
            assert [payload(outcome) for outcome in outcomes[1::2]] == ["nap"] * 30  # type: ignore[arg-type]

    asyncio.run(scene())


def test_a_host_that_is_lost_fails_what_waits() -> None:
    """A lost connection is Lambda.SdkClientException for who waits, as with the Invoke API."""

    async def scene() -> None:
        server = await asyncio.start_server(_takes_and_hangs_up, "127.0.0.1", 0)
        async with caller(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as invoke:
            outcomes = await asyncio.gather(*(invoke("echo", n) for n in range(10)))
            assert [error(outcome) for outcome in outcomes] == ["Lambda.SdkClientException"] * 10
        server.close()

    asyncio.run(scene())


async def _takes_and_hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Offers the stream, reads one invocation and is gone."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    await reader.read(1)
    writer.transport.abort()


def test_whoever_speaks_the_invoke_api_alone_is_called_by_it() -> None:
    """An endpoint that does not know the stream gets plain Invoke calls, and is asked for the stream once only."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(f"{request.method} {request.path}")
        if request.method != "POST":
            return web.Response(status=404)
        return web.json_response({"got": await request.json()})

    async def scene() -> None:
        server = web.ServerRunner(web.Server(answer))  # type: ignore[arg-type]
        await server.setup()
        await web.TCPSite(server, "127.0.0.1", 0).start()
        async with caller(f"http://127.0.0.1:{server.addresses[0][1]}") as invoke:
            outcomes = [await invoke("f", n) for n in range(3)]
            assert [payload(outcome) for outcome in outcomes] == [{"got": n} for n in range(3)]
        await server.cleanup()

    asyncio.run(scene())
    assert seen == ["GET /maprun/invocations", *["POST /2015-03-31/functions/f/invocations"] * 3]


def test_an_endpoint_that_says_nothing_to_the_offer_holds_no_calls_up_again() -> None:
    """The first calls wait for its answer, as long as may be; later ones don't, while it is asked again beside them."""
    asked: asyncio.Queue[bytes] = asyncio.Queue()
    ended: asyncio.Queue[None] = asyncio.Queue()
    now = 0.0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(await reader.readuntil(b"\r\n"))
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.put_nowait(None)

    async def scene() -> None:
        nonlocal now
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        keeper = StreamKeeper(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", lambda: now)
        try:
            assert await keeper.offered() is None
            assert await asked.get() == b"GET /maprun/invocations HTTP/1.1\r\n"
            assert await keeper.offered() is None
            assert asked.empty()
            now = SILENT_AGAIN_SECONDS + 1.0
            offered = asyncio.create_task(keeper.offered())
            await asked.get()
            assert offered.done()  # though nothing has been said
        finally:
            keeper.close()
            for _ in range(2):
                await ended.get()
            server.close()

    asyncio.run(asyncio.wait_for(scene(), 30))
