"""What the item-reader is asked for."""

import msgspec

from maprun.mapruns.fold.context import Fold
from maprun.mapruns.run import Run
from schemas import topics
from schemas.asks import ItemsConfirmed, ItemsRequested
from schemas.home import ItemsRead
from schemas.plan import MapRunPlan

Windows = list[tuple[int, int, int]]


def ask_plan(run: Run) -> MapRunPlan:
    """What the reader needs of the plan: without the ItemSelector's inputs unless it builds batches itself."""
    if run.plan.batcher is not None:
        return run.plan
    return msgspec.structs.replace(run.plan, selector_input=b"{}", context=b"{}", variables=b"{}", has_selector=False)


def _definition(run: Run) -> bytes:
    return run.definition if run.plan.batcher is not None else b""


def ask(fold: Fold, run: Run, windows: Windows) -> None:
    """Asks for the items of these windows; for none of them: to open the source and say its version."""
    requested = ItemsRequested(
        fold.cause,
        run.run,
        run.generation,
        ask_plan(run),
        _definition(run),
        tuple(n for window in windows for n in window),
        run.read,
        run.source_items,
        run.checkpoint,
        run.pin,
        run.stages,
        run.index_first,
    )
    fold.send(topics.ITEM_ASKS, fold.state.home, requested, arn=run.root_arn)


def confirm(fold: Fold, run: Run, record: ItemsRead, windows: Windows, before: tuple[int, bytes]) -> None:
    """Says that what was read of a listing counts. `before`: item index and checkpoint before it."""
    item_index, checkpoint = before
    confirmed = ItemsConfirmed(
        fold.cause,
        run.run,
        run.generation,
        ask_plan(run),
        _definition(run),
        tuple(n for window in windows for n in window),
        record.first,
        record.count,
        item_index,
        checkpoint,
        record.digest,
        run.index_first + record.first - run.staged,
    )
    fold.send(topics.ITEM_ASKS, fold.state.home, confirmed, arn=run.root_arn)
