"""What calls print: into the function's log line by line, and its end to callers who ask for it.

Each line of the log has the id of its call in it, for many calls write into one log: Lambda's own lines and those of
its logging formats have it anyway, before others it is put. The START line of a call says which execution makes it.
"""

import io
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from maprun.local.functions.frames import Call

TAIL_BYTES = 4096  # Lambda's LogType Tail
_LINE_CHARS_MAX = 256 << 10


EXECUTION_MARK = "\tExecution: "
"""Stands in a START line before the execution's ARN, which ends it."""


def frame_lines(request_id: str, environ: Mapping[str, str], seconds: float) -> tuple[str, str]:
    """Lambda's lines before and after what a call printed; the function's variables say its version and memory."""
    version, memory = environ["AWS_LAMBDA_FUNCTION_VERSION"], environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {seconds * 1000:.2f} ms\t"
        f"Billed Duration: {int(seconds * 1000) + 1} ms\tMemory Size: {memory} MB\n"
    )
    return f"START RequestId: {request_id} Version: {version}\n", f"END RequestId: {request_id}\n{report}"


class CallLog:
    """The log of one call: Lambda's START, END and REPORT lines around what it prints.

    A call that prints nothing and ends well leaves no lines in the function's log.
    """

    __slots__ = ("_append", "_began", "_call", "_environ", "_lines", "_part")

    def __init__(self, call: Call, environ: Mapping[str, str], append: Callable[[str], None]) -> None:
        """`append` puts text into the function's log."""
        self._call = call
        self._environ = environ
        self._append = append
        self._began = time.perf_counter()
        self._lines: list[str] = []
        self._part = ""

    @property
    def request_id(self) -> str:
        """The call's id."""
        return self._call.request_id

    def write(self, text: str) -> None:
        """Something printed. Whole lines are in the log at once, so that a call that ends its process leaves them."""
        self._part += text
        if "\n" in text or len(self._part) > _LINE_CHARS_MAX:
            whole, _, self._part = self._part.rpartition("\n")
            self._say(f"{whole}\n")

    def end(self, *, failed: bool) -> str:
        """The call is over; the end of its log, if its caller wants it."""
        if self._part:
            self._say(f"{self._part}\n")
        if not (failed or self._lines or self._call.log_tail):
            return ""
        start, end = frame_lines(self._call.request_id, self._environ, time.perf_counter() - self._began)
        if self._lines or failed:
            self._append(end if self._lines else self._told(start) + end)
        if not self._call.log_tail:
            return ""
        text = "".join([*(self._lines or [start]), end]).encode()
        return text[-TAIL_BYTES:].decode(errors="replace")

    def _say(self, text: str) -> None:
        start = ""
        if not self._lines:
            start = frame_lines(self._call.request_id, self._environ, 0.0)[0]
            self._lines.append(start)
        self._lines.append(text)
        request_id = self._call.request_id
        lines = (line if request_id in line else f"{request_id}\t{line}" for line in text.splitlines(keepends=True))
        self._append((self._told(start) if start else "") + "".join(lines))
        if len(self._lines) > TAIL_BYTES:
            del self._lines[: -TAIL_BYTES // 2]

    def _told(self, start: str) -> str:
        """The START line with the execution that calls."""
        execution = self._call.execution
        return f"{start[:-1]}{EXECUTION_MARK}{execution}\n" if execution else start


class Printing(io.TextIOBase):
    """Stands for sys.stdout and sys.stderr of a process that runs many calls: each thread's text is its call's."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def begin(self, log: CallLog) -> None:
        """This thread runs this call."""
        self._thread.log = log

    def end(self) -> None:
        """This thread runs none."""
        self._thread.log = None

    @property
    def request_id(self) -> str:
        """The id of this thread's call, or nothing."""
        log = getattr(self._thread, "log", None)
        return log.request_id if log is not None else ""

    def write(self, text: str, /) -> int:
        """Prints."""
        log = getattr(self._thread, "log", None)
        if log is not None:
            log.write(text)
        else:
            append_here(text)
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The function's log."""
        return 1


class LambdaFormatter(logging.Formatter):
    """The line that Lambda's runtime makes of a log record."""

    def __init__(self, printing: Printing) -> None:
        super().__init__("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime
        self._printing = printing

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the id of the call that it is of."""
        record.request_id = self._printing.request_id
        return super().format(record)


def capture() -> Printing:
    """Puts what this process prints and logs where it belongs."""
    printing = Printing()
    stream: Any = printing
    sys.stdout = sys.stderr = stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LambdaFormatter(printing))
    logging.getLogger().addHandler(handler)
    return printing


def append_here(text: str) -> None:
    """Into the function's log, which is this process's standard output; whole, whoever else writes."""
    os.write(1, text.encode(errors="replace"))
