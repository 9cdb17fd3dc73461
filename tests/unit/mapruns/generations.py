"""Generations of a Map Run made by hand: their outcome frames as home holds them, and stages over them."""

from collections.abc import Iterable

import msgspec

from maprun.mapruns.results.stages import LOST, NEVER_STARTED
from schemas.asks import RedriveStage
from schemas.history import EventType, HistoryEvent, encode_events
from schemas.home import ABORTED, FAILED, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT, Afterlife, ChildrenEnded
from schemas.pages import Pages

RUN = "aaaaaaaa-bbbb-4001-8ccc-dddddddddddd"
START_MS = 1_790_204_286_000
EVERY = 1 << 62
"""More children than any stage has."""
_pages = Pages()


class Child(msgspec.Struct, frozen=True):
    """A child as it ended: its index, how, how often it was redriven, its items, and the state it failed in."""

    index: int
    status: int = SUCCEEDED
    redrive_count: int = 0
    items: int = 1
    remains: bytes = b""
    built: bool = False  # of a refused one: its input was there

    @property
    def entry(self) -> bytes:
        """What its slot holds."""
        text = b'{"i":%d}' % self.index
        if self.status == RETURNED or self.built:
            return msgspec.msgpack.encode([text])
        if self.status == REJECTED:
            return msgspec.msgpack.encode([text, f"key-{self.index}", "s3://b/k"])
        events = [HistoryEvent(EventType.EXECUTION_STARTED, 0, START_MS + self.index, (text, "role"))]
        events += [
            HistoryEvent(EventType.EXECUTION_REDRIVEN, 1, START_MS + 60_000 * count, (count,))
            for count in range(1, self.redrive_count + 1)
        ]
        end_ms = START_MS + 60_000 * self.redrive_count + 7
        last = {
            SUCCEEDED: HistoryEvent(EventType.EXECUTION_SUCCEEDED, 1, end_ms, (b'{"o":%d}' % self.index,)),
            FAILED: HistoryEvent(EventType.EXECUTION_FAILED, 1, end_ms, ("Bad", "it is bad")),
            TIMED_OUT: HistoryEvent(EventType.EXECUTION_TIMED_OUT, 1, end_ms, ("States.Timeout", None)),
            ABORTED: HistoryEvent(EventType.EXECUTION_ABORTED, 1, end_ms, (None, "stopped")),
        }[self.status]
        return encode_events([*events, last])


def flat(numbers: Iterable[int]) -> tuple[int, ...]:
    """Numbers in any order as (first, count, …)."""
    out: list[int] = []
    for number in numbers:
        if out and out[-2] + out[-1] == number:
            out[-1] += 1
        else:
            out += (number, 1)
    return tuple(out)


def outcome(generation: int, answers: dict[int, Child], lane: int = 0, run: str = RUN) -> ChildrenEnded:
    """One frame: position → child, in the order given; indexes stand in it from generation 1 on."""
    children = list(answers.values())
    afterlives = [
        Afterlife(slot, child.redrive_count, child.remains)
        for slot, child in enumerate(children)
        if child.redrive_count or child.remains
    ]
    counts = tuple(child.items for child in children)
    return ChildrenEnded(
        run,
        generation,
        lane,
        flat(answers),
        bytes(child.status for child in children),
        () if counts.count(1) == len(counts) else counts,
        _pages.pack([child.entry for child in children]),
        0,
        indexes=flat(child.index for child in children) if generation else (),
        afterlives=_pages.pack_afterlives(afterlives),
    )


def stage(generation: int, *, lost: bool, skip: int = 0, count: int = EVERY, end: int = EVERY) -> RedriveStage:
    """A stage over everything home holds of a generation."""
    return RedriveStage(generation, 0, end, EVERY, lost, skip, count)


def of_kind(answers: list[Child], *, lost: bool) -> list[Child]:
    """Those that a stage is about."""
    return [child for child in answers if child.status in (LOST if lost else NEVER_STARTED)]
