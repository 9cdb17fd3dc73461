"""A server of the AWS JSON protocol that answers from a table and remembers what it was asked."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]
Answer = Json | tuple[int, Json]


class FakeApi:
    """Use as a context manager; `answers[operation]` is a function of the request's members."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Json], Answer]] = {}
        self.asked: list[tuple[str, Json]] = []
        self.heard: list[tuple[str, dict[str, str], bytes]] = []  # target, headers and body of each
        fake = self

        class Handler(BaseHTTPRequestHandler):
            """One exchange."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """An operation."""
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                fake.heard.append((self.path, dict(self.headers), raw))
                body = json.loads(raw)
                operation = self.headers.get("X-Amz-Target", self.path).removeprefix("AWSStepFunctions.")
                self._answer(operation, body)

            def do_GET(self) -> None:
                """The history of a child."""
                fake.heard.append((self.path, dict(self.headers), b""))
                self._answer("GET", {"path": self.path})

            def _answer(self, operation: str, body: Json) -> None:
                fake.asked.append((operation, body))
                found = fake.answers[operation](body)
                status, answer = found if isinstance(found, tuple) else (200, found)
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def operations(self) -> list[str]:
        """The names of what was asked, in order."""
        return [operation for operation, _ in self.asked]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
