"""A worker process: runs one function's handler for many calls, on one thread while they are quick, else on more."""

import contextlib
import json
import mmap
import os
import queue
import select
import signal
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from maprun.local.functions import answers, frames
from maprun.local.functions.call_log import CallLog, Printing, append_here, capture
from maprun.local.functions.context import Context
from maprun.local.functions.frames import BAD_REQUEST, OK, READY, UNHANDLED, Call, Outcome
from maprun.local.functions.handlers import Handler, LoadError, load

SLOT = struct.Struct("<Q")
_STALL_SECONDS = 0.004  # a queue that stood still for so long gets more threads
_REST_SECONDS = 0.02  # and so often it is looked at while nothing waits
_IDLE_SECONDS_MAX = 5.0  # a spare thread without work ends


class Worker:
    """The threads of one process and what they share.

    `slots` is memory shared with the host: each thread writes the number of its running call there, so that the host
    knows, when this process dies, which calls had begun and which can be given to another worker. The slot behind
    those of the threads says which call ended the process, if it did so by `os._exit`.
    """

    def __init__(
        self, connection: socket.socket, slots: mmap.mmap, threads_max: int, handler: Handler | LoadError
    ) -> None:
        self._connection = connection
        self._slots = slots
        self._threads_max = threads_max
        self._handler = handler
        self._queue: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._send_lock = threading.Lock()
        self._free = list(range(threads_max - 1, 0, -1))  # slots of threads that don't run; slot 0 is the first one's
        self._finished = 0
        self._slot_of_thread = threading.local()
        self._reading = threading.Lock()  # whoever reads the socket holds it
        self._buffer = bytearray()

    def run(self, printing: Printing) -> None:
        """Serves until the host closes the socket. Quick handlers run on this very thread, Python's main one."""
        self._connection.sendall(frames.framed(Outcome(READY, OK, b"")))
        if self._threads_max > 1:
            threading.Thread(target=self._widen, args=(printing,), daemon=True).start()
        self._serve(0, printing)

    def exit_of_call(self, status: int) -> NoReturn:
        """Ends the process as the handler on this thread asks for, and lets the host know who asked."""
        slot = getattr(self._slot_of_thread, "number", None)
        if slot is not None:
            number = SLOT.unpack_from(self._slots, slot * SLOT.size)[0]
            SLOT.pack_into(self._slots, self._threads_max * SLOT.size, number)
        end_process(status)

    def _serve(self, slot: int, printing: Printing) -> None:
        """One thread: runs calls one after the other."""
        self._slot_of_thread.number = slot
        at = slot * SLOT.size
        while (call := self._next_spare() if slot else self._next_read()) is not None:
            SLOT.pack_into(self._slots, at, call.number)
            log = CallLog(call, os.environ, append_here)
            printing.begin(log)
            kind, body = self._outcome(call)
            printing.end()
            data = frames.framed(Outcome(call.number, kind, body, log.end(failed=kind == UNHANDLED)))
            with self._send_lock:
                self._connection.sendall(data)
                self._finished += 1
            SLOT.pack_into(self._slots, at, 0)
        self._free.append(slot)

    def _next_read(self) -> Call | None:
        """The first thread's next call: it reads the socket itself, so that a call changes no thread on its way.

        None when the host has closed the socket.
        """
        while True:
            try:
                return self._queue.get_nowait()
            except queue.Empty:
                with self._reading:
                    if self._queue.empty() and not self._read():
                        return None

    def _next_spare(self) -> Call | None:
        """Another thread's next call; None when there was none for a while."""
        try:
            return self._queue.get(timeout=_IDLE_SECONDS_MAX)
        except queue.Empty:
            return None

    def _read(self) -> bool:
        """Takes what the host has sent; waits until it sends something. False when it has closed the socket."""
        received = self._connection.recv(1 << 18)
        self._buffer += received
        for message in frames.split(self._buffer):
            self._queue.put(frames.call_decoder.decode(message))
        return bool(received)

    def _widen(self, printing: Printing) -> None:
        """While the first thread is in a handler: reads in its place, and adds threads if calls wait and none ends.

        Twice as many each time.
        """
        seen = -1
        stop = threading.Event()
        while not stop.wait(_STALL_SECONDS if not (self._reading.locked() and self._queue.empty()) else _REST_SECONDS):
            if self._reading.acquire(blocking=False):
                try:
                    if select.select([self._connection], [], [], 0)[0] and not self._read():
                        end_process(0)  # the first thread may hang in a handler; nobody waits for its answer
                finally:
                    self._reading.release()
            stalled = self._finished == seen and not self._queue.empty()
            seen = self._finished
            if not stalled:
                continue
            threads = self._threads_max - len(self._free)
            for _ in range(min(threads, self._queue.qsize(), len(self._free))):
                threading.Thread(target=self._serve, args=(self._free.pop(), printing), daemon=True).start()

    def _outcome(self, call: Call) -> tuple[Any, bytes]:
        """Runs one handler; never raises."""
        try:
            event = json.loads(call.payload) if call.payload else {}
        except (ValueError, RecursionError) as error:
            return BAD_REQUEST, str(error).encode()
        handler = self._handler
        if isinstance(handler, LoadError):
            return UNHANDLED, answers.error_body(handler.error_type, str(handler), call.request_id)
        try:
            result = handler(event, Context(call))
        except SystemExit as error:
            # Lambda's runtime would be gone; here the other calls of the process go on.
            return UNHANDLED, answers.exited(call.request_id, f"exit status {_status(error)}")
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its caller's answer
            return UNHANDLED, answers.raised(error, call.request_id)
        try:
            body = json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            return UNHANDLED, answers.not_marshalled(error, call.request_id)
        if len(body) > answers.RESPONSE_BYTES_MAX:
            return UNHANDLED, answers.too_large(len(body))
        return OK, body


def _status(error: SystemExit) -> int:
    return error.code if isinstance(error.code, int) else int(error.code is not None)


def _loaded(root: str, module: str, name: str) -> Handler | LoadError:
    """The handler, or why there is none."""
    try:
        return load(Path(root), module, name)
    except LoadError as error:
        return error
    except SystemExit as error:
        return LoadError("Runtime.ExitError", f"Runtime exited with error: exit status {_status(error)}")


end_process = os._exit


def main(arguments: list[str]) -> None:
    """`worker SOCKET_FD SLOTS_FD THREADS_MAX ROOT MODULE HANDLER`, started by the host only."""
    socket_fd, slots_fd, threads_max = (int(argument) for argument in arguments[:3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.stack_size(1 << 21)
    printing = capture()
    slots = mmap.mmap(slots_fd, (threads_max + 1) * SLOT.size)
    connection = socket.socket(fileno=socket_fd)
    worker = Worker(connection, slots, threads_max, _loaded(*arguments[3:6]))
    os._exit = worker.exit_of_call
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        worker.run(printing)
    # Threads may hang in handlers; nobody waits for their answers any more.
    end_process(0)


if __name__ == "__main__":
    main(sys.argv[1:])
