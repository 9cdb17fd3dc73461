"""The API where requests must be signed: who is let in, what is refused, how processes ask each other."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import aiohttp
from structlog.testing import capture_logs

from services.maprun_tracker.api.owners import PEER_PATH
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import DESCRIBE, LIST, PREFIX, Log, Process, played, post
from tests.unit.tracker.signing import ADMIN, KEY, call, gate_with, send, signed_headers

VIEWER_KEY = ("VIEWERKEY", "another-secret-for-tests")
VIEWER = {"name": "viewer", "id": VIEWER_KEY[0], "secret": VIEWER_KEY[1], "allow": [{"operations": ["Describe*"]}]}
STOP = f"{PREFIX}StopExecution"
Play = Callable[[Process, Process, Log], Awaitable[None]]


def signed_play(folder: Path, play: Play) -> None:
    """Two processes that ask for signatures."""
    played(play, gate=lambda: gate_with(folder, ADMIN, VIEWER))


def test_every_process_answers_who_has_a_key(tmp_path: Path) -> None:
    """For its own homes and for those of others: reads, lists, writes and questions of our own."""

    async def play(first: Process, second: Process, log: Log) -> None:
        for process in (first, second):
            for arn in log.arns.values():
                answer = await call(process.url, DESCRIBE, {"executionArn": arn})
                assert (answer.status, answer.body["executionArn"]) == (200, arn)
                path = f"{process.url}/maprun/history?arn={quote(arn, safe='')}"
                asked = await send(path, signed_headers("GET", path, {}, b""), b"", "GET")
                assert (asked.status, "events" in asked.body) == (200, True)
            listed = await call(process.url, LIST, {"stateMachineArn": fakes.MACHINE})
            assert {row["executionArn"] for row in listed.body["executions"]} == set(log.arns.values())
        stopped = await call(first.url, STOP, {"executionArn": log.arns[1]})
        assert stopped.status == 200

    signed_play(tmp_path, play)


def test_nobody_else_is_answered(tmp_path: Path) -> None:
    """By no path and no method; but for health, metrics and the console's own files, which hold nothing of a user's."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        arn = log.arns[0]
        for path in ("", PEER_PATH):
            answer = await post(first.url + path, DESCRIBE, {"executionArn": arn})
            assert (answer.status, answer.body["__type"]) == (400, "MissingAuthenticationTokenException")
        for path in (f"/maprun/history?arn={arn}", f"{PEER_PATH}/maprun/history?arn={arn}", "/", "/x", "/console/none"):
            answer = await send(first.url + path, {}, b"", "GET")
            assert (answer.status, answer.body["__type"]) == (400, "MissingAuthenticationTokenException")
        async with aiohttp.ClientSession() as http:
            for path in ("/healthz", "/readyz", "/metrics", "/console/", "/console/app.js"):
                async with http.get(first.url + path) as found:
                    assert found.status == 200

    signed_play(tmp_path, play)


def test_a_key_with_a_list_does_nothing_else(tmp_path: Path) -> None:
    """Also by way of another process, and by questions of our own, which are as AWS's that tell the same."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        for arn in log.arns.values():
            assert (await call(first.url, DESCRIBE, {"executionArn": arn}, key=VIEWER_KEY)).status == 200
            denied = await call(first.url, STOP, {"executionArn": arn}, key=VIEWER_KEY)
            assert (denied.status, denied.body["__type"]) == (400, "AccessDeniedException")
            assert denied.body["message"].startswith("User: arn:aws:iam::123456789012:user/viewer is not authorized")
            path = f"{first.url}/maprun/history?arn={quote(arn, safe='')}"
            asked = await send(path, signed_headers("GET", path, {}, b"", key=VIEWER_KEY), b"", "GET")
            assert asked.body["__type"] == "AccessDeniedException"
        assert [len(records) for records in log.homes.values()] == [1, 1], "nothing was written"

    signed_play(tmp_path, play)


def test_processes_alone_ask_each_other(tmp_path: Path) -> None:
    """Under the paths by which requests are handed on even the strongest key is refused."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        denied = await call(first.url + PEER_PATH, DESCRIBE, {"executionArn": log.arns[0]})
        assert denied.body["__type"] == "AccessDeniedException"
        forged = await call(first.url + PEER_PATH, DESCRIBE, {}, key=("maprun-services", KEY))
        assert forged.body["__type"] == "InvalidSignatureException"

    signed_play(tmp_path, play)


def test_a_copy_of_an_sdks_call_does_nothing_a_second_time(tmp_path: Path) -> None:
    """Neither where it was answered, nor at another process: its home knows the call by its id."""

    async def play(first: Process, second: Process, log: Log) -> None:
        body = f'{{"executionArn":"{log.arns[1]}"}}'.encode()
        headers = signed_headers("POST", first.url, {"X-Amz-Target": STOP}, body)
        headers["amz-sdk-invocation-id"] = "not under the signature, as boto3 sends it"
        # Host is under the signature: elsewhere a copy is taken only behind a name that all processes share.
        there = {**headers, "Host": urlsplit(first.url).netloc}
        for url in (first.url, first.url, second.url):
            assert (await send(url, there, body)).status == 200
        assert len(second.parts[1].home.state.answered) == 1, "one request, answered from memory"

    signed_play(tmp_path, play)


def test_a_stranger_has_no_body_read(tmp_path: Path) -> None:
    """The refusal comes while the body still does not."""

    async def play(first: Process, _second: Process, _log: Log) -> None:
        place = urlsplit(first.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        head = f"POST / HTTP/1.1\r\nHost: {place.netloc}\r\nX-Amz-Target: {STOP}\r\nContent-Length: 1000000\r\n\r\n"
        writer.write(head.encode())
        answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
        assert b"MissingAuthenticationTokenException" in answer
        writer.close()

    signed_play(tmp_path, play)


def test_who_changed_what_is_logged(tmp_path: Path) -> None:
    """With the key's name, what it was asked of and what came of it; reading says nothing, and no secret is there."""

    async def play(first: Process, _second: Process, log: Log) -> None:
        with capture_logs() as lines:
            await call(first.url, DESCRIBE, {"executionArn": log.arns[0]})
            await call(first.url, STOP, {"executionArn": log.arns[0]})
            await call(first.url, STOP, {"executionArn": log.arns[1]}, key=VIEWER_KEY)
        acts = [line for line in lines if line["event"] == "acted"]
        assert [(line["asked_by"], line["operation"], line["on"], line["answer"]) for line in acts] == [
            ("ci", "StopExecution", [log.arns[0]], "done"),
            ("viewer", "StopExecution", [log.arns[1]], "AccessDeniedException"),
        ]
        assert KEY not in repr(lines)

    signed_play(tmp_path, play)


def test_sts_says_whose_key_it_is(tmp_path: Path) -> None:
    """GetCallerIdentity, signed for STS: the user of the key's name."""

    async def play(first: Process, _second: Process, _log: Log) -> None:
        body, form = (
            b"Action=GetCallerIdentity&Version=2011-06-15",
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        headers = signed_headers("POST", first.url, form, body, service="sts")
        async with aiohttp.ClientSession() as http, http.post(first.url, data=body, headers=headers) as answer:
            assert "<Arn>arn:aws:iam::123456789012:user/ci</Arn><UserId>ci</UserId>" in await answer.text()
        headers = signed_headers("POST", first.url, {**form, "X-Amz-Target": STOP}, body, service="sts")
        refused = await send(first.url, headers, body)
        assert refused.body["message"] == "Credential should be scoped to correct service: 'states'."

    signed_play(tmp_path, play)
