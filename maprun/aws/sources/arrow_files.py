"""Parquet and ORC objects as groups of rows, read by ranges: never the whole object, nor a large group of it."""

import itertools
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError
from maprun.aws.sources.byte_stream import Ahead
from maprun.aws.sources.contract import Pin
from maprun.aws.sources.object_reads import ObjectName, ObjectReads
from maprun.aws.sources.range_file import RangeFile

MB = 1024 * 1024
TAIL_BYTES = 64 * 1024  # most footers fit, so that one request opens an object
FOOTER_BYTES_MAX = 5 * MB  # input-output-itemreader, "Parquet"
GROUP_BYTES_MAX = 256 * MB  # likewise; as they lie in the object
# A group up to this size is fetched as a whole, and the next one while it is parsed; larger ones come column by column.
GROUP_BYTES_WHOLE = 8 * MB
# … each in pieces of such a size, one ahead; all columns together hold about twice COLUMNS_BYTES.
PIECE_BYTES_MIN, PIECE_BYTES_MAX, COLUMNS_BYTES = 64 * 1024, MB, 16 * MB
BUFFER_BYTES = 64 * 1024  # what pyarrow asks for at once
BATCH_ROWS_MAX = 4096
BATCH_BYTES = MB  # of a batch of rows, about

_PARQUET, _ENCRYPTED, _ORC = b"PAR1", b"PARE", b"ORC"


class RowGroups(Protocol):
    """A file of rows in groups, each of which can be read alone."""

    names: list[str]
    count: int

    def batches(self, group: int) -> Iterator[Any]:
        """The group's rows in order, as record batches. Raises SourceError."""
        ...

    def row_bytes(self, group: int) -> float:
        """Uncompressed bytes a row of the group, about."""
        ...

    def share(self, group: int, row: int) -> float:
        """How much of the file's rows lies before a row of a group, from 0 to 1."""
        ...

    def close(self) -> None:
        """Gives memory back."""
        ...


def load_arrow() -> ModuleType:
    """The module pyarrow, loaded when the first source needs it: it takes 0.2 s and tens of MB. Raises SourceError."""
    try:
        arrow = import_module("pyarrow")
        for part in ("compute", "orc", "parquet", "types"):
            import_module(f"pyarrow.{part}")
    except ImportError as error:
        raise SourceError("Parquet and ORC need the package pyarrow: install maprun[parquet]") from error
    return arrow


def refusals() -> tuple[type[Exception], ...]:
    """What pyarrow raises for bytes that aren't what they say they are."""
    arrow = load_arrow()
    return (arrow.ArrowException, OSError, ValueError)


def open_reads(s3: S3, name: ObjectName, pin: Pin | None, not_after: int) -> ObjectReads:
    """The object, together with its last bytes, where these formats say what they hold."""
    return ObjectReads(s3, name, pin, f"-{TAIL_BYTES}", not_after)


def open_groups(kind: str, reads: ObjectReads) -> RowGroups:
    """The groups of an object of `kind` PARQUET or ORC. Raises SourceError for what is none."""
    try:
        return ParquetGroups(reads) if kind == "PARQUET" else OrcGroups(reads)
    except SourceError:
        raise
    except refusals() as error:
        raise SourceError(f"The footer can't be read: {error}").located(reads.name.text) from error


