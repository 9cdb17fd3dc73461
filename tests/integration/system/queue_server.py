"""A server that speaks as much of SQS's JSON protocol as a Task needs, and remembers every message."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any


class Queue:
    """All messages that were sent, in order."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []  # decoded from JSON
        self.news: SimpleQueue[Any] = SimpleQueue()
        self.url = ""

    def sent(self, body: str) -> dict[str, str]:
        """A message comes in; SendMessage's answer."""
        decoded = json.loads(body)
        self.bodies.append(decoded)
        self.news.put(decoded)
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        return {"MessageId": f"message-{len(self.bodies)}", "MD5OfMessageBody": digest}


@contextmanager
def served() -> Iterator[Queue]:
    """A queue behind a server on a free port, until the end of the block."""
    queue = Queue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps(queue.sent(asked["MessageBody"])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("x-amzn-RequestId", "request")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    queue.url = f"http://127.0.0.1:{server.server_port}/queue"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
