"""What the processes of a stack cost, from /proc: CPU seconds and resident memory, a part and its children together."""

import os
import platform
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pids: dict[str, int]) -> dict[str, float]:
    """User and system time of each part so far, its living and its reaped children included."""
    children = _children()
    return {part: sum(_cpu(p) for p in _tree(pid, children)) for part, pid in pids.items()}


def waited_seconds(pids: dict[str, int]) -> dict[str, float]:
    """How long each part's own process was ready to run so far, and other work had the CPU."""
    return {part: _waited(pid) for part, pid in pids.items()}


def rss_bytes(pids: dict[str, int]) -> dict[str, int]:
    """Resident memory of each part now."""
    children = _children()
    return {part: sum(_rss(p) for p in _tree(pid, children)) for part, pid in pids.items()}


def peak_rss_bytes(pids: dict[str, int]) -> dict[str, int]:
    """The highest resident memory of each part's own process so far (VmHWM)."""
    return {part: _peak(pid) for part, pid in pids.items()}


def serial_seconds(pids: dict[str, int]) -> dict[str, float]:
    """CPU time so far of the main thread of each part and of each process that it began (PART/0, PART/1, …)."""
    children = _children()
    found = {}
    for part, pid in pids.items():
        found[part] = _threads(pid).pop(pid, 0.0)
        for place, other in enumerate(_tree(pid, children)[1:]):
            found[f"{part}/{place}"] = _threads(other).pop(other, 0.0)
    return found


def _threads(pid: int) -> dict[int, float]:
    """CPU time of each thread of a process."""
    found = {}
    for entry in Path(f"/proc/{pid}/task").iterdir():
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        found[int(entry.name)] = sum(int(fields[i]) for i in (11, 12)) / _TICKS
    return found


def files_and_threads(pids: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Open files and threads of each part now."""
    children = _children()
    return {
        part: (sum(_files(p) for p in tree), sum(_thread_count(p) for p in tree))
        for part, pid in pids.items()
        for tree in (_tree(pid, children),)
    }


def machine() -> str:
    """This machine in a few words, without its name."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    kib = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{os.cpu_count()} cores {model}, {kib >> 20} GiB, Python {platform.python_version()}"


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name; empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _waited(pid: int) -> float:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return max(int((thread / "schedstat").read_text().split()[1]) for thread in threads) / 1e9
    except OSError:
        return 0.0


def _cpu(pid: int) -> float:
    fields = _stat(pid)
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / _TICKS if fields else 0.0


def _rss(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0


def _files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def _thread_count(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[17]) if fields else 0


def _peak(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) << 10
    except OSError:
        return 0
    return 0


def _children() -> dict[int, list[int]]:
    """Parent → children of all processes."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def _tree(pid: int, children: dict[int, list[int]]) -> list[int]:
    """A process and all that descend from it."""
    out = [pid]
    for child in children.get(pid, []):
        out += _tree(child, children)
    return out
