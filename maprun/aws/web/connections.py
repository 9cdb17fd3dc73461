"""Connections: whom a Task is to an API, and what it sends beside its own; from a file that a setting names.

The file is a JSON array of what EventBridge's CreateConnection takes. Values of it reach requests alone: no history, no
log, no message.
"""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from yarl import URL

from maprun.aws.web.failures import TaskError
from maprun.aws.web.members import header_fault
from maprun.runtime.process import SetupError
from maprun.runtime.watched_file import WatchedFile

RESOURCE = "Events.ConnectionResource"
"""Begins the names of errors of connections."""
_ARN = re.compile(r"arn:aws(?:-[a-z]+)*:events:[^:]*:[^:]*:connection/([A-Za-z0-9._-]+)(?:/.*)?")


class _Hidden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Parameter(_Hidden, frozen=True, kw_only=True):
    """One header, one member of a query or of a body."""

    key: str = msgspec.field(name="Key")
    value: str = msgspec.field(name="Value")
    is_secret: bool = msgspec.field(name="IsValueSecret", default=False)


class Parameters(_Hidden, frozen=True, kw_only=True):
    """What is sent beside a request's own."""

    headers: tuple[Parameter, ...] = msgspec.field(name="HeaderParameters", default=())
    query: tuple[Parameter, ...] = msgspec.field(name="QueryStringParameters", default=())
    body: tuple[Parameter, ...] = msgspec.field(name="BodyParameters", default=())


class ApiKey(_Hidden, frozen=True, kw_only=True):
    """A header with a key."""

    name: str = msgspec.field(name="ApiKeyName")
    value: str = msgspec.field(name="ApiKeyValue")


class Basic(_Hidden, frozen=True, kw_only=True):
    """A user and a password."""

    username: str = msgspec.field(name="Username")
    password: str = msgspec.field(name="Password")


class Client(_Hidden, frozen=True, kw_only=True):
    """Who asks for a token."""

    client_id: str = msgspec.field(name="ClientID")
    client_secret: str = msgspec.field(name="ClientSecret")


class OAuth(_Hidden, frozen=True, kw_only=True):
    """Where a token is asked for, and how."""

    endpoint: str = msgspec.field(name="AuthorizationEndpoint")
    client: Client = msgspec.field(name="ClientParameters")
    method: str = msgspec.field(name="HttpMethod", default="POST")
    parameters: Parameters = msgspec.field(name="OAuthHttpParameters", default_factory=Parameters)


class Authorization(_Hidden, frozen=True, kw_only=True):
    """The parameters of one kind of authorization, and what every request gets."""

    api_key: ApiKey | None = msgspec.field(name="ApiKeyAuthParameters", default=None)
    basic: Basic | None = msgspec.field(name="BasicAuthParameters", default=None)
    oauth: OAuth | None = msgspec.field(name="OAuthParameters", default=None)
    invocation: Parameters = msgspec.field(name="InvocationHttpParameters", default_factory=Parameters)


class Connection(_Hidden, frozen=True, kw_only=True):
    """One connection. `endpoints`, ours alone: the URLs that it may be used for, `*` for any letters; none = all."""

    name: str = msgspec.field(name="Name")
    kind: str = msgspec.field(name="AuthorizationType")
    auth: Authorization = msgspec.field(name="AuthParameters")
    endpoints: tuple[str, ...] = msgspec.field(name="HttpEndpoints", default=())
    description: str = msgspec.field(name="Description", default="")

    def is_for(self, url: str) -> bool:
        """True if a call of this URL, without its query, may use the connection."""
        return not self.endpoints or any(fnmatchcase(url, pattern) for pattern in self.endpoints)


class Connections:
    """The connections of a file. Read when it is made, and again when the file has changed."""

    def __init__(self, path: str, monotonic: Callable[[], float]) -> None:
        self._file = WatchedFile(Path(path), monotonic) if path else None
        self._known: dict[str, Connection] = {}
        self._wrong = ""
        self._look()
        if self._wrong:
            raise SetupError(f"MAPRUN_CONNECTIONS_FILE={path!r}: {self._wrong}")

    def of(self, arn: str) -> Connection:
        """The connection that an ARN of any Region and account names. Raises TaskError."""
        matched = _ARN.fullmatch(arn)
        if matched is None:
            raise TaskError("States.Runtime", f"The ConnectionArn '{arn}' is not the ARN of a connection")
        self._look()
        if self._wrong:
            raise TaskError(f"{RESOURCE}.InternalError", f"The file of connections can't be read: {self._wrong}")
        found = self._known.get(matched[1])
        if found is None:
            where = "the file of connections has none of this name"
            if self._file is None:
                where = "MAPRUN_CONNECTIONS_FILE names no file of connections"
            raise TaskError(f"{RESOURCE}.ResourceNotFound", f"Connection '{matched[1]}' does not exist: {where}.")
        return found

    def _look(self) -> None:
        if self._file is None:
            return
        try:
            content = self._file.changed()
            if content is not None:
                self._known, self._wrong = connections_in(content), ""
        except OSError as error:
            self._wrong = error.strerror or "it can't be read"
        except ValueError as error:
            self._wrong = str(error)


def connections_in(text: bytes) -> dict[str, Connection]:
    """The connections of a file by their names. Raises ValueError, which says what is wrong and no value."""
    try:
        listed = msgspec.json.decode(text, type=tuple[Connection, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error) or "it nests too deeply") from None
    for connection in listed:
        if wrong := _fault(connection):
            raise ValueError(f"the connection {connection.name!r}: {wrong}")
    if len({connection.name for connection in listed}) != len(listed):
        raise ValueError("two connections have the same Name")
    return {connection.name: connection for connection in listed}


def _fault(connection: Connection) -> str:
    """What of a connection can't be; empty if all can."""
    auth = connection.auth
    given = {"API_KEY": auth.api_key, "BASIC": auth.basic, "OAUTH_CLIENT_CREDENTIALS": auth.oauth}
    if connection.kind not in given:
        return f"AuthorizationType must be one of {', '.join(given)}"
    if [kind for kind, parameters in given.items() if parameters is not None] != [connection.kind]:
        return f"AuthParameters must be those of {connection.kind} alone"
    if auth.oauth is not None and auth.oauth.method not in {"GET", "POST", "PUT"}:
        return "HttpMethod must be GET, POST or PUT"
    if auth.oauth is not None and not _is_url(auth.oauth.endpoint):
        return "AuthorizationEndpoint must be a URL"
    headers = [(each.key, each.value) for each in auth.invocation.headers]
    headers += [(each.key, each.value) for each in (auth.oauth.parameters.headers if auth.oauth is not None else ())]
    headers += [(auth.api_key.name, auth.api_key.value)] if auth.api_key is not None else []
    return next((wrong for name, value in headers if (wrong := header_fault(name, value))), "")


def _is_url(text: str) -> bool:
    try:
        url = URL(text)
        return url.scheme in {"http", "https"} and bool(url.host)
    except ValueError:
        return False
