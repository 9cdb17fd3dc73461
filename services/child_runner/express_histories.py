"""What happened in EXPRESS root executions, for a while: of as many as fit, those first forgotten that grew last. Pure.

Nothing is written for it. A history is known whole, from its first event on, or not at all.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from schemas.express import ExpressHistoryAsked, ExpressHistoryShown
from schemas.history import HistoryEvent, decode_events, encode_events
from schemas.wire import encoded_bytes

HISTORY_BYTES = 400
"""What a history takes beside its events: its ARN, and its place in the tables."""
OF_ONE = 4
"""One history takes no more than this part of the room."""


class _Kept:
    """One history, in pieces as it grew."""

    __slots__ = ("bytes", "firsts", "pieces", "total")

    def __init__(self) -> None:
        self.bytes = HISTORY_BYTES
        self.total = 0
        self.firsts: list[int] = []  # the id of each piece's first event
        self.pieces: list[bytes] = []

    def grow(self, events: Sequence[HistoryEvent]) -> int:
        """Keeps these events behind the others; how many bytes more that takes."""
        piece = encode_events(events)
        self.firsts.append(self.total + 1)
        self.pieces.append(piece)
        self.total += len(events)
        self.bytes += len(piece)
        return len(piece)

    def between(self, first: int, last: int) -> list[HistoryEvent]:
        """The events with these ids, both included."""
        begin, end = bisect_right(self.firsts, first) - 1, bisect_right(self.firsts, last)
        events = [event for piece in self.pieces[begin:end] for event in decode_events(piece)]
        before = self.firsts[begin]
        return events[first - before : last - before + 1]


class ExpressHistories:
    """All of one process, whichever of its lanes ran the executions. `bytes_max` 0 keeps none."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # ARN → history; what grew last is last

    def grew(self, arn: str, first_id: int, events: Sequence[HistoryEvent]) -> None:
        """New events of an execution, the first of which has this id. One that begins again has a new history."""
        if not events or not self._bytes_max:
            return
        if first_id == 1:
            self._forget(arn)
            kept = self._kept[arn] = _Kept()
            self._bytes += kept.bytes
        else:
            known = self._kept.get(arn)
            if known is None or known.total + 1 != first_id:
                return  # its beginning was forgotten
            kept = known
            self._kept.move_to_end(arn)
        self._bytes += kept.grow(events)
        if kept.bytes > self._bytes_max // OF_ONE:
            self._forget(arn)
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._kept)))

    def given_up(self, arns: Iterable[str]) -> None:
        """These run here no more, and may go on elsewhere."""
        for arn in arns:
            self._forget(arn)

    def _forget(self, arn: str) -> None:
        kept = self._kept.pop(arn, None)
        if kept is not None:
            self._bytes -= kept.bytes

    def shown(self, asked: ExpressHistoryAsked, lane: int, bytes_max: int) -> ExpressHistoryShown:
        """The events that are asked for, one at least, in an answer of about so many bytes."""
        kept = self._kept.get(asked.arn)
        if kept is None:
            return ExpressHistoryShown(asked.asker, asked.call, lane)
        ids = _ids(asked, kept.total)
        events = kept.between(ids[0], ids[-1]) if ids else []
        shown: list[HistoryEvent] = []
        size = 0
        for event in reversed(events) if asked.reverse else events:
            size += encoded_bytes(event)
            if shown and size > bytes_max:
                break
            shown.append(event)
        return ExpressHistoryShown(asked.asker, asked.call, lane, kept.total, tuple(shown))


def _ids(asked: ExpressHistoryAsked, total: int) -> range:
    """The ids that are asked for, upwards."""
    if asked.reverse:
        last = min(asked.first or total, total)
        return range(max(1, last - asked.count + 1), last + 1)
    first = max(1, asked.first)
    return range(first, min(total, first + asked.count - 1) + 1)
