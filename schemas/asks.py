"""What the scheduler asks of the item-reader."""

from schemas.lanes import Cause
from schemas.plan import MapRunPlan
from schemas.wire import Fact


class ItemsRequested(Fact, frozen=True):
    """Read these windows of positions and publish each on its lane. Complete in itself.

    `windows` is flat (first, count, lane, …), ascending and contiguous; empty asks to open the source and to say its
    version (SourceOpened). Reading may resume at position `position` (item index `item_index`) with `checkpoint`
    (empty = the beginning) and `pin` (the version). The items of a listing are published only when ItemsConfirmed asks
    for it. `definition` is given when the reader must build child inputs (batches).
    """

    cause: Cause
    run: str
    generation: int
    plan: MapRunPlan
    definition: bytes
    windows: tuple[int, ...]
    position: int
    item_index: int
    checkpoint: bytes
    pin: bytes


class ItemsConfirmed(Fact, frozen=True):
    """The home fold accepted this ItemsRead of a listing: publish its frames.

    `windows` are the lanes of these positions; a reader that doesn't hold the items lists again from `checkpoint`
    (the state before `first`) and compares the digest.
    """

    cause: Cause
    run: str
    generation: int
    plan: MapRunPlan
    definition: bytes
    windows: tuple[int, ...]
    first: int
    count: int
    item_index: int
    checkpoint: bytes
    digest: bytes


ItemAsk = ItemsRequested | ItemsConfirmed
