"""Validation of what only distributed Maps have: ItemReader, ItemBatcher, ResultWriter."""

from collections.abc import Iterator
from typing import Any

from maprun.language.diagnostics import Diagnostic, schema_error
from maprun.language.resources import READ_LISTING, READ_OBJECT, WRITE_OBJECT, parse_resource
from maprun.language.validate_values import check_template, is_object, is_place, number, wrong_language

CSV_HEADERS_BYTES_MAX = 10 * 1024


def check_map(state: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    """Reader, batcher and writer of a Map."""
    reader, batcher = state.get("ItemReader"), state.get("ItemBatcher")
    if is_object(reader) and reader:
        yield from _reader(reader, f"{pointer}/ItemReader", jsonata=jsonata)
    if is_object(batcher) and batcher:
        numbers = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
        yield from _numbers(batcher, numbers, f"{pointer}/ItemBatcher", jsonata=jsonata)
        if not any(field in batcher or f"{field}Path" in batcher for field in numbers):
            text = f"At least one of the following fields is required: [{', '.join(numbers)}]"
            yield schema_error(text, f"{pointer}/ItemBatcher")
        if "BatchInput" in batcher and not jsonata:
            yield from check_template(batcher["BatchInput"], f"{pointer}/ItemBatcher/BatchInput")
    writer = state.get("ResultWriter")
    if is_object(writer) and writer:
        yield from _writer(writer, f"{pointer}/ResultWriter", jsonata=jsonata)


def _numbers(holder: dict[str, Any], fields: tuple[str, ...], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    for field in fields:
        if field in holder and f"{field}Path" in holder:
            text = f"There should only be one of the following fields: [{field}, {field}Path]"
            yield schema_error(text, pointer)
        if field in holder:
            most = 100_000_000 if field == "MaxItems" else None
            yield from number(0, most)(holder[field], f"{pointer}/{field}", jsonata)
        if f"{field}Path" in holder:
            if jsonata:
                yield schema_error(wrong_language(f"{field}Path", "JSONata", "JSONPath"), pointer)
            elif not is_place(holder[f"{field}Path"]):
                yield schema_error("Value is not a Reference Path", f"{pointer}/{field}Path")


def _reader(reader: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    resource = reader.get("Resource")
    if not isinstance(resource, str):
        yield schema_error("These fields are required: [Resource]", pointer)
    elif parse_resource(resource) not in (READ_OBJECT, READ_LISTING):
        yield schema_error(f"The resource provided {resource} is not recognized.", f"{pointer}/Resource")
    config = reader.get("ReaderConfig", {})
    if not is_object(config):
        yield schema_error("Expected value of type Object", f"{pointer}/ReaderConfig")
        return
    yield from _parameters(reader, pointer, jsonata=jsonata)
    yield from _numbers(config, ("MaxItems",), f"{pointer}/ReaderConfig", jsonata=jsonata)
    for field, values in _READER_VALUES.items():
        if field in config and config[field] not in values:
            text = f"The field '{field}' should have one of these values: [{', '.join(values)}]"
            yield schema_error(text, f"{pointer}/ReaderConfig/{field}")
    yield from _combinations(reader, config, pointer)
    headers = config.get("CSVHeaders", [])
    if not isinstance(headers, list) or not all(isinstance(header, str) for header in headers):
        yield schema_error("Expected value of type Array", f"{pointer}/ReaderConfig/CSVHeaders")
    elif sum(len(header.encode("utf-8", "replace")) for header in headers) > CSV_HEADERS_BYTES_MAX:
        yield schema_error("CSVHeaders exceed 10 KiB", f"{pointer}/ReaderConfig/CSVHeaders")
    if not isinstance(config.get("ItemsPointer", ""), str):
        yield schema_error("Expected value of type String", f"{pointer}/ReaderConfig/ItemsPointer")


def _combinations(reader: dict[str, Any], config: dict[str, Any], pointer: str) -> Iterator[Diagnostic]:
    """What goes together (input-output-itemreader); the words are ours, AWS's are not known."""
    resource, kind, place = (
        parse_resource(str(reader.get("Resource"))),
        config.get("InputType"),
        f"{pointer}/ReaderConfig",
    )
    flattened, manifest = config.get("Transformation") == "LOAD_AND_FLATTEN", config.get("ManifestType")
    if flattened and resource != READ_LISTING:
        yield schema_error("Transformation LOAD_AND_FLATTEN needs the resource s3:listObjectsV2", place)
    if manifest is not None and resource != READ_OBJECT:
        yield schema_error("ManifestType needs the resource s3:getObject", place)
    if manifest == "S3_INVENTORY" and kind not in (None, "MANIFEST"):
        yield schema_error("InputType must not be specified with ManifestType S3_INVENTORY", place)
    for what, given, kinds in (
        ("Transformation LOAD_AND_FLATTEN", flattened, ("CSV", "JSON", "JSONL", "PARQUET")),
        ("ManifestType ATHENA_DATA", manifest == "ATHENA_DATA", ("CSV", "JSONL", "PARQUET")),
    ):
        if given and kind is None:
            yield schema_error("These fields are required: [InputType]", place)
        elif given and kind not in kinds:
            yield schema_error(f"{what} needs an InputType of [{', '.join(kinds)}]", f"{place}/InputType")
    for field in ("Parameters", "Arguments"):
        named = reader.get(field)
        if kind == "PARQUET" and isinstance(named, dict) and named.keys() & {"VersionId", "VersionId.$"}:
            yield schema_error("VersionId is not supported with InputType PARQUET", f"{pointer}/{field}")


_READER_VALUES = {
    "InputType": ("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"),
    "Transformation": ("NONE", "LOAD_AND_FLATTEN"),
    "ManifestType": ("ATHENA_DATA", "S3_INVENTORY"),
    "CSVHeaderLocation": ("FIRST_ROW", "GIVEN"),
    "CSVDelimiter": ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
}
_WRITER_VALUES = {"Transformation": ("NONE", "COMPACT", "FLATTEN"), "OutputType": ("JSON", "JSONL")}


def _parameters(holder: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    if jsonata and "Parameters" in holder:
        yield schema_error(wrong_language("Parameters", "JSONata", "JSONPath"), pointer)
    elif not jsonata and "Arguments" in holder:
        yield schema_error(wrong_language("Arguments", "JSONPath", "JSONata"), pointer)
    elif not jsonata and "Parameters" in holder:
        yield from check_template(holder["Parameters"], f"{pointer}/Parameters")


def _destination(writer: dict[str, Any], pointer: str, field: str) -> Iterator[Diagnostic]:
    """Where results go is said by Resource and Parameters together, or not at all (input-output-resultwriter)."""
    missing = [name for name in ("Resource", field) if name not in writer]
    if len(missing) == 1:
        yield schema_error(f"These fields are required: [{missing[0]}]", pointer)
    named = writer.get(field)
    if isinstance(named, dict) and not named.keys() & {"Bucket", "Bucket.$"}:
        yield schema_error("The field 'Bucket' is required but was missing", f"{pointer}/{field}")


def _writer(writer: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    config = writer.get("WriterConfig", {})
    if not is_object(config):
        yield schema_error("Expected value of type Object", f"{pointer}/WriterConfig")
        return
    yield from _parameters(writer, pointer, jsonata=jsonata)
    yield from _destination(writer, pointer, "Arguments" if jsonata else "Parameters")
    if "Resource" in writer and parse_resource(str(writer["Resource"])) != WRITE_OBJECT:
        yield schema_error(f"The resource provided {writer['Resource']} is not recognized.", f"{pointer}/Resource")
    for field, values in _WRITER_VALUES.items():
        if field in config and config[field] not in values:
            text = f"The field '{field}' should have one of these values: [{', '.join(values)}]"
            yield schema_error(text, f"{pointer}/WriterConfig/{field}")
