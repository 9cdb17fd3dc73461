"""State machines and activities on the topic `machines`, where processes that don't own their home read them."""

from maprun.mapruns.fold.context import Fold
from schemas import topics
from schemas.activities import ActivityWritten
from schemas.machines import MachineWritten

Written = MachineWritten | ActivityWritten


def publish(fold: Fold, written: Written, had: Written | None) -> None:
    """Publishes a revision, and behind it deletes the one before: one of them is always there to be read."""
    fold.send(topics.MACHINES, fold.state.home, written, _key(written))
    if had is not None:
        withdraw(fold, had)


def withdraw(fold: Fold, had: Written) -> None:
    """Deletes a record that is not, or no longer, what its resource is."""
    fold.send(topics.MACHINES, fold.state.home, None, _key(had))


def _key(written: Written) -> bytes:
    """One for each revision, so that what stands under a key never changes, whoever wrote it again."""
    return f"{written.arn}|{written.cause.offset}".encode()
