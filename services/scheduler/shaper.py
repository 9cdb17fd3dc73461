"""`python -m services.scheduler.shaper REGION ACCOUNT`: makes result records of frames, for its scheduler.

Requests come on stdin, answers go to stdout, each as four bytes with the length of what follows, little-endian, then
msgpack. It ends when stdin does, so it never outlives its scheduler.
"""

import signal
import struct
import sys
from typing import BinaryIO

import msgspec

from maprun.mapruns.results.shaping import ResultShape, Shaped, Shaper
from schemas.arns import Names
from schemas.home import ChildrenEnded
from schemas.pages import Pages

LENGTH = struct.Struct("<I")
READ_BYTES = 1 << 20
SHAPERS_KEPT = 100


class Request(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The entries at these slots of a frame are to be shaped."""

    number: int
    shape: ResultShape
    frame: ChildrenEnded
    slots: list[tuple[int, int, int]]


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The records, or why they can't be made."""

    number: int
    records: Shaped = ([], [], [])
    error: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode


def framed(message: Request | Answer) -> bytes:
    """The bytes of a message on the pipe."""
    body = _encode(message)
    return LENGTH.pack(len(body)) + body


class Shapers:
    """One shaper a run, made when it is first asked for."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._pages = Pages()  # one for all: what unpacks takes 100 kB
        self._of: dict[ResultShape, Shaper] = {}

    def of(self, shape: ResultShape) -> Shaper:
        """The shaper of a run."""
        found = self._of.get(shape)
        if found is None:
            if len(self._of) >= SHAPERS_KEPT:
                self._of.clear()
            found = self._of[shape] = Shaper(shape, self._names, self._pages)
        return found


def serve(requests: BinaryIO, answers: BinaryIO, names: Names) -> None:
    """Answers requests in order until there are no more."""
    shapers = Shapers(names)
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        body = requests.read(LENGTH.unpack(head)[0])
        request = _decode_request(body)
        try:
            answer = Answer(request.number, shapers.of(request.shape).shape(request.frame, request.slots))
        except Exception as bug:  # noqa: BLE001 - it fails the results of one run, and says why
            answer = Answer(request.number, error=f"{type(bug).__name__}: {bug}")
        answers.write(framed(answer))
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its end is its scheduler's
    serve(sys.stdin.buffer, sys.stdout.buffer, Names(sys.argv[1], sys.argv[2]))
