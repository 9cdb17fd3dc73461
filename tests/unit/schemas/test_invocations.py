"""Frames of invocations and answers: whole however the bytes come, bounded, and refused when they are none."""

import pytest

from schemas.invocations import (
    FRAME_BYTES,
    FRAME_BYTES_MAX,
    Answered,
    CallerFrame,
    FrameError,
    FrameReader,
    FrameWriter,
    HostFrame,
    Invocation,
)


@pytest.mark.parametrize("step", [1, 3, 7, 1_000])
def test_frames_are_whole_however_their_bytes_come(step: int) -> None:
    """A connection's bytes cut anywhere give the same invocations in the same order."""
    asked = [Invocation(number, "f", b"x" * number, f"k{number}") for number in range(20)]
    data = b"".join(FrameWriter().asked(asked, [3, 5]))
    reader = FrameReader(CallerFrame)
    frames = [frame for at in range(0, len(data), step) for frame in reader.frames(data[at : at + step])]
    assert [each for frame in frames for each in frame.invocations] == asked
    assert [number for frame in frames for number in frame.given_up] == [3, 5]


def test_large_answers_travel_in_frames_of_their_own() -> None:
    """A frame ends with the answer that fills it, so that no frame grows with the number of its answers."""
    answers = [Answered(number, 200, b"x" * (FRAME_BYTES // 2)) for number in range(5)]
    frames = FrameWriter().answered(answers)
    assert len(frames) == 3
    reader = FrameReader(HostFrame)
    assert [each for frame in reader.frames(b"".join(frames)) for each in frame.answers] == answers


@pytest.mark.parametrize(
    "data",
    [
        (FRAME_BYTES_MAX + 1).to_bytes(4, "little"),
        (4).to_bytes(4, "little") + b"\xc1\xc1\xc1\xc1",
        (2).to_bytes(4, "little") + b"\x91\xa0",
    ],
    ids=["too long", "no msgpack", "another shape"],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """A length beyond the bound, and bytes that are no frame, end the connection instead of filling memory."""
    with pytest.raises(FrameError):
        list(FrameReader(HostFrame).frames(data))
