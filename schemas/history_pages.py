"""Histories of children beside frames: of those too long for one, and of children that still run."""

from schemas.wire import Fact, Part


class PagedHistory(Part, frozen=True):
    """Where the history of the child in a slot stands: flat (offset on this home, events there, …), in order."""

    slot: int
    pages: tuple[int, ...]


class HistoryPage(Fact, frozen=True):
    """Some events of a child's history that is too long for one record. Counts once a frame names its offset.

    `events` is zstd of the msgpack of a list of `count` events, the first of which has id `first_id`. An owner that
    takes the lane over writes pages of its own; those that no frame names are garbage.
    """

    run: str
    generation: int
    position: int
    epoch: int
    first_id: int
    count: int
    events: bytes


class ChildHistoryRequested(Fact, frozen=True):
    """What has happened so far to the child with this index, which runs on this lane. Identity: request id."""

    request_id: str
    run: str
    lane: int
    index: int


class ChildHistoryShown(Fact, frozen=True):
    """A lane's answer: `pages` as in PagedHistory, and behind them `events`, the msgpack of a list of events.

    Both are empty when no such child runs there.
    """

    run: str
    request_id: str
    pages: tuple[int, ...] = ()
    events: bytes = b""
