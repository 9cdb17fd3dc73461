"""What is looked at before anything is started: earlier stacks, ports, disk, tools. Each finding names its cure."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from maprun.local import statefile
from maprun.local.layout import CURE_OF_PORT, STATE_FREE_BYTES_MIN, Layout, StackError
from maprun.runtime import clock

_JAVA_MAJOR_MIN = 17
_ORPHAN_SECONDS_MAX = 5.0


def java() -> str:
    """The path of a java that Kafka runs on. Raises StackError with the package to install."""
    home = os.environ.get("JAVA_HOME", "")
    found = shutil.which("java", path=f"{home}/bin:{os.environ.get('PATH', '')}" if home else None)
    cure = "apt-get install openjdk-17-jre-headless"
    if found is None:
        raise StackError("java is not installed; Apache Kafka needs it, version 17 or newer", cure)
    shown = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
    match = re.search(r'version "(\d+)', shown)
    major = int(match.group(1)) if match else 0
    if major < _JAVA_MAJOR_MIN:
        raise StackError(f"{found} is version {major or 'unknown'}; Kafka needs 17 or newer", cure)
    return found


def state_folder(layout: Layout) -> None:
    """Raises StackError when the state folder can't be written or its disk is nearly full."""
    try:
        layout.log_dir.mkdir(parents=True, exist_ok=True)
        probe = layout.state / ".writable"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        cure = "set MAPRUN_STATE_DIR to another folder, or free space"
        raise StackError(f"can't write to {layout.state}: {error.strerror}", cure) from error
    free = shutil.disk_usage(layout.state).free
    if free < STATE_FREE_BYTES_MIN:
        raise StackError(
            f"only {free >> 20} MiB free on the disk of {layout.state}; {STATE_FREE_BYTES_MIN >> 20} are needed",
            f"free some space, delete {layout.state} (it holds all data), or set MAPRUN_STATE_DIR to another disk",
        )


def end_orphans(layout: Layout) -> list[int]:
    """Kills what an earlier stack on this state folder left behind, and answers its pids.

    Called under the stack's lock, so no living stack can own them. Raises StackError if one won't go.
    """
    orphans = statefile.processes_of(layout.state)
    for pid in orphans:
        _kill(pid)
    deadline = clock.monotonic_seconds() + _ORPHAN_SECONDS_MAX
    while remaining := [pid for pid in statefile.processes_of(layout.state) if pid in orphans]:
        if clock.monotonic_seconds() > deadline:
            raise StackError(
                f"processes {remaining} of an earlier stack on {layout.state} can't be ended",
                f"look at them with ps, end them with kill -9 {' '.join(map(str, remaining))}",
            )
        time.sleep(0.05)
    return orphans


def ports(layout: Layout, parts: frozenset[str]) -> None:
    """Raises StackError naming every port that is taken, by whom, and the setting that moves it."""
    wanted = layout.ports(parts)
    for (port, owner), (next_port, next_owner) in itertools.pairwise(wanted):
        if port == next_port:
            raise StackError(
                f"port {port} would be both {owner} and {next_owner}",
                "the addresses in the environment lie too close together: keep 20 ports between them",
            )
    taken = []
    for port, owner in wanted:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As servers do: a connection of the last stack in TIME_WAIT is no obstacle, a listener is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen(1)
            except OSError:
                taken.append((port, owner))
    if taken:
        found = "; ".join(f"port {port} ({owner}) is in use{_holder(port)}" for port, owner in taken)
        cures = sorted({CURE_OF_PORT[owner.split()[0].removesuffix("'s")] for _, owner in taken})
        raise StackError(found, f"stop what listens there, or choose another: {', '.join(cures)}")


def _holder(port: int) -> str:
    """Who listens on a port, in words, as far as /proc tells this user."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in (row.split() for row in rows):
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(str(link.readlink()) in inodes for link in (entry / "fd").iterdir()):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f" by process {entry.name} ({command[:60]})"
        except OSError:  # gone, or another user's
            continue
    return ""


def _kill(pid: int) -> None:
    """Ends a process at once, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
