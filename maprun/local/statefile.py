"""What a running stack leaves on disk for `status` and `down`: a lock that dies with it, and a description."""

import fcntl
import os
from pathlib import Path
from typing import IO, Literal

import msgspec

Phase = Literal["starting", "ready", "stopping", "failed", "stopped"]


class PartStatus(msgspec.Struct, kw_only=True):
    """One child process of the stack."""

    name: str
    pid: int = 0
    state: Literal["waiting", "starting", "ready", "restarting", "stopped"] = "waiting"
    restarts: int = 0
    ready_after_seconds: float = 0.0  # from the stack's start
    log: str = ""


class StackStatus(msgspec.Struct, kw_only=True):
    """The whole stack as its supervisor last saw it."""

    phase: Phase
    pid: int
    message: str = ""
    cure: str = ""
    ready_after_seconds: float = 0.0
    api: str = ""
    kafka: str = ""
    s3: str = ""
    functions: str = ""
    parts: list[PartStatus] = []


def write(state: Path, status: StackStatus) -> None:
    """Replaces the description; a reader sees the old one or the new one, never half."""
    temporary = state / "stack.json.new"
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(status)))
    temporary.replace(state / "stack.json")


def read(state: Path) -> StackStatus | None:
    """The last description, or None if there is none or it can't be read (a stack that died while it began)."""
    try:
        return msgspec.json.decode((state / "stack.json").read_bytes(), type=StackStatus)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def take_lock(state: Path) -> IO[str] | None:
    """Locks the state folder for this process until the file is closed or the process is gone, or answers None.

    The lock, not the pid file, says whether a stack runs: a pid may be somebody else's by now, a lock can't be.
    """
    state.mkdir(parents=True, exist_ok=True)
    lock = (state / "stack.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def is_running(state: Path) -> bool:
    """True while a supervisor holds the lock of this state folder."""
    if not (state / "stack.lock").exists():
        return False
    lock = take_lock(state)
    if lock is None:
        return True
    lock.close()
    return False


MARK = "MAPRUN_STACK"
"""Stands in the environment of every process of a stack, with the state folder as value."""


def processes_of(state: Path) -> list[int]:
    """Pids of living processes that carry the mark of this state folder, this one excepted (Linux)."""
    mark = f"{MARK}={state}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:  # gone, or another user's
            continue
    return sorted(found)
