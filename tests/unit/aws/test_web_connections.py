"""Connections of `http:invoke`: their file, their names, and tokens of OAuth that are kept, renewed and shared."""

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from maprun.aws.web.connections import Connections, connections_in
from maprun.aws.web.failures import TaskError
from maprun.runtime.process import SetupError
from tests.unit.aws.service import failed, output, serving
from tests.unit.aws.web_calls import ARN, KEY, Kept, invoked, pairs, request_at, runner_for

OAUTH: dict[str, Any] = {
    "Name": "key",
    "AuthorizationType": "OAUTH_CLIENT_CREDENTIALS",
    "AuthParameters": {
        "OAuthParameters": {
            "AuthorizationEndpoint": "http://here/token?tenant=1",
            "HttpMethod": "POST",
            "ClientParameters": {"ClientID": "me", "ClientSecret": "very-secret"},
        }
    },
}


def oauth(**fields: Any) -> dict[str, Any]:
    """The connection with other parameters of OAuth."""
    parameters = {**OAUTH["AuthParameters"]["OAuthParameters"], **fields}
    return {**OAUTH, "AuthParameters": {"OAuthParameters": parameters}}


class Issuer:
    """Gives tokens at /token and takes them everywhere else; `granted` answers the first requests for tokens."""

    def __init__(self, *granted: dict[str, Any], takes: str = "") -> None:
        self.asked: list[tuple[web.BaseRequest, bytes]] = []
        self.shown: list[str] = []
        self._granted = list(granted)
        self._takes = takes

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A token, or what a call is answered."""
        body = await request.read()
        if request.path == "/token":
            self.asked.append((request, body))
            await asyncio.sleep(0.05)
            return web.json_response(self._granted.pop(0) if len(self._granted) > 1 else self._granted[0])
        self.shown.append(request.headers["Authorization"])
        fine = not self._takes or self.shown[-1] == f"Bearer {self._takes}"
        return web.json_response({}, status=200 if fine else 401)


def test_a_token_is_asked_for_as_oauth_says(tmp_path: Path) -> None:
    """By POST with a form: the client in the header, grant_type and the connection's members in the body."""
    issuer = Issuer({"access_token": "t1"})
    added = {
        "HeaderParameters": pairs(X_Team="a"),
        "QueryStringParameters": pairs(v="2"),
        "BodyParameters": pairs(scope="read write"),
    }
    output(invoked(tmp_path, issuer.answer, {}, connections=[oauth(OAuthHttpParameters=added)])[0])
    request, body = issuer.asked[0]
    assert (request.method, request.raw_path) == ("POST", "/token?tenant=1&v=2")
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"me:very-secret"
    assert (request.headers["Content-Type"], request.headers["X-Team"]) == ("application/x-www-form-urlencoded", "a")
    assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"], "scope": ["read write"]}
    assert issuer.shown == ["Bearer t1"]


def test_a_token_is_asked_for_in_json_or_by_get_where_the_connection_says_so(tmp_path: Path) -> None:
    """A content type of the connection's own makes the body JSON; GET has everything in the query."""
    issuer = Issuer({"access_token": "t"})
    json_type = {"HeaderParameters": [{"Key": "Content-Type", "Value": "application/json"}]}
    for connection in (oauth(OAuthHttpParameters=json_type), oauth(HttpMethod="GET")):
        output(invoked(tmp_path, issuer.answer, {}, connections=[connection])[0])
    assert json.loads(issuer.asked[0][1]) == {"grant_type": "client_credentials"}
    assert issuer.asked[1][0].raw_path == "/token?tenant=1&grant_type=client_credentials"
    assert issuer.asked[1][1] == b""


def test_a_token_is_kept_and_asked_for_once_by_many(tmp_path: Path) -> None:
    """Calls that want one at the same time share the request for it."""
    issuer = Issuer({"access_token": "t", "expires_in": 3600})

    async def use(endpoint: str) -> None:
        """Twenty calls at once, then one more."""
        placed = json.loads(json.dumps([OAUTH]).replace("http://here", endpoint))
        runner = runner_for(tmp_path, placed, allow=endpoint)
        calls = (runner.call(request_at(endpoint, {}, "key"), str(number)) for number in range(20))
        for found in [*await asyncio.gather(*calls), await runner.call(request_at(endpoint, {}, "key"), "k")]:
            output(found)
        await runner.close()

    asyncio.run(serving(issuer.answer, use))
    assert (len(issuer.asked), len(issuer.shown)) == (1, 21)


@pytest.mark.parametrize(("seconds", "requests"), [(3600, 1), ("3600", 1), (None, 1), (0, 2)])
def test_a_token_that_has_run_out_is_asked_for_again(tmp_path: Path, seconds: Any, requests: int) -> None:
    """`expires_in` says how long it is kept; without it the token is kept until it is refused."""
    issuer = Issuer({"access_token": "t", "expires_in": seconds})
    for found in invoked(tmp_path, issuer.answer, {}, {}, connections=[OAUTH]):
        output(found)
    assert len(issuer.asked) == requests


def test_a_token_that_is_refused_is_renewed_once(tmp_path: Path) -> None:
    """A call that gets 401 is made again with a new token; if that is refused as well, 401 is its error."""
    issuer = Issuer({"access_token": "old"}, {"access_token": "new"}, takes="new")
    output(invoked(tmp_path, issuer.answer, {}, connections=[OAUTH])[0])
    assert issuer.shown == ["Bearer old", "Bearer new"]
    stubborn = Issuer({"access_token": "t"}, takes="another")
    assert failed(invoked(tmp_path, stubborn.answer, {}, connections=[OAUTH])[0]).error == "States.Http.StatusCode.401"
    assert len(stubborn.shown) == 2


