"""Items from rows that lie in groups: Parquet and ORC, resumable at every row."""

from collections.abc import Iterator
from typing import Any

from maprun.aws.errors import SourceError, SourceRecordTooLargeError
from maprun.aws.sources.arrow_files import RowGroups, load_arrow, refusals
from maprun.aws.sources.columns import Columns
from maprun.aws.sources.contract import RECORD_BYTES_MAX, Budget, Checkpoint, Chunk, Pin, dump


class RowSource:
    """A Source over RowGroups. A checkpoint is a group and the rows of it that are done."""

    pinned = True

    def __init__(self, groups: RowGroups, pin: Pin, place: Checkpoint, budget: Budget, where: str) -> None:
        self._groups = groups
        self._budget = budget
        self._where = where
        self._group = place.offset
        self._row = place.row
        self._batches: Iterator[Any] | None = None
        self._rows: list[bytes] = []
        self._next = 0  # of `_rows`
        twice = {name for name in groups.names if groups.names.count(name) > 1}
        if twice:
            raise SourceError(f"Two columns of {where} have the same name: {', '.join(sorted(twice))}")
        self._columns = Columns(load_arrow(), groups.names)
        self.pin = dump(pin)

    def read(self, count: int, bytes_max: int) -> Chunk:
        """The next items (see Source)."""
        count = self._budget.allowed(count)
        while self._next == len(self._rows) and self._group < self._groups.count:
            self._batch()
        items: list[bytes] = []
        size = 0
        for item in self._rows[self._next : self._next + count]:
            if items and size + len(item) > bytes_max:
                break
            if len(item) > RECORD_BYTES_MAX:
                record = self._budget.given + len(items) + 1
                cause = f"The record exceeds the maximum of {RECORD_BYTES_MAX} bytes ({self._where}, record {record})"
                raise SourceRecordTooLargeError(cause)
            size += len(item)
            items.append(item)
        self._next += len(items)
        self._row += len(items)
        self._budget.given += len(items)
        read = int(len(items) * self._groups.row_bytes(self._group)) if items else 0
        place = Checkpoint(self._group, self._budget.given, row=self._row)
        ended = self._budget.spent or self._group >= self._groups.count
        share = self._budget.share(self._groups.share(self._group, self._row))
        return Chunk(items, None, dump(place), ended, read, share=share)

    def close(self) -> None:
        """Gives memory back."""
        self._batches = None
        self._rows = []
        self._next = 0
        self._group = self._groups.count
        self._groups.close()

    def _batch(self) -> None:
        """The next batch of rows, or the end of the group."""
        try:
            if self._batches is None:
                self._batches = self._after(self._row)
            batch = next(self._batches, None)
            self._rows = [] if batch is None else self._columns.rows(batch)
        except SourceError:
            raise
        except refusals() as error:
            place = f", row group {self._group}, after record {self._budget.given}"
            raise SourceError(f"Rows can't be read: {error}").located(self._where, place) from error
        self._next = 0
        if batch is None:
            self._batches = None
            self._group += 1
            self._row = 0

    def _after(self, done: int) -> Iterator[Any]:
        """The batches of the group without its first rows."""
        for batch in self._groups.batches(self._group):
            if done < batch.num_rows:
                yield batch.slice(done) if done else batch
            done = max(0, done - batch.num_rows)
