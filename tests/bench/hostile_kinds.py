"""What hostile clients do to the API, a kind each, over plain sockets; `python -m tests.bench.hostile_kinds KIND …`.

Each kind goes on until its time is over and counts how it was answered. Some come without a key, others with one that
is theirs by right: what a body can do is only seen once its signature would be looked at.
"""

import asyncio
import gzip
import json
import os
import resource
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import click
import msgspec

from maprun.aws.sigv4 import Keys
from tests.bench.hostile_target import Attack, Counts, Target, many, once, outcome

DESCRIBE, START, HISTORY = "DescribeExecution", "StartExecution", "GetExecutionHistory"
PIECE_SECONDS = 1.0
HUGE_BYTES = 64 << 20
WORKERS = 16
SECRET_VARIABLE = "MAPRUN_HOSTILE_SECRET"  # noqa: S105 - the name of a variable
_WRONG = "x" * 40


def broken_bodies(share: float) -> list[tuple[bytes, dict[str, str]]]:
    """Bodies that are not what they should be, with the headers of each."""
    zeros, letters = bytes(int(share * (256 << 20))), b"x" * int(share * (64 << 20))
    return [
        (b'{"executionArn":', {}),
        (b"[" * 1_000_000, {}),
        (b'{"a":' * 200_000, {}),
        (b'{"executionArn": "\xff\xfe"}', {}),
        (b'{"executionArn": ' + b"9" * 1_000_000 + b"}", {}),
        (b"[]", {}),
        (b"no gzip", {"content-encoding": "gzip"}),
        (gzip.compress(zeros, 1), {"content-encoding": "gzip"}),
        (gzip.compress(b'{"a": "' + letters + b'"}', 1), {"content-encoding": "gzip"}),
        (gzip.compress(b"{}"), {"content-encoding": ", ".join(["gzip"] * 1_000)}),
    ]


async def broken(attack: Attack) -> Counts:
    """Bodies that are no JSON, nest too deeply, or unpack to hundreds of megabytes."""
    bodies = broken_bodies(attack.share)

    async def one(number: int) -> str:
        body, headers = bodies[number % len(bodies)]
        return await once(attack, *attack.target.request(DESCRIBE, body, headers=headers.items()))

    return await many(attack, WORKERS, one)


async def unknown(attack: Attack) -> Counts:
    """Two megabytes of members that no operation has."""
    members = {"executionArn": attack.target.execution} | {
        f"m{n}": [n, {"x": [[]]}] for n in range(int(attack.share * 50_000))
    }
    body = json.dumps(members).encode()
    return await many(attack, 4, lambda _: once(attack, *attack.target.request(DESCRIBE, body)))


async def huge(attack: Attack) -> Counts:
    """Bodies that say they have a gigabyte, and bodies that say nothing and never end."""
    piece, body = bytes(1 << 20), attack.target.describe()
    told, _ = attack.target.request(DESCRIBE, body)
    told = told.replace(f"content-length: {len(body)}".encode(), b"content-length: 1073741824")
    endless, _ = attack.target.request(DESCRIBE, body, headers=[("transfer-encoding", "chunked")])
    chunk = b"100000\r\n" + piece + b"\r\n"

    async def one(number: int) -> str:
        pieces = (told, *[piece] * 1_024) if number % 2 else (endless, *[chunk] * 1_024)
        return await once(attack, *pieces)

    return await many(attack, WORKERS, one)


async def broken_chunks(attack: Attack) -> Counts:
    """A chunk that is none, together with its head or behind it, and 64 MB more."""
    head, _ = attack.target.request(DESCRIBE, b"", headers=[("transfer-encoding", "chunked")])
    more = (b"nonsense\r\n", *[bytes(1 << 20)] * int(attack.share * (HUGE_BYTES >> 20)))

    async def one(number: int) -> str:
        if number % 2:
            return await once(attack, head + more[0], *more[1:])
        return await once(attack, head, *more, pause_seconds=0.1)

    return await many(attack, WORKERS, one)


async def _dripping(attack: Attack, text: Callable[[], bytes]) -> Counts:
    """A connection after the other is ended and opened again: `text`, then a byte a second."""

    async def one(_: int) -> str:
        try:
            reader, writer = await attack.connected()
        except OSError:
            return "closed"
        answer = asyncio.ensure_future(outcome(reader))
        try:
            writer.write(text())
            while not attack.over():
                await asyncio.wait({answer}, timeout=PIECE_SECONDS)
                if answer.done():
                    return answer.result()
                writer.write(b"x")
        except OSError:
            return "closed"
        finally:
            answer.cancel()
            writer.transport.abort()
        return "still open"

    return await many(attack, attack.connections, one)


