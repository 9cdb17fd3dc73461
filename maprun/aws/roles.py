"""Keys of the roles that Credentials name: assumed by STS, kept until shortly before they expire.

Who assumes them is the process's own identity, with boto3's own settings: `AWS_ENDPOINT_URL_STS`, Region, keys.
"""

import asyncio
import datetime as dt
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from maprun.aws.sdk_errors import Refused
from maprun.aws.sigv4 import Keys

ROLES_MAX = 1_000
RENEWED_SECONDS = 300.0
"""So long before they expire, keys are asked for anew; those that are there serve meanwhile."""
LAST_SECONDS = 30.0
"""So long before they expire, keys serve no more: a call takes its time."""
SESSION = "maprun"
_CALLER = re.compile(r"User: (\S+) is not authorized")


class Held(NamedTuple):
    """Keys, and when they expire, in epoch seconds."""

    keys: Keys
    expires: float


Assume = Callable[[bytes], Awaitable[bytes | Refused]]
"""STS's AssumeRole with these parameters, as the SDK's integration has it."""


class _Credentials(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: dt.datetime


class _Assumed(msgspec.Struct, rename="pascal"):
    credentials: _Credentials


_assumed = msgspec.json.Decoder(_Assumed)


class Roles:
    """Roles that were assumed. Use within one event loop."""

    def __init__(self, assume: Assume, wall_seconds: Callable[[], float]) -> None:
        self._assume = assume
        self._wall_seconds = wall_seconds
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._coming: dict[str, asyncio.Task[Keys | Refused]] = {}

    async def keys_of(self, role_arn: str) -> Keys | Refused:
        """The keys of a role, asked for once however many Tasks want them; or why there are none."""
        held, left = self._held.get(role_arn), 0.0
        if held is not None:
            left = held.expires - self._wall_seconds()
            self._held.move_to_end(role_arn)
            if left > RENEWED_SECONDS:
                return held.keys
        coming = self._coming.get(role_arn)
        if coming is None:
            coming = self._coming[role_arn] = asyncio.create_task(self._assumed(role_arn))
            coming.add_done_callback(lambda _: self._coming.pop(role_arn, None))
        if held is not None and left > LAST_SECONDS:
            return held.keys
        return await asyncio.shield(coming)  # whoever asked first may be given up; the others wait on

    async def _assumed(self, role_arn: str) -> Keys | Refused:
        outcome = await self._assume(msgspec.json.encode({"RoleArn": role_arn, "RoleSessionName": SESSION}))
        if isinstance(outcome, Refused):
            return refusal(role_arn, outcome)
        found = _assumed.decode(outcome).credentials
        keys = Keys(found.access_key_id, found.secret_access_key, found.session_token)
        self._held[role_arn] = Held(keys, found.expiration.timestamp())
        if len(self._held) > ROLES_MAX:
            self._held.popitem(last=False)
        return keys

    def close(self) -> None:
        """Nobody waits for keys any more."""
        for coming in self._coming.values():
            coming.cancel()


def refusal(role_arn: str, refused: Refused) -> Refused:
    """AWS's words for a role that may not be assumed; of what else went wrong STS's own words."""
    if "AccessDenied" in f"{refused.error} {refused.cause}" or _CALLER.search(refused.cause):
        caller = _CALLER.search(refused.cause)
        who = f"The role {caller[1]}" if caller else "The identity of this process"
        return Refused("States.TaskFailed", f"{who} is not authorized to assume the task state's role, {role_arn}.")
    cause = f"The task state's role, {role_arn}, can't be assumed: {refused.error}: {refused.cause}"
    return Refused("States.TaskFailed", cause)
