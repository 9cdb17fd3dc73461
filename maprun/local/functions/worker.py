"""A worker process: takes calls from its socket, runs handlers on one thread while they are quick, else on more."""

import contextlib
import json
import mmap
import os
import queue
import signal
import socket
import struct
import sys
import threading
from typing import Any

from maprun.local.functions import answers, frames
from maprun.local.functions.context import Context
from maprun.local.functions.frames import BAD_REQUEST, OK, UNHANDLED, Call, Outcome
from maprun.local.functions.loader import Loader, LoadError

SLOT = struct.Struct("<Q")
_STALL_SECONDS = 0.004  # a queue that stood still for so long gets more threads
_IDLE_SECONDS_MAX = 5.0  # a spare thread without work ends


class Worker:
    """The threads of one process and what they share.

    `slots` is memory shared with the host: each thread writes the number of its running call there, so that the host
    knows, when this process dies, which calls had begun and which can be given to another worker.
    """

    def __init__(self, connection: socket.socket, slots: mmap.mmap, threads_max: int) -> None:
        self._connection = connection
        self._slots = slots
        self._threads_max = threads_max
        self._queue: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._send_lock = threading.Lock()
        self._loader = Loader()
        self._free = list(range(threads_max - 1, 0, -1))  # slots of threads that don't run; slot 0 is the first one's
        self._finished = 0

    def run(self) -> None:
        """Serves until the host closes the socket."""
        threading.Thread(target=self._serve, args=(0,), daemon=True).start()
        threading.Thread(target=self._widen, daemon=True).start()
        buffer = bytearray()
        while received := self._connection.recv(1 << 18):
            buffer += received
            for message in frames.split(buffer):
                self._queue.put(frames.call_decoder.decode(message))

    def _serve(self, slot: int) -> None:
        """One thread: runs calls one after the other."""
        wait = None if slot == 0 else _IDLE_SECONDS_MAX
        while True:
            try:
                call = self._queue.get(timeout=wait)
            except queue.Empty:
                self._free.append(slot)
                return
            if call is None:
                return
            SLOT.pack_into(self._slots, slot * SLOT.size, call.number)
            kind, body = self._outcome(call)
            data = frames.framed(Outcome(call.number, kind, body))
            with self._send_lock:
                self._connection.sendall(data)
                self._finished += 1
            SLOT.pack_into(self._slots, slot * SLOT.size, 0)

    def _widen(self) -> None:
        """Adds threads, twice as many each time, while calls wait and none ends."""
        seen = -1
        stop = threading.Event()
        while not stop.wait(_STALL_SECONDS if not self._queue.empty() else _STALL_SECONDS * 5):
            stalled = self._finished == seen and not self._queue.empty()
            seen = self._finished
            if not stalled:
                continue
            threads = self._threads_max - len(self._free)
            for _ in range(min(threads, self._queue.qsize(), len(self._free))):
                threading.Thread(target=self._serve, args=(self._free.pop(),), daemon=True).start()

    def _outcome(self, call: Call) -> tuple[Any, bytes]:
        """Runs one handler; never raises."""
        try:
            event = json.loads(call.payload) if call.payload else {}
        except (ValueError, RecursionError) as error:
            return BAD_REQUEST, str(error).encode()
        try:
            result = self._loader.handler(call.path)(event, Context(call))
        except LoadError as error:
            return UNHANDLED, answers.error_body(error.error_type, str(error), call.request_id)
        except SystemExit as error:
            # Lambda's runtime would be gone; here the other calls of the process go on.
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
            return UNHANDLED, answers.exited(call.request_id, f"exit status {status}")
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its caller's answer
            return UNHANDLED, answers.raised(error, call.request_id)
        try:
            body = json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            return UNHANDLED, answers.not_marshalled(error, call.request_id)
        if len(body) > answers.RESPONSE_BYTES_MAX:
            return UNHANDLED, answers.too_large(len(body))
        return OK, body


def main(arguments: list[str]) -> None:
    """`worker SOCKET_FD SLOTS_FD THREADS_MAX FOLDER`, started by the pool only."""
    socket_fd, slots_fd, threads_max = (int(argument) for argument in arguments[:3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path.insert(0, arguments[3])
    threading.stack_size(1 << 21)
    slots = mmap.mmap(slots_fd, threads_max * SLOT.size)
    connection = socket.socket(fileno=socket_fd)
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        Worker(connection, slots, threads_max).run()
    # Threads may hang in handlers; nobody waits for their answers any more.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
