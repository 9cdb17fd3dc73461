"""What a lambda:invoke costs: `python tests/bench/bench_lambda.py [calls]` against an echo server in a child process.

Prints calls a second and microseconds of CPU a call in this process, at several concurrencies.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import uvloop  # noqa: E402 - the tree's root comes first

from maprun.aws.clients import AwsSettings  # noqa: E402
from maprun.aws.tasks import TaskRunner  # noqa: E402
from schemas.effects import TaskRequested, TaskSucceeded  # noqa: E402

PORT = 28901
BODY = b'{"index":17,"value":{"userId":"1","movieId":"2","rating":"3.5","timestamp":"964982703"}}'


class Echo(asyncio.Protocol):
    """The least that answers a POST with its body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's classes
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Answers as soon as the body is here (all of these bodies have one length)."""
        self.data += data
        head, _, body = self.data.partition(b"\r\n\r\n")
        if len(body) >= len(BODY):
            self.data = b""
            del head
            answer = b"HTTP/1.1 200 OK\r\nX-Amz-Executed-Version: $LATEST\r\nx-amzn-RequestId: r\r\n"
            self.transport.write(answer + b"Content-Length: %d\r\n\r\n" % len(body) + body)


async def serve() -> None:
    """The server's main."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", PORT)
    await server.serve_forever()


async def measure(calls: int, concurrency: int) -> None:
    """Makes the calls and prints a line."""
    settings = AwsSettings(
        region="us-east-1",
        access_key_id="AKID",
        secret_access_key="secret",  # noqa: S106 - no secret
        lambda_endpoint=f"http://127.0.0.1:{PORT}",
    )
    runner = TaskRunner(settings, time.time, time.monotonic)
    request = TaskRequested("r", "arn:aws:states:::lambda:invoke", b'{"FunctionName":"echo","Payload":' + BODY + b"}")
    left = calls

    async def worker() -> None:
        """Makes calls until none is left."""
        nonlocal left
        while left > 0:
            left -= 1
            assert isinstance(await runner.call(request, f"key-{left}"), TaskSucceeded)

    left = 2 * concurrency  # connections open before the clock starts
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    left = calls
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{concurrency:5} at once {calls / wall:8,.0f} calls/s {cpu / calls * 1e6:7.1f} us CPU/call")
    await runner.close()


def main(calls: int) -> None:
    """Starts the server, measures, stops it."""
    server = subprocess.Popen([sys.executable, __file__, "serve"])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 1):
                break
            time.sleep(0.05)
        for concurrency in (1, 100):
            uvloop.run(measure(calls, concurrency))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        uvloop.run(serve())
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
