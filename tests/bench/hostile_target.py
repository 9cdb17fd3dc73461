"""Where hostile clients send, and how their requests go out and are answered: plain sockets, signatures of our own."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import msgspec

from maprun.aws.sigv4 import Keys, Signer, amz_date_of

ANSWER_SECONDS_MAX = 40.0
Counts = Counter[str]


class Target(msgspec.Struct, frozen=True):
    """Where the API is, with a key that it lets in, and an execution of which a history is large."""

    host: str
    port: int
    keys: Keys
    machine: str
    execution: str

    def request(
        self,
        operation: str,
        body: bytes,
        *,
        keys: Keys | None = None,
        ahead_seconds: float = 0,
        headers: Iterable[tuple[str, str]] = (),
    ) -> tuple[bytes, bytes]:
        """The head of a signed request and its body."""
        given = {"x-amz-target": f"AWSStepFunctions.{operation}", "content-type": "application/x-amz-json-1.0"}
        place, date = f"{self.host}:{self.port}", amz_date_of(int(time.time() + ahead_seconds))
        signer = Signer(keys or self.keys, "us-east-1", "states")
        signed = signer.signed("POST", place, "/", "", given | dict(headers), body, date)
        length = () if any(name == "transfer-encoding" for name, _ in headers) else (("content-length", len(body)),)
        lines = "".join(f"{name}: {value}\r\n" for name, value in (*signed.items(), *length) if value is not None)
        return f"POST / HTTP/1.1\r\n{lines}\r\n".encode(), body

    def describe(self) -> bytes:
        """The body of a DescribeExecution."""
        return json.dumps({"executionArn": self.execution}).encode()


class Attack(msgspec.Struct, frozen=True):
    """What a kind is given: its target, when it ends (by the loop's clock), how many connections it opens.

    `share` makes what it sends smaller than it would be.
    """

    target: Target
    until: float
    connections: int
    share: float = 1.0

    def over(self) -> bool:
        """True once its time is up."""
        return asyncio.get_running_loop().time() > self.until

    async def connected(self, address: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection. Raises OSError."""
        return await asyncio.open_connection(self.target.host, self.target.port, local_addr=(address, 0))


async def outcome(reader: asyncio.StreamReader) -> str:
    """How a request was answered: the status and the code of the refusal, or how its connection ended."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
    except TimeoutError:
        return "no answer"
    except (OSError, asyncio.IncompleteReadError):
        return "closed"
    status = head.split()[1].decode()
    with suppress(ValueError):
        return f"{status} {json.loads(body)['__type']}" if status != "200" else status
    return status


async def once(attack: Attack, *pieces: bytes, pause_seconds: float = 0.0, address: str = "127.0.0.1") -> str:
    """One request over a connection of its own, with a pause behind its first piece; how it was answered."""
    try:
        reader, writer = await attack.connected(address)
    except OSError:
        return "closed"
    sending = asyncio.ensure_future(_sent(writer, pieces, pause_seconds))
    try:
        return await outcome(reader)
    finally:
        sending.cancel()
        writer.transport.abort()


async def _sent(writer: asyncio.StreamWriter, pieces: Iterable[bytes], pause_seconds: float) -> None:
    with suppress(OSError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_seconds)
            pause_seconds = 0.0


async def many(attack: Attack, workers: int, one: Callable[[int], Awaitable[str]]) -> Counts:
    """Asks by so many workers at once, one request after the other each."""

    async def work(number: int) -> Counts:
        counts: Counts = Counter()
        while not attack.over():
            counts[await one(number)] += 1
            number += workers
        return counts

    return sum(await asyncio.gather(*(work(number) for number in range(workers))), Counter())
