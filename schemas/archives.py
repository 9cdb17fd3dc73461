"""Pages of archives: rows of what has ended, on the topics from which a lost store is filled again."""

from schemas.wire import Fact


class ArchivePage(Fact, frozen=True):
    """Rows that were archived together: `rows` by `keys`. A later page's row stands in place of an earlier one's.

    What they tell of ended at `ended_ms` at the latest: they may be deleted once that is long enough ago.
    """

    home: int
    ended_ms: int
    keys: tuple[bytes, ...]
    rows: tuple[bytes, ...]
    cluster: str = ""  # of whose home it is; one of others says nothing of this


class ExecutionsArchived(ArchivePage, frozen=True):
    """Ended root executions as the scheduler's fold has to know them."""


class RowsArchived(ArchivePage, frozen=True):
    """Ended root executions as the tracker shows them."""
