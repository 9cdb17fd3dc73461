"""What travels between the host and a worker of Python functions: length-prefixed msgpack on a socket pair."""

import struct
from typing import Final, Literal

import msgspec

LENGTH = struct.Struct("<I")

OK: Final = 0
UNHANDLED: Final = 1
BAD_REQUEST: Final = 2
"""How a call ended: an answer; Lambda's error body; a payload that is no JSON (the caller's fault)."""


READY: Final = 0
"""The number of a worker's first outcome: of no call, but of loading the code."""


class Call(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Host to worker: run this."""

    number: int  # of this call in this worker; from 1
    request_id: str
    arn: str
    deadline_ms: int  # epoch; what `get_remaining_time_in_millis` counts down to
    client_context: str  # base64 JSON as it came, or empty
    idempotency_key: str
    payload: bytes  # JSON
    log_tail: bool = False  # the caller wants the end of the call's log
    trace: str = ""  # X-Amzn-Trace-Id
    execution: str = ""  # the ARN of the execution that calls


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Worker to host: it ended like this."""

    number: int
    kind: Literal[0, 1, 2]
    body: bytes
    log: str = ""  # its end, if it is wanted


call_decoder = msgspec.msgpack.Decoder(Call)
outcome_decoder = msgspec.msgpack.Decoder(Outcome)
_encoder = msgspec.msgpack.Encoder()


def framed(message: Call | Outcome) -> bytes:
    """One message with its length in front."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def split(buffer: bytearray) -> list[bytes]:
    """Takes every whole message from the front of a buffer."""
    found = []
    start = 0
    while len(buffer) - start >= LENGTH.size:
        end = start + LENGTH.size + LENGTH.unpack_from(buffer, start)[0]
        if len(buffer) < end:
            break
        found.append(bytes(buffer[start + LENGTH.size : end]))
        start = end
    if start:
        del buffer[:start]
    return found
