"""A server that stands for somebody's HTTP API, and remembers every request."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any, NamedTuple


class Request(NamedTuple):
    """One request: its body is decoded from JSON, None if it has none."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Api:
    """All requests that came, in order; `/missing` answers 404, every other path with the body it got."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.news: SimpleQueue[Request] = SimpleQueue()
        self.url = ""

    def answered(self, request: Request) -> tuple[int, Any]:
        """Status and body."""
        self.requests.append(request)
        self.news.put(request)
        if request.path.startswith("/missing"):
            return 404, {"message": "no such order"}
        return 200, {"got": request.body}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


@contextmanager
def served(given: Api | None = None) -> Iterator[Api]:
    """An API behind a server on a free port, until the end of the block."""
    api = Api() if given is None else given

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, json.loads(body) if body else None)
            status, found = api.answered(request)
            text = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _answer  # noqa: N815 - the base class's names

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
            """Says nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