class ParquetGroups:
    """RowGroups of a Parquet object. Raises SourceError for what is none, or is beyond AWS's limits."""

    def __init__(self, reads: ObjectReads) -> None:
        arrow = load_arrow()

        size = reads.pin.size_bytes
        first = max(0, size - TAIL_BYTES)
        tail = reads.read(first, size)
        reads.forget_opened()
        footer_bytes = _footer_bytes(tail, size, reads.name.text)
        if footer_bytes + 8 > len(tail):
            first = size - footer_bytes - 8
            tail = reads.read(first, size)
        self._reads = reads
        self._file = RangeFile(reads)
        self._file.hold({first: tail})
        self._ahead: dict[int, Ahead[bytes]] = {}
        whole = arrow.PythonFile(self._file, mode="r")
        self._metadata = arrow.parquet.read_metadata(whole)
        each = COLUMNS_BYTES // max(1, self._metadata.num_columns)
        self._piece_bytes = max(PIECE_BYTES_MIN, min(PIECE_BYTES_MAX, each))
        self._parquet = arrow.parquet.ParquetFile(
            whole,
            metadata=self._metadata,
            buffer_size=BUFFER_BYTES,
            pre_buffer=False,
            coerce_int96_timestamp_unit="ms",  # as nanoseconds, years before 1678 and after 2262 became others
        )
        self.names = self._parquet.schema_arrow.names
        self.count = self._metadata.num_row_groups
        self._columns = [self._column_spans(group) for group in range(self.count)]
        rows = (self._metadata.row_group(group).num_rows for group in range(self.count))
        self._rows_before = [0, *itertools.accumulate(rows)]

    def _column_spans(self, group: int) -> list[tuple[int, int]]:
        """(first byte, byte behind the last) of each column of a group; they lie side by side."""
        described = self._metadata.row_group(group)
        spans, size = [], 0
        for i in range(described.num_columns):
            column = described.column(i)
            first = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset:
                first = min(first, column.dictionary_page_offset)
            spans.append((first, first + column.total_compressed_size))
            size += column.total_compressed_size
        if size > GROUP_BYTES_MAX:
            limit = f"the maximum of {GROUP_BYTES_MAX} bytes, write it with smaller row groups"
            raise SourceError(f"Row group {group} of {self._reads.name.text} has {size} bytes, exceeding {limit}")
        return spans

    def _span(self, group: int) -> tuple[int, int]:
        """(first byte, byte behind the last) of a group."""
        columns = self._columns[group]
        end = max((end for _, end in columns), default=0)
        return min((first for first, _ in columns), default=0), min(end, self._reads.pin.size_bytes)

    def row_bytes(self, group: int) -> float:
        """Uncompressed bytes a row of the group, about."""
        described = self._metadata.row_group(group)
        return float(described.total_byte_size / max(1, described.num_rows))

    def share(self, group: int, row: int) -> float:
        """How much of the file's rows lies before a row of a group."""
        return float((self._rows_before[group] + row) / max(1, self._rows_before[-1]))

    def batches(self, group: int) -> Iterator[Any]:
        """The group's rows."""
        self._hold(group)
        rows = int(max(1, min(BATCH_ROWS_MAX, BATCH_BYTES / max(1.0, self.row_bytes(group)))))
        yield from self._parquet.iter_batches(rows, row_groups=[group], use_threads=False)

    def close(self) -> None:
        """Gives the held ranges back."""
        self._file.hold({})
        self._ahead = {}

    def _hold(self, group: int) -> None:
        """Fetches a group that is small, and begins to fetch the next one."""
        ahead = self._ahead.pop(group, None)
        self._ahead = {}
        first, end = self._span(group)
        small = end - first <= GROUP_BYTES_WHOLE
        data = b"" if not small else self._reads.read(first, end) if ahead is None else ahead.result()
        if small:
            self._file.hold({first: data})
        else:
            self._file.hold({}, [behind for _, behind in self._columns[group]], self._piece_bytes)
        if group + 1 < self.count:
            begin, behind = self._span(group + 1)
            if behind - begin <= GROUP_BYTES_WHOLE:
                self._ahead = {group + 1: Ahead(lambda: self._reads.read(begin, behind))}


def _footer_bytes(tail: bytes, size: int, where: str) -> int:
    """The length of the footer that a Parquet object ends with."""
    mark = tail[-4:]
    if mark == _ENCRYPTED:
        raise SourceError(f"{where} is an encrypted Parquet file, which can't be read")
    if mark != _PARQUET or size < 12:  # noqa: PLR2004 - two marks and a length
        cause = "cut short, or of another type than InputType says"
        raise SourceError(f"{where} is no Parquet file ({size} bytes that don't end with PAR1): {cause}")
    found = int.from_bytes(tail[-8:-4], "little")
    if found > FOOTER_BYTES_MAX:
        raise SourceError(f"The footer of {where} has {found} bytes, exceeding the maximum of {FOOTER_BYTES_MAX} bytes")
    if found + 12 > size:
        raise SourceError(f"{where} is no Parquet file: its footer of {found} bytes is longer than the object")
    return found


class OrcGroups:
    """RowGroups of an ORC object: its stripes. pyarrow reads a stripe as a whole."""

    def __init__(self, reads: ObjectReads) -> None:
        arrow = load_arrow()

        size = reads.pin.size_bytes
        first = max(0, size - TAIL_BYTES)
        tail = reads.read(first, size)
        reads.forget_opened()
        if tail[-4:-1] != _ORC:
            raise SourceError(f"{reads.name.text} is no ORC file: it doesn't end with ORC")
        self._file = RangeFile(reads)
        self._file.hold({first: tail})
        self._orc = arrow.orc.ORCFile(arrow.PythonFile(self._file, mode="r"))
        self.names = self._orc.schema.names
        self.count = self._orc.nstripes
        self._rows = self._orc.nrows
        self._row_bytes = self._orc.content_length / max(1, self._rows)

    def row_bytes(self, group: int) -> float:
        """Bytes a row, about, the same for every stripe."""
        assert 0 <= group < self.count
        return float(self._row_bytes)

    def share(self, group: int, row: int) -> float:
        """About how much of the file's rows lies before a row of a stripe, as if all stripes were alike."""
        return float(min(1.0, (group + min(1.0, row * self.count / max(1, self._rows))) / max(1, self.count)))

    def batches(self, group: int) -> Iterator[Any]:
        """The stripe's rows."""
        stripe = self._orc.read_stripe(group)
        for first in range(0, stripe.num_rows, BATCH_ROWS_MAX):
            yield stripe.slice(first, BATCH_ROWS_MAX)

    def close(self) -> None:
        """Gives the held range back."""
        self._file.hold({})