async def slow_bodies(attack: Attack) -> Counts:
    """A head that is in order, and a body that comes byte by byte."""
    return await _dripping(attack, lambda: attack.target.request(DESCRIBE, b" " * 100_000)[0])


async def slow_heads(attack: Attack) -> Counts:
    """A head that comes byte by byte."""
    return await _dripping(attack, lambda: b"POST / HTTP/1.1\r\nHost: localhost\r\nX: ")


async def _idle(attack: Attack, addresses: int) -> Counts:
    counts: Counts = Counter()
    kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    for number in range(attack.connections):
        try:
            kept.append(await attack.connected(f"127.0.1.{1 + number % addresses}"))
        except OSError:
            counts["closed"] += 1
    await asyncio.sleep(max(0.0, attack.until - asyncio.get_running_loop().time()))
    for silent, writer in kept:
        counts["closed" if silent.at_eof() or silent.exception() else "still open"] += 1
        writer.transport.abort()
    return counts


async def idle(attack: Attack) -> Counts:
    """Connections of one address that never say anything."""
    return await _idle(attack, 1)


async def idle_everywhere(attack: Attack) -> Counts:
    """The same of eight addresses."""
    return await _idle(attack, 8)


async def heads(attack: Attack) -> Counts:
    """Heads of 64 MB: in one header, in many, in the path."""
    begin, piece = b"POST / HTTP/1.1\r\nHost: localhost\r\n", b"x" * (1 << 20)
    lines = b"".join(b"x-%06d: y\r\n" % number for number in range(75_000))
    forms = [(begin + b"x: ", piece), (begin, lines), (b"POST /", piece)]

    async def one(number: int) -> str:
        first, more = forms[number % len(forms)]
        return await once(attack, first, *[more] * int(attack.share * HUGE_BYTES / len(more)))

    return await many(attack, WORKERS, one)


async def wrong_signatures(attack: Attack) -> Counts:
    """No signature, a key that nobody has, a wrong secret, a body that was changed, a header unsigned or twice."""
    target, body = attack.target, attack.target.describe()
    key_id = target.keys.access_key_id

    def made(number: int) -> tuple[bytes, bytes]:
        head, _ = target.request(DESCRIBE, body)
        match number % 6:
            case 0:
                return b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n", b"{}"
            case 1:
                return target.request(DESCRIBE, body, keys=Keys("NOBODYSKEY", _WRONG))
            case 2:
                return target.request(DESCRIBE, body, keys=Keys(key_id, _WRONG))
            case 3:
                return head, body.replace(b"execution:", b"exekution:", 1)
            case 4:
                return head[:-2] + b"X-Amz-Security-Token: anybody\r\n\r\n", body
            case _:
                return head[:-2] + b"X-Amz-Target: AWSStepFunctions.StopExecution\r\n\r\n", body

    return await many(attack, WORKERS, lambda number: once(attack, *made(number)))


async def skewed(attack: Attack) -> Counts:
    """Signatures of six minutes ago and ahead, and of other days."""
    days = (-360, 360, -86_400, 86_400)
    body = attack.target.describe()

    async def one(number: int) -> str:
        return await once(attack, *attack.target.request(DESCRIBE, body, ahead_seconds=days[number % len(days)]))

    return await many(attack, WORKERS, one)


async def replayed(attack: Attack) -> Counts:
    """One StartExecution, copied again and again from half a minute after it was first sent."""
    body = json.dumps({"stateMachineArn": attack.target.machine, "name": f"replayed-{os.getpid()}"}).encode()
    pieces = attack.target.request(START, body)
    first = await once(attack, *pieces)
    if first != "200":
        return Counter({f"first: {first}": 1})
    await asyncio.sleep(31)
    return await many(attack, WORKERS, lambda _: once(attack, *pieces))


async def not_taken(attack: Attack) -> Counts:
    """Answers of megabytes, asked for and not read."""
    counts: Counts = Counter()
    body = json.dumps({"executionArn": attack.target.execution, "maxResults": 1000}).encode()
    kept: list[asyncio.StreamWriter] = []
    for _ in range(attack.connections):
        try:
            reader, writer = await asyncio.open_connection(attack.target.host, attack.target.port, limit=1_024)
        except OSError:
            counts["closed"] += 1
            continue
        with suppress(OSError):
            writer.write(b"".join(attack.target.request(HISTORY, body)))
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        kept.append(writer)
        await asyncio.sleep(0.01)
    await asyncio.sleep(max(0.0, attack.until - asyncio.get_running_loop().time()))
    for writer in kept:
        counts["asked"] += 1
        writer.transport.abort()
    return counts


