"""A real S3 (SeaweedFS) for the tests of this folder, and a proxy in front of it that breaks answers on demand."""

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


@contextlib.contextmanager
def running_weed(folder: Path) -> Iterator[str]:
    """Starts `weed mini` on free ports; gives its S3 endpoint; stops it at the end."""
    parts = ("s3", "master", "volume", "filer", "admin")
    ports = free_ports(2 * len(parts))
    arguments = [
        *(f"-{name}.port={port}" for name, port in zip(parts, ports, strict=False)),
        *(f"-{name}.port.grpc={port}" for name, port in zip(parts, ports[len(parts) :], strict=True)),
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        "-volume.preStopSeconds=0",
        "-volume.max=10000",
    ]
    log = (folder.parent / "weed.log").open("wb")
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("weed")), "mini", *arguments],
        stdout=log,
        stderr=log,
        env={"HOME": str(folder)},
        cwd=folder,
    )
    endpoint = f"http://127.0.0.1:{ports[0]}"
    try:
        _wait_until_up(endpoint, process)
        yield endpoint
    finally:
        process.kill()  # its data goes with the test: a slow, orderly end is of no use
        process.wait()
        log.close()


def _wait_until_up(endpoint: str, process: "subprocess.Popen[bytes]") -> None:
    """Waits for the first answer of any kind."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"weed ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{endpoint}/status", timeout=1):  # noqa: S310 - a fixed address here
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("weed does not answer")


class FaultyProxy:
    """Forwards connections to S3 and breaks some answers.

    `fault(n, head)` is asked once a request (n = 0, 1, …) with the first bytes of the request: None lets the answer
    pass, "503" answers instead of S3, an integer cuts the connection after so many bytes of the answer.
    """

    def __init__(self, target_port: int, fault: Callable[[int, bytes], str | int | None]) -> None:
        self._target_port = target_port
        self._fault = fault
        self._server = socket.create_server(("127.0.0.1", 0))
        self.requests = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """The address to give to boto3."""
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def close(self) -> None:
        """Ends it."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)

    def _serve(self) -> None:
        """Takes connections until the socket is closed."""
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        """Serves one request of a connection, then closes it, so that each request meets its own fault."""
        with client, contextlib.suppress(OSError):
            client.settimeout(20)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(65536)
                if not piece:
                    return
                head += piece
            with self._lock:
                n = self.requests
                self.requests += 1
            fault = self._fault(n, head)
            if fault == "503":
                client.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            head, _, body = head.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"connection:", b"expect:"))]
            if b"100-continue" in head.lower():
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            while length and len(body) < int(length.group(1)):
                body += client.recv(1 << 20)
            with socket.create_connection(("127.0.0.1", self._target_port), 20) as upstream:
                upstream.sendall(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
                left = fault if isinstance(fault, int) else 1 << 60
                while left > 0:
                    piece = upstream.recv(min(65536, left))
                    if not piece:
                        break
                    client.sendall(piece)
                    left -= len(piece)
            if isinstance(fault, int):
                # A reset, not an orderly end: unsent and unread bytes are thrown away.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
