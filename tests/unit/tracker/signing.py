"""Clients that sign: botocore's own signer, which shares no code with what verifies it."""

import datetime as dt
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from maprun.runtime.keys import KeyFile
from services.maprun_tracker.access.gate import Gate
from tests.unit.tracker import fakes
from tests.unit.tracker.processes import SECRET, Answer

ID, KEY = "CIKEY", "a-secret-of-a-key-for-tests"
ADMIN = {"name": "ci", "id": ID, "secret": KEY}


def utc_now() -> dt.datetime:
    """Now."""
    return dt.datetime.now(dt.UTC)


class Clock:
    """Now, or so much `ahead` of it."""

    def __init__(self, seconds: float = 0) -> None:
        self.ahead = dt.timedelta(seconds=seconds)

    def __call__(self) -> dt.datetime:
        """The time of this clock."""
        return utc_now() + self.ahead


def gate_with(folder: Path, *keys: Mapping[str, object], clock: Clock | None = None) -> Gate:
    """A gate over a file of these keys."""
    path = folder / "keys.json"
    path.write_text(json.dumps(keys))
    path.chmod(0o600)
    return Gate(KeyFile(str(path), lambda: 0.0), fakes.NAMES, SECRET, clock or Clock())


def signed_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: tuple[str, str] = (ID, KEY),
    token: str | None = None,
    region: str = "us-east-1",
    service: str = "states",
) -> dict[str, str]:
    """The headers of a request that botocore has signed."""
    request = AWSRequest(method, url, dict(headers), body)
    signer: Any = SigV4Auth(Credentials(*key, token), service, region)
    signer.add_auth(request)
    return dict(request.headers.items())


async def send(url: str, headers: Mapping[str, str], body: bytes, method: str = "POST") -> Answer:
    """A request as it is."""
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, URL(url, encoded=True), data=body, headers=headers) as answer,
    ):
        return Answer(answer.status, json.loads(await answer.read()), answer.headers)


async def call(
    url: str, target: str, members: Mapping[str, object], headers: Mapping[str, str] | None = None, **signing: Any
) -> Answer:
    """A signed call, as SDKs make it."""
    body = json.dumps(members).encode()
    kind = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
    invocation = {"amz-sdk-invocation-id": os.urandom(8).hex()}
    return await send(
        url, signed_headers("POST", url, {**kind, **invocation, **(headers or {})}, body, **signing), body
    )
