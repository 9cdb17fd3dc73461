"""Which source an ItemReader means, opened at a place."""

from maprun.aws.clients import S3
from maprun.aws.errors import SourceError
from maprun.aws.sources.byte_stream import ByteStream, ObjectName, ObjectStream
from maprun.aws.sources.compressed import DecompressedStream, decompressor_for
from maprun.aws.sources.contract import (
    Budget,
    Checkpoint,
    Pin,
    Source,
    load_checkpoint,
    load_pin,
)
from maprun.aws.sources.csv_rows import DELIMITERS, HEADER_BYTES_MAX, CsvShape, header_row
from maprun.aws.sources.json_source import JsonSource
from maprun.aws.sources.jsonl_rows import JsonLines
from maprun.aws.sources.line_source import LineSource
from maprun.aws.sources.listing import ListingSource
from schemas.plan import ItemReaderPlan

GET_OBJECT = "arn:aws:states:::s3:getObject"
LIST_OBJECTS = "arn:aws:states:::s3:listObjectsV2"

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PINNED_HEADER_CHARACTERS_MAX = 2000  # a longer header is read again when the source is opened again


def source_text(plan: ItemReaderPlan | None) -> str:
    """`$$.Map.Item.Source`, as AWS gives it; None stands for items from the state's input."""
    if plan is None:
        return "STATE_DATA"
    return f"s3://{plan.bucket}" if plan.resource == LIST_OBJECTS else f"s3://{plan.bucket}/{plan.key}"


def open_source(s3: S3, plan: ItemReaderPlan, checkpoint: bytes, pin: bytes) -> Source:
    """The source at `checkpoint` (b"" = its beginning), in the version of `pin` (b"" = not pinned yet).

    Raises SourceError for what can't be read: no bucket or key, no access, a wrong configuration, a kind that this
    version of maprun doesn't read.
    """
    place = load_checkpoint(checkpoint)
    budget = Budget(plan.max_items, place.items)
    if not plan.bucket:
        raise SourceError("The ItemReader names no Bucket")
    if plan.resource == LIST_OBJECTS:
        return _listing(s3, plan, place, budget)
    if plan.resource != GET_OBJECT:
        raise SourceError(f"The ItemReader resource {plan.resource} is not supported")
    if plan.input_type not in {"CSV", "JSON", "JSONL"} or plan.manifest_type:
        kind = plan.manifest_type or plan.input_type
        raise SourceError(f"This version of maprun doesn't read ItemReader inputs of type {kind or '(none given)'}")
    if not plan.key:
        raise SourceError("The ItemReader names no Key")
    return _object(s3, plan, place, load_pin(pin), budget)


def _listing(s3: S3, plan: ItemReaderPlan, place: Checkpoint, budget: Budget) -> Source:
    if plan.transformation == "LOAD_AND_FLATTEN":
        raise SourceError("This version of maprun doesn't read ItemReaders with Transformation LOAD_AND_FLATTEN")
    arguments = {"Bucket": plan.bucket}
    if plan.prefix:
        arguments["Prefix"] = plan.prefix
    if plan.expected_bucket_owner:
        arguments["ExpectedBucketOwner"] = plan.expected_bucket_owner
    return ListingSource(s3, arguments, place, budget)


def _object(s3: S3, plan: ItemReaderPlan, place: Checkpoint, pin: Pin | None, budget: Budget) -> Source:
    name = ObjectName(plan.bucket, plan.key, plan.version_id, plan.expected_bucket_owner)
    if plan.input_type == "CSV":
        return _csv(s3, name, plan, place, pin, budget)
    stream = _stream(s3, name, pin, place.offset)
    if plan.input_type == "JSONL":
        return LineSource(stream, JsonLines(), stream.pin, budget)
    return JsonSource(stream, plan.items_pointer, place, budget)


def _csv(
    s3: S3,
    name: ObjectName,
    plan: ItemReaderPlan,
    place: Checkpoint,
    pin: Pin | None,
    budget: Budget,
) -> Source:
    delimiter = DELIMITERS.get(plan.csv_delimiter)
    if delimiter is None:
        raise SourceError(f"CSVDelimiter {plan.csv_delimiter} is not supported")
    if plan.csv_header_location == "GIVEN":
        shape = CsvShape(plan.csv_headers, delimiter)
        stream = _stream(s3, name, pin, place.offset)
        return LineSource(stream, shape, stream.pin, budget)
    if plan.csv_header_location != "FIRST_ROW":
        raise SourceError(f"CSVHeaderLocation must be FIRST_ROW or GIVEN, not '{plan.csv_header_location}'")
    if pin is not None and pin.headers is not None and place.offset:
        shape = CsvShape(pin.headers, delimiter)
        return LineSource(_stream(s3, name, pin, place.offset), shape, pin, budget)
    stream = _stream(s3, name, pin, 0)
    headers = _headers(stream, delimiter)
    shape = CsvShape(headers, delimiter)
    short = sum(map(len, headers)) <= PINNED_HEADER_CHARACTERS_MAX
    pinned = Pin(stream.pin.etag, stream.pin.size_bytes, stream.pin.version_id, headers if short else None)
    if place.offset:
        stream = _stream(s3, name, pinned, place.offset)
    return LineSource(stream, shape, pinned, budget)


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


def _stream(s3: S3, name: ObjectName, pin: Pin | None, offset: int) -> ByteStream:
    """The object's (uncompressed) bytes from `offset` on, without a byte order mark."""
    decompressor = decompressor_for(name.key)
    if decompressor is None:
        stream: ByteStream = ObjectStream(s3, name, pin, offset)
    else:
        stream = DecompressedStream(ObjectStream(s3, name, pin, 0), decompressor, offset, name.text)
    if offset == 0:
        while len(stream.buffer) < len(BYTE_ORDER_MARK) and stream.fill():
            pass
        if stream.buffer.startswith(BYTE_ORDER_MARK):
            stream.advance(len(BYTE_ORDER_MARK))
    return stream
