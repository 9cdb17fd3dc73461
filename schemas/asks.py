"""What the scheduler asks of the item-reader."""

from schemas.lanes import Cause
from schemas.plan import MapRunPlan
from schemas.wire import Fact, Part


class StageCut(Part, frozen=True):
    """Of the children of a stage that come after its first `skip`: those in a set (`inside`), or those that are not.

    `children` are the bytes of a maprun.mapruns.child_sets.ChildSet.
    """

    skip: int
    children: bytes
    inside: bool


class RedriveStage(Part, frozen=True):
    """Children of an earlier generation that are to run again: `count` of them, after the first `skip` of their kind.

    They stand in the ChildrenEnded frames of (run, `generation`) on home between `first_offset` and `end_offset`, of
    which those entries count that `maprun.mapruns.ledger.accept` accepts below `asked`. `lost`: those that ended
    unsuccessfully; else those that never started. Where there are `cuts`, a child of that kind belongs to the stage if
    each cut in turn leaves it.
    """

    generation: int
    first_offset: int
    end_offset: int
    asked: int
    lost: bool
    skip: int
    count: int
    cuts: tuple[StageCut, ...] = ()


class ItemsRequested(Fact, frozen=True):
    """Read these windows of positions and publish each on its lane. Complete in itself.

    `windows` is flat (first, count, lane, …), ascending and contiguous; empty asks to open the source and to say its
    version (SourceOpened). Reading may resume at position `position` (item index `item_index`) with `checkpoint`
    (empty = the beginning) and `pin` (the version). The items of a listing are published only when ItemsConfirmed asks
    for it. `definition` is given when the reader must build child inputs (batches).

    Of a redrive the first positions are the children of `stages`, in log order of home; behind them the source goes on
    where `checkpoint` and `item_index` say, its first child having the index `index_first`.
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
    stages: tuple[RedriveStage, ...] = ()
    index_first: int = 0


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
    index_first: int = 0  # the child index of `first`


ItemAsk = ItemsRequested | ItemsConfirmed
