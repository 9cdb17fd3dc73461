"""Several processes of the tracker: who owns which home, and a request handed on, once at most."""

from collections.abc import Mapping
from typing import Protocol

import aiohttp

from services.maprun_tracker.api.errors import Unavailable

FORWARDED = "X-Maprun-Forwarded"
HANDED_ON_SECONDS_MAX = 25.0
_HEADERS_KEPT = ("X-Amz-Target", "Content-Type", "amz-sdk-invocation-id")


class Owners(Protocol):
    """Who owns what, as the group's last assignment said."""

    def url_of(self, home: int) -> str | None:
        """The URL of the process that owns a home; None when nobody is known to."""
        ...

    def others(self) -> Mapping[str, list[int]]:
        """The other processes: URL → homes."""
        ...


async def hand_on(
    http: aiohttp.ClientSession, url: str, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, bytes]:
    """Asks another process. Raises Unavailable when it can't be asked."""
    kept = {name: headers[name] for name in _HEADERS_KEPT if name in headers}
    try:
        timeout = aiohttp.ClientTimeout(total=HANDED_ON_SECONDS_MAX)
        method = "POST" if path == "/" else "GET"
        request = http.request(
            method, url.rstrip("/") + path, data=body or None, headers={**kept, FORWARDED: "1"}, timeout=timeout
        )
        async with request as response:
            return response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"The process that knows the answer can't be asked: {type(error).__name__}") from error
