"""The history of a root execution in pages, whose edges are a function of its events alone."""

from collections.abc import Sequence

from schemas.history import HistoryEvent
from schemas.wire import encode


class RootHistory:
    """The pages' first event ids, and the last page's events as msgpack.

    After a restart the fold tells events again that are in the pages already: they are cut off and written anew, so
    the same events make the same pages whatever happened in between.
    """

    __slots__ = ("_bytes", "dirty", "firsts", "page_bytes_max", "tail")

    def __init__(self, firsts: Sequence[int], tail: Sequence[bytes], page_bytes_max: int) -> None:
        self.firsts = list(firsts)
        self.tail = list(tail)
        self.page_bytes_max = page_bytes_max
        self.dirty: dict[int, list[bytes]] = {}  # page number → its events
        self._bytes = sum(map(len, self.tail))

    def append(self, first_id: int, events: Sequence[HistoryEvent]) -> None:
        """Adds events; the first has id `first_id`, and what is at or past it is forgotten."""
        keep = first_id - self.firsts[-1] if self.firsts else 0
        assert 0 <= keep <= len(self.tail), "events are told in order, and again only from a place in the last page"
        if keep < len(self.tail):
            del self.tail[keep:]
            self._bytes = sum(map(len, self.tail))
        for i, event in enumerate(events):
            data = encode(event)
            if not self.firsts or self._bytes + len(data) > self.page_bytes_max:
                self.firsts.append(first_id + i)
                self.tail, self._bytes = [], 0
            self.tail.append(data)
            self._bytes += len(data)
            self.dirty[len(self.firsts) - 1] = self.tail


def page_of(firsts: Sequence[int], event_id: int) -> int:
    """The number of the page that holds an event (ids from 1 on)."""
    low = 0
    for number, first in enumerate(firsts):
        if first > event_id:
            break
        low = number
    return low


def pages_before(firsts: Sequence[int], event_id: int) -> list[int]:
    """The pages that remain when everything from `event_id` on is told again.

    A page that begins with `event_id` is begun again.
    """
    return [first for first in firsts if first < event_id]
