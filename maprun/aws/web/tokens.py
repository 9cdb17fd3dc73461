"""Access tokens of connections with OAuth: asked for when first needed, kept until they run out or are refused."""

import asyncio
import base64
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from multidict import CIMultiDict
from yarl import URL

from maprun.aws.errors import AnswerTooLargeError
from maprun.aws.web.client import NoAnswerError, NotAllowedError, WebAnswer, WebClient, WebRequest
from maprun.aws.web.connections import RESOURCE, Connection, OAuth
from maprun.aws.web.failures import TaskError
from maprun.aws.web.members import encoded, escaped

TOKEN_BYTES_MAX = 1 << 20
EARLY_SECONDS = 60.0  # a token is renewed so long before it runs out
FORM = "application/x-www-form-urlencoded"
_ERROR_LENGTH_MAX = 100


class _Granted(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float | str | None = None


class _Refused(msgspec.Struct, frozen=True):
    error: str = ""


class _Token(NamedTuple):
    connection: Connection
    text: str
    due: float  # from then on it is renewed, by the monotonic clock


class Tokens:
    """The tokens of all connections. Use within one event loop; `close` at the end."""

    def __init__(self, client: WebClient, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._monotonic = monotonic
        self._known: dict[str, _Token] = {}
        self._asked: dict[str, asyncio.Task[_Token]] = {}

    def close(self) -> None:
        """Asks for no token any more."""
        for task in self._asked.values():
            task.cancel()

    async def of(self, connection: Connection, refused: str = "") -> str:
        """A token of the connection, another one than that which was `refused`. Raises TaskError.

        However many calls want one, it is asked for once; a refusal is the answer to all that waited for it.
        """
        known = self._known.get(connection.name)
        if known is not None and known.connection == connection and known.text != refused and not self._is_due(known):
            return known.text
        asked = self._asked.get(connection.name)
        if asked is None:
            asked = self._asked[connection.name] = asyncio.ensure_future(self._ask(connection))
            asked.add_done_callback(lambda done: self._answered(connection.name, done))
        return (await asyncio.shield(asked)).text

    def _is_due(self, token: _Token) -> bool:
        return self._monotonic() >= token.due

    def _answered(self, name: str, done: asyncio.Task[_Token]) -> None:
        del self._asked[name]
        if not done.cancelled() and done.exception() is None:
            self._known[name] = done.result()

    async def _ask(self, connection: Connection) -> _Token:
        assert connection.auth.oauth is not None
        try:
            answer = await self._client.send(token_request(connection.auth.oauth), TOKEN_BYTES_MAX)
            granted = msgspec.json.decode(answer.body, type=_Granted) if answer.ok else None
        except (NotAllowedError, NoAnswerError) as error:
            raise _not_authorized(connection, str(error)) from error
        except (AnswerTooLargeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _not_authorized(connection, "its answer has no access_token") from error
        if granted is None:
            raise _not_authorized(connection, _why(answer))
        try:
            seconds = float(granted.expires_in) if granted.expires_in is not None else float("inf")
        except ValueError:
            seconds = float("inf")
        due = self._monotonic() + max(seconds - EARLY_SECONDS, seconds / 2)
        return _Token(connection, granted.access_token, due)


def token_request(oauth: OAuth) -> WebRequest:
    """The request for a token: the client in a header, grant_type and the connection's members in the body."""
    pair = f"{escaped(oauth.client.client_id)}:{escaped(oauth.client.client_secret)}"
    headers = CIMultiDict({"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})
    headers["Accept"] = "application/json"
    members = {"grant_type": "client_credentials"} | {each.key: each.value for each in oauth.parameters.body}
    query = [(each.key, each.value) for each in oauth.parameters.query]
    body = b""
    if oauth.method == "GET":
        query += members.items()
    else:
        headers["Content-Type"] = FORM
        body = encoded(members.items()).encode()
    for each in oauth.parameters.headers:
        headers[each.key] = each.value
    if body and "json" in headers["Content-Type"].lower():
        body = msgspec.json.encode(members)
    url = URL(oauth.endpoint)
    if query:
        joined = "&" if url.query_string else "?"
        url = URL(f"{url}{joined}{encoded(query)}", encoded=True)
    return WebRequest(oauth.method, url, headers, body, configured=True)


def _why(answer: WebAnswer) -> str:
    """The status, and the error that OAuth knows: nothing else of an answer that may repeat what it was asked."""
    try:
        said = msgspec.json.decode(answer.body, type=_Refused).error[:_ERROR_LENGTH_MAX]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = ""
    return f"it answered {answer.status}{f' ({said})' if said else ''}"


def _not_authorized(connection: Connection, why: str) -> TaskError:
    cause = f"The authorization endpoint of the connection '{connection.name}' gave no token: {why}"
    return TaskError(f"{RESOURCE}.InvalidConnectionState", cause)
