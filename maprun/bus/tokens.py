"""Tokens of SASL/OAUTHBEARER: printed by a command or given by a token endpoint, kept until shortly before they expire.

A process has one source of them for all its connections, some of which live in a loop of another thread (Faust's): so
tokens are fetched in threads, under a lock of threads.
"""

import asyncio
import base64
import functools
import json
import shlex
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import aiokafka.conn
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import OAuthAuthenticator
from aiokafka.errors import KafkaConnectionError

from maprun.runtime import clock
from maprun.runtime.kafka_access import NAMES, KafkaAccess
from maprun.runtime.process import SetupError

FETCH_SECONDS_MAX = 10.0
KEPT_SHARE = 0.8
"""Of its life: a token that expires on its way is refused, and then the process would seem to be somebody unknown."""
KEPT_SECONDS_UNKNOWN = 60.0
"""A token that says nothing of its life."""
_SAID_BYTES_MAX = 300


class NoTokenError(KafkaConnectionError):  # type: ignore[misc]
    """There is no token at present; as with a broker that is away, asking again may help."""


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """One client's tokens."""

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._token = ""
        self._kept_until = 0.0  # monotonic

    async def token(self) -> str:
        """A token that is good for a while. Raises NoTokenError."""
        return await asyncio.get_running_loop().run_in_executor(None, self._current)

    def _current(self) -> str:
        with self._lock:
            if not self._token or clock.monotonic_seconds() >= self._kept_until:
                access = self._access
                said = _printed(access.token_command) if access.token_command else _given(access)
                self._token, seconds = _read(said)
                self._kept_until = clock.monotonic_seconds() + seconds * KEPT_SHARE
            return self._token


class _Authenticator(OAuthAuthenticator):  # type: ignore[misc]
    """aiokafka's own takes any answer to a token for a welcome, also the one that says why it is refused.

    The broker then waits for a last word (RFC 7628, 3.2.3) before it ends the exchange with its error.
    """

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        if payload and self._token_sent:
            return b"\x01", True
        answer: tuple[bytes, bool] | None = await super().step(payload)
        return answer


@functools.cache
def tokens_of(access: KafkaAccess) -> Tokens:
    """The process's tokens for this client."""
    aiokafka.conn.OAuthAuthenticator = _Authenticator
    return Tokens(access)


def secret_of(given: str, file: str, variable: str) -> str:
    """A secret, or what the file that a variable names holds. Raises SetupError when that can't be read."""
    if not file:
        return given
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{variable}={file} can't be read: {error}") from error


def _printed(command: str) -> str:
    """What the command prints. Raises NoTokenError."""
    name = f"MAPRUN_KAFKA_TOKEN_COMMAND ({shlex.split(command)[0]})"
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, text=True, timeout=FETCH_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoTokenError(f"{name}: {error}") from error
    if done.returncode:
        raise NoTokenError(f"{name} ended with {done.returncode}: {done.stderr.strip()[:_SAID_BYTES_MAX]}")
    return done.stdout


def _given(access: KafkaAccess) -> str:
    """What the token endpoint answers to client credentials (RFC 6749, 4.4). Raises NoTokenError."""
    asked = {"grant_type": "client_credentials"} | ({"scope": access.scope} if access.scope else {})
    secret = secret_of(access.client_secret, access.client_secret_file, NAMES["client_secret_file"])
    pair = f"{urllib.parse.quote(access.client_id)}:{urllib.parse.quote(secret)}"
    request = urllib.request.Request(  # noqa: S310 - the operator's own setting, held to http and https
        access.token_url,
        urllib.parse.urlencode(asked).encode(),
        {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=FETCH_SECONDS_MAX) as answer:  # noqa: S310 - as above
            text: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        said = error.read(_SAID_BYTES_MAX).decode(errors="replace")
        raise NoTokenError(f"{access.token_url} answered {error.code}: {said}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise NoTokenError(f"{access.token_url}: {error}") from error
    return text


def _read(said: str) -> tuple[str, float]:
    """The token in an answer (a JSON object, or the token alone), and for how many seconds it is good."""
    text = said.strip()
    answer: Any = None
    if text.startswith("{"):
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise NoTokenError(f"what should hold a token is no JSON: {error}") from error
        text = str(answer.get("access_token") or "")
    if not text or any(letter.isspace() for letter in text):
        raise NoTokenError("what should be a token, or a JSON object with an access_token, is neither")
    told = answer.get("expires_in") if answer else None
    if isinstance(told, int | float):
        return text, float(told)
    return text, _life_of(text)


def _life_of(token: str) -> float:
    """The seconds that a JWT has left, by its own word."""
    try:
        _, body, *_ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return max(0.0, float(claims["exp"]) - clock.wall_seconds())
    except (ValueError, KeyError, TypeError):
        return KEPT_SECONDS_UNKNOWN
