"""One object as a source: CSV, JSON, JSON Lines, Parquet or ORC, at a place and in a version."""

import msgspec

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError
from maprun.aws.sources.arrow_files import open_groups, open_reads
from maprun.aws.sources.byte_stream import ByteStream, ObjectStream
from maprun.aws.sources.compressed import DecompressedStream, decompressor_for
from maprun.aws.sources.contract import Budget, Checkpoint, Pin, Source
from maprun.aws.sources.csv_rows import DELIMITERS, HEADER_BYTES_MAX, CsvShape, header_row
from maprun.aws.sources.json_source import JsonSource
from maprun.aws.sources.jsonl_rows import JsonLines
from maprun.aws.sources.line_source import LineSource
from maprun.aws.sources.object_reads import ObjectName
from maprun.aws.sources.row_source import RowSource

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PINNED_HEADER_CHARACTERS_MAX = 2000  # a longer header is read again when the source is opened again
OBJECT_TYPES = ("CSV", "JSON", "JSONL", "PARQUET")


class Format(msgspec.Struct, frozen=True):
    """How objects of a source are written. `kind` is one of OBJECT_TYPES, or ORC for an inventory."""

    kind: str
    header_location: str = ""
    headers: tuple[str, ...] = ()
    delimiter: str = "COMMA"
    items_pointer: str = ""


def open_object(
    s3: S3,
    name: ObjectName,
    form: Format,
    place: Checkpoint,
    pin: Pin | None,
    budget: Budget,
    not_after: int = 0,
) -> Source:
    """The object's items from `place` on. `not_after`: see ObjectReads. Raises SourceError."""
    if form.kind in {"PARQUET", "ORC"}:
        return _rows(s3, name, form.kind, place, pin, budget, not_after)
    if form.kind == "CSV":
        return _csv(s3, name, form, place, pin, budget, not_after)
    stream = open_stream(s3, name, pin, place.offset, not_after)
    if form.kind == "JSONL":
        return LineSource(stream, JsonLines(), stream.pin, budget, name.text)
    return JsonSource(stream, form.items_pointer, place, budget, name.text)


def open_stream(s3: S3, name: ObjectName, pin: Pin | None, offset: int, not_after: int = 0) -> ByteStream:
    """The object's (uncompressed) bytes from `offset` on, without a byte order mark."""
    decompressor = decompressor_for(name.key)
    if decompressor is None:
        stream: ByteStream = ObjectStream(s3, name, pin, offset, not_after)
    else:
        stream = DecompressedStream(ObjectStream(s3, name, pin, 0, not_after), decompressor, offset, name.text)
    if offset == 0:
        while len(stream.buffer) < len(BYTE_ORDER_MARK) and stream.fill():
            pass
        if stream.buffer.startswith(BYTE_ORDER_MARK):
            stream.advance(len(BYTE_ORDER_MARK))
    return stream


def _rows(
    s3: S3,
    name: ObjectName,
    kind: str,
    place: Checkpoint,
    pin: Pin | None,
    budget: Budget,
    not_after: int,
) -> Source:
    reads = open_reads(s3, name, pin, not_after)
    return RowSource(open_groups(kind, reads), reads.pin, place, budget, name.text)


def _csv(
    s3: S3,
    name: ObjectName,
    form: Format,
    place: Checkpoint,
    pin: Pin | None,
    budget: Budget,
    not_after: int,
) -> Source:
    delimiter = DELIMITERS.get(form.delimiter)
    if delimiter is None:
        raise SourceError(f"CSVDelimiter {form.delimiter} is not supported")
    if form.header_location == "GIVEN":
        shape = CsvShape(form.headers, delimiter)
        stream = open_stream(s3, name, pin, place.offset, not_after)
        return LineSource(stream, shape, stream.pin, budget, name.text)
    if form.header_location != "FIRST_ROW":
        raise SourceError(f"CSVHeaderLocation must be FIRST_ROW or GIVEN, not '{form.header_location}'")
    if pin is not None and pin.headers is not None and place.offset:
        shape = CsvShape(pin.headers, delimiter)
        return LineSource(open_stream(s3, name, pin, place.offset), shape, pin, budget, name.text)
    stream = open_stream(s3, name, pin, 0, not_after)
    headers = _headers(stream, delimiter)
    shape = CsvShape(headers, delimiter)
    short = sum(map(len, headers)) <= PINNED_HEADER_CHARACTERS_MAX
    pinned = msgspec.structs.replace(stream.pin, headers=headers if short else None)
    if place.offset:
        stream = open_stream(s3, name, pinned, place.offset)
    return LineSource(stream, shape, pinned, budget, name.text)


def _headers(stream: ByteStream, delimiter: str) -> tuple[str, ...]:
    """The first row's names; the stream stands behind it."""
    at_end = False
    while True:
        front = stream.buffer[stream.start : stream.start + HEADER_BYTES_MAX + 2]  # a line end may follow the names
        cut = len(front) if at_end else front.rfind(b"\n") + 1
        found = header_row(front[:cut], delimiter, last=at_end)
        if found is not None:
            headers, size = found
            stream.advance(size)
            return headers
        if at_end or len(front) > HEADER_BYTES_MAX:
            raise SourceError(f"CSV headers cannot exceed {HEADER_BYTES_MAX} bytes.")
        at_end = not stream.fill()
