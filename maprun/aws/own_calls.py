"""Requests of maprun's own processes to its API, and to each other: signed with a key that all derive from one secret.

The cluster's secret lies in Kafka; who reads it there is let in, as who writes there is. So nothing has to be handed
out, and these requests are signed whether the API asks for signatures or not.
"""

from collections.abc import Callable, Mapping
from typing import Final

from yarl import URL

from maprun.aws.sigv4 import Keys, Signer, amz_date_of
from maprun.runtime.keys import SERVICES_KEY_ID
from schemas.tokens import TokenSecret

SERVICE: Final = "states"
OWN_HEADERS: Final = "x-maprun-"
"""Begins the names of headers that only maprun's own processes may send."""
_SIGNED_ANEW = frozenset({"authorization", "host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})


def services_secret(secret: TokenSecret) -> str:
    """The secret of the services' key, once the process has met its cluster."""
    return secret.derived("requests of services")


class OwnSigner:
    """Signs requests to the API with the services' key."""

    def __init__(self, secret: TokenSecret, region: str, wall_seconds: Callable[[], float]) -> None:
        self._secret = secret
        self._region = region
        self._wall_seconds = wall_seconds
        self._signer: Signer | None = None

    def sign(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers to send in place of these, all of them signed."""
        if self._signer is None:
            self._signer = Signer(Keys(SERVICES_KEY_ID, services_secret(self._secret)), self._region, SERVICE)
        host = url.raw_host or ""
        host = f"[{host}]" if ":" in host else host
        place = host if url.is_default_port() else f"{host}:{url.port}"
        given = {name.lower(): value for name, value in headers.items() if name.lower() not in _SIGNED_ANEW}
        query = "&".join(sorted(url.raw_query_string.split("&"))) if url.raw_query_string else ""
        return self._signer.signed(
            method, place, url.raw_path, query, given, body, amz_date_of(int(self._wall_seconds()))
        )
