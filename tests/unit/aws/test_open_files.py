"""Calls where the process has no file left to open."""

import asyncio
import errno
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from aiohttp import hdrs
from botocore.awsrequest import AWSRequest

from maprun.aws.clients import AwsSettings
from maprun.aws.lambda_answers import InvokeParameters
from maprun.aws.lambda_http import LambdaHttp
from maprun.aws.open_files import once_one_is_free
from maprun.aws.sdk_http import Answer, SdkHttp

FREED = 8


@contextmanager
def no_file_left() -> Iterator[list[int]]:
    """This process can open no file meanwhile; whoever closes some of these gives them free."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 2 * FREED, hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield held
    finally:
        for file in held:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_call_waits_for_a_file_and_is_made_once_there_is_one() -> None:
    """It does not fail, and its service hears of it once."""
    heard = []

    def answer(listening: socket.socket) -> None:
        taken, _ = listening.accept()
        with taken:
            heard.append(taken.recv(65536).split(b" ")[0].decode())
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    async def call(port: int) -> Answer:
        client = SdkHttp(5.0, 1000)
        request = AWSRequest(method=hdrs.METH_POST, url=f"http://127.0.0.1:{port}/", data=b"{}").prepare()
        with no_file_left() as held:
            sent = asyncio.create_task(client.send(request, 5.0))
            _, waiting = await asyncio.wait({sent}, timeout=0.1)
            assert waiting
            for _ in range(FREED):
                os.close(held.pop())
            threading.Thread(target=answer, args=(listening,), daemon=True).start()
            found = await sent
        await client.close()
        assert isinstance(found, Answer), found
        return found

    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert asyncio.run(call(listening.getsockname()[1])).status == 200
    assert heard == ["POST"]


def test_other_errors_are_the_calls_own() -> None:
    """A callee that is not there has the call fail at once."""

    async def refused() -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(once_one_is_free(refused))


def test_a_call_that_waited_for_long_is_to_be_signed_again() -> None:
    """Its signature has aged; nobody has heard of it, and it has no answer, not even an error."""

    async def call() -> object:
        client = SdkHttp(5.0, 1000, wait_seconds=0.3)
        with no_file_left():
            request = AWSRequest(method=hdrs.METH_POST, url="http://127.0.0.1:9/", data=b"{}").prepare()
            found = await client.send(request, 5.0)
        await client.close()
        return found

    assert asyncio.run(call()) is None


def test_a_function_is_called_with_the_signature_of_the_moment() -> None:
    """A call of Lambda that waits for a file is signed when it is made, not when it came."""
    heard: list[bytes] = []
    now = [1_000_000_000.0]

    def answer(listening: socket.socket) -> None:
        taken, _ = listening.accept()
        with taken:
            heard.append(taken.recv(65536))
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    async def call(port: int) -> None:
        settings = AwsSettings(region="us-east-1", access_key_id="a", secret_access_key="b")  # noqa: S106
        client = LambdaHttp(f"http://127.0.0.1:{port}", settings, lambda: now[0], lambda: now[0])
        with no_file_left() as held:
            made = asyncio.create_task(client.invoke(InvokeParameters("f"), b"{}", 5.0, "key"))
            _, waiting = await asyncio.wait({made}, timeout=0.1)
            assert waiting
            now[0] += 600
            for _ in range(FREED):
                os.close(held.pop())
            threading.Thread(target=answer, args=(listening,), daemon=True).start()
            assert (await made).status == 200
        await client.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        asyncio.run(call(listening.getsockname()[1]))
    assert b"x-amz-date: 20010909t015640z" in heard[0].lower()
