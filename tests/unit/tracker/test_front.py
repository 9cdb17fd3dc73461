"""Requests before their operation: who may ask, how bodies are unpacked, and that every no is JSON in AWS's shape."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import aiohttp
import pytest
import zstandard
from aiohttp import web

from maprun.requests.checks import Refusal
from services.maprun_tracker.api import front
from services.maprun_tracker.api.bodies import Bodies, BodyLimits

OWN = ("api.example.com",)
BODY = b'{"a":1}'
MOST = 1_000


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8083", None),
        ("[::1]:8083", None),
        ("localhost", None),
        ("localhost:8083", "http://localhost:8083"),
        ("maprun-tracker:8083", None),
        ("tracker-0.tracker.maprun.svc.cluster.local:8083", None),
        ("sfn.corp.internal", None),
        ("api.example.com", None),
        ("sync-api.example.com:443", None),
        ("API.example.com", "https://api.example.com"),
        ("10.1.2.3", "http://10.1.2.3"),
    ],
)
def test_programs_and_our_own_pages_may_ask(host: str, origin: str | None) -> None:
    """Addresses, names that no stranger can own, names that were set, and pages of the very address that is asked."""
    front.check_asker(host, origin, OWN)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("rebound.example.org:8083", None),
        ("rebound.example.org:8083", "http://rebound.example.org:8083"),
        ("127.0.0.1:8083", "https://example.org"),
        ("127.0.0.1:8083", "http://127.0.0.1:9000"),
        ("localhost:8083", "null"),
        ("localhost.example.org", None),
    ],
)
def test_web_pages_from_elsewhere_may_not_ask(host: str, origin: str | None) -> None:
    """A page of another origin, or one whose own name leads to this machine, is refused."""
    with pytest.raises(Refusal) as refused:
        front.check_asker(host, origin, OWN)
    assert refused.value.code == "AccessDeniedException"


@pytest.mark.parametrize(
    ("site", "mode", "may"),
    [
        ("", "", True),
        ("same-origin", "cors", True),
        ("none", "navigate", True),
        ("cross-site", "navigate", True),
        ("cross-site", "no-cors", False),
        ("cross-site", "cors", False),
        ("same-site", "no-cors", False),
    ],
)
def test_web_pages_from_elsewhere_load_nothing(site: str, mode: str, may: bool) -> None:
    """As a picture or a script: such a request has no Origin. A link may lead here; programs say nothing of it all."""
    with nullcontext() if may else pytest.raises(Refusal):
        front.check_fetched(site, mode)


def raw_deflate(data: bytes) -> bytes:
    """Deflate without zlib's header."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("zstd", zstandard.compress(BODY)),
        ("gzip, zstd", zstandard.compress(gzip.compress(BODY))),
    ],
)
def test_bodies_are_unpacked(encoding: str, packed: bytes) -> None:
    """What clients pack with, one after the other, comes off in turn."""
    assert front.unpacked(packed, encoding, MOST) == BODY


@pytest.mark.parametrize(
    ("encoding", "packed", "code"),
    [
        ("gzip", BODY, "SerializationException"),
        ("gzip", gzip.compress(BODY)[:-9], "SerializationException"),
        ("deflate", b"\xff\xff", "SerializationException"),
        ("zstd", BODY, "SerializationException"),
        ("br", BODY, "SerializationException"),
        ("identity, identity, identity, identity", BODY, "SerializationException"),
        ("gzip", gzip.compress(b"0" * (MOST + 1)), "RequestEntityTooLargeException"),
        ("zstd", zstandard.compress(b"0" * (MOST + 1)), "RequestEntityTooLargeException"),
    ],
)
def test_broken_and_swollen_bodies_are_refused(encoding: str, packed: bytes, code: str) -> None:
    """A body that is not what it says, breaks off, or unpacks to more than the bound is refused by name."""
    with pytest.raises(Refusal) as refused:
        front.unpacked(packed, encoding, MOST)
    assert refused.value.code == code


def test_a_payload_fits_however_it_is_escaped() -> None:
    """The bound on a body leaves room for six bytes a character of the largest payload."""
    assert front.body_bytes_max(262_144) == front.BODY_BYTES_MAX
    assert front.body_bytes_max(1 << 20) > 6 << 20


async def asked(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, Any]:
    """Status, content type and JSON of an answer of a site with the front before it."""

    async def handle(request: web.Request) -> web.Response:
        front.unpacked(request[front.BODY], request.headers.get("Content-Encoding", ""), MOST)
        return front.response("id", 200, b"{}")

    shown = front.middleware("http://127.0.0.1:1", (), lambda: "id")
    application = web.Application(middlewares=[shown, front.admission(Bodies(BodyLimits(MOST)), None, ())])
    application.add_routes([web.post("/", handle)])
    runner = web.AppRunner(application, access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, data=body) as answer:
            return answer.status, answer.content_type, json.loads(await answer.read())
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("POST", "/", {}, BODY, 200, None),
        ("POST", "/", {"Content-Encoding": "gzip"}, gzip.compress(BODY), 200, None),
        ("POST", "/base/path", {}, BODY, 404, "UnknownOperationException"),
        ("GET", "/", {}, b"", 405, "UnknownOperationException"),
        ("POST", "/", {}, b"x" * (MOST + 1), 413, "RequestEntityTooLargeException"),
        ("POST", "/", {"Content-Encoding": "gzip"}, b"no", 400, "SerializationException"),
        ("POST", "/", {"Content-Encoding": "zstd"}, b"no", 400, "SerializationException"),
        ("POST", "/", {"Content-Encoding": "br"}, b"no", 400, "SerializationException"),
        ("POST", "/", {"Origin": "https://example.org"}, BODY, 403, "AccessDeniedException"),
        ("POST", "/", {"Host": "example.org"}, BODY, 403, "AccessDeniedException"),
        ("GET", "/maprun/errors", {"Sec-Fetch-Site": "cross-site"}, b"", 403, "AccessDeniedException"),
    ],
)
def test_every_answer_is_json_in_awss_shape(
    method: str, path: str, headers: dict[str, str], body: bytes, status: int, code: str | None
) -> None:
    """Whatever is wrong with a request, its answer has AWS's content type and names an error with a message."""
    got, kind, answer = asyncio.run(asked(method, path, headers, body))
    assert (got, kind, answer.get("__type")) == (status, front.CONTENT_TYPE, code)
    assert code is None or answer["message"]
