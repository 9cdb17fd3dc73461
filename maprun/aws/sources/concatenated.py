"""Items of many objects, one after the other, with the next objects opened while one is read."""

import functools
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from maprun.aws.errors import SourceError
from maprun.aws.sources.byte_stream import RANGE_BYTES_FIRST, Ahead
from maprun.aws.sources.contract import Budget, Chunk, Source
from maprun.aws.sources.members import Member, Members

# Of each object that is opened ahead at most its first RANGE_BYTES_FIRST are held: 6 MB a source.
OPEN_AHEAD_MAX = 24
GROUPS_AHEAD = 3
"""Objects are opened in groups, each in one thread that sends all requests before it reads an answer: a thread for each
small object would take as long as its reading. At least two groups are under way while one is used up."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A checkpoint: items so far, and the object they end in. `pin` is empty when that object is done."""

    items: int = 0
    member: str = ""
    pin: bytes = b""
    inner: bytes = b""


def load_place(data: bytes) -> Place:
    """The place in a checkpoint; b"" is the beginning."""
    return msgspec.msgpack.decode(data, type=Place) if data else Place()


Open = Callable[[Member, bytes, bytes], Source]
"""Opens an object at a checkpoint and in a version of its own, without a limit of items."""


Begin = Callable[[Sequence[Member]], None]
"""Sends the first request of each of these objects, so that all are under way when the first is opened."""


class ConcatenatedSource:
    """A Source over Members.

    How many objects are opened ahead doubles with every object that fits into one range, and falls back to one with an
    object that doesn't: the latency of many small objects is shared, and a large one isn't kept company by others.
    """

    def __init__(
        self,
        members: Members,
        open_member: Open,
        place: Place,
        budget: Budget,
        pin: bytes,
        begin: Begin | None = None,
    ) -> None:
        """Without `begin` each object is opened in a thread of its own."""
        self._members = members
        self._begin = begin
        self._open = open_member
        self._budget = budget
        self._ahead: deque[tuple[Member, Callable[[], Source]]] = deque()
        self._depth = 1
        self._more = True  # members that were not taken yet
        self._member: Member | None = None
        self._current: Source | None = None
        self._taken = 0  # bytes of the current member
        self._done = Place(budget.given, place.member)
        self.pin = pin
        self.pinned = bool(pin)
        if place.pin:
            self._member = members.member(place.member)
            self._current = self._opened(self._member, lambda member: open_member(member, place.inner, place.pin))
            self._taken = RANGE_BYTES_FIRST  # a part of it was read before: it may be large

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items of one object (see Source)."""
        count = self._budget.allowed(count)
        while count:
            if self._current is None and not self._next():
                break
            member, current = self._member, self._current
            assert member is not None
            assert current is not None
            try:
                chunk = current.read(count, bytes_max)
            except SourceError as error:
                raise error.located(member.name.text) from error
            self._taken += chunk.bytes_read
            self._budget.given += len(chunk.items)
            share = self._budget.share(self._members.share(member.place, 1.0 if chunk.ended else chunk.share))
            if chunk.ended:
                self._done = Place(self._budget.given, member.place)
                self._leave()
            else:
                self._done = Place(self._budget.given, member.place, current.pin, chunk.checkpoint)
            if chunk.items:
                return self._chunk(chunk, member, share)
        return Chunk([], None, msgspec.msgpack.encode(self._done), ended=True, bytes_read=0)

    def close(self) -> None:
        """Forgets all that is open; what is being opened ends unheard."""
        if self._current is not None:
            self._current.close()
        self._current = None
        self._ahead.clear()
        self._more = False

    def _chunk(self, chunk: Chunk, member: Member, share: float) -> Chunk:
        return Chunk(
            chunk.items,
            chunk.keys,
            msgspec.msgpack.encode(self._done),
            self._budget.spent or (self._current is None and not self._ahead and not self._more),
            chunk.bytes_read,
            member.name.text,
            share,
        )

    def _leave(self) -> None:
        """The current object is done."""
        if self._current is not None:
            self._current.close()
        self._current = None
        small = self._taken <= RANGE_BYTES_FIRST
        self._depth = min(2 * self._depth, OPEN_AHEAD_MAX) if small else 1
        self._open_ahead()

    def _next(self) -> bool:
        """Goes on to the next object; False behind the last."""
        self._open_ahead()
        if not self._ahead:
            return False
        self._member, opening = self._ahead.popleft()
        self._current = self._opened(self._member, lambda _: opening())
        self._taken = 0
        return True

    def _open_ahead(self) -> None:
        size = 1 if self._begin is None else max(1, self._depth // GROUPS_AHEAD)
        while self._more and len(self._ahead) + size <= self._depth:
            group: list[Member] = []
            while self._more and len(group) < size:
                member = self._members.take()
                if member is None:
                    self._more = False
                else:
                    group.append(member)
            if group:
                self._ahead.extend(zip(group, self._opening(group), strict=True))

    def _opening(self, group: list[Member]) -> list[Callable[[], Source]]:
        """Opens objects in a thread; for each what waits for it, and raises what came of it."""

        def opened() -> list[Source | Exception]:
            if self._begin is not None:
                self._begin(group)
            found: list[Source | Exception] = []
            for member in group:
                try:
                    found.append(self._open(member, b"", b""))
                except Exception as error:  # noqa: BLE001 - raised when the object's turn comes
                    found.append(error)
            return found

        ahead = Ahead(opened)

        def result(place: int) -> Source:
            found = ahead.result()[place]
            if isinstance(found, Exception):
                raise found
            return found

        return [functools.partial(result, place) for place in range(len(group))]

    def _opened(self, member: Member, opening: Callable[[Member], Source]) -> Source:
        try:
            return opening(member)
        except SourceError as error:
            raise error.located(member.name.text) from error
