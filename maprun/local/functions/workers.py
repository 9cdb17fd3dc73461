"""The host's side of one process that runs a function: the calls it has, and what becomes of them when it ends."""

import asyncio
import contextlib
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from maprun.local.functions import answers
from maprun.local.functions.catalog import Function
from maprun.local.functions.frames import UNHANDLED, Call, Outcome
from maprun.runtime import clock

INIT_SECONDS_MAX = 10.0  # of a process, before its first call
_PAGE_BYTES = 4096


class Waiting:
    """One call on its way: what to run, and where its outcome goes."""

    __slots__ = ("_done", "alone", "call", "deadline", "is_over", "repeats")

    def __init__(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self.call = call
        self.deadline = 0.0  # monotonic, from when a worker has it
        self.is_over = False  # answered, or given up
        self.repeats = 0  # how often it was begun beside one that ended the process
        self.alone = False  # it runs beside no other: it may be what ended a process
        self._done = done

    def end(self, outcome: Outcome) -> None:
        """Gives the caller its outcome; a later one counts no more."""
        if not self.is_over:
            self.is_over = True
            self._done(outcome)

    def fail(self, body: bytes) -> None:
        """Gives the caller an error in place of the function's answer."""
        self.end(Outcome(self.call.number, UNHANDLED, body))

    def give_up(self) -> None:
        """Nobody waits for the outcome any more: what has not begun is not run."""
        self.is_over = True


class Owner(ABC):
    """Whom a worker tells what happens to it."""

    @abstractmethod
    def after_answers(self, worker: "Worker") -> None:
        """It has room again."""

    @abstractmethod
    def after_death(self, worker: "Worker", again: list[Waiting], words: str) -> None:
        """It is gone; these calls are to be run by another."""

    @abstractmethod
    def retire(self, worker: "Worker") -> None:
        """It is to get no more calls."""


class Worker(ABC):
    """One process. Subclasses start it and carry calls and answers."""

    def __init__(self, owner: Owner, function: Function, seconds_max: float, calls_max: int, log: BinaryIO) -> None:
        self.owner = owner
        self.function = function
        self.seconds_max = seconds_max  # of a call
        self.calls_max = calls_max  # at once
        self.log = log  # of the function; closed with the worker
        self.calls: dict[int, Waiting] = {}  # in the order in which they were given to it
        self.retired = False
        self.idle_since = clock.monotonic_seconds()
        self._numbers = 0
        self._runs_alone = False
        self.last_words = ""  # how the process ended
        self.init_error = b""  # why it can't run calls, in its own words
        self.is_started = False  # there is a process, and a way to it
        self.settled = asyncio.Event()  # it is ready for calls, or gone
        self.gone = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """True while it may be given another call."""
        return len(self.calls) < (1 if self._runs_alone else self.calls_max)

    async def until_settled(self) -> bool:
        """Waits for the code to be loaded; False when that ended the process.

        One that takes longer than Lambda's own bound gets calls all the same: the time is theirs from then on.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.settled.wait(), INIT_SECONDS_MAX)
        return not self.gone.is_set()

    def take(self, waiting: Waiting) -> None:
        """Gives it a call."""
        self._numbers += 1
        waiting.call = call_numbered(waiting.call, self._numbers)
        waiting.deadline = clock.monotonic_seconds() + self.seconds_max
        self.calls[self._numbers] = waiting
        self._runs_alone = waiting.alone
        self.send(waiting)

    def expire(self, now: float) -> None:
        """Answers calls that took too long. A handler can't be stopped, so the process takes no more calls."""
        for waiting in list(self.calls.values()):
            if waiting.deadline > now:
                break
            waiting.fail(answers.timed_out(waiting.call.request_id, self.seconds_max))
            self.owner.retire(self)
        if self.retired and all(waiting.is_over for waiting in self.calls.values()):
            self.kill()
        elif self.memory_bytes() > self.function.configuration.memory_size << 20:
            self.kill()  # as Lambda ends a function that takes more than its MemorySize

    def memory_bytes(self) -> int:
        """What the process takes of the machine's memory now."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            return 0

    def ended(self, status: int, begun: set[int], culprit: int) -> None:
        """The process is gone with this return code. What it had begun is repeated, but for what ended it.

        If that is not known, and more than one call had begun, each of them is repeated alone: only what ends its
        process then has failed.
        """
        words = f"signal: {_signal_words(-status)}" if status < 0 else f"exit status {status}"
        again: list[Waiting] = []
        for number, waiting in self.calls.items():
            if number == culprit or (begun == {number} and not culprit):
                waiting.fail(answers.exited(waiting.call.request_id, words))
            elif not waiting.is_over:
                if number in begun:
                    waiting.repeats += 1
                    waiting.alone |= not culprit or waiting.repeats > REPEATS_MAX
                again.append(waiting)
        self.calls.clear()
        self.last_words = words
        self.gone.set()
        self.settled.set()
        self.log.close()
        self.owner.after_death(self, again, words)

    @property
    @abstractmethod
    def pid(self) -> int:
        """The process's id."""

    @abstractmethod
    async def start(self) -> None:
        """Starts the process. Raises OSError."""

    @abstractmethod
    def send(self, waiting: Waiting) -> None:
        """Carries a call to the process."""

    @abstractmethod
    def kill(self) -> None:
        """Ends the process; `ended` follows."""


REPEATS_MAX = 3  # beside others; then a call runs alone


def call_numbered(call: Call, number: int) -> Call:
    """The call under this number. Written out: `structs.replace` takes four times as long."""
    return Call(
        number,
        call.request_id,
        call.arn,
        call.deadline_ms,
        call.client_context,
        call.idempotency_key,
        call.payload,
        call.log_tail,
        call.trace,
        call.execution,
    )


def _signal_words(number: int) -> str:
    """`killed`, as Lambda says it."""
    if number == signal.SIGKILL:
        return "killed"
    with contextlib.suppress(ValueError):
        return (signal.strsignal(number) or signal.Signals(number).name).lower()
    return str(number)
