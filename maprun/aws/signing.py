"""Signers for requests that no SDK signs: with the keys of boto3's session, asked for again before they run out."""

import asyncio
from collections.abc import Callable
from typing import Any

from maprun.aws.sigv4 import Keys, Signer, amz_date_of

KEYS_SECONDS_MAX = 60.0  # temporary keys are asked for again so often; botocore renews them well before they expire


class Signers:
    """Signers to one service, one for each Region. `credentials` gives those of a boto3 session, None without keys."""

    def __init__(
        self,
        credentials: Callable[[], Any],
        service: str,
        wall_seconds: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._credentials = credentials
        self._service = service
        self._wall_seconds = wall_seconds
        self._monotonic = monotonic
        self._keys: Keys | None = None
        self._keys_due = float("-inf")
        self._signers: dict[str, Signer] = {}
        self._date: tuple[int, str] = (-1, "")

    def amz_date(self) -> str:
        """The date that a request made now is signed with."""
        second = int(self._wall_seconds())
        if second != self._date[0]:
            self._date = (second, amz_date_of(second))
        return self._date[1]

    async def of(self, region: str, role: Keys | None = None) -> Signer | None:
        """The signer for today's keys, or for those of a role; None without keys."""
        if role is not None:
            return Signer(role, region, self._service)
        now = self._monotonic()
        if now >= self._keys_due:
            # Finding keys, and renewing temporary ones, may be an HTTP call of botocore's own, which blocks.
            keys = await asyncio.to_thread(self._current_keys)
            self._keys_due = now + KEYS_SECONDS_MAX
            if keys != self._keys:
                self._keys = keys
                self._signers.clear()
        if self._keys is None:
            return None
        signer = self._signers.get(region)
        if signer is None:
            signer = self._signers[region] = Signer(self._keys, region, self._service)
        return signer

    def _current_keys(self) -> Keys | None:
        found = self._credentials()
        if found is None:
            return None
        frozen = found.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token or "")
