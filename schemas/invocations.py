"""What a caller of functions and a function host say to each other when many invocations share one connection.

The connection begins as HTTP: `GET /maprun/invocations` with `Upgrade: maprun-invocations/1`. A host that knows the
protocol answers 101; whatever else it answers, the caller goes on with Lambda's Invoke API. After that both sides send
frames: four bytes with the length of what follows, little-endian, then one `CallerFrame` or `HostFrame` in msgpack.
Answers come in any order, each as soon as it is there.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

PATH = b"/maprun/invocations"
LOGS_PATH = "/maprun/function-logs"  # ?execution=ARN: what the functions printed that the execution called
PROTOCOL = b"maprun-invocations/1"
EXECUTION_HEADER = "X-Maprun-Execution"  # of the Invoke API: which execution calls
FRAME_BYTES = 1 << 20  # a frame takes invocations or answers until it has so many bytes, the last one whole
FRAME_BYTES_MAX = 24 << 20  # a sender of more has lost its way: an invocation, like an answer, has 6 MB at most
_LENGTH = struct.Struct("<I")

T = TypeVar("T")


class Invocation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A function is to be invoked, and its answer awaited."""

    number: int  # of this invocation on this connection
    function: str  # a name or an ARN, perhaps with a qualifier behind it
    payload: bytes
    idempotency_key: str = ""
    qualifier: str = ""
    client_context: str = ""  # base64, as in the Invoke API
    log_tail: bool = False
    trace: str = ""  # X-Amzn-Trace-Id
    execution: str = ""  # the ARN of the execution that calls: the host's logs are found by it


class Answered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An invocation ended. The fields are what the Invoke API says in status, headers and body."""

    number: int
    status: int
    body: bytes
    request_id: str = ""
    executed_version: str = ""
    function_error: str = ""  # X-Amz-Function-Error
    error_type: str = ""  # x-amzn-ErrorType
    log_result: str = ""  # X-Amz-Log-Result


class FoundLog(msgspec.Struct, frozen=True, rename="camel"):
    """The lines of one call, each with its id, as the function's log has them. `truncated`: some were left out."""

    function_name: str
    request_id: str
    log: str
    truncated: bool


class FoundLogs(msgspec.Struct, frozen=True):
    """What a host answers under LOGS_PATH: calls that left lines, by function, oldest first. `truncated`: not all."""

    calls: list[FoundLog]
    truncated: bool


class CallerFrame(msgspec.Struct, frozen=True, array_like=True):
    """What a caller asks for; `given_up` are the numbers of invocations whose answers nobody waits for any more."""

    invocations: list[Invocation] = []
    given_up: list[int] = []


class HostFrame(msgspec.Struct, frozen=True, array_like=True):
    """What came of invocations."""

    answers: list[Answered] = []


class FrameError(ValueError):
    """The bytes of a connection are no frames."""


class FrameReader(Generic[T]):
    """Finds the frames in the bytes of one connection."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def frames(self, data: bytes) -> Iterator[T]:
        """The frames that are whole with these bytes. Raises FrameError."""
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            begin = start + _LENGTH.size
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > FRAME_BYTES_MAX:
                raise FrameError(f"a frame of {length} bytes; at most {FRAME_BYTES_MAX} are taken")
            if len(buffer) < begin + length:
                break
            try:
                yield self._decoder.decode(bytes(buffer[begin : begin + length]))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise FrameError(str(error)) from error
            start = begin + length
        if start:
            del buffer[:start]


class FrameWriter:
    """Makes frames of what is to be sent, each of about `FRAME_BYTES`."""

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder()

    def asked(self, invocations: list[Invocation], given_up: list[int]) -> list[bytes]:
        """Frames of a caller."""
        parts = list(_parts(invocations, _payload_bytes)) or [[]]
        frames = [CallerFrame(part, given_up if part is parts[-1] else []) for part in parts]
        return [self._framed(frame) for frame in frames]

    def answered(self, answers: list[Answered]) -> list[bytes]:
        """Frames of a host."""
        return [self._framed(HostFrame(part)) for part in _parts(answers, _body_bytes)]

    def _framed(self, frame: CallerFrame | HostFrame) -> bytes:
        body = self._encoder.encode(frame)
        return _LENGTH.pack(len(body)) + body


def _payload_bytes(invocation: Invocation) -> int:
    return len(invocation.payload) + len(invocation.client_context)


def _body_bytes(answer: Answered) -> int:
    return len(answer.body)


def _parts(messages: list[T], bytes_of: Callable[[T], int]) -> Iterator[list[T]]:
    """The messages in order, cut where a frame is full."""
    part: list[T] = []
    size = 0
    for message in messages:
        part.append(message)
        size += bytes_of(message)
        if size >= FRAME_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
