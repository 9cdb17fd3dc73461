"""How many root executions may be open at once: beyond that a start by the API is refused, one by the topic waits."""

from collections.abc import Iterator

from maprun.mapruns.fold.context import Fold
from maprun.mapruns.fold.outputs import SetTimer
from schemas.home import ExecutionRequested

EXCEEDED = "ExecutionLimitExceeded"
STARTS_A_RECORD_MAX = 100
MORE_STARTS = ("", "starts-waiting")
"""The timer, of no execution, whose record lets further starts begin."""


def full(fold: Fold) -> bool:
    """True while no further execution may be open on this home. One is until its Map Runs are over too."""
    limit = fold.limits.open_executions_max
    return limit > 0 and len(fold.state.roots) >= max(1, limit // fold.homes)


def message(fold: Fold) -> str:
    """What is said then. The words are ours."""
    return (
        f"As many executions are open as may be ({fold.limits.open_executions_max} in all, shared out evenly):"
        " another can be started once one has ended."
    )


def turned_away(fold: Fold, record: ExecutionRequested) -> bool:
    """True for a start that finds no room: it is refused, or waits in the order of arrival if it came by the topic."""
    if not full(fold):
        return False
    if record.origin is None:
        fold.answer(record.request_id, error=EXCEEDED, message=message(fold))
    else:
        fold.state.starts_waiting[record.request_id] = record
    return True


def starts_due(fold: Fold) -> Iterator[ExecutionRequested]:
    """Starts that waited and find room now, the oldest first, each as if it came only now.

    Of many, so many at one record: what follows from a record is sent as a whole. A timer brings the next ones.
    """
    waiting = fold.state.starts_waiting
    for _ in range(STARTS_A_RECORD_MAX):
        if not waiting or full(fold):
            return
        yield waiting.pop(next(iter(waiting)))
    if waiting and not full(fold):
        fold.outputs.append(SetTimer(*MORE_STARTS, fold.state.now_ms))