@pytest.mark.parametrize(
    ("response", "why"),
    [
        ({"status": 400, "text": '{"error": "invalid_client", "secret": "s"}'}, "it answered 400 (invalid_client)"),
        ({"status": 500, "text": "very-secret"}, "it answered 500"),
        ({"text": "{}"}, "its answer has no access_token"),
        ({"text": "no JSON"}, "its answer has no access_token"),
    ],
)
def test_a_connection_without_a_token_is_told(tmp_path: Path, response: dict[str, Any], why: str) -> None:
    """Events.ConnectionResource.InvalidConnectionState, and nothing of an answer that may repeat a secret."""

    async def refuse(_: web.Request) -> web.StreamResponse:
        """Gives no token."""
        return web.Response(**response)

    found = failed(invoked(tmp_path, refuse, {}, connections=[OAUTH])[0])
    assert found.error == "Events.ConnectionResource.InvalidConnectionState"
    assert found.cause == f"The authorization endpoint of the connection 'key' gave no token: {why}"


def test_a_connection_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By the name in its ARN, whatever Region and account that has."""
    found = failed(invoked(tmp_path, Kept({}).answer, {}, name="other")[0])
    assert found.error == "Events.ConnectionResource.ResourceNotFound"
    assert found.cause.startswith("Connection 'other' does not exist")
    wrong = invoked(tmp_path, Kept({}).answer, {"Authentication": {"ConnectionArn": "arn:aws:events:a:b:rule/key"}})[0]
    assert failed(wrong).error == "States.Runtime"


def test_a_connection_may_be_bound_to_endpoints(tmp_path: Path) -> None:
    """A definition can't send its secret anywhere else."""
    kept = Kept({})
    bound = {**KEY, "HttpEndpoints": ["http://here/v1/*"]}
    asked = ({"path": "/v1/a?b=/v1/"}, {"path": "/v2/a"}, {"path": "/v1/../v2"}, {"path": "/?/v1/"})
    first, *others = invoked(tmp_path, kept.answer, *asked, connections=[bound])
    assert output(first)["StatusCode"] == 200
    assert {failed(each).error for each in others} == {"States.Permissions"}
    assert len(kept.requests) == 1


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{}", "Expected `array`, got `object`"),
        ("[{", "Input data was truncated"),
        ([{**KEY, "AuthorizationType": "DIGEST"}], "AuthorizationType must be one of API_KEY, BASIC, OAUTH_CLIENT"),
        ([{**KEY, "AuthorizationType": "BASIC"}], "AuthParameters must be those of BASIC alone"),
        ([{**KEY, "Names": "a"}], "unknown field `Names`"),
        ([KEY, KEY], "two connections have the same Name"),
        ([oauth(HttpMethod="PATCH")], "HttpMethod must be GET, POST or PUT"),
        ([oauth(AuthorizationEndpoint="here/token")], "AuthorizationEndpoint must be a URL"),
        (
            [{**KEY, "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "a b", "ApiKeyValue": "very-secret"}}}],
            "'a b' is no name of a header",
        ),
        (
            [{**KEY, "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "a", "ApiKeyValue": "very-secret\n"}}}],
            "the value of the header 'a' has a line's end",
        ),
    ],
)
def test_a_file_that_is_wrong_ends_the_process_with_its_fault(tmp_path: Path, written: Any, words: str) -> None:
    """One line that says which connection, and why; no value of the file stands in it."""
    file = tmp_path / "connections.json"
    file.write_text(written if isinstance(written, str) else json.dumps(written))
    with pytest.raises(SetupError) as refused:
        Connections(str(file), lambda: 0.0)
    assert str(refused.value).startswith(f"MAPRUN_CONNECTIONS_FILE={str(file)!r}: ")
    assert words in str(refused.value)
    assert "very-secret" not in str(refused.value)


def test_a_file_that_is_missing_ends_the_process() -> None:
    """It is named by the setting."""
    with pytest.raises(SetupError, match="No such file or directory"):
        Connections("/nowhere/connections.json", lambda: 0.0)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    """A secret is changed without a restart; a file that is wrong fails the calls until it is mended."""
    file = tmp_path / "connections.json"
    file.write_text(json.dumps([KEY]))
    now = 0.0
    connections = Connections(str(file), lambda: now)

    def change(text: str) -> None:
        """Writes the file, and lets a second pass."""
        nonlocal now
        now += 1.0
        file.write_text(text)
        os.utime(file, (now, now))

    change(json.dumps([{**KEY, "Name": "other"}]))
    assert connections.of(ARN % "other").name == "other"
    change("[")
    with pytest.raises(TaskError) as refused:
        connections.of(ARN % "other")
    assert refused.value.error == "Events.ConnectionResource.InternalError"
    change(json.dumps([KEY]))
    assert connections.of(ARN % "key").name == "key"


def test_connections_do_not_show_their_secrets() -> None:
    """Not in logs that show a value by accident."""
    shown = repr(connections_in(json.dumps([OAUTH, {**KEY, "Name": "b"}]).encode()))
    assert "very-secret" not in shown
