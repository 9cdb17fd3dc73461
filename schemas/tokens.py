"""Task tokens: which attempt of which execution a callback is for, signed so that nobody can make one up.

A token is base64url of: version (1 byte), lane (2 bytes, all ones = a root execution's home), attempt (16 bytes), the
execution's ARN, and the first 16 bytes of an HMAC-SHA256 of these under the cluster's secret. So it is the same however
often it is made, says where it belongs, and needs no table.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

from schemas.wire import Part

SECRET_BYTES = 32
NO_LANE = -1
_VERSION = b"\x01"
_ATTEMPT_BYTES = _MAC_BYTES = 16
_ARN_AT = 3 + _ATTEMPT_BYTES


class TaskToken(Part, frozen=True):
    """What a token says. `attempt` is 32 hexadecimal digits; `lane` NO_LANE is the home of a root execution."""

    arn: str
    attempt: str
    lane: int = NO_LANE


class TokenRefusal(NamedTuple):
    """An error of SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat, in AWS's words."""

    error: str
    message: str


TIMED_OUT = TokenRefusal("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
"""Of a token whose attempt is over, however it ended."""
DOES_NOT_EXIST = TokenRefusal("TaskDoesNotExist", "Task Does Not Exist: 'Provided task does not exist'")
"""Of one whose execution nobody remembers."""


class TokenSecret:
    """The secret that tokens are signed with, of one process: known once it has met its cluster."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes = b"") -> None:
        self._value = value

    def learn(self, value: bytes) -> None:
        """The cluster's secret."""
        self._value = value

    def derived(self, purpose: str) -> str:
        """A secret of the whole cluster for something else, which tells nothing of this one. 64 hexadecimal digits."""
        assert self._value, "the cluster's secret is not known yet"
        return hmac.digest(self._value, f"derived/{purpose}".encode(), "sha256").hex()

    @property
    def known(self) -> bool:
        """True once the process has met its cluster."""
        return bool(self._value)

    def make(self, token: TaskToken) -> str:
        """The token's text."""
        lane = token.lane.to_bytes(2, "big", signed=True)
        said = _VERSION + lane + bytes.fromhex(token.attempt) + token.arn.encode()
        return base64.urlsafe_b64encode(said + self._mac(said)).decode()

    def read(self, text: str) -> TaskToken | None:
        """What a token says; None if its text is not one that this secret makes."""
        try:
            data = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        if base64.urlsafe_b64encode(data) != text.encode():
            return None  # bits that no byte needs were set
        said, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if said[:1] != _VERSION or len(said) <= _ARN_AT or not hmac.compare_digest(mac, self._mac(said)):
            return None
        lane = int.from_bytes(said[1:3], "big", signed=True)
        return TaskToken(said[_ARN_AT:].decode(), said[3:_ARN_AT].hex(), lane)

    def _mac(self, said: bytes) -> bytes:
        assert self._value, "the cluster's secret is not known yet"
        return hmac.digest(self._value, said, "sha256")[:_MAC_BYTES]


def attempt_of(arn: str, ref: str) -> str:
    """The name of one attempt of a Task, over all executions: 32 hexadecimal digits of (execution, effect ref)."""
    return hashlib.blake2b(f"{arn}\n{ref}".encode(), digest_size=16).hexdigest()
