"""Validation of what only distributed Maps have: ItemReader, ItemBatcher, ResultWriter."""

from collections.abc import Iterator
from typing import Any

from maprun.integrations.resources import READ_LISTING, READ_OBJECT, WRITE_OBJECT, Integration, parse_resource
from maprun.language.diagnostics import Diagnostic, schema_error
from maprun.language.validate_jsonata import INPUT, check_jsonata
from maprun.language.validate_values import (
    NO_REFERENCE,
    check_template,
    enumerated,
    is_object,
    is_place,
    not_recognized,
    number,
    only_one,
    other_language,
    required,
    typed,
    wrong_type,
)

CSV_HEADERS_BYTES_MAX = 10 * 1024


_BATCH_NUMBERS = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")


def check_map(state: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    """Reader, batcher and writer of a Map."""
    reader, batcher = state.get("ItemReader"), state.get("ItemBatcher")
    if is_object(reader) and reader:
        yield from _reader(reader, f"{pointer}/ItemReader", jsonata=jsonata)
    if is_object(batcher) and batcher:
        yield from _batcher(batcher, f"{pointer}/ItemBatcher", jsonata=jsonata)
    writer = state.get("ResultWriter")
    if is_object(writer) and writer:
        yield from _writer(writer, f"{pointer}/ResultWriter", jsonata=jsonata)


def _batcher(batcher: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    paths = tuple(f"{field}Path" for field in _BATCH_NUMBERS)
    yield from _numbers(batcher, _BATCH_NUMBERS, pointer, jsonata=jsonata)
    if not any(field in batcher for field in (*_BATCH_NUMBERS, *paths)):
        text = f"At least one of the following fields is required: [{', '.join(_BATCH_NUMBERS)}]"
        yield schema_error(text, pointer)
    if "BatchInput" in batcher:
        yield from _template(batcher["BatchInput"], f"{pointer}/BatchInput", jsonata=jsonata)


def _template(value: Any, pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    if jsonata:
        yield from check_jsonata(value, pointer, INPUT)
    else:
        yield from check_template(value, pointer)


def _numbers(holder: dict[str, Any], fields: tuple[str, ...], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    for field in fields:
        path = f"{field}Path"
        if field in holder and path in holder:
            yield schema_error(only_one((field, path)), pointer)
        if field in holder:
            most = 100_000_000 if field == "MaxItems" else None
            yield from number(0, most)(holder[field], f"{pointer}/{field}", jsonata)
        if path not in holder:
            continue
        if jsonata:
            yield schema_error(other_language(path, jsonata=True), pointer)
        elif not is_place(holder[path]):
            yield schema_error(NO_REFERENCE, f"{pointer}/{path}")


def _config(holder: dict[str, Any], field: str, pointer: str) -> Iterator[Diagnostic]:
    if field in holder and not is_object(holder[field]):
        yield wrong_type(dict, f"{pointer}/{field}")


def _reader(reader: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    yield from required(reader, ("Resource",), pointer)
    yield from _resource(reader, (READ_OBJECT, READ_LISTING), pointer)
    yield from _parameters(reader, pointer, jsonata=jsonata)
    yield from _config(reader, "ReaderConfig", pointer)
    config, place = reader.get("ReaderConfig"), f"{pointer}/ReaderConfig"
    if not is_object(config):
        return
    yield from _numbers(config, ("MaxItems",), place, jsonata=jsonata)
    for field, values in _READER_VALUES.items():
        yield from enumerated(config, field, values, place)
    yield from _combinations(reader, config, pointer)
    yield from _headers(config.get("CSVHeaders", []), f"{place}/CSVHeaders")
    if "ItemsPointer" in config:
        yield from typed(str)(config["ItemsPointer"], f"{place}/ItemsPointer", jsonata)


def _headers(headers: Any, pointer: str) -> Iterator[Diagnostic]:
    if not isinstance(headers, list):
        yield wrong_type(list, pointer)
        return
    wrong = [at for at, header in enumerate(headers) if not isinstance(header, str)]
    yield from (wrong_type(str, f"{pointer}[{at}]") for at in wrong)
    if not wrong and sum(len(header.encode("utf-8", "replace")) for header in headers) > CSV_HEADERS_BYTES_MAX:
        yield schema_error("CSVHeaders exceed 10 KiB", pointer)


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
    if manifest == "S3_INVENTORY" and kind in _READER_VALUES["InputType"] and kind != "MANIFEST":
        yield schema_error("InputType must not be specified with ManifestType S3_INVENTORY", place)
    for what, given, kinds in (
        ("Transformation LOAD_AND_FLATTEN", flattened, ("CSV", "JSON", "JSONL", "PARQUET")),
        ("ManifestType ATHENA_DATA", manifest == "ATHENA_DATA", ("CSV", "JSONL", "PARQUET")),
    ):
        if given and kind is None:
            yield from required(config, ("InputType",), place)
        elif given and kind in _READER_VALUES["InputType"] and kind not in kinds:
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


def _resource(holder: dict[str, Any], known: tuple[Integration, ...], pointer: str) -> Iterator[Diagnostic]:
    if "Resource" not in holder:
        return
    resource = holder["Resource"]
    if not isinstance(resource, str):
        yield wrong_type(str, f"{pointer}/Resource")
    elif parse_resource(resource) not in known:
        yield schema_error(not_recognized(resource), f"{pointer}/Resource")


def _parameters(holder: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    own, other = ("Arguments", "Parameters") if jsonata else ("Parameters", "Arguments")
    if other in holder:
        yield schema_error(other_language(other, jsonata=jsonata), pointer)
    if own in holder:
        yield from _template(holder[own], f"{pointer}/{own}", jsonata=jsonata)


def _destination(writer: dict[str, Any], pointer: str, field: str) -> Iterator[Diagnostic]:
    """Where results go is said by Resource and Parameters together, or not at all (input-output-resultwriter)."""
    if "Resource" in writer or field in writer:
        yield from required(writer, ("Resource", field), pointer)
    named = writer.get(field)
    if isinstance(named, dict) and not named.keys() & {"Bucket", "Bucket.$"}:
        yield schema_error("The field 'Bucket' is required but was missing", f"{pointer}/{field}")


def _writer(writer: dict[str, Any], pointer: str, *, jsonata: bool) -> Iterator[Diagnostic]:
    yield from _resource(writer, (WRITE_OBJECT,), pointer)
    yield from _parameters(writer, pointer, jsonata=jsonata)
    yield from _destination(writer, pointer, "Arguments" if jsonata else "Parameters")
    yield from _config(writer, "WriterConfig", pointer)
    config = writer.get("WriterConfig")
    if is_object(config):
        for field, values in _WRITER_VALUES.items():
            yield from enumerated(config, field, values, f"{pointer}/WriterConfig")
