"""Where the CPU goes: py-spy beside each Python service during a run, its samples summed by function."""

import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

_RATE_PER_SECOND = 100
_SHOWN_MAX = 12
_SERVICES = ("scheduler", "item-reader", "maprun-tracker", "child-runner-0")


class Profiler:
    """Samples from `start` to `stop`. Needs `py-spy` on PATH (`pip install py-spy`), and the right to ptrace."""

    def __init__(self, pids: dict[str, int], folder: Path) -> None:
        found = shutil.which("py-spy")
        assert found is not None, "py-spy is not on PATH: pip install py-spy"
        self._folder = folder
        self._running = {
            part: subprocess.Popen(
                [
                    *(found, "record", "--pid", str(pids[part]), "--format", "raw", "--nonblocking"),
                    *("--rate", str(_RATE_PER_SECOND), "--duration", "unlimited", "--output", str(folder / part)),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for part in _SERVICES
        }

    def stop(self) -> dict[str, list[str]]:
        """Of each service the functions that held the CPU most: share of its busy samples, and name."""
        for process in self._running.values():
            process.send_signal(signal.SIGINT)
        for process in self._running.values():
            process.wait(timeout=60)
        return {part: top(self._folder / part) for part in self._running}


def top(file: Path) -> list[str]:
    """The most frequent last frames of ours or of a package, with what they called below counted to them."""
    if not file.exists():
        return ["no samples"]
    own: Counter[str] = Counter()
    total = 0
    for line in file.read_text(errors="replace").splitlines():
        stack, _, count = line.rpartition(" ")
        total += int(count)
        own[_blamed(stack.split(";"))] += int(count)
    return [f"{100 * count / total:5.1f} %  {name}" for name, count in own.most_common(_SHOWN_MAX)]


def _blamed(frames: list[str]) -> str:
    """The innermost Python frame: what it calls in C is its own doing."""
    for frame in reversed(frames):
        if ".py:" in frame:
            name, _, place = frame.partition(" (")
            return f"{_short(place.rstrip(')').rpartition(':')[0])} {name}"
    return frames[-1]


def _short(path: str) -> str:
    """A path from the package on."""
    for mark in ("site-packages/", "/lib/python3"):
        if mark in path:
            return path.rpartition(mark)[2].lstrip(".0123456789/")
    return path
