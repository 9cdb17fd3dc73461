"""Histories of children that are too long for a frame: they stand in pages on the `home` topic before it."""

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
