"""Frames about root executions of EXPRESS machines: ends for who waits for them, and starts written again. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from maprun.requests.express import FrameBuilder
from schemas.express import NOBODY_WAITS, ExpressEnd, ExpressEnded, ExpressMachine, ExpressRequested, ExpressStart

_END_BYTES = 64
"""What an end takes in a frame beside its texts, at most."""


class Waiting:
    """One execution as it was asked for, by the record at `offset`."""

    __slots__ = ("answers", "asker", "machine", "offset", "start")

    def __init__(self, offset: int, asker: str, answers: int, machine: ExpressMachine, start: ExpressStart) -> None:
        self.offset = offset
        self.asker = asker
        self.answers = answers
        self.machine = machine
        self.start = start


def answer_frames(
    ended: Mapping[tuple[int, str], Sequence[ExpressEnd]], bytes_max: int
) -> Iterator[tuple[int, ExpressEnded]]:
    """Ends by (partition, asker) in frames of about so many bytes: a single end may be larger."""
    for (partition, asker), ends in ended.items():
        frame: list[ExpressEnd] = []
        size = 0
        for end in ends:
            takes = _END_BYTES + len(end.output) + len(end.error or "") + 4 * len(end.cause or "")
            if frame and size + takes > bytes_max:
                yield partition, ExpressEnded(asker, tuple(frame))
                frame, size = [], 0
            frame.append(end)
            size += takes
        yield partition, ExpressEnded(asker, tuple(frame))


def carried_frames(running: Sequence[Waiting], carrier: str, bytes_max: int) -> Iterator[ExpressRequested]:
    """Frames that ask for these executions again, of about so many bytes: a single one may be larger.

    What a caller waits for goes without its input: a new owner never runs it, and only has to know whom to tell.
    """
    by_asker: dict[tuple[str, int], list[Waiting]] = {}
    for waiting in running:
        by_asker.setdefault((waiting.asker, waiting.answers), []).append(waiting)
    for (asker, answers), group in by_asker.items():
        builder = FrameBuilder(asker, answers, bytes_max, carrier)
        for waiting in group:
            start = waiting.start
            if start.call != NOBODY_WAITS:
                start = msgspec.structs.replace(start, input=b"")
            if (full := builder.add(waiting.machine, start)) is not None:
                yield full
        yield builder.take()
