"""Tokens of OAUTHBEARER: where they come from, how long they are kept, what is said when there is none."""

import asyncio
import base64
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from maprun.bus.tokens import NoTokenError, Tokens
from maprun.runtime import clock
from maprun.runtime.kafka_access import KafkaAccess, Secret


def access(**given: Any) -> KafkaAccess:
    """A client that has tokens."""
    return KafkaAccess(protocol="SASL_PLAINTEXT", mechanism="OAUTHBEARER", **given)


def counting(folder: Path, text: str) -> str:
    """A command that prints a text in which # is how often it ran."""
    script = folder / "command.py"
    script.write_text(
        "import pathlib\n"
        f"ran = pathlib.Path({str(folder / 'ran')!r})\n"
        "count = len(ran.read_text()) if ran.exists() else 0\n"
        "ran.write_text('x' * (count + 1))\n"
        f"print({text!r}.replace('#', str(count)))\n"
    )
    return f"{sys.executable} {script}"


def asked(tokens: Tokens, times: int) -> list[str]:
    """Tokens, asked for again and again."""

    async def work() -> list[str]:
        return [await tokens.token() for _ in range(times)]

    return asyncio.run(work())


def jwt(seconds: float) -> str:
    """An unsigned token that is good for so long."""
    claims = json.dumps({"sub": "me", "exp": clock.wall_seconds() + seconds}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.#"


@pytest.mark.parametrize(
    ("printed", "tokens"),
    [
        ('{"access_token": "token#", "expires_in": 3600}', ["token0", "token0"]),
        ('{"access_token": "token#", "expires_in": 0}', ["token0", "token1"]),
        ("opaque#", ["opaque0", "opaque0"]),
    ],
)
def test_a_token_is_kept_while_it_is_good(printed: str, tokens: list[str], tmp_path: Path) -> None:
    """As long as its answer says; one that says nothing for a minute."""
    assert asked(Tokens(access(token_command=counting(tmp_path, printed))), 2) == tokens


@pytest.mark.parametrize(("seconds", "ran"), [(3600.0, "x"), (-1.0, "xx")])
def test_a_jwt_says_itself_how_long_it_is_good(seconds: float, ran: str, tmp_path: Path) -> None:
    """Printed alone, by the time in its claims."""
    asked(Tokens(access(token_command=counting(tmp_path, jwt(seconds)))), 2)
    assert (tmp_path / "ran").read_text() == ran


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/nowhere/get-token", "/nowhere/get-token"),
        (f"{sys.executable} -c 'import sys; sys.exit(\"no login\")'", "ended with 1: no login"),
        (f"{sys.executable} -c 'print(\"two words\")'", "is neither"),
        (f"{sys.executable} -c 'print(\"{{\")'", "is no JSON"),
        (f"{sys.executable} -c 'print(\"{{}}\")'", "is neither"),
    ],
)
def test_why_there_is_no_token_is_said(command: str, said: str) -> None:
    """It may come with the next try, as a broker that is away."""
    with pytest.raises(NoTokenError, match=said) as raised:
        asked(Tokens(access(token_command=command)), 1)
    assert raised.value.retriable


class Endpoint(BaseHTTPRequestHandler):
    """A token endpoint that knows one client."""

    def do_POST(self) -> None:
        """Client credentials against a token."""
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        well = self.headers["Authorization"] == f"Basic {base64.b64encode(b'me:s%3Acret').decode()}"
        well = well and form == "grant_type=client_credentials&scope=kafka"
        body = json.dumps({"access_token": "good", "expires_in": 60} if well else {"error": "invalid_client"}).encode()
        self.send_response(200 if well else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Nothing is logged."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Its URL."""
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()


def test_client_credentials_are_exchanged_for_a_token(endpoint: str, tmp_path: Path) -> None:
    """The secret may stand in a file; a refusal is said in the endpoint's words."""
    secret = tmp_path / "secret"
    secret.write_text("s:cret\n")
    known = access(token_url=endpoint, client_id="me", client_secret_file=str(secret), scope="kafka")
    assert asked(Tokens(known), 1) == ["good"]
    unknown = access(token_url=endpoint, client_id="me", client_secret=Secret("wrong"), scope="kafka")
    with pytest.raises(NoTokenError, match=r"answered 401: .*invalid_client") as raised:
        asked(Tokens(unknown), 1)
    assert "wrong" not in str(raised.value)
