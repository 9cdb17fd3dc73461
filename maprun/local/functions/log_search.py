"""What the functions that one execution called have printed, found in their logs."""

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from maprun.local.functions.call_log import EXECUTION_MARK
from schemas.invocations import FoundLog, FoundLogs

CALLS_MAX = 100
LOOK_BYTES_MAX = 1 << 30
CALL_BYTES_MAX = 64 << 10
ANSWER_BYTES_MAX = 1 << 20
_ID_BEGINS = b"START RequestId: "


def logs_of(folder: Path, execution: str) -> FoundLogs:
    """Of the execution with this ARN: in all logs, or the newest ones where those are large.

    A call that printed nothing and ended well has left no lines. Reads whole logs: run it in a thread.
    """
    logs, whole = _newest(folder)
    found: list[FoundLog] = []
    room = ANSWER_BYTES_MAX
    for path in logs:
        for request_id, lines, all_of_it in _calls_if_there(path, execution):
            if len(found) == CALLS_MAX or len(lines) > room:
                return FoundLogs(found, truncated=True)
            room -= len(lines)
            name = path.name.removesuffix(".1").removesuffix(".log")
            text = lines.decode(errors="replace")
            found.append(FoundLog(name, request_id.decode(errors="replace"), text, truncated=not all_of_it))
    return FoundLogs(found, truncated=not whole)


def _newest(folder: Path) -> tuple[list[Path], bool]:
    """The logs that were written to last, by name, an older part before a newer one; and whether those are all."""
    known = []
    for path in (path for pattern in ("*.log", "*.log.1") for path in folder.glob(pattern)):
        with suppress(FileNotFoundError):  # it was given another name meanwhile
            known.append((path, path.stat()))
    room, taken = LOOK_BYTES_MAX, list[Path]()
    for path, state in sorted(known, key=lambda each: -each[1].st_mtime):
        room -= state.st_size
        if room >= 0 and state.st_size:
            taken.append(path)
    return sorted(taken, key=lambda path: (path.name.removesuffix(".1"), path.suffix == ".log")), room >= 0


def _calls_if_there(path: Path, execution: str) -> Iterator[tuple[bytes, bytes, bool]]:
    """The same as `_calls`; nothing of a log that was given another name meanwhile."""
    with suppress(FileNotFoundError):
        yield from _calls(path, execution)


def _calls(path: Path, execution: str) -> Iterator[tuple[bytes, bytes, bool]]:
    """The id and the lines of each call, and whether those are all."""
    mark = f"{EXECUTION_MARK}{execution}\n".encode()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as log:
        at = log.find(mark)
        while at >= 0:
            begin = log.rfind(b"\n", 0, at) + 1
            head = log[begin:at]
            if head.startswith(_ID_BEGINS):
                request_id = head[len(_ID_BEGINS) :].partition(b" ")[0]
                yield request_id, *_lines_of(log, begin, request_id)
            at = log.find(mark, at + 1)


def _lines_of(log: mmap.mmap, begin: int, request_id: bytes) -> tuple[bytes, bool]:
    """From its START line on to its REPORT, or to the log's end while it runs."""
    lines, size, at = list[bytes](), 0, begin
    while at >= 0:
        first = log.rfind(b"\n", 0, at) + 1
        last = log.find(b"\n", at)
        end = len(log) if last < 0 else last + 1
        line = log[first : min(end, first + CALL_BYTES_MAX)]
        size += len(line)
        if size > CALL_BYTES_MAX:
            return b"".join(lines), False
        lines.append(line)
        if line.startswith(b"REPORT RequestId: "):
            break
        at = log.find(request_id, end)
    return b"".join(lines), True
