"""A small client of the AWS JSON 1.0 API: one connection, one call at a time, errors as values a user can read."""

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from maprun.cli.errors import NotTheApi, Refused, Unreachable
from maprun.cli.signing import ApiSigner

CALL_SECONDS_MAX = 30.0
_OK = 200
_SERVER_FAULT = 500
_PAGE_ROWS = 1000

Json = dict[str, Any]
"""An answer of the API, as decoded JSON: the shapes are AWS's."""


class Api:
    """Calls operations at one endpoint. Not for several threads."""

    def __init__(
        self, endpoint: str, call_seconds_max: float = CALL_SECONDS_MAX, signer: ApiSigner | None = None
    ) -> None:
        """`signer` signs once the API asks for it; without one nothing is signed."""
        self.endpoint = endpoint.rstrip("/")
        self._signer = signer
        self._seconds_max = call_seconds_max
        self._connection: http.client.HTTPConnection | None = None

    def call(self, operation: str, **members: object) -> Json:
        """One operation; members that are None are left out.

        Raises Refused with AWS's error, Unreachable if nobody answers or the answer says "not now".
        """
        body = msgspec.json.encode({name: value for name, value in members.items() if value is not None})
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AWSStepFunctions.{operation}",
        }
        status, raw = self._exchange("POST", "/", body, headers)
        return self._judged(operation, status, raw)

    def pages(self, operation: str, member: str, limit: int, **members: object) -> Iterator[Json]:
        """The rows of a paged operation, at most `limit` of them; 0 = all."""
        token: str | None = None
        given = 0
        while True:
            wanted = min(_PAGE_ROWS, limit - given) if limit else _PAGE_ROWS
            answer = self.call(operation, maxResults=wanted, nextToken=token, **members)
            for row in answer.get(member, []):
                yield row
                given += 1
                if limit and given >= limit:
                    return
            token = answer.get("nextToken")
            if not token:
                return

    def history(self, arn: str) -> Iterator[Json]:
        """The events of any execution, EXPRESS ones included (AWS's own operation refuses those)."""
        token: str | None = ""
        while token is not None:
            more = f"&nextToken={quote(token, safe='')}" if token else ""
            status, raw = self._exchange("GET", f"/maprun/history?arn={quote(arn, safe='')}{more}", None, {})
            page = self._judged("history", status, raw)
            yield from page.get("events", [])
            token = page.get("nextToken")

    def progress(self, arn: str) -> Json:
        """How much of its source a Map Run has read: itemsRead, sourceEnded, sourceShareRead, itemsExpected."""
        return self.ask("/maprun/progress", arn)

    def ask(self, path: str, arn: str = "") -> Json:
        """The answer to one of the questions that AWS has no operation for."""
        status, raw = self._exchange("GET", f"{path}?arn={quote(arn, safe='')}" if arn else path, None, {})
        return self._judged(path.rpartition("/")[2], status, raw)

    def children(self, map_run: str, limit: int, **asked: object) -> Iterator[Json]:
        """The children of a Map Run that are as one asks, newest first, at most `limit` of them; 0 = all."""
        given = "".join(f"&{name}={quote(str(value), safe='')}" for name, value in asked.items() if value is not None)
        token: str | None = ""
        left = limit
        while token is not None and (left or not limit):
            more = f"&nextToken={quote(token, safe='')}" if token else ""
            size = min(_PAGE_ROWS, left) if limit else _PAGE_ROWS
            path = f"/maprun/children?arn={quote(map_run, safe='')}&maxResults={size}{given}{more}"
            status, raw = self._exchange("GET", path, None, {})
            page = self._judged("children", status, raw)
            yield from page["executions"]
            left -= len(page["executions"])
            token = page.get("nextToken")

    def results(self, map_run: str) -> Json:
        """The result files of a Map Run: bucket, manifestKey, files with sizes and first records, filesInAll."""
        status, raw = self._exchange("GET", f"/maprun/results?arn={quote(map_run, safe='')}", None, {})
        return self._judged("results", status, raw)

    def redrive_children(self, map_run: str, children: list[int], arns: list[str], token: str) -> Json:
        """Redrives children of a Map Run: by their indexes, flat (first, count, …), and by their ARNs."""
        asked = {"mapRunArn": map_run, "clientToken": token, "children": children, "executionArns": arns}
        headers = {"Content-Type": "application/json"}
        status, raw = self._exchange("POST", "/maprun/redrive", msgspec.json.encode(asked), headers)
        return self._judged("redrive", status, raw)

    def errors(self, arn: str, *, children: bool = False) -> Iterator[Json]:
        """What the unsuccessful children of a Map Run ended with: the parts that `GET /maprun/errors` gives."""
        token: str | None = ""
        named = "&children=true" if children else ""
        while token is not None:
            more = named + (f"&nextToken={quote(token, safe='')}" if token else "")
            status, raw = self._exchange("GET", f"/maprun/errors?arn={quote(arn, safe='')}{more}", None, {})
            part = self._judged("errors", status, raw)
            yield part
            token = part.get("nextToken")

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of a request, signed where the API asks for it."""
        signer = self._signer
        if signer is None:
            return self._sent(method, path, body, headers)
        host = urlsplit(self.endpoint).netloc.rpartition("@")[2]
        status, raw = self._sent(method, path, body, signer.signed(method, host, path, headers, body or b""))
        if status != _OK and not signer.signs and b"MissingAuthenticationToken" in raw and signer.find_keys():
            return self._sent(method, path, body, signer.signed(method, host, path, headers, body or b""))
        return status, raw

    def _sent(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of one HTTP exchange, on the open connection or, once, on a new one."""
        fresh = self._connection is None
        while True:
            connection = self._connection or self._connect()
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if fresh or isinstance(error, TimeoutError):
                    raise Unreachable(self.endpoint, _reason(error)) from error
                fresh = True  # the server may have closed a connection kept from the last call

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.endpoint)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=self._seconds_max)
        return self._connection

    def close(self) -> None:
        """Closes the connection; the next call opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _judged(self, operation: str, status: int, raw: bytes) -> Json:
        """The decoded answer, or the error it means."""
        try:
            answer: Json = msgspec.json.decode(raw or b"{}", type=dict[str, Any])
        except msgspec.DecodeError as error:
            shown = raw[:80].decode(errors="replace")
            kind = Unreachable if status >= _SERVER_FAULT else NotTheApi  # a proxy before it has words of its own
            raise kind(self.endpoint, f"it answered {status} with {shown!r}, which is not the API") from error
        if status == _OK:
            return answer
        code = str(answer.get("__type", f"HTTP {status}")).rpartition("#")[2]
        message = str(answer.get("message") or answer.get("Message") or "")
        if status >= _SERVER_FAULT:
            raise Unreachable(self.endpoint, f"{code}: {message}")
        raise Refused(operation, code, message)


def _reason(error: BaseException) -> str:
    """A connection's failure in words."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