async def pipelined(attack: Attack) -> Counts:
    """A thousand requests in one piece, none of whose answers is read."""
    pieces = b"".join(attack.target.request(DESCRIBE, attack.target.describe())) * int(attack.share * 1_000)
    counts: Counts = Counter()
    kept: list[asyncio.StreamWriter] = []
    for _ in range(attack.connections):
        try:
            reader, writer = await attack.connected()
        except OSError:
            counts["closed"] += 1
            continue
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        with suppress(OSError):
            writer.write(pieces)
        kept.append(writer)
    await asyncio.sleep(max(0.0, attack.until - asyncio.get_running_loop().time()))
    for writer in kept:
        counts["asked"] += 1
        writer.transport.abort()
    return counts


async def churn(attack: Attack) -> Counts:
    """Connections that are opened and closed as fast as they can be."""

    async def one(_number: int) -> str:
        try:
            _, writer = await attack.connected()
        except OSError:
            return "closed"
        writer.transport.abort()
        await asyncio.sleep(0)
        return "opened"

    return await many(attack, WORKERS, one)


class Kind(msgspec.Struct, frozen=True):
    """A kind of attack, how long and by how many connections it goes on, and the only answers that it may have."""

    attack: Callable[[Attack], Coroutine[Any, Any, Counts]]
    seconds: float
    connections: int
    answers: frozenset[str]


def _kind(
    attack: Callable[[Attack], Coroutine[Any, Any, Counts]], seconds: float, connections: int, *answers: str
) -> Kind:
    return Kind(attack, seconds, connections, frozenset(answers))


_BAD = "400 SerializationException"
_HUGE = "413 RequestEntityTooLargeException"
_LATE = "408 RequestTimeoutException"
_INVALID = "400 InvalidSignatureException"
KINDS: Final[dict[str, Kind]] = {
    "broken": _kind(broken, 15, WORKERS, _BAD, _HUGE),
    "unknown": _kind(unknown, 8, 4, "200"),
    "huge": _kind(huge, 8, WORKERS, _HUGE, "closed"),
    # A path too long that has come in part only is no HTTP before it is too long a head.
    "heads": _kind(heads, 8, WORKERS, "431 SerializationException", _BAD, "closed"),
    "broken-chunks": _kind(broken_chunks, 8, WORKERS, _BAD, _LATE, "closed"),
    "slow-bodies": _kind(slow_bodies, 25, 1_000, _LATE, "still open"),
    "slow-heads": _kind(slow_heads, 25, 1_000, _LATE, "still open"),
    "idle": _kind(idle, 15, 10_000, "closed", "still open"),
    "idle-everywhere": _kind(idle_everywhere, 15, 12_000, "closed", "still open"),
    "not-taken": _kind(not_taken, 35, 200, "asked", "closed"),
    "pipelined": _kind(pipelined, 8, 64, "asked", "closed"),
    "churn": _kind(churn, 8, WORKERS, "opened", "closed"),
    "wrong-signatures": _kind(
        wrong_signatures,
        8,
        WORKERS,
        "400 MissingAuthenticationTokenException",
        "400 UnrecognizedClientException",
        "400 IncompleteSignatureException",
        _INVALID,
    ),
    "skewed": _kind(skewed, 8, WORKERS, _INVALID),
    "replayed": _kind(replayed, 40, WORKERS, _INVALID),
}


@click.command()
@click.argument("name", type=click.Choice(sorted(KINDS)))
@click.option("--host", default="127.0.0.1")
@click.option("--port", type=int, required=True)
@click.option("--key", required=True, help=f"The id; the secret is in {SECRET_VARIABLE}.")
@click.option("--machine", required=True)
@click.option("--execution", required=True)
@click.option("--seconds", type=float, required=True)
def main(name: str, host: str, port: int, key: str, machine: str, execution: str, seconds: float) -> None:
    """One kind, for so long; prints how it was answered."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    target = Target(host, port, Keys(key, os.environ[SECRET_VARIABLE]), machine, execution)

    async def attacked() -> Counts:
        attack = Attack(target, asyncio.get_running_loop().time() + seconds, KINDS[name].connections)
        return await KINDS[name].attack(attack)

    json.dump(asyncio.run(attacked()), sys.stdout)


if __name__ == "__main__":
    main()
