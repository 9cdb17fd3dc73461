"""One child process: started so that it can't outlive the stack, asked for readiness, ended in a bounded time."""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from maprun.local.parts import Part

LOG_BYTES_MAX = 32 << 20  # a longer log becomes `<name>.log.1` when its process starts
_PROBE_SECONDS_MAX = 2.0
_PR_SET_PDEATHSIG = 1
_HTTP_OK = b" 200 "


async def start(part: Part, log: Path, cwd: Path) -> asyncio.subprocess.Process:
    """Starts a part with its output appended to its log. The kernel kills it when the supervisor is gone."""
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *part.argv,
            env=dict(part.environment),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C at the terminal goes to the supervisor alone
            preexec_fn=end_with_parent(),
        )


def end_with_parent() -> Callable[[], None]:
    """What a new process does before its program begins: ask the kernel to be killed when its parent is gone."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask


async def stop(process: asyncio.subprocess.Process, seconds_max: float) -> None:
    """Asks a process to end, and after `seconds_max` kills it and what it started."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), seconds_max)
        except TimeoutError:
            kill(process)
            await process.wait()
    kill(process)


def kill(process: asyncio.subprocess.Process) -> None:
    """Kills a process and all of its group, whether or not the process itself is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def is_ready(part: Part) -> bool:
    """Whether its port takes connections, or its URL answers 200, at this moment."""
    parts = urlsplit(part.ready_url)
    port = part.ready_port or parts.port or 80
    try:
        async with asyncio.timeout(_PROBE_SECONDS_MAX):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                if part.ready_port:
                    return True
                writer.write(f"GET {parts.path or '/'} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
                return _HTTP_OK in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def last_words(log: Path) -> str:
    """What a process that ended by a person's mistake said of it: the last line of its log that is no event."""
    lines = [line.strip() for line in last_lines(log).splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("{")), "it said nothing")


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, for a message that says why a part would not start."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"    {line[:1_000]}" for line in lines[-count:])
