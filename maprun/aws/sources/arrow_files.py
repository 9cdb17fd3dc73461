"""Parquet and ORC objects as groups of rows, read by ranges: never the whole object, nor a large group of it."""

import io
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError
from maprun.aws.sources.byte_stream import Ahead
from maprun.aws.sources.contract import Pin
from maprun.aws.sources.object_reads import ObjectName, ObjectReads

MB = 1024 * 1024
TAIL_BYTES = 64 * 1024  # most footers fit, so that one request opens an object
FOOTER_BYTES_MAX = 5 * MB  # input-output-itemreader, "Parquet"
GROUP_BYTES_MAX = 256 * MB  # likewise; as they lie in the object
# A group up to this size is fetched as a whole, and the next one while it is parsed; larger ones come column by column.
GROUP_BYTES_WHOLE = 8 * MB
COLUMN_BYTES_MIN, COLUMN_BYTES_MAX, COLUMNS_BYTES = 64 * 1024, MB, 16 * MB  # buffered of each column, and of all
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


class RangeFile(io.RawIOBase):
    """An S3 object as the file that pyarrow asks for ranges; what is held in memory isn't asked for again."""

    def __init__(self, reads: ObjectReads) -> None:
        self._reads = reads
        self._at = 0
        self._held: dict[int, bytes] = {}  # by the offset of their first byte

    def hold(self, held: dict[int, bytes]) -> None:
        """From now on these ranges are in memory, and no others."""
        self._held = held

    def seekable(self) -> bool:
        """True: that is its purpose."""
        return True

    def readable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to an offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._reads.pin.size_bytes}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """The offset that is read next."""
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes. Raises SourceError, which pyarrow lets through."""
        end = self._reads.pin.size_bytes if size < 0 else min(self._at + size, self._reads.pin.size_bytes)
        first, self._at = self._at, max(self._at, end)
        for begin, data in self._held.items():
            if begin <= first and end <= begin + len(data):
                return data[first - begin : end - begin]
        return self._reads.read(first, end) if first < end else b""


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
        columns = max(1, self._metadata.num_columns)
        buffered = max(COLUMN_BYTES_MIN, min(COLUMN_BYTES_MAX, COLUMNS_BYTES // columns))
        self._parquet = arrow.parquet.ParquetFile(
            whole, metadata=self._metadata, buffer_size=buffered, pre_buffer=False
        )
        self.names = self._parquet.schema_arrow.names
        self.count = self._metadata.num_row_groups
        self._spans = [self._span(group) for group in range(self.count)]

    def _span(self, group: int) -> tuple[int, int]:
        """(first byte, byte behind the last) of a group; its columns lie side by side."""
        described = self._metadata.row_group(group)
        firsts, size, end = [], 0, 0
        for i in range(described.num_columns):
            column = described.column(i)
            first = column.data_page_offset
            if column.has_dictionary_page and column.dictionary_page_offset:
                first = min(first, column.dictionary_page_offset)
            firsts.append(first)
            size += column.total_compressed_size
            end = max(end, first + column.total_compressed_size)
        if size > GROUP_BYTES_MAX:
            limit = f"the maximum of {GROUP_BYTES_MAX} bytes, write it with smaller row groups"
            raise SourceError(f"Row group {group} of {self._reads.name.text} has {size} bytes, exceeding {limit}")
        return min(firsts, default=0), min(end, self._reads.pin.size_bytes)

    def row_bytes(self, group: int) -> float:
        """Uncompressed bytes a row of the group, about."""
        described = self._metadata.row_group(group)
        return float(described.total_byte_size / max(1, described.num_rows))

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
        first, end = self._spans[group]
        small = end - first <= GROUP_BYTES_WHOLE
        data = b"" if not small else self._reads.read(first, end) if ahead is None else ahead.result()
        self._file.hold({first: data} if small else {})
        if group + 1 < self.count:
            begin, behind = self._spans[group + 1]
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
        self._row_bytes = self._orc.content_length / max(1, self._orc.nrows)

    def row_bytes(self, group: int) -> float:
        """Bytes a row, about, the same for every stripe."""
        assert 0 <= group < self.count
        return float(self._row_bytes)

    def batches(self, group: int) -> Iterator[Any]:
        """The stripe's rows."""
        stripe = self._orc.read_stripe(group)
        for first in range(0, stripe.num_rows, BATCH_ROWS_MAX):
            yield stripe.slice(first, BATCH_ROWS_MAX)

    def close(self) -> None:
        """Gives the held range back."""
        self._file.hold({})
